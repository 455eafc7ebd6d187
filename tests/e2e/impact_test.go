package e2e

import (
	"testing"
	"time"

	"mooring/tests/runner"
)

// What costs nothing: a description, a value that is what it was, a setting of
// the retry timer. The change at the end is the proof: it is the only one that
// the wire saw.
func TestNoReset(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	b.resetOnce(peer1, loopBack2, func() {
		start := b.revision()
		b.set(runner.Update(peer1+"/config/description", "to the customer"))
		if got := b.look(peer1).Config.Description; got != "to the customer" {
			t.Errorf("description = %q", got)
		}
		b.set(runner.Update(peer1+"/timers/config/connect-retry", 7))
		if got := b.revision(); got != start+2 {
			t.Errorf("revision %d after two changes of %d", got, start)
		}
		b.set(runner.Update(source1+"/config/interface", "LoopBack1"))
		b.set(example(name("LoopBack1"))...)
		b.set(runner.Update(peer1, peerIn(remote, name("LoopBack1"))))
		// The same source, said in another way: a change, but none of a value in force.
		b.set(runner.Replace(source1, object{"config": object{"interface": "LoopBack1", "source-address": loopBack1}}))
		if got := b.look(peer1).State; got.Transitions != 1 || got.SessionState != "established" {
			t.Errorf("a quiet change was noticed: %+v", got)
		}
		b.set(runner.Replace(source1, object{"config": name("LoopBack2")}))
	})
}

// A Set that changes nothing makes no revision and no commit.
func TestSameValue(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{Backend: "fake"})
	b.set(example(name("LoopBack1"))...)
	revision, commits := b.revision(), len(b.history())
	b.set(example(name("LoopBack1"))...)
	b.set(runner.Update(source1+"/config/interface", "LoopBack1"))
	b.set(runner.Delete(peer1 + "/transport/connect-interface/config/source-address"))
	if got := b.revision(); got != revision {
		t.Errorf("revision %d, want %d", got, revision)
	}
	if got := len(b.history()); got != commits {
		t.Errorf("%d commits, want %d", got, commits)
	}
}

// With the policy always, writing the same value resets, as routers do.
func TestResetPolicyAlways(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(append(example(name("LoopBack1")), runner.Update("/bgp/instances/instance[name=default]/config/reset-policy", "always"))...)
	b.waitUp(peer1, 1)
	before := b.look(peer1)
	mark := b.wire.Mark()
	b.set(runner.Update(source1+"/config/interface", "LoopBack1"))
	p := b.waitUp(peer1, before.State.Transitions+1)
	b.oneCease(b.cameUp(mark, p, loopBack1))
}

// Ten leaves of one peer in one Set: one Cease, and the new connection has all
// of them.
func TestTenLeaves(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	c, p := b.resetOnce(peer1, loopBack2, func() {
		b.set(
			runner.Update(source1+"/config/interface", "LoopBack2"),
			runner.Update(peer1+"/transport/config/tcp-mss", 1000),
			runner.Update(peer1+"/transport/config/ebgp-max-hop", 9),
			runner.Update(peer1+"/transport/config/dscp", 10),
			runner.Update(peer1+"/graceful-restart/config/restart-time", 60),
			runner.Update(peer1+"/timers/config/hold-time", 90),
			runner.Update(peer1+"/timers/config/keepalive-interval", 30),
			runner.Update(peer1+"/timers/config/connect-retry", 5),
			runner.Update(peer1+"/config/description", "ten leaves"),
			runner.Update(peer1+"/graceful-restart/config/enabled", true),
		)
	})
	if c.MSS != 1000 || c.TTL != 9 || c.ClientOpen.HoldTime != 90*time.Second {
		t.Errorf("connection %+v, want MSS 1000, TTL 9 and hold time 90 s", c)
	}
	if len(p.State.LastReset.Leaf) < 5 {
		t.Errorf("last-reset/leaf = %q, want the leaves that cost the reset", p.State.LastReset.Leaf)
	}
}
