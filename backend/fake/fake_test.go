package fake

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var vpn1 = bgp.InstanceKey{Instance: "default", VPN: "vpn1"}

func instanceSpec() *bgp.InstanceSpec {
	return &bgp.InstanceSpec{Key: vpn1, AS: 100, RouterID: netip.MustParseAddr("1.1.1.1"), Port: 179}
}

func peerSpec(n int) *bgp.PeerSpec {
	a := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	return &bgp.PeerSpec{
		Key:      bgp.PeerKey{Instance: vpn1.Instance, VPN: vpn1.VPN, Address: a},
		RemoteAS: 200, LocalAS: 100, RemotePort: 179, TTL: 1,
		HoldTime: 180 * time.Second, Keepalive: 60 * time.Second, ConnectRetry: 32 * time.Second,
		Families: []bgp.Family{bgp.IPv4Unicast},
	}
}

func create(p *bgp.PeerSpec) plan.Step {
	return plan.Step{Op: plan.CreatePeer, Instance: vpn1, Peer: p.Key, New: p}
}

func update(old, new *bgp.PeerSpec, impact bgp.Impact, add bool) plan.Step {
	return plan.Step{
		Op: plan.UpdatePeer, Instance: vpn1, Peer: new.Key, Old: old, New: new,
		Impact: impact, AddReset: add, Leaves: bgp.DiffPeers(old, new),
	}
}

func with(p *bgp.PeerSpec, change func(*bgp.PeerSpec)) *bgp.PeerSpec {
	q := *p
	change(&q)
	return &q
}

func apply(t *testing.T, b *Backend, steps ...plan.Step) {
	t.Helper()
	if n, err := b.Apply(t.Context(), steps); n != len(steps) || err != nil {
		t.Fatalf("Apply = %d, %v, want %d, nil", n, err, len(steps))
	}
}

func TestEstablishesUnlessHeld(t *testing.T) {
	b := New(Options{})
	p := peerSpec(1)
	apply(t, b, plan.Step{Op: plan.PutInstance, Instance: vpn1, NewInstance: instanceSpec()}, create(p))
	if b.Session(p.Key) != p || b.Connections(p.Key) != 1 {
		t.Fatalf("session %v after %d connections, want one with the spec", b.Session(p.Key), b.Connections(p.Key))
	}
	b.Hold()
	q := peerSpec(2)
	apply(t, b, create(q))
	if b.Session(q.Key) != nil {
		t.Fatal("a session came up while held")
	}
	if !b.Establish(q.Key) || b.Session(q.Key) != q {
		t.Fatal("Establish brought no session up")
	}
	if err := b.EndByRemote(p.Key, nil); err != nil || b.Session(p.Key) != nil {
		t.Fatalf("EndByRemote: %v, session %v", err, b.Session(p.Key))
	}
	b.Release()
	if b.Session(p.Key) != p || b.Connections(p.Key) != 2 || b.TotalCeases() != 0 {
		t.Fatal("Release did not bring the session back")
	}
}

