package frr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// intended is what the engine would have; reconcile is what it does with it.
type intended struct {
	instances []*bgp.InstanceSpec
	peers     []*bgp.PeerSpec
}

func (w intended) reconcile(t testing.TB, b *Backend) []plan.Step {
	t.Helper()
	steps, err := w.try(b)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func (w intended) try(b *Backend) ([]plan.Step, error) {
	have, err := b.Snapshot(context.Background())
	if err != nil {
		return nil, err
	}
	var ins []plan.Pair[bgp.InstanceSpec]
	var peers []plan.PeerPair
	for _, in := range w.instances {
		ins = append(ins, plan.Pair[bgp.InstanceSpec]{Old: have.Instances[in.Key], New: in})
		delete(have.Instances, in.Key)
	}
	for _, p := range w.peers {
		peers = append(peers, plan.PeerPair{Old: have.Peers[p.Key], New: p})
		delete(have.Peers, p.Key)
	}
	for _, in := range have.Instances {
		ins = append(ins, plan.Pair[bgp.InstanceSpec]{Old: in})
	}
	for _, p := range have.Peers {
		peers = append(peers, plan.PeerPair{Old: p})
	}
	impact := func(leaf string) bgp.Impact {
		if leaf == "transport/config/connect-mode" {
			return bgp.ImpactNextSession
		}
		return bgp.ImpactReset
	}
	steps := plan.Compute(ins, peers, plan.Costs{Impact: impact, Native: b.Native, NativeInstance: b.NativeInstance}).Steps
	if err := b.Prepare(context.Background(), steps); err != nil {
		return steps, err
	}
	_, err = b.Apply(context.Background(), steps)
	return steps, err
}

func parallelLab(t *testing.T, opt daemonOptions) *lab {
	t.Helper()
	requireFRR(t)
	t.Parallel()
	return newLab(t, opt)
}

// Bad input and faults: vty socket without permission.
func TestNoPermission(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		// The right to pass every permission goes with the file system user.
		if _, _, e := unix.RawSyscall(unix.SYS_SETFSUID, 65534, 0, 0); e != 0 {
			done <- fmt.Errorf("setfsuid: %w", e)
			return
		}
		_, err := New(l.options()).Snapshot(context.Background())
		done <- err
	}()
	err := <-done
	if err == nil || !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "group frrvty") {
		t.Errorf("%v, want a permission error that says what to do", err)
	}
}

// Each command of a change refused in turn, and the connection cut at each in
// turn: the peer is what it was, or known to be different, and the error names
// it.
func TestFailureHalfWay(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	px := newProxy(t, l)
	opt := l.options()
	opt.VtyDir = px.dir
	b := New(opt)
	in, p := l.instance(0), l.peer(0, 0)
	q := with(p, func(p *bgp.PeerSpec) {
		p.Source, p.MSS, p.HoldTime, p.Keepalive, p.TTL = otherSource, 900, 30*time.Second, 10*time.Second, 4
		p.Auth, p.Password, p.Families = bgp.AuthMD5, "hush", []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}
		p.GracefulRestart, p.RestartTime = true, 50*time.Second
	})
	other := l.peer(0, 1)
	want := intended{[]*bgp.InstanceSpec{in}, []*bgp.PeerSpec{p}}
	want.reconcile(t, b)
	for _, kind := range []verdict{spoiled, cut} {
		for k := 0; k < 60; k++ {
			n := -1
			px.set(func(c string) verdict {
				if strings.HasPrefix(c, "show") || strings.HasPrefix(c, "do show") || c == "end" && kind == spoiled {
					return pass
				}
				if n++; n == k {
					return kind
				}
				return pass
			})
			steps := []plan.Step{createPeer(other), updatePeer(p, q, bgp.ImpactReset)}
			done, err := b.Apply(context.Background(), steps)
			all := len(px.commands())
			px.set(nil)
			if err == nil {
				if k < 15 {
					t.Fatalf("only %d commands were spoiled, of %d", k, all)
				}
				want.reconcile(t, b)
				break
			}
			var e *backend.Error
			if !errors.As(err, &e) || done > 1 || e.Peer != steps[done].Peer {
				t.Fatalf("command %d: done %d, error %v", k, done, err)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Fatalf("the error tells the password: %v", err)
			}
			if kind == spoiled { // at once as it was
				if got := l.inForce(p.Key); got == nil || len(bgp.DiffPeers(p, got)) > 0 {
					t.Fatalf("command %d refused: %v; left %v", k, err, bgp.DiffPeers(p, got))
				}
			}
			want.reconcile(t, b)
			if got := l.inForce(p.Key); got == nil || len(bgp.DiffPeers(p, got)) > 0 || l.inForce(other.Key) != nil {
				t.Fatalf("command %d: not put right", k)
			}
			if again := want.reconcile(t, b); len(again) > 0 {
				t.Fatalf("command %d: still to do: %v", k, again)
			}
		}
	}
}

