package datastore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// memoryDisk is a disk of what it holds; fail, where set, fails a write.
type memoryDisk struct {
	data   []byte
	writes int
	fail   func(p []byte, at int64) error
}

func (d *memoryDisk) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(d.data).ReadAt(p, at)
}

func (d *memoryDisk) WriteAt(p []byte, at int64) (int, error) {
	d.writes++
	if d.fail != nil {
		if err := d.fail(p, at); err != nil {
			return 0, err
		}
	}
	if end := int(at) + len(p); end > len(d.data) {
		d.data = append(d.data, make([]byte, end-len(d.data))...)
	}
	return copy(d.data[at:], p), nil
}

func (d *memoryDisk) Close() error { return nil }

const testSeed = 0x1234

func memoryJournal(data []byte) (*journal, *memoryDisk) {
	d := &memoryDisk{data: data}
	return &journal{disk: d, path: journalFile, size: journalSize, seed: testSeed, sum: testSeed}, d
}

// replayed are the commits that a journal with this content has.
func replayed(t testing.TB, data []byte, revision uint64) ([]*batch, error) {
	t.Helper()
	j, _ := memoryJournal(data)
	var out []*batch
	err := j.replay(revision, func(b *batch) error {
		out = append(out, b)
		return nil
	})
	return out, err
}

// batchOf is a commit with so many octets of values.
func batchOf(revision uint64, octets int) *batch {
	return &batch{revision: revision, entry: fmt.Appendf(nil, "entry %d", revision), records: []stored{
		{key: "deleted"},
		{key: "kept", value: bytes.Repeat([]byte{byte(revision)}, octets)},
	}}
}

func add(t testing.TB, j *journal, b *batch) bool {
	t.Helper()
	fits, err := j.append(b)
	if err != nil {
		t.Fatal(err)
	}
	return fits
}

var compareBatches = cmp.AllowUnexported(batch{}, stored{})

func TestJournalReplaysWhatItHolds(t *testing.T) {
	j, d := memoryJournal(nil)
	want := []*batch{
		batchOf(8, 1), batchOf(9, journalBlock-60), batchOf(10, journalBlock), batchOf(11, 5*journalBlock),
		{revision: 12, entry: []byte("{}")},
	}
	for _, b := range want {
		add(t, j, b)
	}
	if d.writes != len(want) || len(d.data)%journalBlock != 0 {
		t.Errorf("%d writes for %d commits, %d octets", d.writes, len(want), len(d.data))
	}
	got, err := replayed(t, d.data, 7)
	if diff := cmp.Diff(want, got, compareBatches); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, revision := range []uint64{0, 6, 8, 12} { // of a state file that it does not follow
		if got, err := replayed(t, d.data, revision); len(got) != 0 || err != nil {
			t.Errorf("after revision %d: %d commits, %v", revision, len(got), err)
		}
	}
	j.seed++ // of another state file
	if err := j.replay(7, func(*batch) error { return errors.New("replayed") }); err != nil {
		t.Errorf("the journal of another state file: %v", err)
	}
}

func TestJournalTakesWhatFits(t *testing.T) {
	j, d := memoryJournal(nil)
	j.size = 3 * journalBlock
	if !add(t, j, batchOf(1, 1)) || !add(t, j, batchOf(2, journalBlock)) {
		t.Fatal("three blocks do not take one and two")
	}
	before := slices.Clone(d.data)
	if add(t, j, batchOf(3, 1)) || !bytes.Equal(before, d.data) {
		t.Error("a full journal takes a commit")
	}
	j.restart()
	if !add(t, j, batchOf(4, 1)) || len(d.data) != 3*journalBlock {
		t.Errorf("%d octets after a restart", len(d.data))
	}
}

// Whatever earlier rounds left behind the last frame is not replayed: not even
// a frame that has just the revision that comes next, because a failed commit
// or a restored backup has used it twice.
func TestJournalIgnoresEarlierRounds(t *testing.T) {
	j, d := memoryJournal(nil)
	for i := range uint64(6) {
		add(t, j, batchOf(11+i, 1))
	}
	for first := uint64(8); first < 20; first++ {
		for frames := 1; frames < 6; frames++ {
			j, d := memoryJournal(slices.Clone(d.data))
			for i := range frames {
				add(t, j, batchOf(first+uint64(i), 2)) // other octets than in the earlier round
			}
			got, err := replayed(t, d.data, first-1)
			if len(got) != frames || err != nil {
				t.Errorf("round of %d from revision %d: %d replayed, %v", frames, first, len(got), err)
			}
		}
	}
}

