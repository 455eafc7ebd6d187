package netlab

import (
	"bufio"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const patience = 15 * time.Second

// pair is the usual bed: dut and remote on one veth.
func pair(t *testing.T) (lab *Lab, dut, remote *Namespace) {
	t.Helper()
	lab = New(t)
	dut, remote = lab.Namespace("dut"), lab.Namespace("remote")
	lab.Link(dut, "vd", remote, "vr")
	dut.AddAddr("vd", "10.1.1.1/24")
	remote.AddAddr("vr", "10.1.1.2/24")
	return lab, dut, remote
}

func TestTwoBIRDs(t *testing.T) {
	t.Parallel()
	lab, dut, remote := pair(t)
	wire := lab.Capture(dut, "vd", 179)
	far := lab.StartBIRD(remote, BIRDConfig{RouterID: addr("2.2.2.2"), Protocols: []BIRDPeer{{
		Name: "dut", LocalAddr: addr("10.1.1.2"), LocalAS: 200, NeighborAddr: addr("10.1.1.1"), NeighborAS: 100, Passive: true, HoldTime: 9 * time.Second,
	}}})
	near := lab.StartBIRD(dut, BIRDConfig{
		RouterID: addr("1.1.1.1"), Static: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Protocols: []BIRDPeer{{Name: "far", LocalAddr: addr("10.1.1.1"), LocalAS: 100, NeighborAddr: addr("10.1.1.2"), NeighborAS: 200, ExtraLines: []string{"hold time 30;"}}},
	})

	state := far.WaitEstablished(t, "dut", patience)
	if state.State != "up" || state.NeighborAddress != "10.1.1.1" || state.NeighborID != "1.1.1.1" || state.SourceAddress != "10.1.1.2" {
		t.Errorf("state = %+v", state)
	}
	far.WaitPeer(t, "dut", patience, func(p BIRDPeerState) bool { return p.Imported == 1 })

	view := wire.WaitFor(t, patience, func(v View) bool { return len(v.Opens()) == 2 && v.Keepalives(addr("10.1.1.1")) > 0 })
	conns := view.Connections()
	if len(conns) != 1 {
		t.Fatalf("connections %+v\n%s", conns, view)
	}
	family := []Family{IPv4Unicast}
	c := conns[0]
	want := Connection{
		Time: c.Time, Client: netip.AddrPortFrom(addr("10.1.1.1"), c.Client.Port()), Server: addrPort("10.1.1.2:179"), MSS: 1460, TTL: 1,
		ClientOpen: Open{AS: 100, HoldTime: 30 * time.Second, RouterID: addr("1.1.1.1"), Families: family},
		ServerOpen: &Open{AS: 200, HoldTime: 9 * time.Second, RouterID: addr("2.2.2.2"), Families: family},
	}
	if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
	if got := len(wire.SYNs(From(addr("10.1.1.1")))); got != 1 {
		t.Errorf("%d SYNs from the dut, want 1", got)
	}
	if got := len(wire.SYNs(From(addr("10.1.1.2")))); got != 0 {
		t.Errorf("%d SYNs from the passive side, want 0", got)
	}

	// RFC 4486: 2 is administrative shutdown, 4 administrative reset.
	cease := func(command func(string) error, subcode uint8) {
		t.Helper()
		mark := wire.Mark()
		if err := command("dut"); err != nil {
			t.Fatal(err)
		}
		v := wire.WaitFor(t, patience, func(v View) bool { return len(v.Since(mark).Notifications()) > 0 }).Since(mark)
		n := v.Notifications()[0]
		if n.From.Addr() != addr("10.1.1.2") || n.To.Addr() != addr("10.1.1.1") || n.Code != 6 || n.Subcode != subcode {
			t.Errorf("%v, want Cease %d from the remote", n, subcode)
		}
	}
	mark := wire.Mark()
	cease(far.Restart, 4)
	wire.WaitFor(t, patience, func(v View) bool { return len(v.Since(mark).Connections()) == 1 })
	far.WaitEstablished(t, "dut", patience)
	cease(far.Disable, 2)
	near.WaitPeer(t, "far", patience, func(p BIRDPeerState) bool {
		return strings.Contains(p.LastError, "Administrative shutdown") && p.BGPState != "Established"
	})
	if err := far.Enable("dut"); err != nil {
		t.Error(err)
	}
	far.WaitEstablished(t, "dut", patience)
	if err := far.Disable("nobody"); err == nil {
		t.Error("a refused command gives no error")
	}
	if _, err := far.Peer("nobody"); err == nil {
		t.Error("an unknown peer gives no error")
	}
}

// Any source address finds the passive remote, with and without TCP MD5, on IPv4 and IPv6.
func TestNeighborRange(t *testing.T) {
	t.Parallel()
	lab, dut, remote := pair(t)
	dut.AddInterface("LoopBack1")
	dut.AddAddr("LoopBack1", "10.9.9.9/32")
	remote.AddRoute("10.9.9.9/32", "via", "10.1.1.1")
	dut.AddAddr("vd", "2001:db8::1/64")
	remote.AddAddr("vr", "2001:db8::2/64")
	wire := lab.Capture(remote, "vr", 179)
	far := lab.StartBIRD(remote, BIRDConfig{RouterID: addr("2.2.2.2"), Protocols: []BIRDPeer{
		{Name: "any", LocalAS: 200, NeighborRange: netip.MustParsePrefix("10.0.0.0/8"), NeighborAS: 100, MultihopTTL: 8},
		{Name: "six", LocalAddr: addr("2001:db8::2"), LocalAS: 200, NeighborAddr: addr("2001:db8::1"), NeighborAS: 100, Passive: true, Password: "secret"},
	}})
	if p, err := far.Peer("any"); err != nil || p.NeighborAddress != "10.0.0.0/8" {
		t.Errorf("before: %+v, %v", p, err)
	}
	lab.StartBIRD(dut, BIRDConfig{RouterID: addr("1.1.1.1"), Protocols: []BIRDPeer{
		{Name: "four", LocalAddr: addr("10.9.9.9"), LocalAS: 100, NeighborAddr: addr("10.1.1.2"), NeighborAS: 200, MultihopTTL: 7},
		{Name: "six", LocalAddr: addr("2001:db8::1"), LocalAS: 100, NeighborAddr: addr("2001:db8::2"), NeighborAS: 200, Password: "secret", IPv6: true},
	}})
	if p := far.WaitEstablished(t, "any", patience); p.NeighborAddress != "10.9.9.9" {
		t.Errorf("dynamic peer %+v", p)
	}
	far.WaitEstablished(t, "six", patience)
	view := wire.WaitFor(t, patience, func(v View) bool { return len(v.Connections()) == 2 })
	four, six := view.SYNs(From(addr("10.9.9.9"))), view.SYNs(From(addr("2001:db8::1")))
	if len(four) != 1 || four[0].TTL != 7 {
		t.Errorf("IPv4 SYNs %v, want one with ttl 7", four)
	}
	if len(six) != 1 || six[0].TTL != 1 || six[0].MSS != 1440 {
		t.Errorf("IPv6 SYNs %v, want one with ttl 1 and mss 1440", six)
	}
}

func TestReadReply(t *testing.T) {
	for _, tc := range []struct{ name, in, want, wantErr string }{
		{"lines", "1002-p1 BGP\n1006-  state\n  more\n0000 \n", "p1 BGP\n  state\n more\n\n", ""},
		{"one line", "0013 up\n", "up\n", ""},
		{"refused", "9001 syntax error\n", "", "syntax error"},
		{"no code", "xy\n", "", "no code"},
		{"cut off", "1002-p1\n", "", "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readReply(bufio.NewReader(strings.NewReader(tc.in)))
			if got != tc.want || (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("readReply = %q, %v; want %q, %q", got, err, tc.want, tc.wantErr)
			}
		})
	}
}
