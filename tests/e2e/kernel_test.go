package e2e

import (
	"strings"
	"testing"
	"time"

	"mooring/tests/runner"
)

// An interface that is not there yet is accepted; the peer waits for it.
func TestInterfaceAppears(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack7"))...)
	held := func(reason string) func(peer) bool {
		return func(p peer) bool { return p.State.DownReason == reason && p.State.SessionState == "idle" }
	}
	p := b.wait(peer1, atOnce, "not held down", held("interface-missing"))
	if !strings.Contains(p.State.DownDetail, "LoopBack7") {
		t.Errorf("down-detail = %q, want the interface in it", p.State.DownDetail)
	}
	b.loopBack("LoopBack7")
	b.wait(peer1, atOnce, "not held down", held("no-address"))
	if n := len(b.wire.SYNs(nil)); n != 0 {
		t.Errorf("%d SYNs while the source was not known", n)
	}
	b.dut.AddAddr("LoopBack7", "10.9.7.1/32")
	p = b.waitUp(peer1, 1)
	b.cameUp(b.begin, p, "10.9.7.1")
	if p.State.DownReason != "" || p.State.DownDetail != "" {
		t.Errorf("state = %+v, want no down-reason", p.State)
	}
}

// The address of a live session goes away: the session ends at once, with the
// reason, and comes back with the address.
func TestAddressRemoved(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	mark := b.wire.Mark()
	b.dut.DelAddr("LoopBack1", loopBack1+"/32")
	p := b.wait(peer1, atOnce, "not reset", func(p peer) bool { return p.State.SessionState == "idle" })
	if p.State.DownReason != "no-address" || !strings.Contains(p.State.DownDetail, "LoopBack1") {
		t.Errorf("down-reason %q, detail %q, want no-address of LoopBack1", p.State.DownReason, p.State.DownDetail)
	}
	if last := p.State.LastReset; last.Cause != "source" || p.State.Resets.Source != 1 || p.State.Resets.Commit != 0 ||
		!strings.Contains(strings.Join(last.Leaf, " "), loopBack1) {
		t.Errorf("last-reset = %+v, resets = %+v, want one, by the source", last, p.State.Resets)
	}
	// Longer than GoBGP waits before it dials: a peer that is held down stays so.
	time.Sleep(2500 * time.Millisecond)
	if v := b.wire.Since(mark); len(v.SYNs(nil)) != 0 {
		t.Errorf("the peer was dialled without a source:\n%s", v)
	}
	b.dut.AddAddr("LoopBack1", loopBack1+"/32")
	p = b.waitUp(peer1, 2)
	b.cameUp(mark, p, loopBack1)
	if p.State.DownReason != "" {
		t.Errorf("down-reason = %q", p.State.DownReason)
	}
}

// Another address in the place of the first: one reset, by the source.
func TestAddressChanged(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	mark := b.wire.Mark()
	b.dut.DelAddr("LoopBack1", loopBack1+"/32")
	b.dut.AddAddr("LoopBack1", loopBack1b+"/32")
	p := b.waitUp(peer1, 2)
	b.cameUp(mark, p, loopBack1b)
	if p.State.Transitions != 2 || p.State.Resets.Source != 1 || p.State.LastReset.Cause != "source" {
		t.Errorf("state = %+v, want one reset by the source", p.State)
	}
	if p.Transport.ConnectInterface.State.ResolvedSource != loopBack1b {
		t.Errorf("resolved-source = %q", p.Transport.ConnectInterface.State.ResolvedSource)
	}
}

// A second address leaves the session alone, and state says what to set; a
// session that ends comes back from where it was. Where the source in force
// goes and several are left, the peer is down and says what there is to choose
// from. Choosing brings it back.
func TestAddressAmbiguous(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	mark := b.wire.Mark()
	b.dut.AddAddr("LoopBack1", loopBack1b+"/32")
	p := b.wait(peer1, atOnce, "no warning", func(p peer) bool { return p.Transport.ConnectInterface.State.SourceWarning != "" })
	if s := p.Transport.ConnectInterface.State; strings.Join(s.Candidate, " ") != loopBack1+" "+loopBack1b || s.ResolvedSource != loopBack1 {
		t.Errorf("connect-interface/state = %+v", s)
	}
	b.set(runner.Update(peer1+"/config/description", "still up"))
	if v := b.wire.View().Since(mark); len(v.Notifications()) > 0 || len(v.SYNs(nil)) > 0 {
		t.Errorf("a second address is seen on the wire:\n%s", v)
	}
	if out, err := b.bird.Ctl("restart", `"dut*"`); err != nil {
		t.Fatalf("birdc: %v: %s", err, out)
	}
	p = b.waitUp(peer1, 2)
	b.cameUp(mark, p, loopBack1)

	b.dut.AddAddr("LoopBack1", "10.9.1.3/32")
	mark = b.wire.Mark()
	b.dut.DelAddr("LoopBack1", loopBack1+"/32")
	p = b.wait(peer1, atOnce, "not held down", func(p peer) bool { return p.State.DownReason == "ambiguous-source" })
	if got := strings.Join(p.Transport.ConnectInterface.State.Candidate, " "); got != loopBack1b+" 10.9.1.3" {
		t.Errorf("candidates %q", got)
	}
	b.set(runner.Update(source1+"/config/source-address", loopBack1b))
	p = b.waitUp(peer1, 3)
	b.cameUp(mark, p, loopBack1b)
	if p.State.Resets.Source != 1 || p.State.Resets.Commit != 0 || p.State.Resets.Remote != 1 {
		t.Errorf("resets = %+v, want one by the source and one by the remote", p.State.Resets)
	}
}
