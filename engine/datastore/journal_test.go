package datastore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// batchOf is a commit with so many octets of values.
func batchOf(revision uint64, octets int) *batch {
	return &batch{
		kind: frameWrite, revision: revision, entry: fmt.Appendf(nil, "entry %d", revision),
		notes:   []stored{{key: "note", value: []byte("text")}, {key: "gone"}},
		records: []stored{{key: "deleted"}, {key: "kept", value: bytes.Repeat([]byte{byte(revision)}, octets)}},
	}
}

var compareBatches = cmp.AllowUnexported(batch{}, stored{})

var start = place{state: 7, round: 3, seq: 1}

// framesOf are batches as a journal holds them.
func framesOf(at place, batches ...*batch) (data []byte) {
	for _, b := range batches {
		from := len(data)
		data = appendFrame(data, b, at)
		at.seq, at.before = at.seq+1, bigEndian.Uint32(data[from:])
	}
	return data
}

func TestJournalHoldsWhatWasWritten(t *testing.T) {
	want := []*batch{
		batchOf(8, 1), batchOf(9, journalBlock-60), batchOf(10, journalBlock),
		{kind: frameAbort, revision: 10},
		batchOf(10, 5*journalBlock),
		{kind: frameWrite, revision: 10, notes: []stored{{key: "alone", value: []byte("x")}}},
	}
	data := framesOf(start, want...)
	if len(data)%journalBlock != 0 {
		t.Errorf("%d octets", len(data))
	}
	r := readRound(data, start)
	var got []*batch
	for _, f := range r.frames {
		got = append(got, &f.batch)
	}
	if diff := cmp.Diff(want, got, compareBatches); diff != "" || len(r.behind) > 0 || r.later != nil || r.other != nil {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, at := range map[string]place{"another state": {state: 8, round: 3, seq: 1}, "a later round": {state: 7, round: 4, seq: 1}, "an earlier round": {state: 7, round: 2, seq: 1}} {
		r := readRound(data, at)
		if len(r.frames) > 0 || len(r.behind) > 0 || (r.other != nil) != (at.state == 8) || (r.later != nil) != (at.round == 2) {
			t.Errorf("%s: %d frames, %+v, %+v", name, len(r.frames), r.other, r.later)
		}
	}
}

// Each single bit of a frame is found, and hides neither the frames before it
// nor those behind.
func TestJournalFindsEachBit(t *testing.T) {
	data := framesOf(start, batchOf(1, 10), batchOf(2, 10), batchOf(3, 10))
	for at := journalBlock; at < journalBlock+headerSize+int(bigEndian.Uint32(data[journalBlock+8:])); at++ {
		for bit := range 8 {
			data[at] ^= 1 << bit
			if r := readRound(data, start); len(r.frames) != 1 || len(r.behind) != 1 {
				if f := readFrame(data, journalBlock); f == nil || f.place == (place{7, 3, 2, r.frames[0].sum}) {
					t.Fatalf("bit %d of octet %d: %d frames, %d behind", bit, at, len(r.frames), len(r.behind))
				}
			}
			data[at] ^= 1 << bit
		}
	}
}

func FuzzJournal(f *testing.F) {
	f.Add(framesOf(start, batchOf(1, 10), &batch{kind: frameAbort, revision: 1}, batchOf(1, 3*journalBlock)))
	f.Add([]byte("nonsense"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := readRound(data, start)
		var again []*batch
		for _, fr := range r.frames {
			again = append(again, &fr.batch)
		}
		if got := framesOf(start, again...); len(got) > len(data)+journalBlock {
			t.Errorf("%d frames of %d octets", len(r.frames), len(data))
		}
		_ = replay1(data, 1, 0, func(*batch) {})
		_ = walkBolt(data, func(string, []byte, []byte) error { return nil })
		_, _ = readMark(data)
	})
}

// faultFS is a disk that fails where it is asked to.
type faultFS struct {
	FS
	write    func(name string, f File, p []byte, at int64) (int, error) // nil: as usual
	transact func(run func() error) error
}

func newFaults() *faultFS { return &faultFS{FS: OS()} }

type faultFile struct {
	File
	fs   *faultFS
	name string
}

func (f *faultFS) OpenFile(path string, sync, create bool) (File, error) {
	file, err := f.FS.OpenFile(path, sync, create)
	return faultFile{file, f, filepath.Base(path)}, err
}

func (f *faultFS) Transaction(run func() error) error {
	if f.transact != nil {
		return f.transact(run)
	}
	return run()
}

func (f faultFile) WriteAt(p []byte, at int64) (int, error) {
	if f.fs.write != nil {
		return f.fs.write(f.name, f.File, p, at)
	}
	return f.File.WriteAt(p, at)
}

func openOn(t testing.TB, dir string, fs FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Log: silent(), FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var errDisk = errors.New("the disk failed")

// refuse fails a write; landing, it is there all the same.
func refuse(landing bool, names ...string) func(string, File, []byte, int64) (int, error) {
	return func(name string, f File, p []byte, at int64) (int, error) {
		for _, n := range names {
			if n != name {
				continue
			}
			if landing {
				_, _ = f.WriteAt(p, at)
			}
			return 0, errDisk
		}
		return f.WriteAt(p, at)
	}
}

// attempt persists a description of peer 1.
func attempt(s *Store, text string) (*Snapshot, error) {
	txn := s.Begin()
	defer txn.Discard()
	addBase(txn)
	describe(txn, peerKey(1), text)
	return s.Persist(txn, Meta{CommitID: text})
}

// One commit is one write to the journal, one to the mark that nobody waits for,
// and none to the state file.
func TestPersistWritesOnce(t *testing.T) {
	fs := newFaults()
	s := openOn(t, t.TempDir(), fs)
	commit(t, s, addBase)
	writes, transactions := map[string]int{}, 0
	fs.write = func(name string, f File, p []byte, at int64) (int, error) {
		writes[name]++
		return f.WriteAt(p, at)
	}
	fs.transact = func(run func() error) error { transactions++; return run() }
	for i := range 20 {
		commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), fmt.Sprint(i)) })
	}
	if writes[journalFile] != 20 || writes[markFile] != 20 || transactions != 0 {
		t.Errorf("20 commits: %v writes, %d transactions", writes, transactions)
	}
	commit(t, s, func(txn *Txn) { fill(txn, bulk) })
	if writes[journalFile] != 20 || transactions != 1 {
		t.Errorf("a large commit: %d writes to the journal, %d transactions; want 0 and 1", writes[journalFile]-20, transactions)
	}
}

