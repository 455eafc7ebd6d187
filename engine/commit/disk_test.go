package commit

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// testFS is a disk that calls back: before each write of a file, which it may
// shorten or refuse, and around each transaction of the state file.
type testFS struct {
	datastore.FS
	write    func(name string, p []byte) ([]byte, error)
	transact func(run func() error) error
}

type testFile struct {
	datastore.File
	fs   *testFS
	name string
}

func newTestFS() *testFS { return &testFS{FS: datastore.OS()} }

func (f *testFS) OpenFile(path string, sync, create bool) (datastore.File, error) {
	file, err := f.FS.OpenFile(path, sync, create)
	return testFile{file, f, filepath.Base(path)}, err
}

func (f *testFS) Transaction(run func() error) error {
	if f.transact != nil {
		return f.transact(run)
	}
	return run()
}

func (f testFile) WriteAt(p []byte, at int64) (int, error) {
	if f.fs.write == nil {
		return f.File.WriteAt(p, at)
	}
	short, err := f.fs.write(f.name, p)
	if err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(short, at)
	if len(short) < len(p) {
		die() // a torn write is one during which the machine stops
	}
	return n, err
}

// die ends the process as kill -9 does.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

const (
	crashPointVariable = "MOORING_CRASH_POINT"
	crashDirVariable   = "MOORING_CRASH_DIR"
	journal            = "state.journal"
)

// crashPoints are the moments of a commit at which the process may stop, and
// what a restart finds. docs/adr/0026-prepared-first.md has the same table.
var crashPoints = []struct {
	name  string
	arm   func(c *crashing)
	large bool // the commit goes into the state file
	fails bool // the backend refuses the second step
	found uint64
}{
	{"before the write to the journal", func(c *crashing) { c.journal(1, nil) }, false, false, 1},
	{"in the write to the journal", func(c *crashing) { c.journal(1, half) }, false, false, 1},
	{"after the write to the journal, before the speaker", func(c *crashing) { c.step(0) }, false, false, 2},
	{"among the steps of the speaker", func(c *crashing) { c.step(1) }, false, false, 2},
	{"after the last step, before the answer", func(c *crashing) { c.answered = die }, false, false, 2},
	{"the speaker failed, before the mark", func(c *crashing) { c.journal(2, nil) }, false, true, 2},
	{"the speaker failed, in the mark", func(c *crashing) { c.journal(2, half) }, false, true, 2},
	{"the speaker failed, after the mark, before the undoing", func(c *crashing) { c.step(2) }, false, true, 1},
	{"the speaker failed, after the undoing", func(c *crashing) { c.answered = die }, false, true, 1},
	{"large: before the transaction", func(c *crashing) { c.fs.transact = func(func() error) error { die(); return nil } }, true, false, 1},
	{"large: after the transaction", func(c *crashing) { c.fs.transact = func(run func() error) error { _ = run(); die(); return nil } }, true, false, 2},
	{"large: among the steps of the speaker", func(c *crashing) { c.step(1) }, true, false, 2},
	{"large: the speaker failed, before the mark", func(c *crashing) { c.journal(1, nil) }, true, true, 2},
	{"large: the speaker failed, after the mark", func(c *crashing) { c.step(2) }, true, true, 1},
}

// crashing is the process that stops.
type crashing struct {
	fs       *testFS
	b        *fake.Backend
	writes   int
	steps    int
	fails    bool
	dieAt    int // the step before which it dies
	answered func()
}

// journal dies at the nth write to the journal, of which it lets through what
// cut returns.
func (c *crashing) journal(n int, cut func([]byte) []byte) {
	c.fs.write = func(name string, p []byte) ([]byte, error) {
		if name != journal {
			return p, nil
		}
		if c.writes++; c.writes < n {
			return p, nil
		}
		if cut == nil {
			die()
		}
		return cut(p), nil
	}
}

func half(p []byte) []byte { return p[:40] }

func (c *crashing) step(n int) { c.dieAt = n }

// apply is asked before each step of the backend.
func (c *crashing) apply(plan.Step) error {
	if c.steps == c.dieAt {
		die()
	}
	if c.steps++; c.fails && c.steps == 2 {
		return errors.New("no room")
	}
	return nil
}

// TestCrashPointChild is the process of TestCrashPoints.
func TestCrashPointChild(t *testing.T) {
	name := os.Getenv(crashPointVariable)
	if name == "" {
		t.SkipNow() // it is no test of its own
	}
	for _, p := range crashPoints {
		if p.name != name {
			continue
		}
		c := &crashing{fs: newTestFS(), b: fake.New(fake.Options{Native: fake.NativeLikeGoBGP}), fails: p.fails, dieAt: -1}
		r := diskRig(t, os.Getenv(crashDirVariable), c.fs, c.b, newNetwork())
		r.mustEdit(example)
		c.b.FailApply(c.apply)
		p.arm(c)
		_, err := r.edit(func(tx schema.Tx) { crashEdit(tx, p.large) })
		if (err != nil) != p.fails {
			t.Fatalf("the commit: %v", err)
		}
		c.answered()
	}
}

// crashEdit takes two steps, one of which can be seen in the configuration.
func crashEdit(tx schema.Tx, large bool) {
	peers := 2
	if large {
		peers = 1500
	}
	for i := range peers {
		p := peerAt(tx, peerOf(vpn1, fmt.Sprintf("10.9.%d.%d", i/250, i%250+1)))
		p.GetOrCreateConfig().As = ygot.Uint32(7)
	}
	peerAt(tx, thePeer).GetOrCreateConfig().Description = ygot.String("changed")
}

