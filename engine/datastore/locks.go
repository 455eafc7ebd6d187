package datastore

import (
	"fmt"
	"sync"
	"time"
)

// Datastore names a datastore that can be locked (RFC 6241 7.5).
type Datastore uint8

// The datastores.
const (
	DatastoreRunning Datastore = iota
	DatastoreCandidate
	DatastoreStartup
	datastores = iota
)

var datastoreNames = [datastores]string{"running", "candidate", "startup"}

// String returns the name that RFC 6241 uses.
func (d Datastore) String() string { return datastoreNames[d] }

// Holder is who holds a lock, or wants to write.
type Holder struct {
	Session  uint32 // NETCONF session-id, 0 for any other protocol (RFC 6241 7.5)
	Protocol string // "netconf", "gnmi"
}

// String names the holder for a message.
func (h Holder) String() string {
	if h.Session == 0 {
		return h.Protocol
	}
	return fmt.Sprintf("%s session %d", h.Protocol, h.Session)
}

// Lock is a lock that is held (RFC 6022 2.1.2).
type Lock struct {
	Datastore Datastore
	Holder    Holder
	Since     time.Time
}

// lockTable is who holds which lock. The zero value holds none.
type lockTable struct {
	mu          sync.Mutex // guards what follows; taken after the mutex of a Candidate
	held        [datastores]*Lock
	partial     []*PartialLock // of running; never changed in place
	lastPartial uint32
}

// lock gives ds to h. A lock that h itself holds is in the way too (RFC 6241
// 7.5), and so is uncommitted content.
func (t *lockTable) lock(ds Datastore, h Holder, modified bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.held[ds]; l != nil {
		return &LockedError{Datastore: ds, Holder: l.Holder, Reason: "already locked by " + l.Holder.String()}
	}
	if ds == DatastoreRunning && len(t.partial) > 0 { // RFC 5717 2.1.1: also of h itself
		l := t.partial[0]
		return &LockedError{Datastore: ds, Holder: l.Holder, Reason: "parts of it are locked by " + l.Holder.String()}
	}
	if modified {
		return &LockedError{Datastore: ds, Reason: "modified and not committed: commit or discard the changes first"}
	}
	t.held[ds] = &Lock{Datastore: ds, Holder: h, Since: time.Now()}
	return nil
}

func (t *lockTable) unlock(ds Datastore, h Holder) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch l := t.held[ds]; {
	case l == nil:
		return &LockedError{Datastore: ds, Reason: "not locked"}
	case l.Holder != h:
		return &LockedError{Datastore: ds, Holder: l.Holder, Reason: "locked by " + l.Holder.String() + ", who alone can unlock it"}
	}
	t.held[ds] = nil
	return nil
}

func (t *lockTable) check(ds Datastore, h Holder) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.held[ds]; l != nil && l.Holder != h {
		return &LockedError{Datastore: ds, Holder: l.Holder, Reason: "locked by " + l.Holder.String() +
			": wait until it unlocks, or end it with kill-session"}
	}
	return nil
}

func (t *lockTable) holds(ds Datastore, h Holder) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held[ds] != nil && t.held[ds].Holder == h
}

// Lock locks a datastore for h (RFC 6241 7.5). The candidate cannot be locked
// while it is modified: the LockedError then has a zero Holder (RFC 6241
// 8.3.5.2).
func (s *Store) Lock(ds Datastore, h Holder) error {
	switch ds {
	case DatastoreRunning:
		return s.locks.lock(ds, h, false)
	case DatastoreStartup:
		s.writing.Lock() // SaveStartup has looked for a lock
		defer s.writing.Unlock()
		return s.locks.lock(ds, h, false)
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if err := s.locks.lock(ds, h, s.shared.modified()); err != nil {
		return err
	}
	s.shared.reset() // not modified, but others may have written equal values
	return nil
}

// Unlock gives up a lock of h. Giving up that of the candidate discards what
// is not committed (RFC 6241 8.3.5.2).
func (s *Store) Unlock(ds Datastore, h Holder) error {
	if ds != DatastoreCandidate {
		return s.locks.unlock(ds, h)
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if err := s.locks.unlock(ds, h); err != nil {
		return err
	}
	s.shared.reset()
	return nil
}

// ReleaseAll gives up all locks of h, as at the end of its session (RFC 6241
// 7.5). It does nothing where there is none.
func (s *Store) ReleaseAll(h Holder) {
	s.locks.releasePartial(h)
	for ds := range Datastore(datastores) {
		if s.locks.holds(ds, h) {
			_ = s.Unlock(ds, h) // h alone gives up its locks, so at worst it has done so meanwhile
		}
	}
}

// CheckWrite says whether h may change ds now: it may unless another one holds
// the lock. The answer stays true while the caller keeps locks from being
// granted: inside Candidate.Edit for the shared candidate, under the
// coordinator's own mutex for running, within SaveStartup for startup.
func (s *Store) CheckWrite(ds Datastore, h Holder) error { return s.locks.check(ds, h) }

// Locks returns the locks that are held, in the order of the datastores.
func (s *Store) Locks() []Lock {
	s.locks.mu.Lock()
	defer s.locks.mu.Unlock()
	var out []Lock
	for _, l := range s.locks.held {
		if l != nil {
			out = append(out, *l)
		}
	}
	return out
}
