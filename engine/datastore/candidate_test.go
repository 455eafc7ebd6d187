package datastore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/schema"
)

// setting sets the description of a peer or, where it is "-", deletes it.
type setting struct {
	peer int
	text string
}

func apply(txn *Txn, changes ...setting) {
	for _, c := range changes {
		if k := peerKey(c.peer); c.text == "-" {
			txn.Delete(k)
		} else {
			describe(txn, k, c.text)
		}
	}
}

func editCandidate(t testing.TB, c *Candidate, fn func(*Txn)) {
	t.Helper()
	if err := c.Edit(func(txn *Txn) error { fn(txn); return nil }); err != nil {
		t.Fatal(err)
	}
}

func commitCandidate(t testing.TB, s *Store, c *Candidate) error {
	t.Helper()
	txn, err := c.Begin()
	if err != nil {
		return err
	}
	defer txn.Discard()
	finish(t, s, txn)
	c.Committed(txn)
	return nil
}

// startWith opens a store with peers 1 to 4, whose descriptions are "old".
func startWith(t testing.TB) *Store {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		apply(txn, setting{1, "old"}, setting{2, "old"}, setting{3, "old"}, setting{4, "old"})
	})
	return s
}

// peers lists the peers 1 to 5 as "old old - new -".
func peers(r schema.Reader) string {
	var out []string
	for i := 1; i <= 5; i++ {
		out = append(out, described(r, peerKey(i)))
	}
	return strings.Join(out, " ")
}

// A candidate is edited, running gets another commit, the candidate commits
// (netconf.md 55, RFC 6241 8.3.4.1).
func TestCandidateMeetsRunning(t *testing.T) {
	tests := []struct {
		name               string
		candidate, running []setting
		private, shared    string // what the candidate shows after running's commit
		conflict           []int  // of a private one; nil: it commits
		merged             string // running after the commit that has no conflict, and that of the shared one
	}{
		{
			"nothing else happened",
			[]setting{{1, "new"}, {2, "-"}, {5, "new"}},
			nil,
			"new - old old new", "new - old old new", nil, "new - old old new",
		},
		{
			"other records",
			[]setting{{1, "new"}},
			[]setting{{2, "theirs"}, {3, "-"}, {5, "theirs"}},
			"new old old old -", "new theirs - old theirs", nil, "new theirs - old theirs",
		},
		{
			"the same record",
			[]setting{{1, "new"}, {2, "new"}},
			[]setting{{1, "theirs"}},
			"new new old old -", "new new old old -",
			[]int{1},
			"new new old old -",
		},
		{
			"the same record to the same value",
			[]setting{{1, "both"}},
			[]setting{{1, "both"}},
			"both old old old -", "both old old old -", nil, "both old old old -",
		},
		{
			"both delete",
			[]setting{{1, "-"}},
			[]setting{{1, "-"}},
			"- old old old -", "- old old old -", nil, "- old old old -",
		},
		{
			"change of what running deleted",
			[]setting{{1, "new"}},
			[]setting{{1, "-"}},
			"new old old old -", "new old old old -",
			[]int{1},
			"new old old old -",
		},
		{
			"delete of what running changed",
			[]setting{{1, "-"}},
			[]setting{{1, "theirs"}},
			"- old old old -", "- old old old -",
			[]int{1},
			"- old old old -",
		},
		{
			"both create, differently",
			[]setting{{5, "new"}},
			[]setting{{5, "theirs"}},
			"old old old old new", "old old old old new",
			[]int{5},
			"old old old old new",
		},
		{
			"an edit that changed nothing is no edit",
			[]setting{{1, "old"}},
			[]setting{{1, "theirs"}},
			"theirs old old old -", "theirs old old old -", nil, "theirs old old old -",
		},
	}
	for _, tt := range tests {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/shared=%v", tt.name, shared), func(t *testing.T) {
				s := startWith(t)
				c, shows := s.NewCandidate(), tt.private
				if shared {
					c, shows = s.Shared(), tt.shared
				}
				editCandidate(t, c, func(txn *Txn) { apply(txn, tt.candidate...) })
				if len(tt.running) > 0 {
					commit(t, s, func(txn *Txn) { apply(txn, tt.running...) })
				}
				if got := peers(c.View()); got != shows {
					t.Errorf("candidate shows %q, want %q", got, shows)
				}
				before := peers(s.Running())
				err := commitCandidate(t, s, c)
				var conflict *ConflictError
				if errors.As(err, &conflict) {
					var want []schema.Key
					for _, i := range tt.conflict {
						want = append(want, peerKey(i))
					}
					if diff := cmp.Diff(want, conflict.Keys); diff != "" || shared {
						t.Errorf("conflict, shared=%v (-want +got):\n%s", shared, diff)
					}
					if got := peers(s.Running()); got != before || peers(c.View()) != shows {
						t.Errorf("after a conflict running is %q, candidate %q", got, peers(c.View()))
					}
					return
				}
				if err != nil || !shared && tt.conflict != nil {
					t.Fatalf("commit: %v, want a conflict in %v", err, tt.conflict)
				}
				if got := peers(s.Running()); got != tt.merged {
					t.Errorf("running is %q, want %q", got, tt.merged)
				}
				if c.Modified() {
					t.Error("modified after its commit")
				}
			})
		}
	}
}

