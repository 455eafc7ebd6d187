package remotes

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
	"mooring/tests/netlab"
)

// bed is a Harness in use, with a remote of one kind and a capture between.
type bed struct {
	Harness
	t    *testing.T
	wire *netlab.Capture
	seen *seen
}

// seen is what the backend's events say of the session.
type seen struct {
	mu  sync.Mutex // guards all below
	up  bool
	ups int
}

func newBed(t *testing.T, h Harness, kind netlab.SpeakerKind, password string) *bed {
	t.Helper()
	p := h.Peer
	h.Lab.StartSpeaker(h.Far, kind, netlab.SpeakerConfig{
		AS: p.RemoteAS, NeighborAS: p.LocalAS, RouterID: netip.MustParseAddr("2.2.2.2"),
		Neighbors: []netip.Addr{p.Source, h.OtherSource}, Password: password, GracefulRestart: password == "",
	})
	b := &bed{Harness: h, t: t, wire: h.Lab.Capture(h.DUT, h.Device, 179), seen: &seen{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Backend.Run(ctx, b.seen.record) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return b
}

func (s *seen) record(e backend.Event) {
	if e.Kind != backend.PeerChanged {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	is := e.Session == bgp.StateEstablished
	if is && !s.up {
		s.ups++
	}
	s.up = is
}

func (b *bed) isUp() bool {
	b.seen.mu.Lock()
	defer b.seen.mu.Unlock()
	return b.seen.up
}

func (b *bed) ups() int {
	b.seen.mu.Lock()
	defer b.seen.mu.Unlock()
	return b.seen.ups
}

// create makes the instance and the peer, and waits for the session.
func (b *bed) create(p *bgp.PeerSpec) {
	b.t.Helper()
	b.do(plan.Compute([]plan.Pair[bgp.InstanceSpec]{{New: b.Instance}}, []plan.PeerPair{{New: p}}, b.costs()))
	b.wait("the first session", func() bool { return b.isUp() && len(b.wire.Connections()) > 0 })
}

// apply goes from one specification to another, as the engine does.
func (b *bed) apply(old, new *bgp.PeerSpec) {
	b.t.Helper()
	b.do(b.plan(old, new))
}

func (b *bed) plan(old, new *bgp.PeerSpec) plan.Plan {
	return plan.Compute(nil, []plan.PeerPair{{Old: old, New: new}}, b.costs())
}

func (b *bed) costs() plan.Costs {
	return plan.Costs{Impact: backendtest.ImpactOf, Native: b.Backend.Native, NativeInstance: b.Backend.NativeInstance}
}

func (b *bed) do(p plan.Plan) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), b.Return)
	defer cancel()
	if err := b.Backend.Prepare(ctx, p.Steps); err != nil {
		b.t.Fatalf("Prepare: %v", err)
	}
	if n, err := b.Backend.Apply(ctx, p.Steps); n != len(p.Steps) || err != nil {
		b.t.Fatalf("Apply = %d, %v, want %d", n, err, len(p.Steps))
	}
}

// refused says whether the backend has not the setting.
func (b *bed) refused(old, new *bgp.PeerSpec) bool {
	b.t.Helper()
	err := b.Backend.Prepare(context.Background(), b.plan(old, new).Steps)
	if err != nil && !errors.Is(err, backend.ErrUnsupported) {
		b.t.Fatalf("Prepare: %v", err)
	}
	return err != nil
}

func (b *bed) wait(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(b.Return); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited %v for: %s\n%s", b.Return, what, b.wire.View())
		}
	}
}

// settle gives what must not happen the time to happen.
func (b *bed) settle() { time.Sleep(b.Quiet) }
