package transport

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mooring/bgp"
)

func TestGoBGPChecks(t *testing.T) {
	v4 := bgp.PeerKey{Address: netip.MustParseAddr("192.0.2.1")}
	v6 := bgp.PeerKey{Address: netip.MustParseAddr("2001:db8::1")}
	listening, dialling := &bgp.InstanceSpec{Port: 179}, &bgp.InstanceSpec{}
	for _, c := range []struct {
		name string
		in   *bgp.InstanceSpec
		p    *bgp.PeerSpec
		leaf string // "": passes
	}{
		{"plain", listening, &bgp.PeerSpec{Key: v4}, ""},
		{"connect-only, listening", listening, &bgp.PeerSpec{Key: v4, ConnectMode: bgp.ConnectOnly}, leafMode},
		{"connect-only, not listening", dialling, &bgp.PeerSpec{Key: v4, ConnectMode: bgp.ConnectOnly}, ""},
		{"listen-only", listening, &bgp.PeerSpec{Key: v4, ConnectMode: bgp.ListenOnly}, ""},
		// backends.md 1.2 TtlSecurity
		{"gtsm, IPv6, listen-only", listening, &bgp.PeerSpec{Key: v6, MinTTL: 254, ConnectMode: bgp.ListenOnly}, leafHops},
		{"gtsm, IPv6, both", listening, &bgp.PeerSpec{Key: v6, MinTTL: 254}, ""},
		{"gtsm, IPv4, listen-only", listening, &bgp.PeerSpec{Key: v4, MinTTL: 254, ConnectMode: bgp.ListenOnly}, ""},
		// backends.md 1.2 MtuDiscovery
		{"path MTU on", listening, &bgp.PeerSpec{Key: v4, PathMTU: bgp.ToggleOn}, leafPMTU},
		{"path MTU off", listening, &bgp.PeerSpec{Key: v4, PathMTU: bgp.ToggleOff}, leafPMTU},
		{"tcp-ao", listening, &bgp.PeerSpec{Key: v4, Auth: bgp.AuthTCPAO}, leafMethod},
		{"md5", listening, &bgp.PeerSpec{Key: v4, Auth: bgp.AuthMD5, Password: "x"}, ""},
		{"md5 without a key", listening, &bgp.PeerSpec{Key: v4, Auth: bgp.AuthMD5}, "transport/authentication/config/password"},
		{"md5 key too long", listening, &bgp.PeerSpec{Key: v4, Auth: bgp.AuthMD5, Password: bgp.Secret(strings.Repeat("x", 81))}, "transport/authentication/config/password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := GoBGP{}.CheckPeer(c.in, c.p)
			var e *LimitError
			if got := errors.As(err, &e); got != (c.leaf != "") || got && e.Leaf != c.leaf {
				t.Errorf("CheckPeer = %v, want leaf %q", err, c.leaf)
			}
		})
	}
	if err := (GoBGP{}).CheckInstance(&bgp.InstanceSpec{Namespace: "blue"}); err == nil {
		t.Error("CheckInstance lets a network namespace pass")
	}
	if err := (GoBGP{}).CheckInstance(&bgp.InstanceSpec{Device: "vrf1"}); err != nil {
		t.Errorf("CheckInstance = %v, want nil for a VRF device", err)
	}
}

func TestLimitsNameLeaves(t *testing.T) {
	all := maps.Clone(GoBGP{}.Limits())
	for leaf, l := range (Own{}).Limits() {
		all["own "+leaf] = l
	}
	for leaf, l := range all {
		leaf = strings.TrimPrefix(leaf, "own ")
		if !slices.Contains(bgp.PeerLeaves(), leaf) || l.Note == "" {
			t.Errorf("limit %q: unknown leaf or no note", leaf)
		}
	}
}
