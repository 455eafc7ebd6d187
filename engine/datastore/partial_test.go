package datastore

import (
	"errors"
	"testing"

	"mooring/engine/schema"
)

// netconf.md 78: which changes reach a locked node.
func TestPartialLocks(t *testing.T) {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		for i := range 3 {
			describe(txn, peerKey(i), "old")
		}
	})
	at := func(k schema.Key, names ...string) schema.Path {
		p := k.Path()
		for _, n := range names {
			p = p.Append(p.Node().Child(n))
		}
		return p
	}
	tests := []struct {
		name   string
		locked schema.Path
		change func(*Txn)
		denied bool
	}{
		{"the record", at(peerKey(1)), func(txn *Txn) { describe(txn, peerKey(1), "new") }, true},
		{"above the record", at(public, "peers"), func(txn *Txn) { describe(txn, peerKey(1), "new") }, true},
		{"a new record below", at(public, "peers"), func(txn *Txn) { describe(txn, peerKey(9), "new") }, true},
		{"a record that goes", at(peerKey(1), "config"), func(txn *Txn) { txn.Delete(peerKey(1)) }, true},
		{"the leaf", at(peerKey(1), "config", "description"), func(txn *Txn) { describe(txn, peerKey(1), "new") }, true},
		{"the container around it", at(peerKey(1), "config"), func(txn *Txn) { describe(txn, peerKey(1), "new") }, true},
		{"another leaf", at(peerKey(1), "config", "enabled"), func(txn *Txn) { describe(txn, peerKey(1), "new") }, false},
		{"another container", at(peerKey(1), "transport"), func(txn *Txn) { describe(txn, peerKey(1), "new") }, false},
		{"another record", at(peerKey(2)), func(txn *Txn) { describe(txn, peerKey(1), "new") }, false},
		{"no difference", at(peerKey(1)), func(txn *Txn) { describe(txn, peerKey(1), "old") }, false},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			holder, other := Holder{Session: uint32(i + 1), Protocol: "netconf"}, Holder{Protocol: "gnmi"}
			l, err := s.LockPartly(holder, nil, []schema.Path{tt.locked})
			if err != nil {
				t.Fatal(err)
			}
			txn := s.Begin()
			defer txn.Discard()
			tt.change(txn)
			err = s.CheckChange(other, txn)
			if e, ok := errors.AsType[*LockedError](err); ok != tt.denied || ok && (e.Holder != holder || len(e.Path) == 0) {
				t.Errorf("another one: %v", err)
			}
			if err := s.CheckChange(holder, txn); err != nil {
				t.Errorf("the holder: %v", err)
			}
			if err := s.UnlockPartly(other, l.ID); !errors.Is(err, ErrNoLock) {
				t.Errorf("unlock of another one: %v", err)
			}
			if s.ReleaseAll(holder); len(s.PartialLocks()) != 0 {
				t.Error("the lock is still held")
			}
			if err := s.CheckChange(other, txn); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
