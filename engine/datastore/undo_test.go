package datastore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// content is a configuration as text, with secrets.
func contents(r schema.Reader) map[schema.Key]string {
	out := map[schema.Key]string{}
	r.Scan("", func(k schema.Key, rec ygot.GoStruct) bool {
		out[k] = string(schema.AppendRecord(nil, rec, func(b []byte) []byte { return b }))
		return true
	})
	return out
}

// checkPast checks that Past returns a revision, and that its steps lead from
// there to running.
func checkPast(t *testing.T, s *Store, revision uint64, was []map[schema.Key]string) {
	t.Helper()
	snap, steps, err := s.Past(revision)
	must(t, err)
	if snap.Revision() != revision || !maps.Equal(contents(snap), was[revision]) {
		t.Fatalf("revision %d was %v, want %v", revision, contents(snap), was[revision])
	}
	for i := range steps {
		before := snap
		snap = snap.After(&steps[i])
		if snap.Revision() != revision+uint64(i)+1 || !maps.Equal(contents(snap), was[snap.Revision()]) || len(steps[i].Dirty) == 0 {
			t.Fatalf("step %d from revision %d leads to %v, want %v", i, revision, contents(snap), was[snap.Revision()])
		}
		for _, d := range steps[i].Dirty {
			if !same(before.Get(d.Key), d.Old) || !same(snap.Get(d.Key), d.New) {
				t.Errorf("step %d from revision %d: %s is not what it was", i, revision, d.Key)
			}
		}
	}
}

// UndoTo leads back to every revision that is kept, whether its way stands in
// the journal or in the state file, also after a restart.
func TestUndoLeadsBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	rng := rand.New(rand.NewPCG(3, 4))
	was := []map[schema.Key]string{contents(s.Running())}
	for i := range 40 {
		snap := commit(t, s, func(txn *Txn) {
			if i == 0 {
				addBase(txn)
			}
			for range 1 + rng.IntN(3) {
				k := peerKey(rng.IntN(6))
				if txn.Get(k) != nil && rng.IntN(3) == 0 {
					txn.Delete(k)
				} else {
					describe(txn, k, fmt.Sprint("text ", i))
				}
			}
		})
		was = append(was, contents(snap))
		if i == 25 { // what is older stands in the state file
			must(t, s.Close())
			s = open(t, dir)
		}
	}
	for round := range 2 {
		for revision, want := range was {
			back, err := s.UndoTo(uint64(revision))
			must(t, err)
			txn := s.Begin()
			for _, d := range back {
				txn.Delete(d.Key)
				if d.New != nil {
					txn.put(d.Key, d.New)
				}
			}
			if got := contents(txn); !maps.Equal(got, want) {
				t.Fatalf("round %d: back to revision %d: %v, want %v", round, revision, got, want)
			}
			if !slices.IsSortedFunc(back, func(a, b schema.Dirty) int { return stored{key: a.Key}.compare(stored{key: b.Key}) }) {
				t.Errorf("not sorted: %v", back)
			}
			txn.Discard()
			checkPast(t, s, uint64(revision), was)
		}
		must(t, s.Close())
		s = open(t, dir)
	}
	if _, err := s.UndoTo(1000); !errors.Is(err, ErrNoUndo) {
		t.Errorf("a revision to come: %v", err)
	}
	s.SetHistory(2)
	for range 3 {
		commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), fmt.Sprint(rng.Uint64())) })
	}
	must(t, s.Close())
	s = open(t, dir)
	if _, err := s.UndoTo(1); !errors.Is(err, ErrNoUndo) {
		t.Errorf("older than the history: %v", err)
	}
	for _, revision := range []uint64{1, 1000} {
		if _, _, err := s.Past(revision); !errors.Is(err, ErrNoUndo) {
			t.Errorf("the past at revision %d: %v", revision, err)
		}
	}
	must(t, s.Close())
}

func TestNotesSurvive(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if got, err := s.Note("x"); got != nil || err != nil {
		t.Fatalf("note %q, %v", got, err)
	}
	must(t, s.SetNotes(map[string][]byte{"x": []byte("text")}))
	must(t, s.SetNotes(map[string][]byte{"y": []byte("other")}))
	must(t, s.SetNotes(map[string][]byte{"y": nil}))
	must(t, s.Close())
	s = open(t, dir)
	for name, want := range map[string]string{"x": "text", "y": ""} {
		if got, err := s.Note(name); string(got) != want || err != nil {
			t.Errorf("note %s: %q, %v", name, got, err)
		}
	}
	must(t, s.Close())
	if _, err := s.Note("x"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := s.SetNotes(map[string][]byte{"x": nil}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// The way back from a commit of everything is not kept, and UndoTo says so.
func TestUndoHasALimit(t *testing.T) {
	s := open(t, t.TempDir())
	defer func() { must(t, s.Close()) }()
	snap := commit(t, s, func(txn *Txn) {
		addBase(txn)
		describe(txn, peerKey(1), "text")
	})
	d := schema.Dirty{Key: peerKey(1), Old: snap.Get(peerKey(1))}
	c := &Commit{Revision: 2}
	if e := filesOf(s).newEntry(c, slices.Repeat([]schema.Dirty{d}, 10), maxUndo); e.TooLarge || len(e.Undo) != 10 {
		t.Errorf("small: %d, too large %v", len(e.Undo), e.TooLarge)
	}
	if e := filesOf(s).newEntry(c, slices.Repeat([]schema.Dirty{d}, 200_000), maxUndo); !e.TooLarge || e.Undo != nil {
		t.Errorf("large: %d, too large %v", len(e.Undo), e.TooLarge)
	}
}

// What somebody may have to go back to is kept, whatever the size of the
// history and of the commits, until nobody has to any more.
func TestRetain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.SetHistory(1)
	filesOf(s).undo = 1000
	change := func(n int) {
		for range n {
			commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), fmt.Sprint(rand.Uint64())) })
		}
	}
	restart := func() {
		t.Helper()
		must(t, s.Close())
		s = open(t, dir)
		s.SetHistory(1)
	}
	before := contents(commit(t, s, func(txn *Txn) {
		addBase(txn)
		describe(txn, peerKey(1), "text")
	}))
	s.Retain(1)
	for _, text := range []string{"one", "two"} {
		commit(t, s, func(txn *Txn) {
			for i := range 20 { // more than file.undo is needed to take back
				describe(txn, peerKey(i), strings.Repeat(text, 50))
			}
		})
	}
	change(3)
	for range 2 {
		back, _, err := s.Past(1)
		must(t, err)
		if !maps.Equal(contents(back), before) {
			t.Errorf("revision 1 was %d records, want %d", back.Len(), len(before))
		}
		if n := len(s.History()); n != 1 {
			t.Errorf("a history of %d commits", n)
		}
		restart()
		s.Retain(1)
	}
	s.Retain(RetainNothing)
	change(1)
	restart()
	if _, err := s.UndoTo(1); !errors.Is(err, ErrNoUndo) {
		t.Errorf("after the end: %v", err)
	}
	must(t, s.Close())
}