// A commit that the journal refused is not running, nor is it after a crash,
// unless the disk has it and takes nothing else; then the store says so, takes
// nothing before that is settled, and settles it as soon as it can.
func TestPersistWhenTheJournalFails(t *testing.T) {
	for _, tt := range []struct {
		name          string
		landing, gone bool
		after         string // a crash
	}{{"refused", false, false, "one"}, {"kept", true, false, "one"}, {"refused and gone", false, true, "one"}, {"kept and gone", true, true, "failed"}} {
		t.Run(tt.name, func(t *testing.T) {
			dir, fs := t.TempDir(), newFaults()
			s := openOn(t, dir, fs)
			commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "one") })
			failing := refuse(tt.landing, journalFile)
			fs.write = failing
			if tt.landing && tt.gone {
				fs.write = func(name string, f File, p []byte, at int64) (int, error) {
					if name == journalFile {
						fs.write = refuse(false, journalFile)
					}
					return failing(name, f, p, at)
				}
			}
			if !tt.gone {
				fs.write = func(name string, f File, p []byte, at int64) (int, error) {
					if name == journalFile {
						fs.write = nil
						return failing(name, f, p, at)
					}
					return f.WriteAt(p, at)
				}
			}
			_, err := attempt(s, "failed")
			if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "write revision 2") || !strings.Contains(err.Error(), journalFile) {
				t.Fatalf("Persist: %v", err)
			}
			if doubt := errors.Is(err, ErrUnsettled); doubt != (tt.landing && tt.gone) {
				t.Errorf("unsettled %v: %v", doubt, err)
			}
			if got := described(s.Running(), peerKey(1)); got != "one" || s.Running().Revision() != 1 {
				t.Errorf("running is revision %d with %q", s.Running().Revision(), got)
			}
			if got := described(open(t, copyState(t, dir)).Running(), peerKey(1)); got != tt.after {
				t.Errorf("after a crash: %q, want %q", got, tt.after)
			}
			fs.write = nil
			must(t, s.Settle())
			for i := range 3 {
				commit(t, s, func(txn *Txn) { describe(txn, peerKey(3), fmt.Sprint(i)) })
				if diff := sameState(s, open(t, copyState(t, dir))); diff != "" {
					t.Errorf("commit %d after the failure (-running +after a crash):\n%s", i, diff)
				}
			}
		})
	}
}