// A speaker that does not reset on a leaf by itself resets only where the
// plan adds it, and never where the plan says no.
func TestNativeDecidesWithoutAddReset(t *testing.T) {
	old := peerSpec(1)
	hold := with(old, func(p *bgp.PeerSpec) { p.HoldTime = 90 * time.Second })
	dscp := with(old, func(p *bgp.PeerSpec) { p.DSCP = 48 })
	for _, c := range []struct {
		name   string
		native func(old, new *bgp.PeerSpec) bgp.Impact
		step   plan.Step
		want   []uint8
	}{
		{"ideal, reset", Native, update(old, hold, bgp.ImpactReset, false), []uint8{6}},
		{"ideal, next session", Native, update(old, dscp, bgp.ImpactNextSession, false), nil},
		{"gobgp, reset added", NativeLikeGoBGP, update(old, hold, bgp.ImpactReset, true), []uint8{6}},
		{"gobgp, reset forgotten", NativeLikeGoBGP, update(old, hold, bgp.ImpactReset, false), nil},
		{"gobgp, withheld", NativeLikeGoBGP, update(old, dscp, bgp.ImpactNextSession, false), nil},
		{"ideal, forced", Native, update(old, with(old, func(*bgp.PeerSpec) {}), bgp.ImpactReset, true), []uint8{6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := New(Options{Native: c.native})
			apply(t, b, plan.Step{Op: plan.PutInstance, Instance: vpn1, NewInstance: instanceSpec()}, create(old))
			apply(t, b, c.step)
			if diff := cmp.Diff(c.want, b.Ceases(old.Key)); diff != "" {
				t.Errorf("ceases (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScriptedFailures(t *testing.T) {
	b := New(Options{})
	boom := errors.New("boom")
	p, q := peerSpec(1), peerSpec(2)
	b.FailPrepare(func(s plan.Step) error {
		if s.Peer == q.Key {
			return fmt.Errorf("%w: no", backend.ErrUnsupported)
		}
		return nil
	})
	steps := []plan.Step{{Op: plan.PutInstance, Instance: vpn1, NewInstance: instanceSpec()}, create(p), create(q)}
	var e *backend.Error
	if err := b.Prepare(t.Context(), steps); !errors.Is(err, backend.ErrUnsupported) || !errors.As(err, &e) || e.Peer != q.Key {
		t.Fatalf("Prepare = %v, want an Error of %s", err, q.Key)
	}
	b.FailPrepare(nil)
	if err := b.Prepare(t.Context(), steps); err != nil {
		t.Fatalf("Prepare = %v", err)
	}
	b.FailApply(func(s plan.Step) error {
		if s.Peer == q.Key {
			return boom
		}
		return nil
	})
	if n, err := b.Apply(t.Context(), steps); n != 2 || !errors.Is(err, boom) || !errors.As(err, &e) || e.Peer != q.Key {
		t.Fatalf("Apply = %d, %v, want 2 and an Error of %s", n, err, q.Key)
	}
	if b.Session(p.Key) == nil || b.Connections(q.Key) != 0 {
		t.Fatal("the step before the failure is not in force, or the failed one is")
	}
}

func TestDownAndUp(t *testing.T) {
	b := New(Options{External: true})
	p := peerSpec(1)
	apply(t, b, plan.Step{Op: plan.PutInstance, Instance: vpn1, NewInstance: instanceSpec()}, create(p))
	gone := errors.New("speaker gone")
	b.Down(gone)
	if _, err := b.Apply(t.Context(), []plan.Step{create(p)}); !errors.Is(err, gone) {
		t.Errorf("Apply = %v, want %v", err, gone)
	}
	if err := b.Prepare(t.Context(), []plan.Step{create(p)}); !errors.Is(err, gone) {
		t.Errorf("Prepare = %v, want %v", err, gone)
	}
	if _, err := b.Snapshot(t.Context()); !errors.Is(err, gone) {
		t.Errorf("Snapshot = %v, want %v", err, gone)
	}
	if err := b.Reset(t.Context(), p.Key, backend.ResetRequest{}); !errors.Is(err, gone) {
		t.Errorf("Reset = %v, want %v", err, gone)
	}
	b.Seed(backend.Snapshot{})
	b.Up()
	snap, err := b.Snapshot(t.Context())
	if err != nil || len(snap.Peers) != 0 || len(snap.Instances) != 0 {
		t.Errorf("Snapshot = %v, %v, want none: it was seeded empty", snap, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	var kinds []backend.EventKind
	var cause bgp.Cause
	take := func(e backend.Event) {
		kinds = append(kinds, e.Kind)
		if e.Ended != nil {
			cause = e.Ended.Cause
		}
		if e.Kind == backend.BackendUp {
			cancel()
		}
	}
	for _, e := range snap.Sessions { // before Run
		take(e)
	}
	err = b.Run(ctx, take)
	want := []backend.EventKind{backend.PeerChanged, backend.PeerChanged, backend.PeerChanged, backend.BackendDown, backend.BackendUp}
	if diff := cmp.Diff(want, kinds); diff != "" || err != nil || cause != bgp.CauseBackend {
		t.Errorf("err %v, cause %v, events (-want +got):\n%s", err, cause, diff)
	}
}

func BenchmarkApply100k(b *testing.B) {
	const n = 100_000
	steps := make([]plan.Step, 0, n+1)
	steps = append(steps, plan.Step{Op: plan.PutInstance, Instance: vpn1, NewInstance: instanceSpec()})
	for i := range n {
		steps = append(steps, create(peerSpec(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		f := New(Options{})
		if _, err := f.Apply(context.Background(), steps); err != nil {
			b.Fatal(err)
		}
	}
}