// A frame that is torn, cut or changed at any octet is not replayed, and those
// before it are.
func TestJournalTornAnywhere(t *testing.T) {
	j, d := memoryJournal(nil)
	add(t, j, batchOf(1, 10))
	first := int(j.next)
	old := slices.Clone(append(d.data, bytes.Repeat([]byte{0xa5}, journalBlock)...))
	add(t, j, batchOf(2, 10))
	length := headerSize + int(binary.BigEndian.Uint32(d.data[first+4:]))
	for at := first; at < first+length; at++ {
		torn := append(slices.Clone(d.data[:at]), old[at:]...)
		flipped := slices.Clone(d.data)
		flipped[at] ^= 1 << (at % 8)
		for name, data := range map[string][]byte{"cut": d.data[:at], "torn": torn, "changed": flipped} {
			if got, err := replayed(t, data, 0); len(got) != 1 || err != nil {
				t.Errorf("%s at octet %d: %d commits, %v; want the first only", name, at-first, len(got), err)
			}
		}
	}
}

func TestJournalReadErrors(t *testing.T) {
	frame := func(payload string) []byte {
		b := appendFrame(nil, &batch{revision: 1}, testSeed)[:headerSize]
		b = append(b, payload...)
		binary.BigEndian.PutUint32(b[4:], uint32(len(payload)))
		binary.BigEndian.PutUint32(b, crc32.Update(testSeed, castagnoli, b[4:]))
		return append(b, make([]byte, journalBlock-len(b))...)
	}
	for _, payload := range []string{"", "\x05abc", "\x02{}\x01", "\x02{}\x01k", "\x02{}\x01k\x09", "\x80", strings.Repeat("\xff", 11)} {
		if _, err := replayed(t, frame(payload), 0); !errors.Is(err, errPayload) || !strings.Contains(err.Error(), "revision 1") {
			t.Errorf("payload %q: %v", payload, err)
		}
	}
	if got, err := replayed(t, frame("\x02{}\x01k\x00"), 0); len(got) != 1 || err != nil {
		t.Errorf("a good payload: %d commits, %v", len(got), err)
	}
	j, _ := memoryJournal(nil)
	j.disk = brokenDisk{}
	if err := j.replay(0, nil); !errors.Is(err, errBroken) {
		t.Errorf("a disk that does not read: %v", err)
	}
}

var errBroken = errors.New("broken")