// bgpd killed in the middle of an Apply; when it is back, everything is
// replayed.
func TestKilledInTheMiddle(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	px := newProxy(t, l)
	opt := l.options()
	opt.VtyDir = px.dir
	b := run(t, New(opt))
	var want intended
	want.instances = []*bgp.InstanceSpec{l.instance(0)}
	for i := range 50 {
		p := l.peer(0, 1)
		p.Key.Address = netip.AddrFrom4([4]byte{10, 9, 1, byte(i)})
		want.peers = append(want.peers, p)
	}
	first := l.peer(0, 0)
	remote := l.dialling(t, first)
	want.peers = append(want.peers, first)
	b.apply(putInstance(want.instances[0]), createPeer(first))
	wait(t, 10*time.Second, "a session", func() bool {
		return remote.Established() && b.has(func(e backend.Event) bool { return e.Session == bgp.StateEstablished })
	})

	px.set(func(c string) verdict {
		if strings.Contains(c, "10.9.1.25 ") {
			l.bgpd.kill()
		}
		return pass
	})
	_, err := want.try(b.Backend)
	var e *backend.Error
	if !errors.As(err, &e) || e.Peer.Address != netip.MustParseAddr("10.9.1.25") {
		t.Fatalf("Apply = %v, want an error at 10.9.1.25", err)
	}
	px.set(nil)
	wait(t, 5*time.Second, "BackendDown", func() bool { return b.count(backend.BackendDown) == 1 })
	wait(t, 5*time.Second, "the end of the session", func() bool {
		return b.has(func(e backend.Event) bool { return e.Ended != nil && e.Ended.Cause == bgp.CauseBackend })
	})
	if _, err := b.Snapshot(context.Background()); err == nil {
		t.Error("Snapshot of a dead bgpd succeeds")
	}
	l.startBGPD()
	wait(t, 10*time.Second, "BackendUp", func() bool { return b.count(backend.BackendUp) == 1 })
	steps := want.reconcile(t, b.Backend)
	if len(steps) != 52 {
		t.Errorf("%d steps replayed, want the instance and 51 peers", len(steps))
	}
	wait(t, 15*time.Second, "the session again", func() bool { return remote.Sessions() == 2 && remote.Established() })
	if again := want.reconcile(t, b.Backend); len(again) > 0 {
		t.Errorf("still to do: %v", again)
	}
}

