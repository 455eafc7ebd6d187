package datastore

import (
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/schema"
)

var (
	seven = Holder{Session: 7, Protocol: "netconf"}
	eight = Holder{Session: 8, Protocol: "netconf"}
	gnmi  = Holder{Protocol: "gnmi"}
)

// netconf.md 49 to 53.
func TestLocks(t *testing.T) {
	lock := func(ds Datastore, h Holder) func(*Store) error {
		return func(s *Store) error { return s.Lock(ds, h) }
	}
	unlock := func(ds Datastore, h Holder) func(*Store) error {
		return func(s *Store) error { return s.Unlock(ds, h) }
	}
	check := func(ds Datastore, h Holder) func(*Store) error {
		return func(s *Store) error { return s.CheckWrite(ds, h) }
	}
	release := func(h Holder) func(*Store) error {
		return func(s *Store) error { s.ReleaseAll(h); return nil }
	}
	edit := func(s *Store) error {
		return s.Shared().Edit(func(txn *Txn) error { addBase(txn); return nil })
	}
	touch := func(s *Store) error {
		return s.Shared().Edit(func(txn *Txn) error { txn.Touch(instance, descriptionLeaf); return nil })
	}
	discard := func(s *Store) error { s.Shared().Discard(); return nil }
	discardAs := func(h Holder) func(*Store) error {
		return func(s *Store) error { return s.Shared().DiscardAs(h, func([]schema.Dirty) error { return nil }) }
	}
	run, cand, start := DatastoreRunning, DatastoreCandidate, DatastoreStartup
	type step struct {
		do     func(*Store) error
		holder *Holder // of the LockedError; nil: no error
	}
	nobody := &Holder{}
	tests := []struct {
		name  string
		steps []step
		held  []Datastore
	}{
		{"49 lock, again by the same and by another", []step{
			{lock(run, seven), nil}, {lock(run, seven), &seven}, {lock(run, eight), &seven}, {lock(run, gnmi), &seven},
		}, []Datastore{run}},
		{"49 the holder is not NETCONF", []step{{lock(run, gnmi), nil}, {lock(run, seven), &gnmi}, {check(run, seven), &gnmi}}, []Datastore{run}},
		{"datastores are locked apart", []step{{lock(run, seven), nil}, {lock(cand, eight), nil}, {lock(start, seven), nil}}, []Datastore{run, cand, start}},
		{"50 writing", []step{
			{check(run, seven), nil}, {lock(run, seven), nil}, {check(run, seven), nil}, {check(run, eight), &seven}, {check(run, gnmi), &seven}, {check(cand, eight), nil},
		}, []Datastore{run}},
		{"50 discarding", []step{
			{edit, nil}, {discardAs(eight), nil}, {lock(cand, seven), nil}, {edit, nil}, {discardAs(eight), &seven}, {discardAs(seven), nil}, {edit, nil},
		}, []Datastore{cand}},
		{"51 unlock", []step{
			{unlock(run, seven), nobody},
			{lock(run, seven), nil},
			{unlock(run, eight), &seven},
			{check(run, eight), &seven},
			{unlock(run, seven), nil},
			{check(run, eight), nil},
			{unlock(run, seven), nobody},
		}, nil},
		{"52 modified candidate", []step{{edit, nil}, {lock(cand, seven), nobody}, {discard, nil}, {lock(cand, seven), nil}}, []Datastore{cand}},
		{"52 who holds it goes before modified", []step{{lock(cand, seven), nil}, {edit, nil}, {lock(cand, eight), &seven}}, []Datastore{cand}},
		{"52 equal values are no modification", []step{{touch, nil}, {lock(cand, seven), nil}}, []Datastore{cand}},
		{"53 end of a session", []step{
			{lock(run, seven), nil},
			{lock(cand, seven), nil},
			{lock(start, eight), nil},
			{release(seven), nil},
			{release(seven), nil},
			{lock(run, eight), nil},
			{lock(cand, eight), nil},
			{release(gnmi), nil},
		}, []Datastore{run, cand, start}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			for i, st := range tt.steps {
				err := st.do(s)
				var locked *LockedError
				switch {
				case st.holder == nil && err != nil:
					t.Errorf("step %d: %v", i, err)
				case st.holder != nil && !errors.As(err, &locked):
					t.Errorf("step %d: %v is no LockedError", i, err)
				case st.holder != nil && (locked.Holder != *st.holder || locked.Reason == ""):
					t.Errorf("step %d: holder %v, reason %q, want holder %v", i, locked.Holder, locked.Reason, *st.holder)
				}
			}
			var held []Datastore
			for _, l := range s.Locks() {
				held = append(held, l.Datastore)
			}
			if diff := cmp.Diff(tt.held, held); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
		})
	}
}

