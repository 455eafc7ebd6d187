package netlab

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestRemoteAndBIRD(t *testing.T) {
	t.Parallel()
	lab, dut, remote := pair(t)
	wire := lab.Capture(remote, "vr", 179)
	far := lab.Listener(remote, addrPort("10.1.1.2:179"), RemoteConfig{
		AS: 4200000000, RouterID: addr("2.2.2.2"), HoldTime: 3 * time.Second, Families: []Family{IPv4Unicast},
	})
	near := lab.StartBIRD(dut, BIRDConfig{RouterID: addr("1.1.1.1"), Protocols: []BIRDPeer{{
		Name: "far", LocalAddr: addr("10.1.1.1"), LocalAS: 100, NeighborAddr: addr("10.1.1.2"), NeighborAS: 4200000000,
	}}})
	s := far.WaitEstablished(t, netip.Addr{}, patience)
	near.WaitEstablished(t, "far", patience)
	if got := s.Messages()[0]; got.Type != TypeOpen || got.AS != 100 || got.RouterID != addr("1.1.1.1") || s.Peer.Addr() != addr("10.1.1.1") {
		t.Errorf("first message %v from %v", got, s.Peer)
	}
	// The session lives past the hold time of 3 s by our KEEPALIVEs.
	wire.WaitFor(t, patience, func(v View) bool { return v.Keepalives(addr("10.1.1.2")) >= 5 })
	if !s.Established() || s.Closed() || len(wire.Notifications()) != 0 {
		t.Fatalf("the session did not live: established %v, closed %v\n%s", s.Established(), s.Closed(), wire.View())
	}

	mark := wire.Mark()
	if err := s.Notify(Notification{Code: 6, Subcode: 6}); err != nil {
		t.Fatal(err)
	}
	near.WaitPeer(t, "far", patience, func(p BIRDPeerState) bool {
		return strings.Contains(p.LastError, "configuration change") // RFC 4486 4
	})
	second := far.WaitEstablished(t, addr("10.1.1.1"), patience)
	if second == s || !s.Closed() || len(far.Sessions()) != 2 {
		t.Errorf("%d sessions, first closed %v", len(far.Sessions()), s.Closed())
	}
	v := wire.Since(mark)
	if n := v.Notifications(); len(n) != 1 || n[0].Code != 6 || n[0].Subcode != 6 || n[0].From != addrPort("10.1.1.2:179") {
		t.Errorf("notifications %v", n)
	}
	if n := len(v.FINs(nil)); n == 0 {
		t.Error("no FIN of the old connection")
	}
	if n := len(v.RSTs(nil)); n != 0 {
		t.Errorf("%d RSTs before Drop", n)
	}

	mark = wire.Mark()
	if err := second.Drop(); err != nil {
		t.Fatal(err)
	}
	wire.WaitFor(t, patience, func(v View) bool { return len(v.Since(mark).RSTs(From(addr("10.1.1.2")))) == 1 })
	near.WaitPeer(t, "far", patience, func(p BIRDPeerState) bool { return p.BGPState != "Established" })
	if far.WaitFor(0, func(all []*RemoteSession) bool { return len(all) == 99 }) {
		t.Error("WaitFor says yes to what did not happen")
	}
}
