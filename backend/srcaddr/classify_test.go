package srcaddr

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const (
	secondary  = unix.IFA_F_SECONDARY
	temporary  = unix.IFA_F_TEMPORARY
	tentative  = unix.IFA_F_TENTATIVE
	deprecated = unix.IFA_F_DEPRECATED
	dadfailed  = unix.IFA_F_DADFAILED
	permanent  = unix.IFA_F_PERMANENT
)

// world has one interface for each rule.
func world() *mirror {
	return newMirror([]event{
		eth(1, "lo", loopback),
		on(1, "127.0.0.1/8", permanent), on(1, "::1/128", permanent),
		on(1, "10.77.0.1/24"), on(1, "10.78.0.1/32"), on(1, "10.79.0.1/31"), on(1, "2001:db8:77::1/64"),
		eth(2, "one", alt("LoopBack1", "Loop1")),
		on(2, "10.1.0.1/24"), on(2, "2001:db8:1::1/64"), on(2, "fe80::1/64"),
		eth(3, "secondaries"), on(3, "10.1.3.2/24", secondary), on(3, "10.1.3.1/24"),
		eth(4, "subnets"), on(4, "10.2.4.1/24"), on(4, "10.1.4.1/24"),
		on(4, "2001:db8:4::2/64"), on(4, "2001:db8:4::1/64"),
		on(4, "fe80::41/64"), on(4, "fe80::42/64"),
		eth(5, "down", down), on(5, "10.1.5.1/24"),
		eth(6, "bare"),
		eth(7, "dad"), on(7, "2001:db8:7::1/64", tentative), on(7, "fe80::7/64", tentative),
		eth(8, "ready"), on(8, "2001:db8:8::1/64"), on(8, "2001:db8:8::2/64", tentative),
		on(8, "2001:db8:8::3/64", deprecated), on(8, "2001:db8:8::4/64", temporary),
		on(8, "2001:db8:8::5/64", tentative, dadfailed),
		eth(9, "duplicate"), on(9, "2001:db8:9::1/64", tentative, dadfailed), on(9, "fe80::1/64"),
		eth(10, "ptp"),
		{op: setAddress, addr: address{link: 10, ip: ip("10.1.10.1"), peer: ip("10.1.10.2"), bits: 32}},
		{op: setAddress, addr: address{link: 10, ip: ip("10.1.10.1"), peer: ip("10.1.10.3"), bits: 32}},
		eth(11, "shared"), on(11, "10.1.0.1/32"),
		eth(20, "vrf-a", vrf), on(20, "10.1.20.1/32"),
		eth(21, "vrf-b", vrf, alt("blue")),
		eth(22, "in-a", master(20)), on(22, "10.1.22.1/24"), on(22, "fe80::22/64"),
		eth(23, "in-b", master(21)), on(23, "10.1.23.1/24"), on(23, "10.1.22.1/32"),
		eth(24, "bridge", func(l *link) { l.kind = "bridge" }), on(24, "10.1.24.1/24"),
		eth(25, "port", master(24)), on(25, "10.1.25.1/24"),
		eth(26, "down-in-a", master(20), down), on(26, "10.1.26.1/24"),
		eth(27, "orphan", master(99)), on(27, "10.1.27.1/24"),
		on(98, "10.1.98.1/24"), // a link that the mirror has not heard of
	})
}

