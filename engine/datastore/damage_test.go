package datastore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// damagedFiles are those that a damage may hit.
var damagedFiles = []string{stateFile, journalFile, markFile}

// damage is one thing that happens to a file. It returns what it did, "" for
// nothing.
func damage(t *testing.T, rng *rand.Rand, dir, older, other string) string {
	t.Helper()
	name := damagedFiles[rng.IntN(len(damagedFiles))]
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	must(t, err)
	at := rng.IntN(len(data))
	what := fmt.Sprintf("%s at %d: ", name, at)
	copyOf := func(from string) {
		if data, err = os.ReadFile(filepath.Join(from, name)); err != nil {
			t.Fatal(err)
		}
	}
	switch rng.IntN(10) {
	case 0, 1, 2, 3:
		for range 100 { // rather where something is
			if at = rng.IntN(len(data)); data[at] != 0 {
				break
			}
		}
		data[at] ^= 1 << rng.IntN(8)
		what = fmt.Sprintf("%s at %d: a bit", name, at)
	case 4, 5:
		at = at / 512 * 512
		clear(data[at:min(at+512*(1+rng.IntN(8)), len(data))])
		what += "zeroed blocks"
	case 6:
		data = data[:at]
		what += "cut"
	case 7:
		must(t, os.Remove(path))
		return what + "removed"
	case 8:
		copyOf(older)
		what += "an older copy"
	case 9:
		copyOf(other)
		what += "of another agent"
	}
	must(t, os.WriteFile(path, data, 0o600))
	return what
}

// Each damage of each file is refused, or the state is recovered whole: never is
// an answered commit missing without a word, and never is there anything else.
// MOORING_DAMAGES is how many are tried.
func TestDamageIsRefusedOrWhole(t *testing.T) {
	n := 150
	if text := os.Getenv("MOORING_DAMAGES"); text != "" {
		_, err := fmt.Sscan(text, &n)
		must(t, err)
	}
	var states []string // as a crash leaves them, and as a stop does
	var stores []*Store
	s := open(t, t.TempDir())
	dir := filesOf(s).dir
	commit(t, s, func(txn *Txn) { fill(txn, 300) })
	must(t, s.SetNotes(map[string][]byte{"n": []byte("1")}))
	older := copyState(t, dir)
	for i := range 25 {
		commit(t, s, func(txn *Txn) { describe(txn, peerKey(i*7%300), fmt.Sprint("text ", i)) })
		if i == 3 || i == 20 {
			must(t, s.SetNotes(map[string][]byte{"n": []byte(fmt.Sprint(i))}))
		}
		if i == 12 {
			older = copyState(t, dir)
		}
	}
	states, stores = append(states, copyState(t, dir)), append(stores, s)
	stopped := open(t, copyState(t, dir))
	must(t, stopped.Close())
	states, stores = append(states, filesOf(stopped).dir), append(stores, stopped)
	foreign := open(t, t.TempDir())
	commit(t, foreign, func(txn *Txn) { fill(txn, 20) })
	other := copyState(t, filesOf(foreign).dir)

	rng := rand.New(rand.NewPCG(uint64(n), 12))
	refused, whole := 0, 0
	for i := range n {
		which := rng.IntN(len(states))
		dir := copyState(t, states[which])
		what := damage(t, rng, dir, older, other)
		got, err := Open(Options{Dir: dir, Log: silent()})
		switch {
		case err == nil:
			whole++
			if diff := sameState(stores[which], got); diff != "" || !bytes.Equal(got.notes["n"], s.notes["n"]) {
				t.Errorf("%d: %s: came up as something else (-want +got):\n%s", i, what, diff)
			}
			commit(t, got, func(txn *Txn) { describe(txn, peerKey(5), "after") })
			must(t, got.Close())
			if again := open(t, dir); described(again.Running(), peerKey(5)) != "after" {
				t.Errorf("%d: %s: the next commit is lost", i, what)
			} else {
				must(t, again.Close())
			}
		case !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrKeyFile):
			t.Errorf("%d: %s: %v", i, what, err)
		default:
			if refused++; !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%d: %s: %v", i, what, err)
			}
		}
		must(t, os.RemoveAll(dir))
	}
	t.Logf("%d damages: %d refused, %d whole", n, refused, whole)
	if refused < n/4 || whole < n/10 {
		t.Errorf("%d of %d refused, %d whole: the test does not try both", refused, n, whole)
	}
}

