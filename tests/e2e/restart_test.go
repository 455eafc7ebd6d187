package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

// The agent ends in order and starts again: the configuration is the same, and
// so are the sessions.
func TestRestart(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.set(runner.Update(peer1+"/config/description", "before"))
	b.waitUp(peer1, 1)
	n := b.agent.NETCONF(t)
	const everything = "<get-config><source><running/></source></get-config>"
	before, err := n.Call(everything)
	if err != nil {
		t.Fatal(err)
	}
	revision, history := b.revision(), b.history()
	if len(history) != 2 {
		t.Errorf("history %+v, want two commits", history)
	}

	mark := b.wire.Mark()
	b.agent.Stop(t)
	v := b.wire.WaitFor(t, patience, func(v netlab.View) bool { return len(v.Since(mark).Notifications()) > 0 })
	if notes := v.Since(mark).Notifications(); len(notes) != 1 || notes[0].Code != 6 || notes[0].From.Addr().String() != loopBack1 {
		t.Errorf("at the end %v, want one Cease from the agent", notes)
	}

	mark = b.wire.Mark()
	b.start(runner.Options{StateDir: b.agent.StateDir})
	after, err := b.agent.NETCONF(t).Call(everything)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" || !strings.Contains(after, "LoopBack1") {
		t.Errorf("configuration (-before +after):\n%s", diff)
	}
	if got := b.revision(); got != revision {
		t.Errorf("revision %d, want %d", got, revision)
	}
	if diff := cmp.Diff(history, b.history()); diff != "" {
		t.Errorf("history (-before +after):\n%s", diff)
	}
	p := b.waitUp(peer1, 1)
	b.cameUp(mark, p, loopBack1)
}

// Two agents never share a state directory, and the second says why it ends.
func TestStateDirectoryInUse(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	one, two := lab.Namespace("one"), lab.Namespace("two")
	first := runner.Start(t, runner.Options{Namespace: one, Backend: "fake"})
	_, err := runner.Launch(t, runner.Options{Namespace: two, Backend: "fake", StateDir: first.StateDir})
	if err == nil {
		t.Fatal("a second agent started on the same state directory")
	}
	for _, text := range []string{first.StateDir, "another agent"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v\nwant %q in it", err, text)
		}
	}
	if first.Exited() {
		t.Error("the first agent ended")
	}
	first.Stop(t)
}
