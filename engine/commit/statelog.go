package commit

import (
	"slices"
	"sync"
	"time"
	"unsafe"

	"mooring/bgp"
	"mooring/engine/operstate"
)

// stateLogSize is how many octets of changes of peers' states are remembered:
// some 10,000 of them. What the changes lead to is counted in, also where it is
// the present state.
const stateLogSize = 8 << 20

// stateChange is a change of what is known of a peer.
type stateChange struct {
	at       time.Time
	peer     bgp.PeerKey
	old, new operstate.Entry
}

// size is what remembering the change costs at most, in octets.
func (ch *stateChange) size() int {
	n := int(unsafe.Sizeof(*ch))
	if st := ch.new.State; st != nil && st != ch.old.State {
		n += int(unsafe.Sizeof(*st)) + len(st.Families)*int(unsafe.Sizeof(bgp.FamilyState{})) + len(st.ConnectError) + len(st.DownDetail)
	}
	if s := ch.new.Applied; s != nil && s != ch.old.Applied {
		n += int(unsafe.Sizeof(*s)) + len(s.Families) + len(s.DownDetail)
	}
	return n
}

// stateLog remembers the last changes of peers' states, as many as its size
// allows. It is in memory only: nothing is known from before the agent began.
// Whoever writes to it holds Coordinator.tell, so that it is in the order of
// what subscribers were told.
type stateLog struct {
	mu      sync.Mutex // guards what follows
	changes []stateChange
	size    int
	limit   int
	since   time.Time // from when on all is there; zero: not begun
}

// begin makes the log remember from a time on.
func (l *stateLog) begin(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = at
}

// add remembers a change. Where a clock has gone back, it counts as made at the
// time of the one before.
func (l *stateLog) add(at time.Time, peer bgp.PeerKey, old, new operstate.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() || old == new {
		return
	}
	last := l.since
	if n := len(l.changes); n > 0 {
		last = l.changes[n-1].at
	}
	if at.Before(last) {
		at = last
	}
	ch := stateChange{at: at, peer: peer, old: old, new: new}
	l.changes = append(l.changes, ch)
	l.size += ch.size()
	drop := 0
	for ; l.size > l.limit; drop++ {
		gone := &l.changes[drop]
		l.size -= gone.size()
		l.since = gone.at
		*gone = stateChange{}
	}
	l.changes = l.changes[drop:] // append moves what is left when there is no more room
}

// after returns the changes after a time, oldest first, and false where some
// of them are forgotten.
func (l *stateLog) after(at time.Time) (changes []stateChange, since time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() || at.Before(l.since) {
		return nil, l.since, false
	}
	from, _ := slices.BinarySearchFunc(l.changes, at, func(ch stateChange, at time.Time) int {
		if ch.at.After(at) {
			return 1
		}
		return -1
	})
	return slices.Clone(l.changes[from:]), l.since, true
}

// states is what was known of peers at one time: what the changes that followed
// have replaced, and what is known now of all others.
type states struct {
	now  *operstate.Store
	then map[bgp.PeerKey]operstate.Entry
	// moved is by how much the counts of instances have grown since.
	moved map[bgp.InstanceKey]operstate.Counts
}

// statesBefore returns the states before changes of which the last is the present.
func statesBefore(now *operstate.Store, changes []stateChange) *states {
	s := &states{now: now, then: map[bgp.PeerKey]operstate.Entry{}, moved: map[bgp.InstanceKey]operstate.Counts{}}
	for i := len(changes) - 1; i >= 0; i-- {
		s.set(changes[i].peer, changes[i].new, changes[i].old)
	}
	return s
}

// set replaces what is known of a peer.
func (s *states) set(key bgp.PeerKey, old, new operstate.Entry) {
	s.then[key] = new
	m := s.moved[key.InstanceKey()]
	a, b := operstate.CountsOf(old), operstate.CountsOf(new)
	m.Peers += b.Peers - a.Peers
	m.Established += b.Established - a.Established
	s.moved[key.InstanceKey()] = m
}

func (s *states) get(key bgp.PeerKey) operstate.Entry {
	if e, ok := s.then[key]; ok {
		return e
	}
	return s.now.Get(key)
}

func (s *states) counts(key bgp.InstanceKey) operstate.Counts {
	n, m := s.now.Counts(key), s.moved[key]
	return operstate.Counts{Peers: n.Peers + m.Peers, Established: n.Established + m.Established}
}

// countsAfter are the counts of the peer's instance when a change was made.
func (s *states) countsAfter(ch *stateChange) operstate.Counts {
	n, a, b := s.counts(ch.peer.InstanceKey()), operstate.CountsOf(ch.old), operstate.CountsOf(ch.new)
	return operstate.Counts{Peers: n.Peers + b.Peers - a.Peers, Established: n.Established + b.Established - a.Established}
}
