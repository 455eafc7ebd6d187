package bench

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

// BenchmarkGroupSource changes the source of a peer group with 1,000 members, all
// with an established session, in one Set: how long the Set takes, and until the
// last session is back. The agent has the embedded speaker. The remote is the one
// of netlab: BIRD tells its sessions apart by the neighbour's address alone, and
// here all of them have the same.
// The wire says that each member got one Cease, and that a peer outside of the
// group noticed nothing.
//
// It runs without pacing and with the default one; down-max is how many sessions
// were down at once, by the wire.
//
// Target: all back within 5 s unpaced; paced, never more than 64 down.
func BenchmarkGroupSource(b *testing.B) {
	b.Run("unpaced", func(b *testing.B) { groupSource(b, 65535) })
	b.Run("paced", func(b *testing.B) { groupSource(b, 64) })
}

func groupSource(b *testing.B, limit int) {
	b.Helper()
	n := size(1000)
	lab := netlab.New(b)
	dut, far := lab.Namespace("dut"), lab.Namespace("far")
	lab.Link(dut, "vd", far, "vr")
	sources := []string{"10.1.1.1", "10.1.1.3"}
	for _, s := range sources {
		dut.AddAddr("vd", s+"/8")
	}
	const outside = "10.2.0.1"
	far.AddAddr("vr", "10.1.1.2/8")
	far.AddAddr("vr", outside+"/8")
	members := make([]object, n)
	for i := range members {
		a := fmt.Sprintf("10.3.%d.%d", i/250, 1+i%250)
		far.AddAddr("vr", a+"/8")
		members[i] = object{"address": a, "config": object{"address": a, "peer-group": "g"}}
	}
	lab.Listener(far, netip.MustParseAddrPort("0.0.0.0:179"), netlab.RemoteConfig{
		AS: 200, RouterID: netip.MustParseAddr("2.2.2.2"), HoldTime: 240 * time.Second,
	})
	wire := lab.Capture(dut, "vd", 179)
	g := runner.Start(b, runner.Options{Namespace: dut}).GNMI(b)
	const vpn = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=_public_]"
	const source = vpn + "/peer-groups/peer-group[name=g]/transport/connect-interface/config/source-address"
	_, err := g.Change(b.Context(),
		runner.Update("/agent/reset-control/config/max-concurrent", limit),
		runner.Update("/bgp/instances/instance[name=default]/config", object{"as": 100, "router-id": "1.1.1.1"}),
		runner.Update(vpn+"/peer-groups/peer-group[name=g]/config/as", 200),
		runner.Update(source, sources[1]),
		runner.Update(vpn+"/peers/peer[address="+outside+"]", object{
			"config":    object{"as": 200},
			"transport": object{"connect-interface": object{"config": object{"source-address": sources[0]}}},
		}),
		runner.Update(vpn+"/peers", object{"peer": members}))
	if err != nil {
		b.Fatal(err)
	}
	established := func() (up int) {
		if err := g.Read(b.Context(), vpn+"/state/established-peers", &up); err != nil {
			b.Fatal(err)
		}
		return up
	}
	for end := time.Now().Add(time.Minute); established() < n+1; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d sessions", established(), n+1)
		}
	}
	var set, back sample
	most := 0
	for i := 0; b.Loop(); i++ {
		to := netip.MustParseAddr(sources[i%2])
		mark := wire.Mark()
		start := time.Now()
		if _, err := g.Change(b.Context(), runner.Update(source, to.String())); err != nil {
			b.Fatal(err)
		}
		set = append(set, time.Since(start))
		v := wire.WaitFor(b, time.Minute, func(v netlab.View) bool {
			return opens(v.Since(mark), to) >= n && established() == n+1
		}).Since(mark)
		back = append(back, time.Since(start))
		ceases := v.Notifications()
		for _, c := range ceases {
			if c.To.Addr().String() == outside || c.Code != 6 || c.Subcode != 6 {
				b.Errorf("%v, want Cease 6/6 to members only", c)
			}
		}
		if len(ceases) != n {
			b.Errorf("%d Ceases, want %d", len(ceases), n)
		}
		most = max(most, mostDown(v))
		if most > limit {
			b.Errorf("%d sessions were down at once, want %d at most", most, limit)
		}
	}
	b.ReportMetric(set.p50().Seconds(), "set-s")
	b.ReportMetric(back.p50().Seconds(), "back-s")
	b.ReportMetric(float64(most), "down-max")
	b.ReportMetric(0, "ns/op")
}

// mostDown is how many sessions were down at once: from their Cease to the
// remote's first KEEPALIVE of the next one.
func mostDown(v netlab.View) (most int) {
	down := map[netip.Addr]bool{}
	for _, m := range v.Messages(func(m netlab.Message) bool {
		return m.Type == netlab.TypeKeepalive || m.Type == netlab.TypeNotification
	}) {
		if m.Type == netlab.TypeNotification {
			down[m.To.Addr()] = true
		} else {
			delete(down, m.From.Addr())
		}
		most = max(most, len(down))
	}
	return most
}

// opens is how many OPENs an address sent.
func opens(v netlab.View, from netip.Addr) (n int) {
	for _, m := range v.Opens() {
		if m.From.Addr() == from {
			n++
		}
	}
	return n
}