// An agent that starts again finds exactly what it left, touches no session,
// and repairs only what differs.
func TestAgentRestart(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	one, two, gone := l.peer(0, 0), l.peer(0, 1), l.peer(0, 2)
	one.GracefulRestart, one.RestartTime = true, 70*time.Second
	one.Auth, one.Password, one.MSS = bgp.AuthMD5, "hush", 1000
	two.RestartTime, two.ResetMode = 5*time.Second, bgp.ResetHard
	down := with(l.peer(1, 0), func(p *bgp.PeerSpec) {
		p.Down, p.DownDetail, p.Source, p.Interface = bgp.DownNoAddress, `no address of "vd" yet`, netip.Addr{}, ""
	})
	want := intended{[]*bgp.InstanceSpec{l.instance(0), l.instance(1)}, []*bgp.PeerSpec{one, two, gone, down}}
	want.instances[0].RD4, want.instances[0].Import4 = "100:1", []string{"100:1", "100:2"}

	first := run(t, New(l.options()))
	want.reconcile(t, first.Backend)
	r1, r2 := l.dialling(t, one), l.dialling(t, two)
	wait(t, 15*time.Second, "both sessions", func() bool { return r1.Established() && r2.Established() })
	first.stop()

	want.peers = want.peers[:2:2]
	want.peers = append(want.peers, down)
	second := New(l.options())
	snap, err := second.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	told := map[bgp.PeerKey]bgp.SessionState{}
	for _, e := range snap.Sessions {
		told[e.Peer] = e.Session
	}
	if told[one.Key] != bgp.StateEstablished || told[two.Key] != bgp.StateEstablished || told[gone.Key] == bgp.StateEstablished {
		t.Errorf("the sessions that bgpd has kept are told as %v", told)
	}
	steps := want.reconcile(t, second)
	if len(steps) != 1 || steps[0].Op != plan.DeletePeer || steps[0].Peer != gone.Key {
		t.Fatalf("steps %+v, want only the removal of %s", steps, gone.Key)
	}
	ran := run(t, second)
	never(t, 500*time.Millisecond, "an end, or a session told twice", func() bool {
		return r1.Sessions() > 1 || r2.Sessions() > 1 || ran.has(func(e backend.Event) bool { return e.Session == bgp.StateEstablished })
	})
	// What is known is what was applied: a change still ends the session once.
	moved := with(two, func(p *bgp.PeerSpec) { p.Source = otherSource })
	r2.Follow(moved)
	ran.apply(updatePeer(two, moved, bgp.ImpactReset))
	wait(t, 10*time.Second, "the other source", func() bool { return r2.Established() && r2.Source() == otherSource })
	if c := r2.Ceases(); len(c) != 1 || c[0] != bgp.CeaseOtherConfiguration {
		t.Errorf("ceases %v, want one 6/6", c)
	}
}

// What others have in bgpd stays, with our instance removed and with ours
// made in theirs.
func TestForeignIsUntouched(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	in, p := l.instance(0), l.peer(0, 0)
	theirs := router(in.AS, place(in))
	foreign := []string{
		"neighbor 192.0.2.1 remote-as 65999", "neighbor 192.0.2.1 description theirs", "neighbor 192.0.2.1 shutdown",
	}
	l.by(slices.Concat([]string{"configure terminal", theirs, "bgp router-id 1.1.1.1", "bgp log-neighbor-changes"}, foreign, []string{"end"})...)
	before := l.by("show running-config")

	b := New(l.options())
	want := intended{[]*bgp.InstanceSpec{in}, []*bgp.PeerSpec{p}}
	want.reconcile(t, b)
	if again := want.reconcile(t, New(l.options())); len(again) > 0 {
		t.Errorf("a second agent has to do: %+v", again)
	}
	remote := l.dialling(t, p)
	wait(t, 15*time.Second, "our session in their block", remote.Established)
	taken := with(p, func(p *bgp.PeerSpec) { p.Key.Address = netip.MustParseAddr("192.0.2.1") })
	err := b.Prepare(context.Background(), []plan.Step{createPeer(taken)})
	var e *backend.Error
	if !errors.As(err, &e) || e.Peer != taken.Key || !strings.Contains(err.Error(), "Mooring did not make") {
		t.Errorf("Prepare of their neighbor = %v", err)
	}
	if _, err := b.Apply(context.Background(), []plan.Step{createPeer(taken)}); err == nil {
		t.Error("Apply takes their neighbor over")
	}
	intended{}.reconcile(t, b)
	if after := l.by("show running-config"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}

	// The AS and router ID must be theirs.
	for _, bad := range []func(*bgp.InstanceSpec){
		func(in *bgp.InstanceSpec) { in.AS = 65002 },
		func(in *bgp.InstanceSpec) { in.RouterID = netip.MustParseAddr("2.2.2.2") },
	} {
		wrong := *in
		bad(&wrong)
		l.refusesBoth(b, putInstance(&wrong), fmt.Sprintf("bgpd has %q", theirs))
	}
	if after := l.by("show running-config"); after != before {
		t.Errorf("after failures:\n%s", after)
	}

	// A neighbor of theirs in a block of ours keeps the block.
	ours := l.instance(1)
	want = intended{instances: []*bgp.InstanceSpec{ours}}
	want.reconcile(t, b)
	l.by("configure terminal", router(ours.AS, place(ours)), foreign[0], foreign[2], "end")
	other := *ours
	other.RouterID = netip.MustParseAddr("2.2.2.2")
	again := putInstance(&other)
	again.OldInstance, again.Impact = ours, bgp.ImpactReset
	l.refusesBoth(b, again, "neighbor 192.0.2.1")
	intended{}.reconcile(t, b)
	if after := l.by("show running-config"); !strings.Contains(after, foreign[0]) || strings.Contains(after, markPrefix) {
		t.Errorf("their neighbor is gone or our mark is not:\n%s", after)
	}
}

