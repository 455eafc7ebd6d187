package gobgp

import (
	"net/netip"
	"testing"
	"time"

	"mooring/bgp"
	"mooring/tests/netlab"
	"mooring/tests/remotes"
)

// What the plan promises is what the wire shows, with BIRD, FRR and GoBGP as
// remotes.
func TestRemotes(t *testing.T) {
	netlab.Require(t)
	remotes.Run(t, parallel, func(t *testing.T) remotes.Harness {
		lab := netlab.New(t)
		h := remotes.Harness{
			Backend: New(Options{Log: testLog(t)}), Lab: lab, Device: "vd",
			DUT: lab.Namespace("dut"), Far: lab.Namespace("far"),
			OtherSource: netip.MustParseAddr("10.1.1.3"),
			Return:      20 * time.Second, Quiet: 300 * time.Millisecond,
		}
		lab.Link(h.DUT, "vd", h.Far, "vr")
		for _, a := range []string{"10.1.1.1/24", "10.1.1.3/24"} {
			h.DUT.AddAddr("vd", a)
		}
		h.Far.AddAddr("vr", "10.1.1.2/24")
		h.Instance = &bgp.InstanceSpec{
			Key: bgp.InstanceKey{Instance: "default", VPN: "vpn1"}, AS: 64500, RouterID: netip.MustParseAddr("1.1.1.1"),
			Namespace: h.DUT.Name, Port: 179,
		}
		h.Peer = &bgp.PeerSpec{
			Key:      bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.MustParseAddr("10.1.1.2")},
			RemoteAS: 64600, LocalAS: 64500, RouterID: h.Instance.RouterID,
			Source: netip.MustParseAddr("10.1.1.1"), RemotePort: 179, TTL: 1,
			HoldTime: 90 * time.Second, Keepalive: 30 * time.Second, ConnectRetry: 5 * time.Second,
			RestartTime: 120 * time.Second, StaleTime: 300 * time.Second, Families: []bgp.Family{bgp.IPv4Unicast},
		}
		return h
	})
}