// netconf.md 53: giving up the lock of the candidate discards its changes, and
// giving up another one does not.
func TestUnlockDiscards(t *testing.T) {
	tests := []struct {
		name     string
		ds       Datastore
		giveUp   func(*Store, Datastore) error
		modified bool
	}{
		{"unlock candidate", DatastoreCandidate, func(s *Store, ds Datastore) error { return s.Unlock(ds, seven) }, false},
		{"end of session", DatastoreCandidate, func(s *Store, _ Datastore) error { s.ReleaseAll(seven); return nil }, false},
		{"unlock running", DatastoreRunning, func(s *Store, ds Datastore) error { return s.Unlock(ds, seven) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			must(t, s.Lock(tt.ds, seven))
			must(t, s.Shared().Edit(func(txn *Txn) error { addBase(txn); return nil }))
			must(t, tt.giveUp(s, tt.ds))
			if got := s.Shared().Modified(); got != tt.modified {
				t.Errorf("modified is %v afterwards, want %v", got, tt.modified)
			}
		})
	}
}

// What another session wrote with an equal value is not committed by the
// holder of the lock.
func TestLockForgetsTouchedLeaves(t *testing.T) {
	s := open(t, t.TempDir())
	must(t, s.Shared().Edit(func(txn *Txn) error { txn.Touch(instance, descriptionLeaf); return nil }))
	must(t, s.Lock(DatastoreCandidate, seven))
	txn, err := s.Shared().Begin()
	must(t, err)
	if got := maps.Collect(txn.Touched()); len(got) != 0 {
		t.Errorf("touched %v", got)
	}
}

func TestLocksTellSinceWhen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	synctest.Test(t, func(t *testing.T) {
		want := []Lock{{DatastoreRunning, seven, time.Now()}}
		must(t, s.Lock(DatastoreRunning, seven))
		time.Sleep(time.Hour)
		want = append(want, Lock{DatastoreStartup, gnmi, time.Now()})
		must(t, s.Lock(DatastoreStartup, gnmi))
		if diff := cmp.Diff(want, s.Locks()); diff != "" {
			t.Errorf("locks (-want +got):\n%s", diff)
		}
	})
}

// A check within an edit of the candidate and a lock exclude each other: no
// lock is granted on a candidate that somebody is changing.
func TestLockBesideEdits(t *testing.T) {
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 4 {
		h := Holder{Session: uint32(i + 1), Protocol: "netconf"}
		wg.Go(func() {
			for range 200 {
				if err := s.Lock(DatastoreCandidate, h); err == nil {
					if s.Shared().Modified() {
						t.Error("locked a candidate that another session has modified")
					}
					if err := s.Unlock(DatastoreCandidate, h); err != nil {
						t.Error(err)
					}
				}
				err := s.Shared().Edit(func(txn *Txn) error {
					if err := s.CheckWrite(DatastoreCandidate, h); err != nil {
						return err
					}
					addBase(txn)
					return nil
				})
				var locked *LockedError
				if err != nil && !errors.As(err, &locked) {
					t.Error(err)
				}
				s.Shared().Discard()
			}
		})
	}
	wg.Wait()
}
