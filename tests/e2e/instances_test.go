package e2e

import (
	"net/netip"
	"testing"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

// The same neighbour address in two VPN instances, told apart by their sources.
// What happens to one is nothing to the other.
func TestSameNeighbourInTwoVPNs(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(whole([]object{vpnInstance("vpn1", "100:1"), vpnInstance("vpn2", "100:2")},
		instanceIn("default", 100, "1.1.1.1",
			vpnIn("vpn1", object{"listen-address": []string{loopBack1}}, peerIn(remote, name("LoopBack1"))),
			vpnIn("vpn2", object{"listen-address": []string{loopBack2}, "router-id": "1.1.1.2"}, peerIn(remote, name("LoopBack2")))))...)
	peer2 := peerPath("default", "vpn2", remote)
	b.waitUp(peer1, 1)
	b.waitUp(peer2, 1)
	sources := map[netip.Addr]string{}
	for _, c := range b.wire.Connections() {
		sources[c.Client.Addr()] = c.ClientOpen.RouterID.String()
	}
	want := map[netip.Addr]string{netip.MustParseAddr(loopBack1): "1.1.1.1", netip.MustParseAddr(loopBack2): "1.1.1.2"}
	if len(sources) != 2 || sources[netip.MustParseAddr(loopBack1)] != want[netip.MustParseAddr(loopBack1)] ||
		sources[netip.MustParseAddr(loopBack2)] != want[netip.MustParseAddr(loopBack2)] {
		t.Fatalf("sources and router IDs %v, want %v\n%s", sources, want, b.wire.View())
	}
	b.resetOnce(peer2, direct, func() { b.set(runner.Delete(peer2 + "/transport/connect-interface")) })
	if p := b.look(peer1); p.State.Transitions != 1 || p.State.SessionState != "established" || p.State.LastReset.Cause != "" {
		t.Errorf("the peer of the other VPN instance noticed: %+v", p.State)
	}
}

// Two BGP instances with an AS of their own.
func TestTwoBGPInstances(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.bird.Stop()
	b.lab.StartBIRD(b.far, netlab.BIRDConfig{RouterID: netip.MustParseAddr("2.2.2.2"), Protocols: []netlab.BIRDPeer{
		birdPeer("one", loopBack1+"/32", 100), birdPeer("two", loopBack2+"/32", 300),
	}})
	b.set(whole([]object{vpnInstance("vpn1", "100:1")},
		instanceIn("default", 100, "1.1.1.1", vpnIn("vpn1", object{}, peerIn(remote, name("LoopBack1")))),
		instanceIn("two", 300, "3.3.3.3", vpnIn("vpn1", object{"listen-port": 0}, peerIn(remote, name("LoopBack2")))))...)
	peer2 := peerPath("two", "vpn1", remote)
	b.waitUp(peer1, 1)
	b.waitUp(peer2, 1)
	as := map[string]uint32{}
	for _, c := range b.wire.Connections() {
		as[c.Client.Addr().String()] = c.ClientOpen.AS
	}
	if len(as) != 2 || as[loopBack1] != 100 || as[loopBack2] != 300 {
		t.Fatalf("AS by source: %v\n%s", as, b.wire.View())
	}
	// Another AS of one instance resets its peers, and no others.
	before := b.look(peer1).State
	mark := b.wire.Mark()
	b.set(runner.Delete("/bgp/instances/instance[name=two]"))
	v := b.wire.WaitFor(t, patience, func(v netlab.View) bool { return len(v.Since(mark).Notifications()) == 1 })
	n := v.Since(mark).Notifications()[0]
	if n.From.Addr().String() != loopBack2 || n.Code != 6 || n.Subcode != 3 {
		t.Errorf("%v, want Cease 6/3 (peer de-configured) from %s", n, loopBack2)
	}
	if after := b.look(peer1).State; after.SessionState != "established" || after.Transitions != before.Transitions {
		t.Errorf("the other instance noticed: %+v", after)
	}
}