// brokenDisk reads nothing.
type brokenDisk struct{ disk }

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func FuzzJournal(f *testing.F) {
	j, d := memoryJournal(nil)
	add(f, j, batchOf(1, 10))
	add(f, j, batchOf(2, 10))
	f.Add(d.data)
	f.Fuzz(func(t *testing.T, data []byte) {
		sum, at := uint32(testSeed), 0
		got, _ := replayed(t, data, 0)
		for i, b := range got {
			length := headerSize + int(binary.BigEndian.Uint32(data[at+4:]))
			sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), data[at+4:at+length])
			if sum != binary.BigEndian.Uint32(data[at:]) || b.revision != uint64(i+1) {
				t.Fatalf("commit %d is invented", i)
			}
			at += int(blocks(int64(length)))
		}
		// The same octets behind a right checksum: read as they are written.
		b := &batch{revision: 1}
		if b.parse(data) != nil {
			return
		}
		j, d := memoryJournal(nil)
		if !add(t, j, b) {
			return
		}
		again, err := replayed(t, d.data, 0)
		if diff := cmp.Diff([]*batch{b}, again, compareBatches); diff != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// copyState copies a state directory as a crash of the machine would leave it.
func copyState(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{stateFile, journalFile, keyFile} {
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
	s.file.journal.size = 7 * journalBlock
	commit(t, s, func(txn *Txn) { fill(txn, 40) })
	journaled := 0
	for i := range 40 {
		before := s.file.journal.next
		commit(t, s, func(txn *Txn) {
			for n := range i * i % 37 { // up to four blocks
				describe(txn, peerKey(n), fmt.Sprintf("round %d %s", i, strings.Repeat("x", 100)))
			}
			join(txn, peerKey(i), []string{"", "a"}[i%2])
			if k := peerKey(100 + i%5); !txn.Delete(k) {
				describe(txn, k, fmt.Sprint(i))
			}
		})
		if s.file.journal.next > before {
			journaled++
		}
		again := open(t, copyState(t, dir))
		if diff := sameState(s, again); diff != "" {
			t.Fatalf("commit %d (-running +after a crash):\n%s", i, diff)
		}
		if n := len(again.file.pending.history); n != 0 {
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

// A journal that is damaged at any octet of its last frame leaves all of that
// commit or nothing of it.
func TestCrashTornAnywhere(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, addBase)
	commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "old"); describe(txn, peerKey(2), "old") })
	start := int(s.file.journal.next)
	commit(t, s, func(txn *Txn) { txn.Delete(peerKey(1)); describe(txn, peerKey(2), "new") })
	dir = copyState(t, dir)
	state, err := os.ReadFile(filepath.Join(dir, stateFile))
	must(t, err)
	file, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_RDWR, 0)
	must(t, err)
	defer file.Close()
	block := make([]byte, journalBlock)
	_, err = file.ReadAt(block, int64(start))
	must(t, err)
	length := headerSize + int(binary.BigEndian.Uint32(block[4:]))
	check := func(what string, block []byte, revision uint64, first, second string) {
		t.Helper()
		overwrite(t, dir, stateFile, string(state))
		_, err := file.WriteAt(block, int64(start))
		must(t, err)
		if what == "cut" {
			must(t, file.Truncate(int64(start+len(block))))
		}
		again, err := Open(Options{Dir: dir, Log: silent()})
		must(t, err)
		snap := again.Running()
		a, b := described(snap, peerKey(1)), described(snap, peerKey(2))
		if snap.Revision() != revision || a != first || b != second || len(again.History()) != int(revision) {
			t.Errorf("%s: revision %d with %q and %q, want %d with %q and %q", what, snap.Revision(), a, b, revision, first, second)
		}
		must(t, again.Close())
	}
	check("undamaged", block, 3, "-", "new")
	for i := range length {
		torn := append(slices.Clone(block[:i]), make([]byte, journalBlock-i)...)
		check(fmt.Sprint("torn at octet ", i), torn, 2, "old", "old")
		changed := slices.Clone(block)
		changed[i] ^= 0x10
		check(fmt.Sprint("changed at octet ", i), changed, 2, "old", "old")
		if i%20 == 0 {
			check("cut", block[:i], 2, "old", "old")
		}
	}
}

// One commit is one write to the journal and none to the state file.
func TestPersistWritesOnce(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, addBase)
	d := &countingDisk{disk: s.file.journal.disk}
	s.file.journal.disk = d
	transaction := func() (id int) {
		must(t, s.file.view(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }))
		return id
	}
	before := transaction()
	for i := range 20 {
		commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), fmt.Sprint(i)) })
	}
	if d.writes != 20 || transaction() != before {
		t.Errorf("20 commits: %d writes to the journal, %d transactions", d.writes, transaction()-before)
	}
	commit(t, s, func(txn *Txn) { fill(txn, bulk) })
	if d.writes != 20 || transaction() != before+1 {
		t.Errorf("a large commit: %d writes to the journal, %d transactions; want 0 and 1", d.writes-20, transaction()-before)
	}
}

type countingDisk struct {
	disk
	writes int
}

func (d *countingDisk) WriteAt(p []byte, at int64) (int, error) {
	d.writes++
	return d.disk.WriteAt(p, at)
}

// failingDisk writes all and says that it failed, as a disk does of which
// nobody knows what it holds. Where gone, nothing is written any more.
type failingDisk struct {
	disk
	gone, failed bool
}

func (d *failingDisk) WriteAt(p []byte, at int64) (int, error) {
	if d.failed && d.gone {
		return 0, io.ErrShortWrite
	}
	if _, err := d.disk.WriteAt(p, at); err != nil || d.failed {
		return len(p), err
	}
	d.failed = true
	return 0, io.ErrShortWrite
}

