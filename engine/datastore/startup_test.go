package datastore

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"mooring/engine/schema"
)

var (
	mine   = Holder{Session: 1, Protocol: "netconf"}
	theirs = Holder{Session: 2, Protocol: "netconf"}
)

// openStartup opens a store with a startup datastore.
func openStartup(t testing.TB, dir string) *Store {
	t.Helper()
	s := open(t, dir)
	if err := s.OpenStartup(); err != nil {
		t.Fatal(err)
	}
	return s
}

func saveStartup(t testing.TB, s *Store, snap *Snapshot) []schema.Key {
	t.Helper()
	dirty, err := s.SaveStartup(mine, snap)
	if err != nil {
		t.Fatal(err)
	}
	var keys []schema.Key
	for _, d := range dirty {
		keys = append(keys, d.Key)
	}
	return keys
}

// netconf.md 59, 60: startup is what was saved last, over a restart, and what
// running was before that.
func TestStartup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		describe(txn, peerKey(1), "one")
		describe(txn, peerKey(2), "two")
	})
	if s.Startup() != nil {
		t.Error("startup is served without being asked for")
	}
	must(t, s.OpenStartup())
	if got := described(s.Startup(), peerKey(1)); got != "one" {
		t.Errorf("before the first save: %q", got)
	}
	commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "uno") })
	if got := described(s.Startup(), peerKey(1)); got != "one" {
		t.Errorf("a commit changed startup to %q", got)
	}
	must(t, s.Close())

	s = openStartup(t, dir)
	if got := described(s.Startup(), peerKey(1)) + described(s.Running(), peerKey(1)); got != "oneuno" {
		t.Errorf("after a restart: %q", got)
	}
	if s.Startup().Get(peerKey(2)) != s.Running().Get(peerKey(2)) {
		t.Error("an equal record is kept twice")
	}
	commit(t, s, func(txn *Txn) { txn.Delete(peerKey(2)); describe(txn, peerKey(3), "three") })
	want := []schema.Key{peerKey(1), peerKey(2), peerKey(3)}
	slices.Sort(want)
	if got := saveStartup(t, s, s.Running()); !slices.Equal(got, want) {
		t.Errorf("the save wrote %v", got)
	}
	if got := saveStartup(t, s, s.Running()); got != nil {
		t.Errorf("a save of the same wrote %v", got)
	}
	must(t, s.Close())

	s = openStartup(t, dir)
	if d := Diff(s.Startup(), s.Running()); d != nil {
		t.Errorf("startup differs from what was saved: %v", d)
	}
	saveStartup(t, s, Blank())
	must(t, s.Close())
	s = openStartup(t, dir)
	if d := Diff(s.Startup(), Blank()); d != nil {
		t.Errorf("after delete-config: %v", d)
	}
	if described(s.Running(), peerKey(3)) != "three" {
		t.Error("running is gone too")
	}
}

func TestStartupObeysItsLock(t *testing.T) {
	s := openStartup(t, t.TempDir())
	must(t, s.Lock(DatastoreStartup, theirs))
	_, err := s.SaveStartup(mine, s.Running())
	if _, ok := errors.AsType[*LockedError](err); !ok {
		t.Errorf("a save past the lock: %v", err)
	}
	if _, err := s.SaveStartup(theirs, s.Running()); err != nil {
		t.Errorf("a save by the holder: %v", err)
	}
	must(t, s.Close())
	if _, err := s.SaveStartup(theirs, Blank()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestBecome(t *testing.T) {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		txn.Mutable(groupKey("g"))
		for i := range 10 {
			describe(txn, peerKey(i), fmt.Sprint(i))
		}
	})
	old := s.Running()
	commit(t, s, func(txn *Txn) {
		txn.Delete(peerKey(1))
		describe(txn, peerKey(2), "x")
		join(txn, peerKey(3), "g")
		describe(txn, peerKey(20), "20")
	})
	txn := s.Begin()
	defer txn.Discard()
	describe(txn, peerKey(4), "y")
	describe(txn, peerKey(30), "30")
	txn.Become(old)
	if got := referrers(txn, groupKey("g")); got != nil {
		t.Errorf("the index still has %v", got)
	}
	if d := txn.Dirty(); len(d) != 4 {
		t.Errorf("%d records differ from running", len(d))
	}
	if d := Diff(finish(t, s, txn), old); d != nil {
		t.Errorf("it did not become the other: %v", d)
	}
}

func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, b.TempDir())
			commit(b, s, func(txn *Txn) {
				addBase(txn)
				for i := range n {
					describe(txn, peerKey(i), "x")
				}
			})
			old := s.Running()
			now := commit(b, s, func(txn *Txn) { describe(txn, peerKey(n/2), "y") })
			for b.Loop() {
				if d := Diff(old, now); len(d) != 1 {
					b.Fatal(len(d))
				}
			}
		})
	}
}
