package datastore

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"mooring/engine/schema"
)

// ErrNoUndo is wrapped by UndoTo where the way back is not kept: the revision
// is older than the history, or a commit on the way was too large.
var ErrNoUndo = errors.New("the way back to this revision is not kept")

// maxUndo is the size up to which the old records of a commit are kept, in
// octets, where Retain does not say otherwise. Created records cost their keys only, so what exceeds it replaces or
// deletes some ten thousand peers at once.
const maxUndo = 16 << 20

// undo is a record as it was before a commit; no value: it was not there.
type undo struct {
	Key   schema.Key      `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // with sealed secrets
}

// entry is a Commit as the history holds it on disk. In memory the way back is
// left out: it is read when it is needed.
type entry struct {
	Commit
	Undo []undo `json:"undo,omitempty"`
	// TooLarge says that the way back was not kept.
	TooLarge bool `json:"undo-too-large,omitempty"`
}

// newEntry returns what the history is to hold of a commit. The way back is
// limited in octets.
func (f *file) newEntry(c *Commit, dirty []schema.Dirty, limit int) *entry {
	e := &entry{Commit: *c, Undo: make([]undo, len(dirty))}
	olds := make([]write, len(dirty))
	for i, d := range dirty {
		olds[i] = write{key: d.Key, record: d.Old}
	}
	size := 0
	for i, r := range f.encode(olds) {
		e.Undo[i] = undo{Key: r.key, Value: r.value}
		if size += len(r.key) + len(r.value); size > limit {
			return &entry{Commit: *c, TooLarge: true}
		}
	}
	return e
}

// UndoTo returns what leads from the last published commit back to a revision:
// the records to write, New being nil for those to delete. The error wraps
// ErrNoUndo where that is not known.
func (s *Store) UndoTo(revision uint64) ([]schema.Dirty, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	back := map[schema.Key]undo{}
	for r := s.latest.revision; r > revision; r-- {
		e, err := s.file.entryOf(r)
		if err != nil {
			return nil, err
		}
		if e == nil || e.TooLarge {
			return nil, fmt.Errorf("revision %d: %w", revision, ErrNoUndo)
		}
		for _, u := range e.Undo {
			back[u.Key] = u // the oldest wins
		}
	}
	if revision > s.latest.revision {
		return nil, fmt.Errorf("revision %d is not there yet: %w", revision, ErrNoUndo)
	}
	out := make([]schema.Dirty, 0, len(back))
	for k, u := range back {
		rec, err := s.file.record(u, revision)
		if err != nil {
			return nil, err
		}
		out = append(out, schema.Dirty{Key: k, Old: s.latest.Get(k), New: rec})
	}
	slices.SortFunc(out, func(a, b schema.Dirty) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// entryOf reads the entry of a revision, nil where it is not kept.
func (f *file) entryOf(revision uint64) (*entry, error) {
	var raw []byte
	for _, b := range f.pending.history {
		if b.revision == revision {
			raw = b.entry
		}
	}
	if raw == nil {
		err := f.view(func(tx *bbolt.Tx) error {
			raw = append(raw, tx.Bucket(historyBucket).Get(binary.BigEndian.AppendUint64(nil, revision))...)
			return nil
		})
		if err != nil || raw == nil {
			return nil, err
		}
	}
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("%s: history: revision %d: %w", f.path, revision, err)
	}
	return &e, nil
}

// Note returns what SetNote has kept under a name, nil for nothing.
func (s *Store) Note(name string) ([]byte, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var out []byte
	err := s.file.view(func(tx *bbolt.Tx) error {
		out = append(out, tx.Bucket(metaBucket).Get(noteKey(name))...)
		return nil
	})
	return out, err
}

// SetNote keeps a small text that is durable when it returns, beside the
// configuration and in no revision; nil removes it. It costs a transaction of
// the state file.
func (s *Store) SetNote(name string, text []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.file.update(func(tx *bbolt.Tx) error {
		if text == nil {
			return tx.Bucket(metaBucket).Delete(noteKey(name))
		}
		return tx.Bucket(metaBucket).Put(noteKey(name), text)
	})
}

func noteKey(name string) []byte { return []byte("note-" + name) }
