package operstate

import (
	"sync"

	"mooring/bgp"

	"github.com/tidwall/btree"
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
// concurrent use; none goes through all peers. The zero Store is empty and
// ready.
//
// Two goroutines that change the same peer and then publish what they changed
// may publish in the other order: whoever publishes lets one goroutine do both.
type Store struct {
	mu  sync.RWMutex // guards now
	now Snapshot
}

// Snapshot is what a Store held at one instant. It never changes, and a copy
// of it is the same one. The zero Snapshot is empty.
type Snapshot struct {
	peers  *btree.BTreeG[peerEntry] // nil for none, as counts
	counts *btree.BTreeG[instanceCounts]
}

type peerEntry struct {
	key   bgp.PeerKey
	entry Entry
}

type instanceCounts struct {
	key    bgp.InstanceKey
	counts Counts // not zero
}

// Get returns what is known of a peer, the zero Entry for an unknown one.
func (s Snapshot) Get(key bgp.PeerKey) Entry {
	if s.peers == nil {
		return Entry{}
	}
	p, _ := s.peers.Get(peerEntry{key: key})
	return p.entry
}

// Counts returns how many peers of an instance there are.
func (s Snapshot) Counts(key bgp.InstanceKey) Counts {
	if s.counts == nil {
		return Counts{}
	}
	c, _ := s.counts.Get(instanceCounts{key: key})
	return c.counts
}

// Snapshot returns all that is known at this instant.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock() // the copy marks the original
	defer s.mu.Unlock()
	if s.now.peers == nil {
		return Snapshot{}
	}
	return Snapshot{s.now.peers.Copy(), s.now.counts.Copy()}
}

// Get returns what is known of a peer, the zero Entry for an unknown one.
func (s *Store) Get(key bgp.PeerKey) Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now.Get(key)
}

// Counts returns how many peers of an instance there are.
func (s *Store) Counts(key bgp.InstanceKey) Counts {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.now.Counts(key)
}

// Len returns how many peers something is known of.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.now.peers == nil {
		return 0
	}
	return s.now.peers.Len()
}

// Set replaces what is known of a peer and returns what was known before. The
// zero Entry forgets the peer.
func (s *Store) Set(key bgp.PeerKey, e Entry) (old Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.now.Get(key)
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
	if s.now.Get(key) != old {
		return false
	}
	s.set(key, old, new)
	return true
}

// set needs the lock.
func (s *Store) set(key bgp.PeerKey, old, new Entry) {
	if s.now.peers == nil {
		guarded := btree.Options{NoLocks: true}
		s.now.peers = btree.NewBTreeGOptions(func(a, b peerEntry) bool { return a.key.Compare(b.key) < 0 }, guarded)
		s.now.counts = btree.NewBTreeGOptions(func(a, b instanceCounts) bool { return a.key.Compare(b.key) < 0 }, guarded)
	}
	if p := (peerEntry{key, new}); new == (Entry{}) {
		s.now.peers.Delete(p)
	} else {
		s.now.peers.Set(p)
	}
	in := key.InstanceKey()
	n := s.now.Counts(in)
	n.Peers += one(new != (Entry{})) - one(old != (Entry{}))
	n.Established += one(new.established()) - one(old.established())
	if c := (instanceCounts{in, n}); n == (Counts{}) {
		s.now.counts.Delete(c)
	} else {
		s.now.counts.Set(c)
	}
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
