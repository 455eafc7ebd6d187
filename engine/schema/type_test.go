package schema

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"mooring/gen"
)

func TestParse(t *testing.T) {
	peer := "/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer"
	tests := []struct{ node, in, want string }{ // an error's text has a "!" before it
		{peer + "/address", "010.0.0.1", "!IPv4 or IPv6"},
		{peer + "/address", "10.0.0.1", "10.0.0.1"},
		{peer + "/address", "2001:0DB8:0:0::1", "2001:db8::1"},
		{peer + "/address", "fe80::1%eth0", "fe80::1%eth0"},
		{peer + "/address", "2001:db8::1%eth0", "!link-local"},
		{peer + "/address", "fe80::1%a b", "!link-local"},
		{peer + "/address", "fe80::1%" + strings.Repeat("e", 60), "!IPv4 or IPv6"},
		{peer + "/address", "::ffff:10.0.0.1", "!IPv4-mapped"},
		{peer + "/address", "10.0.0.1%eth0", "!IPv4 or IPv6"},
		{peer + "/address", " 10.0.0.1", "!IPv4 or IPv6"},
		{peer + "/address", "", "!IPv4 or IPv6"},
		{"/bgp/instances/instance/config/router-id", "0.0.0.0", "!must not be zero"},
		{"/bgp/instances/instance/config/router-id", "::1", "!IPv4"},
		{"/bgp/instances/instance/config/router-id", "0.0.0.1", "0.0.0.1"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "65535:4294967295", "65535:4294967295"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "65536:65535", "65536:65535"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "65536:65536", "!RFC 4364"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "0100:01", "100:1"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "192.0.2.1:65535", "192.0.2.1:65535"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "192.0.2.1:65536", "!RFC 4364"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "192.0.2.256:1", "!RFC 4364"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "4294967296:1", "!RFC 4364"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "1:+1", "!RFC 4364"},
		{"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher", "1", "!RFC 4364"},
		{"/vpn-instances/vpn-instance/name", strings.Repeat("a", 64), "!length of 1..63"},
		{"/vpn-instances/vpn-instance/name", "", "!length"},
		{"/vpn-instances/vpn-instance/name", "a b", "!without spaces"},
		{"/vpn-instances/vpn-instance/name", "é", "!without spaces"},
		{"/vpn-instances/vpn-instance/config/description", strings.Repeat("é", 255), strings.Repeat("é", 255)},
		{"/vpn-instances/vpn-instance/config/description", strings.Repeat("é", 256), "!length"},
		{"/vpn-instances/vpn-instance/config/description", "a\x01", "!control"},
		{"/vpn-instances/vpn-instance/config/description", "a\uffff", "!control"},
		{"/vpn-instances/vpn-instance/config/description", "\xff", "!UTF-8"},
		{"/vpn-instances/vpn-instance/config/description", "a\tb\nc", "a\tb\nc"},
		{"/vpn-instances/vpn-instance/config/network-namespace", "a/b", "!pattern"},
		{peer + "/transport/connect-interface/config/interface", "eth0/1", "!'/'"},
		{peer + "/transport/connect-interface/config/interface", "LoopBack1", "LoopBack1"},
		{peer + "/transport/config/tcp-mss", "175", "!range 176..4096"},
		{peer + "/transport/config/tcp-mss", "4096", "4096"},
		{peer + "/transport/config/tcp-mss", "70000", "!range 176..4096"},
		{peer + "/transport/config/tcp-mss", "-200", "!range 176..4096"},
		{peer + "/transport/config/tcp-mss", "0x100", "!integer"},
		{peer + "/transport/config/tcp-mss", "", "!integer"},
		{peer + "/transport/config/tcp-mss", "+-200", "!integer"},
		{peer + "/timers/config/hold-time", "2", "!range 0 | 3..65535"},
		{peer + "/timers/config/hold-time", "-0", "0"},
		{peer + "/timers/config/hold-time", "+0180", "180"},
		{peer + "/config/enabled", "True", "!true or false"},
		{peer + "/transport/config/connect-mode", "passive", "!both, connect-only, listen-only"},
		{peer + "/transport/config/connect-mode", "both", "both"},
		{peer + "/state/established-transitions", "18446744073709551615", "18446744073709551615"},
		{peer + "/state/established-transitions", "18446744073709551616", "!range 0..18446744073709551615"},
	}
	for _, tt := range tests {
		n := compiled().find(tt.node)
		v, err := n.Type.Parse(tt.in)
		if text, bad := strings.CutPrefix(tt.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), text) || tt.in != "" && strings.Contains(err.Error(), tt.in) {
				t.Errorf("%s %q: got %q, %v", tt.node, tt.in, v, err)
			}
		} else if err != nil || v.String() != tt.want {
			t.Errorf("%s %q: got %q, %v", tt.node, tt.in, v, err)
		}
	}
}

