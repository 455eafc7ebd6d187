package datastore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Report is what a state directory holds.
type Report struct {
	ID       string    // of the state, "" if it is not known
	Revision uint64    // up to which everything follows
	Lost     uint64    // the last revision that is known to be missing, 0 for none
	Records  int       // that are whole at Revision
	History  int       // commits that are kept
	Behind   []uint64  // revisions of whole writes behind a damaged one
	Damages  []*Damage // nil: everything is whole
	Broken   []string  // records that are not whole
	Old      bool      // it is of format 1, and is checked when it is upgraded
}

// Check reads a state directory and changes nothing. It fails if the state
// cannot be judged: it is in use, of a newer format, or its key is not there.
func Check(dir string) (*Report, error) {
	r, err := inspect(dir)
	if err != nil {
		return nil, err
	}
	rep := r.report()
	return rep, r.release()
}

// inspect reads what is there, tolerantly. The caller releases it.
func inspect(dir string) (*reader, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%s is no state directory", dir), err)
	}
	have, err := find(dir)
	if err != nil {
		return nil, fmt.Errorf("open state directory %s: %w", dir, err)
	}
	r := &reader{found: have, tolerant: true}
	switch {
	case have.db == nil && have.journal == nil && have.mark == nil:
		err = fmt.Errorf("%s: %w", statePath(dir), fs.ErrNotExist)
	case have.db == nil:
		_ = r.damage(stateFile, "", "it is missing")
	}
	if err == nil {
		err = r.examine()
	}
	if errors.Is(err, errFormat1) {
		err = nil
	}
	if err != nil {
		return nil, errors.Join(err, have.release())
	}
	return r, nil
}

func (r *reader) report() *Report {
	rep := &Report{Damages: r.damages, Old: r.format == "1"}
	if r.check != nil {
		rep.ID = shortID(stateOf(r.check))
	}
	for _, k := range r.broken {
		rep.Broken = append(rep.Broken, k.String())
	}
	rep.Revision = revisionOf(r.history)
	if rep.History = len(r.history); r.round == nil {
		return rep
	}
	rep.Revision = r.wholeUpTo()
	if last := max(r.reach.revision, furthest(r.round.behind)); last > rep.Revision {
		rep.Lost = last
	}
	for _, f := range r.round.behind {
		rep.Behind = append(rep.Behind, f.revision)
	}
	if r.tree.records != nil {
		rep.Records = r.tree.records.Len()
	}
	return rep
}