// A commit that the journal could not take is not running, nor is it after a
// crash if the disk still takes anything; and the next commit overwrites it.
func TestPersistWhenTheJournalFails(t *testing.T) {
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprint("gone=", gone), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "one") })
			working := s.file.journal.disk
			s.file.journal.disk = &failingDisk{disk: working, gone: gone}
			txn := s.Begin()
			describe(txn, peerKey(1), "failed")
			describe(txn, peerKey(2), "failed")
			_, err := s.Persist(txn, Meta{CommitID: "failed"})
			if !errors.Is(err, io.ErrShortWrite) || !strings.Contains(err.Error(), "write revision 2") || !strings.Contains(err.Error(), journalFile) {
				t.Fatalf("Persist: %v", err)
			}
			if got := described(s.Running(), peerKey(1)); got != "one" || s.Running().Revision() != 1 {
				t.Errorf("running is revision %d with %q", s.Running().Revision(), got)
			}
			want := map[bool]string{false: "one", true: "failed"}[gone] // gone: it may hold the failed commit
			if got := described(open(t, copyState(t, dir)).Running(), peerKey(1)); got != want {
				t.Errorf("after a crash: %q, want %q", got, want)
			}
			s.file.journal.disk = working
			for i := range 3 { // by a checkpoint, and then in the journal again
				commit(t, s, func(txn *Txn) { describe(txn, peerKey(3), fmt.Sprint(i)) })
				again := open(t, copyState(t, dir))
				if diff := sameState(s, again); diff != "" {
					t.Errorf("commit %d after the failure (-running +after a crash):\n%s", i, diff)
				}
			}
			if s.file.journal.next != 2*journalBlock {
				t.Errorf("the journal ends at %d: it is not used again", s.file.journal.next)
			}
		})
	}
}

// A Close after a failure leaves to the next start what a commit would have
// put right.
func TestCloseAfterAFailure(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, func(txn *Txn) { addBase(txn); describe(txn, peerKey(1), "one") })
	s.file.journal.disk = &failingDisk{disk: s.file.journal.disk}
	txn := s.Begin()
	describe(txn, peerKey(1), "failed")
	if _, err := s.Persist(txn, Meta{}); err == nil {
		t.Fatal("Persist says OK to a disk that failed")
	}
	must(t, s.Close())
	if diff := sameState(s, open(t, dir)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

func TestOpenWithForeignJournals(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  uint64 // revision
		says  []string
	}{
		{"as it is", func(*testing.T, string) {}, 2, nil},
		{"missing", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, journalFile))) }, 0, nil},
		{"no journal", func(t *testing.T, dir string) { overwrite(t, dir, journalFile, strings.Repeat("nonsense", 1<<16)) }, 0, nil},
		{"of a state file that was moved away", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, stateFile))) }, 0, nil},
		{
			"a directory",
			func(t *testing.T, dir string) {
				must(t, os.Remove(filepath.Join(dir, journalFile)))
				must(t, os.Mkdir(filepath.Join(dir, journalFile), 0o700))
			},
			0,
			[]string{journalFile, "directory"},
		},
		{
			"with a record of no known kind",
			func(t *testing.T, dir string) { appendTo(t, dir, stored{key: "\x00?x", value: []byte("{}")}, "{}") },
			0,
			[]string{journalFile, "no known kind"},
		},
		{
			"with a record that does not decode",
			func(t *testing.T, dir string) { appendTo(t, dir, stored{key: peerKey(1), value: []byte("{")}, "{}") },
			0,
			[]string{journalFile, "peer[address=10.0.0.1]"},
		},
		{
			"with a history entry that does not decode",
			func(t *testing.T, dir string) { appendTo(t, dir, stored{key: peerKey(1)}, "{") },
			0,
			[]string{journalFile, "revision 3"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			commit(t, s, addBase)
			commit(t, s, func(txn *Txn) { describe(txn, peerKey(1), "text") })
			dir := copyState(t, filepath.Dir(s.file.path))
			tt.spoil(t, dir)
			again, err := Open(Options{Dir: dir, Log: silent()})
			if len(tt.says) == 0 {
				must(t, err)
				if got := again.Running().Revision(); got != tt.want {
					t.Errorf("revision %d, want %d", got, tt.want)
				}
				commit(t, again, addBase)
				must(t, again.Close())
				if got := open(t, dir).Running().Revision(); got != tt.want+1 {
					t.Errorf("revision %d after a commit, want %d", got, tt.want+1)
				}
				return
			}
			if err == nil {
				_ = again.Close()
				t.Fatal("Open says OK")
			}
			for _, says := range append(tt.says, dir) {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
		})
	}
}

// appendTo makes a third commit behind the two of dir, with a right checksum.
func appendTo(t *testing.T, dir string, r stored, entry string) {
	t.Helper()
	s, err := openFile(dir)
	must(t, err)
	defer s.release()
	last := make([]byte, headerSize)
	_, err = s.journal.disk.ReadAt(last, journalBlock)
	must(t, err)
	s.journal.next, s.journal.sum = 2*journalBlock, binary.BigEndian.Uint32(last)
	add(t, s.journal, &batch{revision: 3, entry: []byte(entry), records: []stored{r}})
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
