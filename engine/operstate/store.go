package operstate

import (
	"sync"

	"mooring/bgp"
)

// Entry is what is known of one peer. A nil field is unknown. What the
// pointers lead to is never changed.
type Entry struct {
	State   *bgp.PeerState // as the backend last told
	Applied *bgp.PeerSpec  // as the backend last applied
}

func (e Entry) established() bool {
	return e.State != nil && e.State.Session == bgp.StateEstablished
}

// Counts is how many peers of an instance there are.
type Counts struct {
	Peers       int // of which something is known
	Established int // with an established session
}

// CountsOf is what one peer counts for.
func CountsOf(e Entry) Counts {
	return Counts{Peers: one(e != (Entry{})), Established: one(e.established())}
}

// Store holds the current entry of every peer. All methods are safe for
// concurrent use and take the same time whatever the number of peers. The
// zero Store is empty and ready.
//
// Two goroutines that change the same peer and then publish what they changed
// may publish in the other order: whoever publishes lets one goroutine do both.
type Store struct {
	mu     sync.RWMutex // guards what follows
	peers  map[bgp.PeerKey]Entry
	counts map[bgp.InstanceKey]Counts // without zeros
}

// Get returns what is known of a peer, the zero Entry for an unknown one.
func (s *Store) Get(key bgp.PeerKey) Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.peers[key]
}

// Counts returns how many peers of an instance there are.
func (s *Store) Counts(key bgp.InstanceKey) Counts {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.counts[key]
}

// Len returns how many peers something is known of.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.peers)
}

// Set replaces what is known of a peer and returns what was known before. The
// zero Entry forgets the peer.
func (s *Store) Set(key bgp.PeerKey, e Entry) (old Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.peers[key]
	s.set(key, old, e)
	return old
}

// Update replaces what is known of a peer by what fn makes of it, and returns
// both. fn runs without a lock and may run again when another change came
// between, so it must only compute.
func (s *Store) Update(key bgp.PeerKey, fn func(Entry) Entry) (old, new Entry) {
	for {
		old = s.Get(key)
		new = fn(old)
		if s.swap(key, old, new) {
			return old, new
		}
	}
}

func (s *Store) swap(key bgp.PeerKey, old, new Entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peers[key] != old {
		return false
	}
	s.set(key, old, new)
	return true
}

// set needs the lock.
func (s *Store) set(key bgp.PeerKey, old, new Entry) {
	if s.peers == nil {
		s.peers, s.counts = map[bgp.PeerKey]Entry{}, map[bgp.InstanceKey]Counts{}
	}
	if new == (Entry{}) {
		delete(s.peers, key)
	} else {
		s.peers[key] = new
	}
	in := key.InstanceKey()
	n := s.counts[in]
	n.Peers += one(new != (Entry{})) - one(old != (Entry{}))
	n.Established += one(new.established()) - one(old.established())
	if n == (Counts{}) {
		delete(s.counts, in)
	} else {
		s.counts[in] = n
	}
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
