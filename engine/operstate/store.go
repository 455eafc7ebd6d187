package operstate

import (
	"net/netip"
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
	mu  sync.RWMutex // guards what follows
	now Snapshot
	era int // how many snapshots were taken
	n   int // peers
}

// Snapshot is what a Store held at one instant. It never changes, and a copy
// of it is the same one. The zero Snapshot is empty.
type Snapshot struct {
	instances *btree.BTreeG[instance] // by key; nil for none
}

type instance struct {
	key bgp.InstanceKey
	*peers
}

// peers are those of an instance, of which there is one. They belong to the
// Store until the era ends, to snapshots then.
type peers struct {
	era       int
	counts    Counts
	byAddress *btree.BTreeG[peer]
}

type peer struct {
	address netip.Addr
	entry   Entry
}

// unguarded are trees that the Store guards, or that do not change.
var unguarded = btree.Options{NoLocks: true}

// of returns the peers of an instance, nil for none.
func (s Snapshot) of(key bgp.InstanceKey) *peers {
	if s.instances == nil {
		return nil
	}
	in, _ := s.instances.Get(instance{key: key})
	return in.peers
}

// Get returns what is known of a peer, the zero Entry for an unknown one.
func (s Snapshot) Get(key bgp.PeerKey) Entry {
	in := s.of(key.InstanceKey())
	if in == nil {
		return Entry{}
	}
	p, _ := in.byAddress.Get(peer{address: key.Address})
	return p.entry
}

// Counts returns how many peers of an instance there are.
func (s Snapshot) Counts(key bgp.InstanceKey) Counts {
	if in := s.of(key); in != nil {
		return in.counts
	}
	return Counts{}
}

// Snapshot returns all that is known at this instant.
func (s *Store) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.instances == nil {
		return Snapshot{}
	}
	s.era++
	return Snapshot{s.now.instances.Copy()}
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
	return s.n
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

// set and own need the lock.

func (s *Store) set(key bgp.PeerKey, old, new Entry) {
	in := s.own(key.InstanceKey())
	if p := (peer{key.Address, new}); new == (Entry{}) {
		in.byAddress.Delete(p)
	} else {
		in.byAddress.Set(p)
	}
	more := one(new != (Entry{})) - one(old != (Entry{}))
	s.n += more
	in.counts.Peers += more
	in.counts.Established += one(new.established()) - one(old.established())
	if in.counts == (Counts{}) {
		s.now.instances.Delete(instance{key: key.InstanceKey()})
	}
}

// own returns the peers of an instance in a form that no snapshot has.
func (s *Store) own(key bgp.InstanceKey) *peers {
	if s.now.instances == nil {
		s.now.instances = btree.NewBTreeGOptions(func(a, b instance) bool { return a.key.Compare(b.key) < 0 }, unguarded)
	}
	in := s.now.of(key)
	switch {
	case in == nil:
		in = &peers{byAddress: btree.NewBTreeGOptions(func(a, b peer) bool { return a.address.Less(b.address) }, unguarded)}
	case in.era == s.era:
		return in
	default:
		in = &peers{counts: in.counts, byAddress: in.byAddress.Copy()}
	}
	in.era = s.era
	s.now.instances.Set(instance{key, in})
	return in
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
