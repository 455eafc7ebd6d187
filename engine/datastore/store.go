package datastore

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// defaultHistory is how many commits are kept until SetHistory says.
const defaultHistory = 100

// maxLines is how many lines of Changes and of Resets of a commit are kept: a
// commit of everything must not fill the history.
const maxLines = 1000

// Options are the settings of a Store.
type Options struct {
	Dir string // the state directory; made where missing
	Log *slog.Logger
	FS  FS // nil: OS()
}

// Meta is what the history tells of a commit beside its revision.
type Meta struct {
	CommitID   string    `json:"commit-id"`
	User       string    `json:"user,omitempty"`
	Protocol   string    `json:"protocol,omitempty"`
	SourceHost string    `json:"source-host,omitempty"`
	Session    uint32    `json:"session,omitempty"`
	Time       time.Time `json:"time"`
	Comment    string    `json:"comment,omitempty"`
	Changes    []string  `json:"changes,omitempty"`  // a line a leaf, without secrets
	Resets     []string  `json:"resets,omitempty"`   // a line a peer
	Restores   *uint64   `json:"restores,omitempty"` // of a rollback: the revision that it led back to

	// Notes change with the commit, all or nothing; a nil text removes one.
	Notes map[string][]byte `json:"-"`
	// Urgent commits lead back to something. They may use what is kept for a
	// full disk.
	Urgent bool `json:"-"`
}

// Commit is an entry of the history.
type Commit struct {
	Revision uint64 `json:"revision"`
	Meta
}

// Store holds the datastores. All methods are safe for concurrent use.
type Store struct {
	running atomic.Pointer[Snapshot]
	startup atomic.Pointer[Snapshot] // nil: not served; written with writing held
	shared  *Candidate
	locks   lockTable

	writing sync.Mutex // guards what follows; held while a commit becomes durable
	disk    disk
	settled *sync.Cond // signalled when no commit is under way
	open    bool       // one is: it was persisted, and neither published nor aborted
	closed  bool
	notes   map[string][]byte
	keep    int       // how many commits
	since   uint64    // the way back to this revision is kept too, see Retain
	latest  *Snapshot // last persisted; running, once it is published

	past    sync.Mutex // guards history
	history []Commit   // oldest first
}

// Open loads the state directory, or starts one. It fails with ErrLocked,
// ErrFormat, ErrKeyFile, ErrFileSystem or a *Damage, and then has changed
// nothing.
func Open(o Options) (*Store, error) {
	start := time.Now()
	if o.FS == nil {
		o.FS = OS()
	}
	f, r, err := openFiles(&o)
	if err != nil {
		return nil, fmt.Errorf("open state directory %s: %w", o.Dir, err)
	}
	replayed := len(f.pending.history)
	if !f.pending.empty() {
		// SetHistory or Retain may yet want all of the history, so none of it is
		// removed here.
		if err := f.checkpoint(nil, 0); err != nil {
			o.Log.Warn("checkpoint failed, the next commits are kept in the journal as far as it has room", "dir", o.Dir, "err", err)
		}
	}
	s := &Store{disk: f, keep: defaultHistory, since: RetainNothing, notes: r.notes, history: r.history}
	s.settled = sync.NewCond(&s.writing)
	s.shared = &Candidate{store: s, shared: true}
	s.latest = newSnapshot(r.tree, revisionOf(r.history))
	s.latest.version = versionOf(r.history)
	s.running.Store(s.latest)
	o.Log.Info("state loaded", "dir", o.Dir, "revision", s.latest.revision, "records", s.latest.Len(),
		"replayed", replayed, "took", time.Since(start))
	return s, nil
}

// Close waits for a commit that is becoming durable and closes the files.
// Snapshots and candidates can still be read. On an error nothing is lost that
// Persist has returned.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.closed = true
	s.settled.Broadcast()
	return s.disk.close(s.oldest(s.latest.revision))
}

// ID is a short name of the state directory that no other has: revisions count
// from 0 in each.
func (s *Store) ID() string { return s.disk.id() }

// Running returns the running configuration.
func (s *Store) Running() *Snapshot { return s.running.Load() }