// What is whole of a damaged state can be had, up to a revision of the user's.
func TestRecover(t *testing.T) {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) { fill(txn, 30) })
	for i := range 5 {
		commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), fmt.Sprint("text ", i)) })
	}
	from, fifth := filesOf(s).dir, int(filesOf(s).journal.next)-2*journalBlock+100
	for _, tt := range []struct {
		name  string
		spoil func(dir string)
		whole uint64
		to    uint64
		text  string
	}{
		{"a damaged frame", func(dir string) { flip(t, dir, journalFile, fifth) }, 4, 4, "text 2"},
		{"an earlier revision", func(dir string) { flip(t, dir, journalFile, fifth) }, 4, 2, "text 0"},
		{"no mark", func(dir string) { must(t, os.Remove(filepath.Join(dir, markFile))) }, 6, 6, "text 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := copyState(t, from)
			tt.spoil(dir)
			if _, err := Open(Options{Dir: dir, Log: silent()}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "agent recover-state") {
				t.Errorf("Open: %v", err)
			}
			rep, err := Check(dir)
			must(t, err)
			if rep.Revision != tt.whole || len(rep.Damages) == 0 {
				t.Errorf("whole up to %d, want %d; %v", rep.Revision, tt.whole, rep.Damages)
			}
			o := RecoverOptions{Revision: tt.whole + 1, Now: time.Now(), Keep: func(string) bool { return false }}
			if _, err := Recover(dir, o); err == nil {
				t.Error("recovered what is not whole")
			}
			o.Revision = tt.to
			done, err := Recover(dir, o)
			must(t, err)
			if _, err := os.Stat(filepath.Join(done.Beside, stateFile)); err != nil || len(done.Left) > 0 {
				t.Errorf("%+v: %v", done, err)
			}
			got := open(t, dir)
			if r := got.Running(); r.Revision() != tt.to || described(r, peerKey(1)) != tt.text || len(got.History()) != int(tt.to) {
				t.Errorf("revision %d with %q, %d commits", r.Revision(), described(r, peerKey(1)), len(got.History()))
			}
			commit(t, got, func(txn *Txn) { describe(txn, peerKey(1), "goes on") })
		})
	}
}

// A record that is damaged is named, and left out by Recover.
func TestRecoverWithoutARecord(t *testing.T) {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) { fill(txn, 30) })
	must(t, s.Close())
	dir := filesOf(s).dir
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	must(t, err)
	at := bytes.LastIndex(data, []byte("customer 7\""))
	flip(t, dir, stateFile, at)
	if _, err := Open(Options{Dir: dir, Log: silent()}); err == nil || !strings.Contains(err.Error(), "peer[address=10.0.0.7]") {
		t.Errorf("Open: %v", err)
	}
	done, err := Recover(dir, RecoverOptions{Revision: 1, Now: time.Now()})
	must(t, err)
	if len(done.Left) != 1 || !strings.Contains(done.Left[0], "10.0.0.7") {
		t.Errorf("left out %v", done.Left)
	}
	if got := open(t, dir).Running(); got.Get(peerKey(7)) != nil || described(got, peerKey(8)) != "customer 8" {
		t.Error("other records are there")
	}
}

func flip(t *testing.T, dir, name string, at int) {
	t.Helper()
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	must(t, err)
	data[at] ^= 1
	must(t, os.WriteFile(path, data, 0o600))
}

// A backup is the state at one moment, whatever is committed meanwhile; it is
// refused if a bit of it or its end is missing, or if it belongs elsewhere.
func TestBackupAndRestore(t *testing.T) {
	s := open(t, t.TempDir())
	commit(t, s, func(txn *Txn) { fill(txn, 300) })
	commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "in the journal") })
	overwrite(t, filesOf(s).dir, "users.yaml", "users: []\n")
	var backup bytes.Buffer
	must(t, s.Backup(&committing{&backup, func() {
		commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "later"); fill(txn, bulk+1) })
	}}))
	if s.Running().Revision() != 3 {
		t.Fatalf("revision %d: nothing was committed meanwhile", s.Running().Revision())
	}
	if m, err := ReadBackup(bytes.NewReader(backup.Bytes())); err != nil || m.Revision != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	o := RestoreOptions{Now: time.Now()}
	if _, err := Restore(filesOf(s).dir, bytes.NewReader(backup.Bytes()), o); !errors.Is(err, ErrLocked) {
		t.Errorf("into a running agent: %v", err)
	}
	must(t, s.Close())
	dir := filesOf(s).dir
	for name, data := range map[string][]byte{
		"cut short": backup.Bytes()[:backup.Len()*2/3], "a bit": flipped(backup.Bytes(), 30_000), "nothing": nil, "something else": []byte("nonsense"),
	} {
		if _, err := Restore(dir, bytes.NewReader(data), o); !errors.Is(err, ErrBackup) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := open(t, copyState(t, dir)).Running().Revision(); got != 3 {
		t.Errorf("revision %d after refused backups", got)
	}
	foreign := open(t, t.TempDir())
	must(t, foreign.Close())
	if _, err := Restore(filesOf(foreign).dir, bytes.NewReader(backup.Bytes()), o); err == nil || !strings.Contains(err.Error(), "--other-router") {
		t.Errorf("of another router: %v", err)
	}
	for name, to := range map[string]string{"in place": dir, "a new directory": t.TempDir(), "another router": filesOf(foreign).dir} {
		o.Other = name == "another router"
		done, err := Restore(to, bytes.NewReader(backup.Bytes()), o)
		must(t, err)
		if (done.Beside != "") != (name != "a new directory") {
			t.Errorf("%s: beside %q", name, done.Beside)
		}
		got := open(t, to)
		if r := got.Running(); r.Revision() != 2 || described(r, peerKey(1)) != "in the journal" || described(r, peerKey(299)) != "customer 299" {
			t.Errorf("%s: revision %d with %q", name, r.Revision(), described(r, peerKey(1)))
		}
		if text, err := os.ReadFile(filepath.Join(to, "users.yaml")); string(text) != "users: []\n" {
			t.Errorf("%s: users %q, %v", name, text, err)
		}
		commit(t, got, func(txn *Txn) { describe(txn, peerKey(1), "goes on") })
	}
}

// committing calls once after its first write.
type committing struct {
	*bytes.Buffer
	once func()
}

func (c *committing) Write(p []byte) (int, error) {
	if c.once != nil {
		once := c.once
		c.once = nil
		once()
	}
	return c.Buffer.Write(p)
}

func flipped(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 1
	return out
}