// The process stops at each point of a commit; the next start finds all of it
// or nothing, as the table says, and brings the speaker to that.
func TestCrashPoints(t *testing.T) {
	for _, p := range crashPoints {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashPointChild$")
			cmd.Env = append(os.Environ(), crashPointVariable+"="+p.name, crashDirVariable+"="+dir)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the child did not reach the point: %v\n%s", err, out)
			}
			b := fake.New(fake.Options{Native: fake.NativeLikeGoBGP})
			r := quietRig(t, dir, b, newNetwork())
			snap := r.c.Store().Running()
			description := *cmp.Or(snap.Get(schema.PeerKey(thePeer)).(*peerRec).GetConfig().Description, ygot.String(""))
			if snap.Revision() != p.found || (description == "changed") != (p.found == 2) || len(r.c.Store().History()) != int(p.found) {
				t.Errorf("revision %d with description %q and %d commits", snap.Revision(), description, len(r.c.Store().History()))
			}
			if r.c.oper.Get(thePeer).Applied == nil || (r.c.oper.Get(peerOf(vpn1, "10.9.0.1")).Applied != nil) != (p.found == 2) {
				t.Error("the speaker was not brought to what was found")
			}
			r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String("goes on") })
			r.stop()
			again := quietRig(t, dir, b, newNetwork())
			if got := again.c.Store().Running().Revision(); got != p.found+1 {
				t.Errorf("revision %d after one more commit and a restart", got)
			}
		})
	}
}

// A disk that refuses costs no session anything, however often a client tries
// (reliability F4).
func TestRefusingDiskResetsNothing(t *testing.T) {
	fs := newTestFS()
	b := fake.New(fake.Options{Native: fake.NativeLikeGoBGP})
	r := runRig(t, diskRig(t, t.TempDir(), fs, b, newNetwork()))
	r.mustEdit(example)
	r.eventually("up", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	before, calls := r.state(thePeer), 0
	b.FailApply(func(plan.Step) error { calls++; return nil })
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		fs.write = func(string, []byte) ([]byte, error) { return nil, fault }
		for i := range 5 {
			_, err := r.edit(func(tx schema.Tx) {
				peerAt(tx, thePeer).GetOrCreateTimers().GetOrCreateConfig().HoldTime = ygot.Uint16(uint16(30 + i))
			})
			de, ok := errors.AsType[*DiskError](err)
			if !ok || !errors.Is(err, fault) || de.Full() != (fault == syscall.ENOSPC) || !strings.Contains(err.Error(), "nothing has changed") {
				t.Errorf("%v: %v", fault, err)
			}
		}
	}
	if calls != 0 {
		t.Errorf("the backend was asked for %d steps", calls)
	}
	fs.write = nil
	r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).GetOrCreateConfig().Description = ygot.String("no reset") })
	if st := r.state(thePeer); st.Transitions != before.Transitions || st.LastReset != before.LastReset {
		t.Errorf("%d transitions, last reset %+v", st.Transitions, st.LastReset)
	}
	if got := r.c.Store().Running().Revision(); got != 2 {
		t.Errorf("revision %d", got)
	}
}

// What a failed commit ended names no commit: its identifier goes to the next.
func TestUndoneCommitIsNotBlamed(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	up := func() bool { return r.state(thePeer).Session == bgp.StateEstablished }
	r.eventually("up", up)
	second := peerOf(vpn1, "10.1.1.3")
	r.b.FailApply(func(s plan.Step) error {
		if s.Peer == second && s.New != nil {
			return errors.New("no room")
		}
		return nil
	})
	transitions := r.state(thePeer).Transitions
	if _, err := r.edit(func(tx schema.Tx) {
		peerAt(tx, thePeer).GetOrCreateTimers().GetOrCreateConfig().HoldTime = ygot.Uint16(33)
		peerAt(tx, second).GetOrCreateConfig().As = ygot.Uint32(7)
	}); err == nil {
		t.Fatal("the commit succeeded")
	}
	r.eventually("reset and undone", func() bool { return up() && r.state(thePeer).Transitions > transitions })
	if last := r.state(thePeer).LastReset; last == nil || last.CommitID != "" || last.Text != undoneText {
		t.Errorf("last reset %+v", last)
	}
}

// A rollback that the disk refuses waits for its interval, whatever the peers do
// meanwhile (reliability F5).
func TestRefusedRollbackKeepsItsInterval(t *testing.T) {
	fs := newTestFS()
	r := diskRig(t, t.TempDir(), fs, fake.New(fake.Options{Native: fake.NativeLikeGoBGP}), newNetwork())
	r.mustEdit(example)
	if _, err := r.c.Edit(t.Context(), operator, Options{Confirm: &Confirm{ID: "x", Timeout: 1}}, func(tx schema.Tx) error {
		peerAt(tx, thePeer).GetOrCreateConfig().Description = ygot.String("tried out")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	attempts := 0
	fs.write = func(name string, p []byte) ([]byte, error) {
		if name == journal {
			attempts++
			return nil, syscall.EIO
		}
		return p, nil
	}
	for range 20 {
		if wait := r.c.expire(t.Context()); wait <= 0 || wait > repairInterval {
			t.Errorf("tried again in %v", wait)
		}
	}
	if attempts != 1 {
		t.Errorf("%d attempts at once", attempts)
	}
	fs.write = nil
	r.c.expiry.at = r.c.cfg.Now() // its interval is over
	if wait := r.c.expire(t.Context()); wait != 0 || r.c.Pending() != nil || r.c.Store().Running().Revision() != 3 {
		t.Errorf("wait %v, pending %v, revision %d", wait, r.c.Pending(), r.c.Store().Running().Revision())
	}
	if note, err := r.c.Store().Note(pendingNote); note != nil || err != nil {
		t.Errorf("note %q, %v", note, err)
	}
}