// A manual change is found within 5 s, shown, and repaired or left.
func TestDrift(t *testing.T) {
	for _, policy := range []DriftPolicy{Repair, RepairReset, Report} {
		t.Run(policy.String(), func(t *testing.T) {
			l := parallelLab(t, daemonOptions{})
			opt := l.options()
			opt.Drift = policy
			b := run(t, New(opt))
			p, q := l.peer(0, 0), l.peer(0, 1)
			want := intended{[]*bgp.InstanceSpec{l.instance(0)}, []*bgp.PeerSpec{p, q}}
			want.reconcile(t, b.Backend)
			never(t, 2500*time.Millisecond, "drift without a change", func() bool { return len(b.Drift()) > 0 })
			in := want.instances[0]
			block := router(in.AS, place(in))
			l.by("configure terminal", block, "neighbor 10.9.0.101 timers 7 21", "no neighbor 10.9.0.102",
				"neighbor 10.9.0.101 maximum-prefix-out 5", "end") // the last is none of ours
			start := time.Now()
			wait(t, 5*time.Second, "the drift of both", func() bool { return len(b.Drift()) == 2 })
			t.Logf("found after %v: %v", time.Since(start).Round(10*time.Millisecond), b.Drift())
			if d := b.Drift()[0]; d.Peer != p.Key || d.Text != "neighbor 10.9.0.101 timers 30 90" {
				t.Errorf("drift %+v", d)
			}
			tells := func(peer bgp.PeerKey, text string) bool {
				return b.has(func(e backend.Event) bool { return e.Kind == backend.Drifted && e.Peer == peer && e.Drift == text })
			}
			wait(t, time.Second, "an event of each", func() bool { return b.count(backend.Drifted) == 2 && tells(p.Key, "neighbor 10.9.0.101 timers 30 90") })
			if s := b.Status(); s.Drift != policy.String() {
				t.Errorf("status %+v", s)
			}
			steps := want.reconcile(t, b.Backend)
			if policy == Report {
				if len(steps) > 0 || b.count(backend.BackendUp) > 0 {
					t.Errorf("steps %v, %d calls for repair", steps, b.count(backend.BackendUp))
				}
				// A change by the engine is of the whole peer.
				q2 := with(q, func(p *bgp.PeerSpec) { p.MSS = 1000 })
				b.apply(updatePeer(q, q2, bgp.ImpactReset))
				if got := l.inForce(q.Key); got == nil || len(bgp.DiffPeers(q2, got)) > 0 {
					t.Errorf("after a change: %+v", got)
				}
				return
			}
			wait(t, time.Second, "the call for repair", func() bool { return b.count(backend.BackendUp) == 1 })
			if len(steps) != 1 || steps[0].Op != plan.CreatePeer {
				t.Errorf("steps %+v, want a creation: the other is put right already", steps)
			}
			for _, p := range want.peers {
				if got := l.inForce(p.Key); got == nil || len(bgp.DiffPeers(p, got)) > 0 {
					t.Errorf("%s is not put right: %+v", p.Key, got)
				}
			}
			wait(t, 5*time.Second, "no drift", func() bool { return len(b.Drift()) == 0 && tells(p.Key, "") && tells(q.Key, "") })
			if b.count(backend.BackendUp) != 1 {
				t.Errorf("%d calls for repair", b.count(backend.BackendUp))
			}
		})
	}
}