// A commit that was aborted is gone, whichever way it became durable, and its
// revision is free again; without the abort a crash leaves it.
func TestAbort(t *testing.T) {
	for name, peers := range map[string]int{"in the journal": 1, "in the state file": bulk + 1} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "one"); describe(txn, peerKey(2), "two") })
			must(t, s.SetNotes(map[string][]byte{"n": []byte("before")}))
			txn := s.Begin()
			for i := range peers {
				describe(txn, peerKey(i+10), "new")
			}
			describe(txn, peerKey(1), "new")
			txn.Delete(peerKey(2))
			snap, err := s.Persist(txn, Meta{CommitID: "aborted", Notes: map[string][]byte{"n": []byte("new"), "m": []byte("new")}})
			must(t, err)
			if got := open(t, copyState(t, dir)); got.Running().Revision() != 2 || described(got.Running(), peerKey(1)) != "new" || string(got.notes["n"]) != "new" {
				t.Errorf("prepared: revision %d with %q after a crash", got.Running().Revision(), described(got.Running(), peerKey(1)))
			}
			must(t, s.Abort(snap))
			for i := range 3 {
				if diff := sameState(s, open(t, copyState(t, dir))); diff != "" {
					t.Errorf("%d commits after the abort (-running +after a crash):\n%s", i, diff)
				}
				if n, _ := s.Note("n"); string(n) != "before" {
					t.Errorf("note %q", n)
				}
				commit(t, s, func(txn *Txn) { describe(txn, peerKey(3), fmt.Sprint(i)) })
			}
			if s.Running().Revision() != 4 || described(s.Running(), peerKey(1)) != "one" {
				t.Errorf("revision %d with %q", s.Running().Revision(), described(s.Running(), peerKey(1)))
			}
			must(t, s.Close())
			again := open(t, dir)
			if diff := sameState(s, again); diff != "" {
				t.Errorf("after Close (-want +got):\n%s", diff)
			}
			if n, _ := again.Note("m"); n != nil {
				t.Errorf("note m is %q", n)
			}
		})
	}
}

// An abort that the disk refuses leaves the commit to a restart, and the store
// says so until it is settled.
func TestAbortRefused(t *testing.T) {
	dir, fs := t.TempDir(), newFaults()
	s := openOn(t, dir, fs)
	commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "one") })
	snap, err := attempt(s, "aborted")
	must(t, err)
	fs.write = refuse(false, journalFile)
	if err := s.Abort(snap); !errors.Is(err, ErrUnsettled) || !errors.Is(err, errDisk) {
		t.Errorf("Abort: %v", err)
	}
	if _, err := attempt(s, "later"); !errors.Is(err, ErrUnsettled) {
		t.Errorf("Persist: %v", err)
	}
	if err := s.SetNotes(map[string][]byte{"n": nil}); !errors.Is(err, ErrUnsettled) {
		t.Errorf("SetNotes: %v", err)
	}
	if got := open(t, copyState(t, dir)).Running(); got.Revision() != 2 {
		t.Errorf("revision %d after a crash", got.Revision())
	}
	fs.write = nil
	must(t, s.Settle())
	if diff := sameState(s, open(t, copyState(t, dir))); diff != "" {
		t.Errorf("settled (-running +after a crash):\n%s", diff)
	}
}

// A state file whose last write failed may have it all the same. Nothing goes to
// the journal before it was written again, and the commit that was refused is
// gone then.
func TestStateFileInDoubt(t *testing.T) {
	for name, large := range map[string]bool{"a large commit": true, "a checkpoint": false} {
		t.Run(name, func(t *testing.T) {
			dir, fs := t.TempDir(), newFaults()
			s := openOn(t, dir, fs)
			commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "one") })
			failures := 2
			fs.transact = func(run func() error) error {
				if err := run(); err != nil || failures == 0 {
					return err
				}
				failures--
				return errDisk
			}
			if !large {
				filesOf(s).journal.size = journalReserve + 2*journalBlock
				commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "two") })
			}
			txn := s.Begin()
			for i := range map[bool]int{true: bulk + 1, false: 1}[large] {
				describe(txn, peerKey(i), "failed")
			}
			if _, err := s.Persist(txn, Meta{}); !errors.Is(err, errDisk) {
				t.Fatalf("Persist: %v", err)
			}
			failures = 0
			must(t, s.Settle())
			for i := range 3 {
				if diff := sameState(s, open(t, copyState(t, dir))); diff != "" {
					t.Errorf("after %d commits (-running +after a crash):\n%s", i, diff)
				}
				commit(t, s, func(txn *Txn) { describe(txn, peerKey(3), fmt.Sprint(i)) })
			}
		})
	}
}

