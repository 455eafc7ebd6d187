package gobgp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"mooring/backend"
	"mooring/bgp"
	"mooring/tests/netlab"
)

// overLink is a peer over a link to a namespace, and that namespace.
func overLink(t *testing.T) (r *rig, in *bgp.InstanceSpec, p *bgp.PeerSpec, lab *netlab.Lab, far *netlab.Namespace) {
	t.Helper()
	r, lab = newRig(t), netlab.New(t)
	dut := lab.Namespace("dut")
	far = lab.Namespace("far")
	lab.Link(dut, "vd", far, "vr")
	dut.AddAddr("vd", "10.1.1.1/24")
	far.AddAddr("vr", "10.1.1.2/24")
	in, p = r.instance(0), r.peer(0, 0)
	in.Namespace, in.Device, in.Port, in.Listen = dut.Name, "", 179, nil
	p.Key.Address, p.Source, p.RemotePort = netip.MustParseAddr("10.1.1.2"), netip.MustParseAddr("10.1.1.1"), 179
	return r, in, p, lab, far
}

// BIRD 3.1.8 with a range of neighbors takes a connection that comes right after
// a reset and says nothing on it, once in some 8 times.
func TestSilentAfterReset(t *testing.T) {
	netlab.RequireRelease(t, netlab.Trixie)
	r, in, p, lab, far := overLink(t)
	lab.StartBIRD(far, netlab.BIRDConfig{
		Release: netlab.Trixie, RouterID: netip.MustParseAddr("2.2.2.2"),
		Protocols: []netlab.BIRDPeer{{
			Name: "dut", LocalAS: p.RemoteAS, NeighborRange: netip.MustParsePrefix("10.0.0.0/8"), NeighborAS: p.LocalAS,
			MultihopTTL: 8, Passive: true,
		}},
	})
	p.TTL = 8
	r.apply(putInstance(in), create(p))
	r.settled(p.Key)
	for n := range 30 {
		q := with(p, func(p *bgp.PeerSpec) { p.HoldTime = time.Duration(60+n) * time.Second })
		r.apply(r.update(p, q, bgp.ImpactReset))
		p = q
		r.wait("a session by the new settings", func() bool {
			e, ok := r.last(p.Key, isUp)
			return ok && e.HoldTime == p.HoldTime
		})
	}
}

// RFC 4724 4.2: the stale routes of a remote that does not announce graceful
// restart go at once, also where it did in a session before.
func TestStaleRoutesOfAnother(t *testing.T) {
	netlab.RequireBIRD(t)
	r, in, p, lab, far := overLink(t)
	start := func(restart string) *netlab.BIRD {
		return lab.StartBIRD(far, netlab.BIRDConfig{
			RouterID: netip.MustParseAddr("2.2.2.2"), Static: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
			Protocols: []netlab.BIRDPeer{{
				Name: "dut", LocalAS: p.RemoteAS, NeighborAddr: p.Source, NeighborAS: p.LocalAS,
				ExtraLines: []string{"graceful restart " + restart + ";", "graceful restart time 100;"},
			}},
		})
	}
	routes := func() (n int) {
		err := r.b.speakers[in.Key].run.bgpServer.(*server.BgpServer).ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: gobgp.RF_IPv4_UC},
			func(gobgp.NLRI, []*apiutil.Path) { n++ })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	p.GracefulRestart = true
	bird := start("on")
	r.apply(putInstance(in), create(p))
	r.wait("the route", func() bool { return routes() == 1 })
	bird.Kill()
	r.wait("the end", func() bool {
		e, _ := r.last(p.Key, func(backend.Event) bool { return true })
		return e.Session != bgp.StateEstablished
	})
	if routes() != 1 {
		t.Fatal("the route is not kept for a remote that restarts")
	}
	bird = start("off")
	r.wait("the route again", func() bool { _, up := r.last(p.Key, isUp); return up && routes() == 1 })
	r.settled(p.Key)
	bird.Kill()
	r.wait("the route to go with its session", func() bool { return routes() == 0 })
}