func TestClassify(t *testing.T) {
	const v4, v6, ll = "192.0.2.1", "2001:db8::1", "fe80::99"
	tests := []struct {
		name       string
		vrf, iface string
		source     string
		peer       string
		want       Status
		wantSource string
		wantIface  string
		candidates []netip.Addr
		detail     []string // parts of the sentence
	}{
		{name: "nothing asked", peer: v4, want: Unbound},
		{name: "nothing asked in a VRF", vrf: "vrf-a", peer: v4, want: Unbound},
		{name: "nothing asked, peer with zone", peer: "fe80::99%one", want: Unbound},

		// Interface alone.
		{name: "one IPv4 address", iface: "one", peer: v4, want: Resolved, wantSource: "10.1.0.1", wantIface: "one"},
		{name: "mapped IPv4 peer", iface: "one", peer: "::ffff:192.0.2.1", want: Resolved, wantSource: "10.1.0.1", wantIface: "one"},
		{name: "one IPv6 address beside a link-local one", iface: "one", peer: v6, want: Resolved, wantSource: "2001:db8:1::1", wantIface: "one"},
		{name: "link-local peer", iface: "one", peer: ll, want: Resolved, wantSource: "fe80::1%one", wantIface: "one"},
		{name: "alternative name", iface: "LoopBack1", peer: v4, want: Resolved, wantSource: "10.1.0.1", wantIface: "one"},
		{name: "second alternative name", iface: "Loop1", peer: v4, want: Resolved, wantSource: "10.1.0.1", wantIface: "one"},
		{name: "names are case-sensitive", iface: "loopback1", peer: v4, want: InterfaceMissing, detail: []string{"loopback1", "agent's"}},
		{name: "same address twice is one", iface: "ptp", peer: v4, want: Resolved, wantSource: "10.1.10.1", wantIface: "ptp"},
		{name: "interface missing", iface: "nope", peer: v4, want: InterfaceMissing, detail: []string{"nope", "create"}},
		{name: "interface name zero is no index", iface: "0", peer: v4, want: InterfaceMissing, detail: []string{"0"}},
		{name: "interface name is no index", iface: "2", peer: v4, want: InterfaceMissing, detail: []string{"2"}},
		{name: "interface down", iface: "down", peer: v4, want: InterfaceDown, detail: []string{"down", "set it up"}},
		{name: "no address at all", iface: "bare", peer: v4, want: NoAddress, detail: []string{"bare", "IPv4"}},
		{name: "no address of the family", iface: "secondaries", peer: v6, want: NoAddress, detail: []string{"IPv6"}},
		{name: "no link-local address", iface: "ready", peer: ll, want: NoAddress, detail: []string{"2001:db8:8::1"}},
		{name: "no peer address", iface: "one", want: NoAddress, detail: []string{"peer"}},
		{
			name: "secondary counts", iface: "secondaries", peer: v4, want: Ambiguous,
			candidates: ips("10.1.3.1", "10.1.3.2"), detail: []string{"10.1.3.1, 10.1.3.2", "source address"},
		},
		{
			name: "two subnets", iface: "subnets", peer: v4, want: Ambiguous,
			candidates: ips("10.1.4.1", "10.2.4.1"), detail: []string{"2 IPv4"},
		},
		{
			name: "two IPv6 addresses", iface: "subnets", peer: v6, want: Ambiguous,
			candidates: ips("2001:db8:4::1", "2001:db8:4::2"), detail: []string{"2 IPv6"},
		},
		{
			name: "two link-local addresses", iface: "subnets", peer: ll, want: Ambiguous,
			candidates: ips("fe80::41%subnets", "fe80::42%subnets"), detail: []string{"fe80::41%subnets"},
		},
		{name: "tentative only", iface: "dad", peer: v6, want: Tentative, detail: []string{"2001:db8:7::1", "dad"}},
		{name: "tentative link-local only", iface: "dad", peer: ll, want: Tentative, detail: []string{"fe80::7"}},
		{
			name: "tentative, deprecated, temporary, failed are skipped", iface: "ready", peer: v6,
			want: Resolved, wantSource: "2001:db8:8::1", wantIface: "ready",
		},
		{name: "duplicate only", iface: "duplicate", peer: v6, want: NoAddress, detail: []string{"2001:db8:9::1"}},
		{
			name: "loopback has several", iface: "lo", peer: v4, want: Ambiguous,
			candidates: ips("10.77.0.1", "10.78.0.1", "10.79.0.1"), detail: []string{"lo"},
		},
		{
			name: "loopback for a peer on this machine", iface: "lo", peer: "127.0.0.2", want: Ambiguous,
			candidates: ips("10.77.0.1", "10.78.0.1", "10.79.0.1", "127.0.0.1"), detail: []string{"lo"},
		},
		{name: "one routable address beside ::1", iface: "lo", peer: v6, want: Resolved, wantSource: "2001:db8:77::1", wantIface: "lo"},
		{
			name: "loopback IPv6", iface: "lo", peer: "::1", want: Ambiguous,
			candidates: ips("::1", "2001:db8:77::1"), detail: []string{"::1"},
		},

		// Interface and source.
		{name: "source on the interface", iface: "subnets", source: "10.2.4.1", peer: v4, want: Resolved, wantSource: "10.2.4.1", wantIface: "subnets"},
		{name: "mapped source", iface: "subnets", source: "::ffff:10.2.4.1", peer: v4, want: Resolved, wantSource: "10.2.4.1", wantIface: "subnets"},
		{name: "source on another interface", iface: "subnets", source: "10.1.0.1", peer: v4, want: SourceMissing, detail: []string{"10.1.0.1", "subnets", "10.1.4.1"}},
		{name: "source on interface down", iface: "down", source: "10.1.5.1", peer: v4, want: InterfaceDown, detail: []string{"down"}},
		{name: "source of the other family", iface: "one", source: "10.1.0.1", peer: v6, want: SourceMissing, detail: []string{"IPv4", "IPv6"}},
		{name: "source tentative", iface: "ready", source: "2001:db8:8::2", peer: v6, want: Tentative, detail: []string{"2001:db8:8::2"}},
		{name: "source duplicate", iface: "ready", source: "2001:db8:8::5", peer: v6, want: SourceMissing, detail: []string{"duplicate"}},
		{name: "source deprecated is the operator's choice", iface: "ready", source: "2001:db8:8::3", peer: v6, want: Resolved, wantSource: "2001:db8:8::3", wantIface: "ready"},
		{name: "source temporary too", iface: "ready", source: "2001:db8:8::4", peer: v6, want: Resolved, wantSource: "2001:db8:8::4", wantIface: "ready"},
		{name: "link-local source and interface", iface: "duplicate", source: "fe80::1", peer: ll, want: Resolved, wantSource: "fe80::1%duplicate", wantIface: "duplicate"},
		{name: "link-local source with the same zone", iface: "LoopBack1", source: "fe80::1%one", peer: ll, want: Resolved, wantSource: "fe80::1%one", wantIface: "one"},
		{name: "link-local source with another zone", iface: "one", source: "fe80::1%duplicate", peer: ll, want: SourceMissing, detail: []string{"scoped"}},
		{name: "link-local source with an unknown zone", iface: "one", source: "fe80::1%nope", peer: ll, want: SourceMissing, detail: []string{"scoped"}},
		{name: "loopback prefix and interface", iface: "lo", source: "127.9.9.9", peer: v4, want: Resolved, wantSource: "127.9.9.9", wantIface: "lo"},
		{name: "no such rule on other interfaces", iface: "one", source: "10.1.0.9", peer: v4, want: SourceMissing, detail: []string{"10.1.0.9", "one"}},

		// Source alone.
		{name: "source anywhere", source: "10.2.4.1", peer: v4, want: Resolved, wantSource: "10.2.4.1", wantIface: "subnets"},
		{name: "source on two interfaces: lowest index", source: "10.1.0.1", peer: v4, want: Resolved, wantSource: "10.1.0.1", wantIface: "one"},
		{name: "source only, no peer", source: "10.2.4.1", want: Resolved, wantSource: "10.2.4.1", wantIface: "subnets"},
		{name: "source IPv6", source: "2001:db8:4::2", peer: v6, want: Resolved, wantSource: "2001:db8:4::2", wantIface: "subnets"},
		{name: "source nowhere", source: "198.51.100.1", peer: v4, want: SourceMissing, detail: []string{"198.51.100.1", "no interface"}},
		{name: "source on an unknown link", source: "10.1.98.1", peer: v4, want: SourceMissing, detail: []string{"no interface"}},
		{name: "source on a down interface", source: "10.1.5.1", peer: v4, want: SourceMissing, detail: []string{"down", "set it up"}},
		{name: "source tentative anywhere", source: "2001:db8:7::1", peer: v6, want: Tentative, detail: []string{"dad"}},
		{name: "source duplicate anywhere", source: "2001:db8:9::1", peer: v6, want: SourceMissing, detail: []string{"duplicate"}},
		{name: "source family", source: "2001:db8:4::2", peer: v4, want: SourceMissing, detail: []string{"IPv6", "IPv4"}},
		{name: "127/8 is local", source: "127.1.2.3", peer: "127.0.0.1", want: Resolved, wantSource: "127.1.2.3", wantIface: "lo"},
		{name: "127/8 broadcast is not", source: "127.255.255.255", peer: "127.0.0.1", want: SourceMissing, detail: []string{"127.255.255.255"}},
		{name: "other prefix on lo is local", source: "10.77.0.9", peer: v4, want: Resolved, wantSource: "10.77.0.9", wantIface: "lo"},
		{name: "both ends of a /31 on lo", source: "10.79.0.0", peer: v4, want: Resolved, wantSource: "10.79.0.0", wantIface: "lo"},
		{name: "beyond a /32 on lo", source: "10.78.0.2", peer: v4, want: SourceMissing, detail: []string{"10.78.0.2"}},
		{name: "IPv6 prefix on lo is not local", source: "2001:db8:77::9", peer: v6, want: SourceMissing, detail: []string{"2001:db8:77::9"}},
		{
			name: "link-local on two links", source: "fe80::1", peer: ll, want: Ambiguous,
			candidates: ips("fe80::1%duplicate", "fe80::1%one"), detail: []string{"name the interface"},
		},
		{name: "link-local on one link", source: "fe80::41", peer: ll, want: Resolved, wantSource: "fe80::41%subnets", wantIface: "subnets"},
		{name: "link-local, zone of the source", source: "fe80::1%duplicate", peer: ll, want: Resolved, wantSource: "fe80::1%duplicate", wantIface: "duplicate"},
		{name: "link-local, zone as index", source: "fe80::1%9", peer: ll, want: Resolved, wantSource: "fe80::1%duplicate", wantIface: "duplicate"},
		{name: "link-local, unknown zone", source: "fe80::1%77", peer: ll, want: InterfaceMissing, detail: []string{"77"}},
		{name: "link-local, index of the peer", source: "fe80::1", peer: "fe80::99%9", want: Resolved, wantSource: "fe80::1%duplicate", wantIface: "duplicate"},
		{name: "link-local, the peer on another link", source: "fe80::1%one", peer: "fe80::99%duplicate", want: SourceMissing, detail: []string{"another interface", "duplicate"}},
		{name: "link-local, no such link", peer: "fe80::99%nope", want: InterfaceMissing, detail: []string{"nope"}},
		{name: "link-local, no link at all", peer: ll, want: InterfaceMissing},
		{name: "link-local, any source", peer: "fe80::99%9", want: Unbound},
		{name: "link-local, zone of the peer", source: "fe80::1", peer: "fe80::99%duplicate", want: Resolved, wantSource: "fe80::1%duplicate", wantIface: "duplicate"},

		// VRF.
		{name: "slave of the VRF", vrf: "vrf-a", iface: "in-a", peer: v4, want: Resolved, wantSource: "10.1.22.1", wantIface: "in-a"},
		{name: "VRF by alternative name", vrf: "blue", iface: "in-b", source: "10.1.23.1", peer: v4, want: Resolved, wantSource: "10.1.23.1", wantIface: "in-b"},
		{name: "the VRF device itself", vrf: "vrf-a", iface: "vrf-a", peer: v4, want: Resolved, wantSource: "10.1.20.1", wantIface: "vrf-a"},
		{name: "slave of another VRF", vrf: "vrf-a", iface: "in-b", peer: v4, want: WrongVRF, detail: []string{"in-b", "vrf-b", "vrf-a"}},
		{name: "slave of no VRF", vrf: "vrf-a", iface: "one", peer: v4, want: WrongVRF, detail: []string{"one", "no VRF"}},
		{name: "bridge port is in no VRF", vrf: "vrf-a", iface: "port", peer: v4, want: WrongVRF, detail: []string{"port"}},
		{name: "bridge port without a VRF", iface: "port", peer: v4, want: Resolved, wantSource: "10.1.25.1", wantIface: "port"},
		{name: "unknown master", iface: "orphan", peer: v4, want: Resolved, wantSource: "10.1.27.1", wantIface: "orphan"},
		{name: "unknown master in a VRF", vrf: "vrf-a", iface: "orphan", peer: v4, want: WrongVRF, detail: []string{"orphan"}},
		{name: "VRF slave, instance without VRF", iface: "in-a", peer: v4, want: WrongVRF, detail: []string{"in-a", "vrf-a"}},
		{name: "VRF missing", vrf: "nope", iface: "in-a", peer: v4, want: WrongVRF, detail: []string{"nope", "create"}},
		{name: "VRF missing and nothing asked", vrf: "nope", peer: v4, want: WrongVRF, detail: []string{"nope"}},
		{name: "no VRF device", vrf: "bridge", iface: "port", peer: v4, want: WrongVRF, detail: []string{"bridge", "not a VRF"}},
		{name: "wrong VRF before down", vrf: "vrf-b", iface: "down-in-a", peer: v4, want: WrongVRF, detail: []string{"vrf-a"}},
		{name: "down in the VRF", vrf: "vrf-a", iface: "down-in-a", peer: v4, want: InterfaceDown, detail: []string{"down-in-a"}},
		{name: "source in the VRF", vrf: "vrf-b", source: "10.1.22.1", peer: v4, want: Resolved, wantSource: "10.1.22.1", wantIface: "in-b"},
		{name: "source in another VRF", vrf: "vrf-b", source: "10.1.20.1", peer: v4, want: WrongVRF, detail: []string{"10.1.20.1", "vrf-a"}},
		{name: "source outside of the VRF", vrf: "vrf-a", source: "10.2.4.1", peer: v4, want: WrongVRF, detail: []string{"subnets"}},
		{name: "source in a VRF, instance without", source: "10.1.23.1", peer: v4, want: WrongVRF, detail: []string{"vrf-b"}},
		{name: "source down in the VRF", vrf: "vrf-a", source: "10.1.26.1", peer: v4, want: SourceMissing, detail: []string{"down-in-a", "set it up"}},
		{name: "127/8 is not local in a VRF", vrf: "vrf-a", source: "127.0.0.5", peer: v4, want: SourceMissing, detail: []string{"127.0.0.5"}},
	}
	m := world()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := Query{VRFDevice: tt.vrf, Interface: tt.iface}
			if tt.source != "" {
				q.Source = ip(tt.source)
			}
			if tt.peer != "" {
				q.Peer = ip(tt.peer)
			}
			got := classify(m, q)
			if got.Status != tt.want {
				t.Fatalf("status %v (%s), want %v", got.Status, got.Detail, tt.want)
			}
			if tt.want == Resolved {
				want := Answer{Status: Resolved, Source: ip(tt.wantSource), Interface: tt.wantIface, Index: m.names[tt.wantIface]}
				if q.Peer.IsValid() && q.Peer.IsLinkLocalUnicast() && q.Peer.Is6() { // it is on the link of its source
					want.Zone, want.ZoneIndex = want.Interface, want.Index
				}
				if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
					t.Error(diff)
				}
				return
			}
			if got.Source.IsValid() || got.Interface != "" || got.Index != 0 {
				t.Errorf("unresolved answer has source %v on %q (%d)", got.Source, got.Interface, got.Index)
			}
			if !slices.Equal(got.Candidates, tt.candidates) {
				t.Errorf("candidates %v, want %v", got.Candidates, tt.candidates)
			}
			if (got.Detail == "") != (tt.want == Unbound) {
				t.Errorf("detail %q of %v", got.Detail, got.Status)
			}
			for _, part := range tt.detail {
				if !strings.Contains(got.Detail, part) {
					t.Errorf("detail %q does not say %q", got.Detail, part)
				}
			}
		})
	}
}

