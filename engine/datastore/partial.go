package datastore

import (
	"slices"
	"time"

	"mooring/engine/schema"
)

// PartialLock protects parts of running (RFC 5717).
type PartialLock struct {
	ID      uint32
	Holder  Holder
	Since   time.Time
	Selects []Select      // what was asked for
	Nodes   []schema.Path // that are locked, with everything below them

	nodes  map[string]bool              // Nodes as text
	above  map[string]bool              // everything that one of them is below
	within map[schema.Key][]schema.Path // those that are part of a record
}

// Select is an expression as it was given, with the namespaces of its prefixes.
type Select struct {
	Text     string
	Prefixes map[string]string
}

func newPartialLock(h Holder, selects []Select, nodes []schema.Path) *PartialLock {
	l := &PartialLock{
		Holder: h, Since: time.Now(), Selects: selects, Nodes: nodes,
		nodes: map[string]bool{}, above: map[string]bool{}, within: map[schema.Key][]schema.Path{},
	}
	for _, p := range nodes {
		l.nodes[p.String()] = true
		for i := range p {
			l.above[p[:i].String()] = true
		}
		if k, rest, ok := p.Record(); ok && len(rest) > 0 {
			l.within[k] = append(l.within[k], p)
		}
	}
	return l
}

// overlaps returns a node of l that is the same as p, above or below it.
func (l *PartialLock) overlaps(p schema.Path) bool {
	return l.above[p.String()] || l.covers(p)
}

// covers says whether p is locked by l.
func (l *PartialLock) covers(p schema.Path) bool {
	for i := range p {
		if l.nodes[p[:i+1].String()] {
			return true
		}
	}
	return false
}

// touched returns a locked node that a change of a record changes.
func (l *PartialLock) touched(d schema.Dirty) (schema.Path, bool) {
	if p := d.Key.Path(); l.covers(p) {
		return p, true
	}
	for _, p := range l.within[d.Key] {
		if d.Touches(p) {
			return p, true
		}
	}
	return nil, false
}

func (l *PartialLock) denies(p schema.Path) *LockedError {
	return &LockedError{
		Holder: l.Holder, Path: p,
		Reason: p.String() + " is locked by " + l.Holder.String() + ": wait until it unlocks, or end it with kill-session",
	}
}

// LockPartly locks nodes of running for h, with everything that is or will be
// below them. A lock of the whole of running is in the way, also one of h, and
// so is a lock of another holder on one of the nodes, or above or below one
// (RFC 5717 2.1.1).
func (s *Store) LockPartly(h Holder, selects []Select, nodes []schema.Path) (*PartialLock, error) {
	t := &s.locks
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.held[DatastoreRunning]; l != nil {
		return nil, &LockedError{Holder: l.Holder, Reason: "locked by " + l.Holder.String()}
	}
	for _, l := range t.partial {
		for _, p := range nodes {
			if l.Holder != h && l.overlaps(p) {
				return nil, l.denies(p)
			}
		}
	}
	l := newPartialLock(h, selects, nodes)
	t.lastPartial++
	l.ID = t.lastPartial
	t.partial = append(slices.Clip(t.partial), l)
	return l, nil
}

// UnlockPartly gives up a partial lock of h.
func (s *Store) UnlockPartly(h Holder, id uint32) error {
	t := &s.locks
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.partial, func(l *PartialLock) bool { return l.ID == id && l.Holder == h })
	if i < 0 {
		return ErrNoLock
	}
	t.partial = slices.Delete(slices.Clone(t.partial), i, i+1)
	return nil
}

// releasePartial gives up all partial locks of h.
func (t *lockTable) releasePartial(h Holder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partial = slices.DeleteFunc(slices.Clone(t.partial), func(l *PartialLock) bool { return l.Holder == h })
}

// PartialLocks returns those that are held, oldest first.
func (s *Store) PartialLocks() []*PartialLock {
	s.locks.mu.Lock()
	defer s.locks.mu.Unlock()
	return s.locks.partial
}

// CheckChange says whether h may make txn running: it may unless that changes
// what another one has locked. The answer stays true as that of CheckWrite
// does. Where nothing is locked it costs nothing.
func (s *Store) CheckChange(h Holder, txn *Txn) error {
	locks := slices.DeleteFunc(slices.Clone(s.PartialLocks()), func(l *PartialLock) bool { return l.Holder == h })
	if len(locks) == 0 {
		return nil
	}
	for _, d := range txn.Dirty() {
		for _, l := range locks {
			if p, ok := l.touched(d); ok {
				return l.denies(p)
			}
		}
	}
	return nil
}
