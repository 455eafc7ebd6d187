package bench

import (
	"net/netip"
	"testing"
	"time"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

// BenchmarkDowntime changes the source of a real session: the time from the
// Cease on the wire to the remote's first KEEPALIVE of the next session, which
// is when the agent's side is established. The remote is a passive BIRD.
//
// Target: at most 10 ms (design 9). GoBGP's own dialer waits 1.5 to 2 s before it
// dials: the benchmark of backend/gobgp has both in one run.
func BenchmarkDowntime(b *testing.B) {
	lab := netlab.New(b)
	dut, far := lab.Namespace("dut"), lab.Namespace("far")
	lab.Link(dut, "vd", far, "vr")
	sources := []string{"10.1.1.1", "10.1.1.3"}
	for _, s := range sources {
		dut.AddAddr("vd", s+"/24")
	}
	const remote = "10.1.1.2"
	far.AddAddr("vr", remote+"/24")
	wire := lab.Capture(dut, "vd", 179)
	lab.StartBIRD(far, netlab.BIRDConfig{RouterID: netip.MustParseAddr("2.2.2.2"), Protocols: []netlab.BIRDPeer{{
		Name: "dut", LocalAS: 200, NeighborRange: netip.MustParsePrefix("10.1.1.0/24"), NeighborAS: 100, Passive: true,
	}}})
	g := runner.Start(b, runner.Options{Namespace: dut}).GNMI(b)
	const vpn = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=_public_]"
	const source = vpn + "/peers/peer[address=" + remote + "]/transport/connect-interface/config/source-address"
	mark := wire.Mark()
	up := func(mark netlab.Mark, source string) netlab.View {
		// Ours answers the remote's OPEN, the remote's makes our side established.
		near, far := netip.MustParseAddr(source), netip.MustParseAddr(remote)
		return wire.WaitFor(b, 20*time.Second, func(v netlab.View) bool {
			v = v.Since(mark)
			return v.Keepalives(near) > 0 && v.Keepalives(far) > 0
		}).Since(mark)
	}
	_, err := g.Change(b.Context(),
		runner.Update("/bgp/instances/instance[name=default]/config", object{"as": 100, "router-id": "1.1.1.1"}),
		runner.Update(vpn+"/peers/peer[address="+remote+"]/config/as", 200),
		runner.Update(source, sources[1]))
	if err != nil {
		b.Fatal(err)
	}
	up(mark, sources[1])
	var down sample
	for i := 0; b.Loop(); i++ {
		to := sources[i%2]
		mark := wire.Mark()
		if _, err := g.Change(b.Context(), runner.Update(source, to)); err != nil {
			b.Fatal(err)
		}
		v := up(mark, to)
		if n := v.Notifications(); len(n) != 1 {
			b.Fatalf("%d notifications, want 1:\n%s", len(n), v)
		}
		established := v.Messages(func(m netlab.Message) bool { return m.Type == netlab.TypeKeepalive && m.From.Addr().String() == remote })[0]
		down = append(down, established.Time.Sub(v.Notifications()[0].Time))
	}
	b.ReportMetric(float64(down.p50().Microseconds())/1e3, "down-p50-ms")
	b.ReportMetric(0, "ns/op")
}