// Where one side deletes a record and the other writes below it, no record is
// left without the one above it.
func TestCandidateKeepsTheTreeWhole(t *testing.T) {
	gone := func(txn *Txn) {
		for _, k := range keysOf(txn, public) {
			txn.Delete(k)
		}
	}
	below := func(txn *Txn) { apply(txn, setting{1, "new"}, setting{5, "new"}) }
	tests := []struct {
		name               string
		candidate, running func(*Txn)
		conflict           []schema.Key
		merged             string
		public             bool
	}{
		{"candidate deletes", gone, below, []schema.Key{peerKey(1), peerKey(5)}, "- - - - -", false},
		{"running deletes", below, gone, []schema.Key{public, peerKey(1)}, "new - - - new", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startWith(t)
			private := s.NewCandidate()
			editCandidate(t, private, tt.candidate)
			editCandidate(t, s.Shared(), tt.candidate)
			commit(t, s, tt.running)
			var conflict *ConflictError
			if err := commitCandidate(t, s, private); !errors.As(err, &conflict) {
				t.Fatalf("private: %v, want a conflict", err)
			}
			if diff := cmp.Diff(tt.conflict, conflict.Keys); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
			shows := keysOf(s.Shared().View(), "")
			must(t, commitCandidate(t, s, s.Shared()))
			running := s.Running()
			if got := peers(running); got != tt.merged || (running.Get(public) != nil) != tt.public {
				t.Errorf("running is %q, %s is there: %v", got, public, running.Get(public) != nil)
			}
			if diff := cmp.Diff(shows, keysOf(running, "")); diff != "" {
				t.Errorf("running is not what the candidate showed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCandidateEditIsAllOrNothing(t *testing.T) {
	s := startWith(t)
	c := s.NewCandidate()
	editCandidate(t, c, func(txn *Txn) { apply(txn, setting{1, "first"}); join(txn, peerKey(1), "a") })
	refused := errors.New("refused")
	err := c.Edit(func(txn *Txn) error {
		apply(txn, setting{1, "second"}, setting{2, "-"}, setting{5, "new"})
		join(txn, peerKey(1), "b")
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("Edit returned %v", err)
	}
	v := c.View()
	if got := peers(v); got != "first old old old -" {
		t.Errorf("candidate is %q after a refused edit", got)
	}
	if a, b := referrers(v, groupKey("a")), referrers(v, groupKey("b")); len(a) != 1 || len(b) != 0 {
		t.Errorf("the index has %v in group a and %v in b", a, b)
	}
	editCandidate(t, c, func(txn *Txn) { apply(txn, setting{1, "third"}) })
	if got := peers(v); got != "first old old old -" {
		t.Errorf("a view changed to %q", got)
	}
	if got := peers(s.Running()); got != "old old old old -" {
		t.Errorf("running is %q before the commit", got)
	}
	c.Discard()
	if c.Modified() || c.View() != s.Running() {
		t.Error("a discarded candidate is not running")
	}
}

// netconf.md 55: a candidate follows running until its first edit.
func TestCandidateUnmodifiedFollows(t *testing.T) {
	s := startWith(t)
	for name, c := range map[string]*Candidate{"private": s.NewCandidate(), "shared": s.Shared()} {
		commit(t, s, func(txn *Txn) { apply(txn, setting{1, name}) })
		if c.Modified() || c.View() != s.Running() {
			t.Errorf("%s: not running", name)
		}
		editCandidate(t, c, func(txn *Txn) { apply(txn, setting{1, "x"}) })
		editCandidate(t, c, func(txn *Txn) { apply(txn, setting{1, name}) })
		if c.Modified() {
			t.Errorf("%s: modified after the change was taken back", name)
		}
	}
	if one, other := s.Shared(), s.NewCandidate(); one != s.Shared() || other == s.NewCandidate() {
		t.Error("the shared candidate is one, private ones are many")
	}
}

// Leaves that were written with the value they had reach the commit, once.
func TestCandidateKeepsTouchedLeaves(t *testing.T) {
	s := startWith(t)
	c := s.Shared()
	for range 2 {
		editCandidate(t, c, func(txn *Txn) { apply(txn, setting{2, "old"}, setting{1, "old"}) })
	}
	commit(t, s, func(txn *Txn) { apply(txn, setting{3, "theirs"}) })
	want := map[schema.Key][]*schema.Node{peerKey(1): {descriptionLeaf}, peerKey(2): {descriptionLeaf}}
	txn, err := c.Begin()
	must(t, err)
	if got := maps.Collect(txn.Touched()); !maps.EqualFunc(got, want, slices.Equal) || len(txn.Dirty()) != 0 {
		t.Errorf("touched %v, dirty %v, want touched %v", got, txn.Dirty(), want)
	}
	finish(t, s, txn)
	c.Committed(txn)
	again, err := c.Begin()
	must(t, err)
	if got := maps.Collect(again.Touched()); len(got) != 0 {
		t.Errorf("touched %v after the commit", got)
	}
}

// An edit of a candidate that has just followed running finds all referrers.
func TestCandidateFollowsWithItsIndex(t *testing.T) {
	s := startWith(t)
	editCandidate(t, s.Shared(), func(txn *Txn) { join(txn, peerKey(1), "a") })
	commit(t, s, func(txn *Txn) { join(txn, peerKey(2), "a") })
	editCandidate(t, s.Shared(), func(txn *Txn) {
		if diff := cmp.Diff([]schema.Key{peerKey(1), peerKey(2)}, referrers(txn, groupKey("a"))); diff != "" {
			t.Errorf("members of the group (-want +got):\n%s", diff)
		}
	})
}

// An edit between the begin of a commit and its end is not lost.
func TestCandidateEditDuringCommit(t *testing.T) {
	s := startWith(t)
	c := s.Shared()
	editCandidate(t, c, func(txn *Txn) { apply(txn, setting{1, "new"}, setting{2, "new"}) })
	txn, err := c.Begin()
	must(t, err)
	editCandidate(t, c, func(txn *Txn) { apply(txn, setting{2, "later"}, setting{5, "later"}) })
	finish(t, s, txn)
	c.Committed(txn)
	if got := peers(s.Running()); got != "new new old old -" {
		t.Errorf("running is %q", got)
	}
	if got := peers(c.View()); got != "new later old old later" {
		t.Errorf("candidate is %q", got)
	}
	must(t, commitCandidate(t, s, c))
	if got := peers(s.Running()); got != "new later old old later" {
		t.Errorf("running is %q after the second commit", got)
	}
}

// An edit during a commit may take back what is being committed, before it is
// published and after; what was discarded then is not taken back.
func TestCandidateTakenBackDuringCommit(t *testing.T) {
	back := func(t *testing.T, c *Candidate) {
		editCandidate(t, c, func(txn *Txn) { apply(txn, setting{1, "old"}) })
	}
	tests := []struct {
		name          string
		before, after func(*testing.T, *Candidate) // the new running is published
		want          string
	}{
		{"before", back, nil, "old new old old new"},
		{"after", nil, back, "old new old old new"},
		{"deleted", func(t *testing.T, c *Candidate) {
			editCandidate(t, c, func(txn *Txn) { txn.Delete(peerKey(5)) })
		}, nil, "new new old old -"},
		{"discarded, then edited", func(t *testing.T, c *Candidate) {
			c.Discard()
			editCandidate(t, c, func(txn *Txn) { apply(txn, setting{3, "later"}) })
		}, nil, "new new later old new"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startWith(t)
			c := s.Shared()
			editCandidate(t, c, func(txn *Txn) { apply(txn, setting{1, "new"}, setting{2, "new"}, setting{5, "new"}) })
			txn, err := c.Begin()
			must(t, err)
			if tt.before != nil {
				tt.before(t, c)
			}
			finish(t, s, txn)
			if tt.after != nil {
				tt.after(t, c)
			}
			c.Committed(txn)
			must(t, commitCandidate(t, s, c))
			if got := peers(s.Running()); got != tt.want {
				t.Errorf("running is %q, want %q", got, tt.want)
			}
		})
	}
}

// Sessions edit, read and discard the shared candidate while commits happen.
func TestCandidateConcurrent(t *testing.T) {
	s := startWith(t)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for n := range 100 {
				c := s.Shared()
				err := c.Edit(func(txn *Txn) error {
					apply(txn, setting{1, fmt.Sprint(i, n)}, setting{2, fmt.Sprint(i, n)})
					return nil
				})
				v := c.View()
				if a, b := described(v, peerKey(1)), described(v, peerKey(2)); err != nil || a != b {
					t.Errorf("half an edit: %q, %q, %v", a, b, err)
				}
				if n%10 == 0 {
					c.Discard()
				}
			}
		})
	}
	for n := range 50 {
		commit(t, s, func(txn *Txn) { apply(txn, setting{3, fmt.Sprint(n)}) })
	}
	wg.Wait()
	must(t, commitCandidate(t, s, s.Shared()))
	if got := described(s.Running(), peerKey(3)); got != "49" {
		t.Errorf("the candidate took back a commit of running: %q", got)
	}
}

func TestConflictErrorText(t *testing.T) {
	e := &ConflictError{Keys: []schema.Key{peerKey(1)}}
	if got := e.Error(); !strings.Contains(got, "peer[address=10.0.0.1]: discard") {
		t.Errorf("one key: %s", got)
	}
	for i := range 4 {
		e.Keys = append(e.Keys, peerKey(i+2))
	}
	if got := e.Error(); !strings.Contains(got, "10.0.0.3] and 2 more: discard") || strings.Contains(got, "10.0.0.4") {
		t.Errorf("five keys: %s", got)
	}
}

// Two changes of different leaves of one record are both kept, whichever
// candidate; a shared candidate shows the other's at once.
func TestCandidateMergesLeaves(t *testing.T) {
	for _, shared := range []bool{true, false} {
		s := open(t, t.TempDir())
		commit(t, s, func(txn *Txn) {
			addBase(txn)
			describe(txn, peerKey(1), "old")
		})
		c := s.NewCandidate()
		if shared {
			c = s.Shared()
		}
		editCandidate(t, c, func(txn *Txn) { describe(txn, peerKey(1), "mine") })
		commit(t, s, func(txn *Txn) {
			txn.Mutable(peerKey(1)).(*peer).GetOrCreateConfig().As = ygot.Uint32(42)
		})
		as := func(r schema.Reader) uint32 { return *r.Get(peerKey(1)).(*peer).Config.As }
		if shared && as(c.View()) != 42 {
			t.Error("the shared candidate hides the other's leaf")
		}
		txn, err := c.Begin()
		if err != nil {
			t.Fatal(err)
		}
		finish(t, s, txn)
		if got := described(s.Running(), peerKey(1)); got != "mine" || as(s.Running()) != 42 {
			t.Errorf("shared %v: %q, AS %d", shared, got, as(s.Running()))
		}
		must(t, s.Close())
	}
}