// The fast form of a pattern decides as the regular expression does.
func TestClassOf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	fast := 0
	for _, re := range []string{"^(?:[!-~]+)$", "^(?:[^/]+)$", "^(?:[!-.0-~]+)$", "^(?:[a-zé]+)$", "^(?:a+)$", "^(?:[ab]*)$", "^[ab]+"} {
		set, ok := classOf(re)
		if !ok {
			continue
		}
		fast++
		slow, match := regexp.MustCompile(re), compilePattern(re)
		for range 2000 {
			b := make([]rune, r.IntN(4))
			for i := range b {
				b[i] = []rune{'/', 'a', 'b', ' ', '~', '!', 'é', '\n', 0x7f, '世', rune(r.IntN(128))}[r.IntN(11)]
			}
			if s := string(b); match(s) != slow.MatchString(s) {
				t.Fatalf("%s decides otherwise on %q (%v)", re, s, set['a'])
			}
		}
	}
	if fast != 3 {
		t.Errorf("%d patterns are classes, want the 3 of the model", fast)
	}
}

// The tree has what the generated table has.
func TestTree(t *testing.T) {
	if len(compiled().data) != len(gen.Nodes) {
		t.Fatal("nodes are lost")
	}
	for i, n := range compiled().data {
		m := &gen.Nodes[i]
		if n.Meta != m || n.Config != m.Config || n.Namespace == "" || n.Parent.Child(n.Name) != n || n.Parent.Children[n.index] != n {
			t.Errorf("%s is not wired", n.Path())
		}
		if n.IsLeaf() != (n.Type != nil) || len(n.Keys) != len(m.Keys) {
			t.Errorf("%s: type or keys", n.Path())
		}
		if m.Impact != "" && n.Impact.String() != m.Impact {
			t.Errorf("%s: impact %s", n.Path(), n.Impact)
		}
		if n.IsKey() && n.Config && n.Twin() == nil && n.Module != accessModule {
			t.Errorf("%s: a key of the configuration has no config/<key>: a difference would be told by the key itself", n.Path())
		}
		if above := n.Parent.spine && n.Parent.kind == nil; above && !n.spine && n.kind == nil {
			t.Errorf("%s is in no record", n.Path())
		}
	}
	peer := compiled().find("/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer")
	group := peer.Child("config").Child("peer-group")
	if group.Type.Leafref == nil || group.Type.Leafref.Name != "name" || group.Type.Kind != ValueString || !group.Type.RequireInstance {
		t.Errorf("leafref %+v", group.Type)
	}
	if !peer.Child("transport").Child("authentication").Child("config").Child("password").Secret {
		t.Error("password is no secret")
	}
}

func TestOperations(t *testing.T) {
	op := RPC("reset-peer")
	if op == nil || op.Namespace != "urn:mooring:yang:bgp" || op.Input.Child("mode").Type.Kind != ValueEnum || op.Input.Child("mode").Default[0] != "hard" {
		t.Errorf("got %+v", op)
	}
	if peer := RPC("preview").Output.Child("peer"); peer == nil || peer.Kind != List || peer.Child("impact") == nil {
		t.Error("preview has no peers")
	}
	if n := Notification("peer-reset"); n == nil || n.Child("cause") == nil {
		t.Error("peer-reset has no cause")
	}
	if RPC("none") != nil || Notification("none") != nil {
		t.Error("unknown names are found")
	}
}