func TestClassifyNamesThePlace(t *testing.T) {
	got := classify(world(), Query{NetNS: "vpn1", Interface: "nope", Peer: ip("192.0.2.1")})
	want := "interface nope does not exist in network namespace vpn1; create it or name another one"
	if got.Detail != want {
		t.Errorf("got %q, want %q", got.Detail, want)
	}
}

func TestClassifyListsFewCandidates(t *testing.T) {
	events := []event{eth(1, "lo", loopback)}
	for i := range 20 {
		events = append(events, on(1, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 32).String()))
	}
	got := classify(newMirror(events), Query{Interface: "lo", Peer: ip("192.0.2.1")})
	if len(got.Candidates) != 20 || !strings.Contains(got.Detail, "10.0.0.7 and 12 more") {
		t.Errorf("%d candidates, detail %q", len(got.Candidates), got.Detail)
	}
}

func TestLoopbackDownCoversNothing(t *testing.T) {
	m := newMirror([]event{eth(1, "lo", loopback, down), on(1, "127.0.0.1/8")})
	if got := classify(m, Query{Source: ip("127.0.0.2"), Peer: ip("127.0.0.1")}); got.Status != SourceMissing {
		t.Errorf("got %v, want %v", got.Status, SourceMissing)
	}
}

func TestStatusString(t *testing.T) {
	want := []string{
		"Status(0)", "resolved", "unbound", "interface-missing", "interface-down", "no-address",
		"address-tentative", "ambiguous-source", "source-missing", "namespace-missing", "wrong-vrf", "Status(11)",
	}
	for i, w := range want {
		if got := Status(i).String(); got != w {
			t.Errorf("Status(%d) = %q, want %q", i, got, w)
		}
		if got, want := (Answer{Status: Status(i)}).Usable(), i == int(Resolved) || i == int(Unbound); got != want {
			t.Errorf("%v usable: %v, want %v", Status(i), got, want)
		}
	}
}
