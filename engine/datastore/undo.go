package datastore

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"mooring/engine/schema"
)

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
func (f *files) newEntry(c *Commit, dirty []schema.Dirty, limit int) *entry {
	e := &entry{Commit: *c, Undo: make([]undo, len(dirty))}
	olds := make([]write, len(dirty))
	for i, d := range dirty {
		olds[i] = write{key: d.Key, record: d.Old}
	}
	size := 0
	for i, r := range encode(f.sealer, olds) {
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
		e, err := s.disk.entry(r)
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
		rec, err := s.disk.record(u, revision)
		if err != nil {
			return nil, err
		}
		out = append(out, schema.Dirty{Key: k, Old: s.latest.Get(k), New: rec})
	}
	slices.SortFunc(out, func(a, b schema.Dirty) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// entry implements disk.
func (f *files) entry(revision uint64) (*entry, error) {
	var raw []byte
	if p := f.prepared; p != nil && p.revision == revision {
		raw = p.entry
	}
	for i := range f.pending.history {
		if b := &f.pending.history[i]; b.revision == revision {
			raw = b.entry
		}
	}
	if raw == nil && revision != f.pending.voided {
		err := f.view(func(tx *bbolt.Tx) error {
			key := []byte(historyKey(revision))
			value := tx.Bucket(historyBucket).Get(key)
			if value == nil {
				return nil
			}
			plain, _, ok := unsum(historyBucket, key, value)
			if !ok {
				return &Damage{File: f.path(), What: fmt.Sprintf("the entry of revision %d of the history is damaged", revision)}
			}
			raw = append(raw, plain...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if raw == nil {
		return nil, nil
	}
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("%s: history: revision %d: %w", f.path(), revision, err)
	}
	return &e, nil
}
