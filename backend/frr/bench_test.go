package frr

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
)

// BenchmarkOneLeaf is a change of one leaf until it is in force in bgpd, with
// as many peers in the instance (target: 1 ms).
func BenchmarkOneLeaf(b *testing.B) {
	for _, n := range []struct {
		name  string
		peers int
	}{{"peers=1", 1}, {"peers=1000", 1000}} {
		b.Run(n.name, func(b *testing.B) {
			l := newLab(b, daemonOptions{})
			be := run(b, New(l.options()))
			steps := append([]plan.Step{putInstance(l.instance(0))}, manyPeers(l, n.peers)...)
			be.apply(steps...)
			old := steps[1].New
			new := with(old, func(p *bgp.PeerSpec) { p.MSS = 1000 })
			there, back := updatePeer(old, new, bgp.ImpactReset), updatePeer(new, old, bgp.ImpactReset)
			var took []time.Duration
			b.ResetTimer()
			for b.Loop() {
				start := time.Now()
				be.apply(there)
				took = append(took, time.Since(start))
				there, back = back, there
			}
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "us-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "us-p99")
		})
	}
}

// manyPeers returns the steps that create n peers which nobody answers for.
func manyPeers(l *lab, n int) []plan.Step {
	var steps []plan.Step
	for i := range n {
		p := l.peer(0, 0)
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0xc6120000+uint32(i)) // 198.18.0.0/15, RFC 2544
		p.Key.Address, p.TTL = netip.AddrFrom4(a), 2
		steps = append(steps, createPeer(p))
	}
	return steps
}

// BenchmarkCreate1000 is one Apply that creates 1,000 peers (target: 3 s).
func BenchmarkCreate1000(b *testing.B) {
	l := newLab(b, daemonOptions{})
	be := New(l.options())
	steps := append([]plan.Step{putInstance(l.instance(0))}, manyPeers(l, 1000)...)
	for b.Loop() {
		if n, err := be.Apply(context.Background(), steps); err != nil {
			b.Fatalf("Apply = %d, %v", n, err)
		}
		b.StopTimer()
		undo := plan.Inverse(steps)
		if n, err := be.Apply(context.Background(), undo); err != nil {
			b.Fatalf("Apply = %d, %v", n, err)
		}
		b.StartTimer()
	}
}

// BenchmarkSourceChange is the time from a change of the source until both
// sides are established again, the remote passive (target: 1.2 s).
func BenchmarkSourceChange(b *testing.B) {
	l := newLab(b, daemonOptions{})
	be := run(b, New(l.options()))
	old := l.peer(0, 0)
	new := with(old, func(p *bgp.PeerSpec) { p.Source = otherSource })
	remote := backendtest.NewTCPRemote(b, l.passiveConfig(old), old)
	be.apply(putInstance(l.instance(0)), createPeer(old))
	wait(b, 15*time.Second, "a session", remote.Established)
	sessions := remote.Sessions()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		be.apply(updatePeer(old, new, bgp.ImpactReset))
		sessions++
		wait(b, 15*time.Second, "the session again", func() bool { return remote.Sessions() == sessions && remote.Established() })
		took = append(took, time.Since(start))
		old, new = new, old
		b.StopTimer()
		time.Sleep(1500 * time.Millisecond) // until FRR takes it for a good session
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-p50")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms-max")
	if n := len(remote.Ceases()); n != len(took) {
		b.Errorf("%d ceases for %d changes", n, len(took))
	}
}
