package datastore

import (
	"errors"
	"fmt"
	"testing"
)

// netconf.md 80: a candidate is edited, running gets another commit, the
// candidate is brought onto it.
func TestUpdate(t *testing.T) {
	gone := func(txn *Txn) {
		for _, k := range keysOf(txn, public) {
			txn.Delete(k)
		}
	}
	set := func(all ...setting) func(*Txn) { return func(txn *Txn) { apply(txn, all...) } }
	tests := []struct {
		name                 string
		candidate, running   func(*Txn)
		conflict             bool
		ofCandidate, ofOther string // what the candidate shows where it wins, and where running does
	}{
		{"nothing else", set(setting{1, "new"}), nil, false, "new old old old -", "new old old old -"},
		{"nothing edited", nil, set(setting{1, "theirs"}), false, "theirs old old old -", "theirs old old old -"},
		{"other records", set(setting{1, "new"}), set(setting{2, "theirs"}), false, "new theirs old old -", "new theirs old old -"},
		{"the same leaf", set(setting{1, "new"}, setting{2, "new"}), set(setting{1, "theirs"}), true, "new new old old -", "theirs new old old -"},
		{"the same leaf, the same value", set(setting{1, "both"}), set(setting{1, "both"}), false, "both old old old -", "both old old old -"},
		{"change of what running deleted", set(setting{1, "new"}), set(setting{1, "-"}), true, "new old old old -", "- old old old -"},
		{"delete of what running changed", set(setting{1, "-"}), set(setting{1, "theirs"}), true, "- old old old -", "theirs old old old -"},
		{"both create", set(setting{5, "new"}), set(setting{5, "theirs"}), true, "old old old old new", "old old old old theirs"},
		{"all deleted, running writes below", gone, set(setting{1, "theirs"}, setting{5, "theirs"}), true, "- - - - -", "theirs - - - theirs"},
		{"running deletes all, candidate writes below", set(setting{1, "new"}, setting{5, "new"}), gone, true, "new - - - new", "- - - - -"},
	}
	for _, tt := range tests {
		for how, want := range map[Resolution]string{RevertOnConflict: tt.ofCandidate, PreferCandidate: tt.ofCandidate, PreferRunning: tt.ofOther} {
			t.Run(fmt.Sprintf("%s/%d", tt.name, how), func(t *testing.T) {
				s := startWith(t)
				c := s.NewCandidate()
				if tt.candidate != nil {
					editCandidate(t, c, tt.candidate)
				}
				if tt.running != nil {
					commit(t, s, tt.running)
				}
				before := peers(c.View())
				err := c.Update(how)
				if how == RevertOnConflict && tt.conflict {
					if _, ok := errors.AsType[*ConflictError](err); !ok || peers(c.View()) != before {
						t.Errorf("%v, candidate shows %q", err, peers(c.View()))
					}
					return
				}
				if err != nil || peers(c.View()) != want {
					t.Fatalf("%v, candidate shows %q, want %q", err, peers(c.View()), want)
				}
				shows := c.View()
				for _, k := range keysOf(shows, "") {
					if p := k.Parent(); p != "" && shows.Get(p) == nil {
						t.Errorf("%s has nothing above it", k)
					}
				}
				must(t, commitCandidate(t, s, c)) // what was updated has no conflict
				if d := Diff(shows, s.Running()); d != nil {
					t.Errorf("running is not what the candidate showed: %v", d)
				}
			})
		}
	}
}

// Leaves of one record that only one side changed stay that side's.
func TestUpdateMergesLeaves(t *testing.T) {
	s := startWith(t)
	c := s.NewCandidate()
	editCandidate(t, c, func(txn *Txn) { describe(txn, peerKey(1), "new"); join(txn, peerKey(1), "a") })
	commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "theirs") })
	must(t, c.Update(PreferRunning))
	v := c.View()
	if got := described(v, peerKey(1)); got != "theirs" || len(referrers(v, groupKey("a"))) != 1 {
		t.Errorf("description %q, members of a %v", got, referrers(v, groupKey("a")))
	}
}