// Persist ends a Txn and makes it durable as the next revision: all of it, its
// revision, its entry in the history and its notes, or nothing. The Snapshot
// that it returns is to be published once it is applied, or else to be aborted;
// a start that finds it takes it for a commit. On an error the Txn is still open
// and running is as before; ErrStale says that another commit came first, and
// ErrUnsettled that the disk may keep the refused commit.
func (s *Store) Persist(t *Txn, m Meta) (*Snapshot, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if t.base != s.latest {
		return nil, ErrStale
	}
	m.Changes, m.Resets = clip(m.Changes), clip(m.Resets)
	notes, urgent := m.Notes, m.Urgent
	m.Notes, m.Urgent = nil, false
	c := &Commit{Revision: t.base.revision + 1, Meta: m}
	err := s.disk.commit(&commitment{
		revision: c.Revision, commit: c, dirty: t.Dirty(), goBack: s.since <= t.base.revision, notes: notes, oldNotes: s.notesNow(notes),
		urgent: urgent, oldest: s.oldest(c.Revision),
	})
	if err != nil {
		return nil, fmt.Errorf("write revision %d: %w", c.Revision, err)
	}
	t.ended, s.open = true, true
	s.latest = newSnapshot(t.tree, c.Revision)
	s.latest.commit, s.latest.notes, s.latest.version = c, notes, c.Revision
	if len(t.Dirty()) == 0 {
		s.latest.version = t.base.version
	}
	return s.latest, nil
}

// waitSettled waits until no commit is under way. It needs the mutex, and frees
// it meanwhile.
func (s *Store) waitSettled() {
	for s.open && !s.closed {
		s.settled.Wait()
	}
}

// Publish makes what Persist returned the running configuration.
func (s *Store) Publish(snap *Snapshot) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if snap != s.latest {
		panic("datastore: publish of what is not the last persisted snapshot")
	}
	s.disk.applied()
	s.keepNotes(snap.notes)
	s.end()
	s.past.Lock()
	defer s.past.Unlock()
	s.running.Store(snap)
	s.history = append(s.history, *snap.commit)
	s.trim()
}

// Abort makes what Persist returned as if it had never been. On an error, which
// wraps ErrUnsettled, the disk has not taken that: a restart may find the
// commit, and the Store takes nothing else until Settle succeeds.
func (s *Store) Abort(snap *Snapshot) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if snap != s.latest {
		panic("datastore: abort of what is not the last persisted snapshot")
	}
	s.latest = s.running.Load()
	s.end()
	return s.disk.abort()
}

// Settle tries again what the disk has refused of an Abort. It does nothing
// where all is well.
func (s *Store) Settle() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.open || s.closed {
		return nil
	}
	return s.disk.settle()
}

// end needs the mutex.
func (s *Store) end() {
	s.open = false
	s.settled.Broadcast()
}

// SetHistory says how many commits to keep, at least 1; it is 100 before. Call
// it before the first commit, which removes what is too old. It may wait for a
// commit that is becoming durable.
func (s *Store) SetHistory(n int) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.past.Lock()
	defer s.past.Unlock()
	s.keep = max(1, n)
	s.trim()
}

// RetainNothing, for Retain, is a revision that nobody has to go back to.
const RetainNothing = math.MaxUint64

// Retain keeps the way back to a revision, however many commits follow and
// however large they are, until it is called with another one. It costs nothing
// until then; what has been removed already does not come back.
func (s *Store) Retain(revision uint64) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.since = revision
}

// oldest is the first revision of which the state file keeps the history, where
// last is the last one. It needs the mutex.
func (s *Store) oldest(last uint64) uint64 {
	first := last - min(last, uint64(s.keep)-1)
	if s.since < first {
		return s.since + 1
	}
	return first
}

// trim needs both mutexes. What it cuts off stays as it is: readers hold it.
func (s *Store) trim() {
	if extra := len(s.history) - s.keep; extra > 0 {
		s.history = s.history[extra:]
	}
}

// History returns the last commits, oldest first. The slice is shared and must
// not be changed; it stays as it is whatever is committed afterwards.
func (s *Store) History() []Commit {
	s.past.Lock()
	defer s.past.Unlock()
	return slices.Clip(s.history)
}

// clip keeps the first lines and says how many more there were.
func clip(lines []string) []string {
	if len(lines) <= maxLines {
		return lines
	}
	return append(slices.Clone(lines[:maxLines]), fmt.Sprintf("and %d more", len(lines)-maxLines))
}
