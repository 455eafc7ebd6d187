package datastore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"mooring/engine/schema"
	"mooring/gen"
)

func TestNewStoreHoldsThePermanentRecords(t *testing.T) {
	dir := t.TempDir()
	for _, when := range []string{"new", "opened again"} {
		s := open(t, dir)
		snap := s.Running()
		want := slices.Sorted(slices.Values(schema.Permanent()))
		if diff := cmp.Diff(want, keysOf(snap, "")); diff != "" || snap.Revision() != 0 {
			t.Errorf("%s: revision %d (-want +got):\n%s", when, snap.Revision(), diff)
		}
		for _, k := range want {
			if !schema.Equal(snap.Get(k), schema.New(k)) {
				t.Errorf("%s: %s is not empty", when, k)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHistoryKeepsTheLast(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.SetHistory(3)
	var all []Commit
	for i := range 5 {
		txn := s.Begin()
		addBase(txn)
		describe(txn, peerKey(1), fmt.Sprint(i))
		m := Meta{
			CommitID: fmt.Sprint("id-", i), User: "alice", Protocol: "netconf", SourceHost: "192.0.2.1", Session: 7,
			Time: time.Unix(int64(i), 5).UTC(), Comment: "why", Changes: []string{"a: 1 -> 2"}, Resets: []string{"default/vpn1/192.0.2.9"},
		}
		all = append(all, Commit{Revision: uint64(i + 1), Meta: m})
		snap, err := s.Persist(txn, m)
		if err != nil {
			t.Fatal(err)
		}
		s.Publish(snap)
	}
	if diff := cmp.Diff(all[2:], s.History()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[2:], open(t, dir).History()); diff != "" {
		t.Errorf("history after a restart (-want +got):\n%s", diff)
	}
}

func TestHistoryClipsLongCommits(t *testing.T) {
	s := open(t, t.TempDir())
	txn := s.Begin()
	snap, err := s.Persist(txn, Meta{Changes: make([]string, maxLines), Resets: make([]string, maxLines+5)})
	if err != nil {
		t.Fatal(err)
	}
	s.Publish(snap)
	c := s.History()[0]
	if len(c.Changes) != maxLines {
		t.Errorf("%d lines of changes, want all %d", len(c.Changes), maxLines)
	}
	if len(c.Resets) != maxLines+1 || c.Resets[maxLines] != "and 5 more" {
		t.Errorf("%d lines of resets that end with %q", len(c.Resets), c.Resets[len(c.Resets)-1])
	}
}

func TestPersistRefuses(t *testing.T) {
	s := open(t, t.TempDir())
	first, second := s.Begin(), s.Begin()
	addBase(first)
	addBase(second)
	snap, err := s.Persist(first, Meta{})
	if err != nil {
		t.Fatal(err)
	}
	unpublished := s.Begin() // still on what was before
	for name, txn := range map[string]*Txn{"same base": second, "begun before the publish": unpublished} {
		if _, err := s.Persist(txn, Meta{}); !errors.Is(err, ErrStale) {
			t.Errorf("%s: %v, want ErrStale", name, err)
		}
	}
	if got := s.Running().Revision(); got != 0 {
		t.Errorf("revision %d is running before the publish", got)
	}
	s.Publish(snap)
	if got := s.Running().Revision(); got != 1 {
		t.Errorf("revision %d is running after the publish, want 1", got)
	}
	last := s.Begin()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Persist(last, Meta{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestSecretsAreSealed(t *testing.T) {
	const secret = "correct horse"
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, func(txn *Txn) {
		addBase(txn)
		describe(txn, peerKey(1), "keyed")
		p := txn.Mutable(peerKey(1)).(*peer)
		text := secret
		auth := p.GetOrCreateTransport().GetOrCreateAuthentication().GetOrCreateConfig()
		auth.Password, auth.Method = &text, gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_Transport_Authentication_Config_Method_md5
	})
	replayed := open(t, copyState(t, dir)).Running().Get(peerKey(1)).(*peer)
	if got := *replayed.Transport.Authentication.Config.Password; got != secret {
		t.Errorf("the secret is %q after a crash", got)
	}
	must(t, s.Close())
	for _, name := range []string{stateFile, journalFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if !strings.Contains(string(data), "password") || strings.Contains(string(data), secret) {
			t.Errorf("%s does not hold the secret, or in the clear", name)
		}
	}
	p := open(t, dir).Running().Get(peerKey(1)).(*peer)
	if got := *p.Transport.Authentication.Config.Password; got != secret {
		t.Errorf("the secret is %q after a restart", got)
	}
	for _, name := range []string{stateFile, journalFile, keyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	otherKey := strings.Repeat("ab", 32) + "\n"
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  error // nil: any
		says  []string
	}{
		{
			"directory in use",
			func(t *testing.T, dir string) { open(t, dir) },
			ErrLocked,
			[]string{"in use", "stop that agent"},
		},
		{
			"newer format",
			func(t *testing.T, dir string) { setMeta(t, dir, formatKey, "7") },
			ErrFormat,
			[]string{stateFile, "format 7", "newer"},
		},
		{
			"key file missing",
			func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, keyFile))) },
			ErrKeyFile,
			[]string{keyFile, "missing", "backup"},
		},
		{
			"key file of another agent",
			func(t *testing.T, dir string) { overwrite(t, dir, keyFile, otherKey) },
			ErrKeyFile,
			[]string{keyFile, "not the key", "backup"},
		},
		{
			"key file that others may read",
			func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, keyFile), 0o640)) },
			ErrExposedKey,
			[]string{keyFile, "mode 0640", "chmod 600"},
		},
		{
			"key file cut short",
			func(t *testing.T, dir string) { overwrite(t, dir, keyFile, otherKey[:40]) },
			ErrKeyFile,
			[]string{keyFile, "64 hexadecimal digits"},
		},
		{
			"key file is no text",
			func(t *testing.T, dir string) { overwrite(t, dir, keyFile, strings.Repeat("x", 64)) },
			ErrKeyFile,
			[]string{keyFile, "64 hexadecimal digits"},
		},
		{
			"state file is something else",
			func(t *testing.T, dir string) { overwrite(t, dir, stateFile, strings.Repeat("nonsense ", 9000)) },
			nil,
			[]string{stateFile, "meta pages", "backup"},
		},
		{
			"state file cut short",
			func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, stateFile), 3*4096)) },
			nil,
			[]string{"cut short", "backup"},
		},
		{
			"record that does not decode",
			func(t *testing.T, dir string) { setRecord(t, dir, string(peerKey(1)), "{") },
			nil,
			[]string{stateFile, "peer[address=10.0.0.1]"},
		},
		{
			"record of no known kind",
			func(t *testing.T, dir string) { setRecord(t, dir, "\x00?x", "{}") },
			nil,
			[]string{stateFile, "damaged", "recover-state"},
		},
		{
			"no directory",
			func(t *testing.T, dir string) {
				must(t, os.RemoveAll(dir))
				must(t, os.WriteFile(dir, nil, 0o600))
			},
			nil,
			[]string{"not a directory"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			s := open(t, dir)
			commit(t, s, func(txn *Txn) {
				addBase(txn)
				for i := range 100 {
					describe(txn, peerKey(i), "text")
				}
			})
			must(t, s.Close())
			tt.spoil(t, dir)
			again, err := Open(Options{Dir: dir, Log: silent()})
			if err == nil {
				_ = again.Close()
				t.Fatal("Open says OK")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%v is not %v", err, tt.want)
			}
			for _, says := range append(tt.says, dir) {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
		})
	}
}

// A key file that was there before the state, as after moving a state file
// away, is used and not replaced.
func TestOpenKeepsTheKeyFile(t *testing.T) {
	dir := t.TempDir()
	key := strings.Repeat("0f", 32) + "\n"
	overwrite(t, dir, keyFile, key)
	must(t, open(t, dir).Close())
	got, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil || string(got) != key {
		t.Errorf("the key file is now %q, %v", got, err)
	}
	must(t, open(t, dir).Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, dir, name, content string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
}

func setMeta(t *testing.T, dir string, key []byte, value string) {
	setIn(t, dir, metaBucket, key, value)
}

func setRecord(t *testing.T, dir, key, value string) {
	setIn(t, dir, recordBucket, []byte(key), value)
}

func setIn(t *testing.T, dir string, bucket, key []byte, value string) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, stateFile), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, []byte(value)) }))
	must(t, db.Close())
}
