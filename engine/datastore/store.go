package datastore

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mooring/engine/schema"
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
	file    *file
	id      string    // of the state directory
	keep    int       // how many commits
	since   uint64    // the way back to this revision is kept too, see Retain
	latest  *Snapshot // last persisted; running, once it is published
	// doubtful are the records of commits that failed to become durable. What
	// the disk says of them is unknown until a later commit writes them too.
	doubtful map[schema.Key]struct{}

	past    sync.Mutex // guards history
	history []Commit   // oldest first
}

// Open loads the state directory, or starts one. It fails with ErrLocked,
// ErrFormat or ErrKeyFile, and then has changed nothing.
func Open(o Options) (*Store, error) {
	start := time.Now()
	f, err := openFile(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open state directory %s: %w", o.Dir, err)
	}
	s := &Store{file: f, id: f.id, keep: defaultHistory, since: RetainNothing, doubtful: map[schema.Key]struct{}{}}
	s.shared = &Candidate{store: s, shared: true}
	content, history, err := f.load()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load state directory %s: %w", o.Dir, err), f.release())
	}
	if err := f.forget(); err != nil {
		o.Log.Debug("the pages of the state file stay in memory", "dir", o.Dir, "err", err)
	}
	replayed := len(f.pending.history)
	if replayed > 0 {
		// Nobody knows whether all that was read from the journal is on disk
		// and not just in the cache of the kernel. SetHistory or Retain may yet
		// want all of the history, so none of it is removed here.
		if err := f.checkpoint(nil, 0); err != nil {
			o.Log.Warn("checkpoint failed, the next commit tries again", "dir", o.Dir, "err", err)
		}
	}
	s.history = history
	s.latest = newSnapshot(content, revisionOf(history))
	s.latest.version = versionOf(history)
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
	return s.file.close(s.oldest(s.latest.revision))
}

// ID is a short name of the state directory that no other has: revisions count
// from 0 in each.
func (s *Store) ID() string { return s.id }

// Running returns the running configuration.
func (s *Store) Running() *Snapshot { return s.running.Load() }

// Persist ends a Txn and makes it durable as the next revision: all of it, its
// revision and its entry in the history, or nothing. The Snapshot that it
// returns is to be published. On an error the Txn is still open and running is
// as before; ErrStale says that another commit came first.
//
// Where the disk fails at the very end, it may hold the failed commit until
// the next one overwrites it.
func (s *Store) Persist(t *Txn, m Meta) (*Snapshot, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if t.base != s.latest {
		return nil, ErrStale
	}
	m.Changes, m.Resets = clip(m.Changes), clip(m.Resets)
	c := &Commit{Revision: t.base.revision + 1, Meta: m}
	writes := s.writes(t)
	limit := s.file.undo
	if s.since <= t.base.revision {
		limit = math.MaxInt
	}
	if err := s.file.commit(writes, s.file.newEntry(c, t.Dirty(), limit), s.oldest(c.Revision)); err != nil {
		for _, w := range writes {
			s.doubtful[w.key] = struct{}{}
		}
		return nil, fmt.Errorf("write revision %d: %w", c.Revision, err)
	}
	clear(s.doubtful)
	t.ended = true
	s.latest = newSnapshot(t.tree, c.Revision)
	s.latest.commit, s.latest.version = c, c.Revision
	if len(t.Dirty()) == 0 {
		s.latest.version = t.base.version
	}
	return s.latest, nil
}

// writes are the records to write, sorted by key.
func (s *Store) writes(t *Txn) []write {
	dirty := t.Dirty()
	out := make([]write, 0, len(dirty))
	for _, d := range dirty {
		out = append(out, write{key: d.Key, record: d.New})
	}
	if len(s.doubtful) == 0 {
		return out
	}
	for k := range s.doubtful {
		if c := t.changes[k]; c == nil || t.Get(k) == c.old {
			out = append(out, write{key: k, record: t.Get(k)})
		}
	}
	slices.SortFunc(out, write.compare)
	return out
}

// Publish makes what Persist returned the running configuration.
func (s *Store) Publish(snap *Snapshot) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if snap != s.latest {
		panic("datastore: publish of what is not the last persisted snapshot")
	}
	s.past.Lock()
	defer s.past.Unlock()
	s.running.Store(snap)
	s.history = append(s.history, *snap.commit)
	s.trim()
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
