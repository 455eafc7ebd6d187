package datastore

import (
	"fmt"

	"mooring/engine/schema"
)

// Step is a commit and the records that it changed, sorted by key.
type Step struct {
	Commit
	Dirty []schema.Dirty
}

// Past returns the configuration that a revision was, and the steps that lead
// from there to the last published commit. It costs as much as has changed
// since. The error wraps ErrNoUndo where the way back is not kept.
func (s *Store) Past(revision uint64) (*Snapshot, []Step, error) {
	latest := s.Running()
	if revision > latest.revision {
		return nil, nil, fmt.Errorf("revision %d is not there yet: %w", revision, ErrNoUndo)
	}
	back := latest.begin()
	defer back.Discard()
	steps := make([]Step, latest.revision-revision)
	for i := len(steps) - 1; i >= 0; i-- {
		e, err := s.kept(revision + uint64(i) + 1)
		if err != nil {
			return nil, nil, err
		}
		if e == nil || e.TooLarge {
			return nil, nil, fmt.Errorf("revision %d: %w", revision, ErrNoUndo)
		}
		st := Step{Commit: e.Commit, Dirty: make([]schema.Dirty, 0, len(e.Undo))}
		for _, u := range e.Undo { // sorted, as they were written
			old, err := s.disk.record(u, e.Revision-1)
			if err != nil {
				return nil, nil, err
			}
			st.Dirty = append(st.Dirty, schema.Dirty{Key: u.Key, Old: old, New: back.Get(u.Key)})
			back.put(u.Key, old)
		}
		steps[i] = st
	}
	return back.snapshot(revision), steps, nil
}

// kept reads the entry of a revision, nil where it is not kept. Commits wait
// for this one read, not for all of Past.
func (s *Store) kept(revision uint64) (*entry, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.disk.entry(revision)
}

// After returns the configuration that a step leads to from this one.
func (s *Snapshot) After(st *Step) *Snapshot {
	t := s.begin()
	defer t.Discard()
	for _, d := range st.Dirty {
		t.put(d.Key, d.New)
	}
	return t.snapshot(st.Revision)
}