// On a full disk the journal goes on, then refuses; and what leads back still
// has room.
func TestFullDiskKeepsRoom(t *testing.T) {
	dir, fs := t.TempDir(), newFaults()
	s := openOn(t, dir, fs)
	commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "one") })
	filesOf(s).journal.size = journalReserve + 4*journalBlock
	fs.transact = func(func() error) error { return errDisk }
	refused := 0
	for i := range 10 {
		snap, err := attempt(s, fmt.Sprint(i))
		if err != nil {
			refused++
			continue
		}
		s.Publish(snap)
	}
	if refused != 7 {
		t.Errorf("%d of 10 commits were refused, want 7: a fourth block is taken already", refused)
	}
	must(t, s.SetNotes(map[string][]byte{"pending": []byte("confirmed")}))
	txn := s.Begin()
	for i := range 2000 { // more than may go into the journal otherwise
		describe(txn, peerKey(i), "back")
	}
	snap, err := s.Persist(txn, Meta{Urgent: true, Notes: map[string][]byte{"pending": nil}})
	must(t, err)
	s.Publish(snap)
	again := open(t, copyState(t, dir))
	if diff := sameState(s, again); diff != "" {
		t.Errorf("(-running +after a crash):\n%s", diff)
	}
	if n, _ := again.Note("pending"); n != nil {
		t.Errorf("note %q", n)
	}
	fs.transact = nil
	commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "room again") })
}

// copyState copies a state directory as a crash of the machine would leave it.
func copyState(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{stateFile, journalFile, markFile, keyFile} {
		data, err := os.ReadFile(filepath.Join(from, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(to, name), data, 0o600))
	}
	return to
}

// sameState says how two stores differ, in records, index and history.
func sameState(want, got *Store) string {
	a, b := want.Running(), got.Running()
	diff := cmp.Diff(keysOf(a, ""), keysOf(b, "")) + cmp.Diff(want.History(), got.History()) +
		cmp.Diff(referrers(a, groupKey("a")), referrers(b, groupKey("a"))) + cmp.Diff(a.Revision(), b.Revision())
	for _, k := range keysOf(a, peerKey(0).Parent()) {
		if k.Kind() == peerKey(0).Kind() {
			diff += cmp.Diff(described(a, k), described(b, k))
		}
	}
	return diff
}

// After each commit of many rounds, small and large, a crash loses nothing and
// brings nothing back.
func TestCrashAfterEachCommit(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	filesOf(s).journal.size = journalReserve + 7*journalBlock
	commit(t, s, func(txn *Txn) { fill(txn, 40) })
	journaled := 0
	for i := range 40 {
		before := filesOf(s).journal.next
		commit(t, s, func(txn *Txn) {
			for n := range i * i % 37 { // up to four blocks
				describe(txn, peerKey(n), fmt.Sprintf("round %d %s", i, strings.Repeat("x", 100)))
			}
			join(txn, peerKey(i), []string{"", "a"}[i%2])
			if k := peerKey(100 + i%5); !txn.Delete(k) {
				describe(txn, k, fmt.Sprint(i))
			}
		})
		if filesOf(s).journal.next > before {
			journaled++
		}
		again := open(t, copyState(t, dir))
		if diff := sameState(s, again); diff != "" {
			t.Fatalf("commit %d (-running +after a crash):\n%s", i, diff)
		}
		if n := len(filesOf(again).pending.history); n != 0 {
			t.Fatalf("%d commits are pending after a start", n)
		}
		must(t, again.Close())
	}
	if journaled < 15 || journaled > 35 {
		t.Errorf("%d of 40 commits came into the journal: the test does not try both ways", journaled)
	}
	must(t, s.Close())
	if diff := sameState(s, open(t, dir)); diff != "" {
		t.Errorf("after Close (-want +got):\n%s", diff)
	}
}

// The history is as long as was asked for, in memory and after a restart,
// whichever way its commits took.
func TestSetHistory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for range 20 {
		commit(t, s, addBase)
	}
	for _, tt := range []struct{ keep, now, later int }{{0, 1, 1}, {5, 1, 5}, {50, 5, 15}} {
		s.SetHistory(tt.keep)
		if got := len(s.History()); got != tt.now {
			t.Errorf("keep %d: %d at once, want %d", tt.keep, got, tt.now)
		}
		for range 10 {
			commit(t, s, addBase)
		}
		must(t, s.Close())
		s = open(t, dir)
		s.SetHistory(max(1, tt.keep))
		h := s.History()
		if len(h) != tt.later || h[len(h)-1].Revision != s.Running().Revision() {
			t.Errorf("keep %d: %d after ten commits and a restart, want %d", tt.keep, len(h), tt.later)
		}
	}
}

// A start after a crash removes nothing of the history before SetHistory has
// said how much is to be kept.
func TestOpenKeepsTheWholeHistory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.SetHistory(200)
	for range 150 {
		commit(t, s, addBase)
	}
	dir = copyState(t, dir)
	for range 2 {
		s = open(t, dir)
		s.SetHistory(200)
		if n := len(s.History()); n != 150 {
			t.Errorf("%d commits of 150", n)
		}
		must(t, s.Close())
	}
}
