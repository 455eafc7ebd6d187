package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// visit lists the leaves at a path as text.
func visit(t *testing.T, m *memory, at string, o LeafOptions) []string {
	t.Helper()
	p, err := Resolve(elems(t, at))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	Leaves(m, p, o, func(l *LeafValue) bool {
		text := l.Value.String()
		if l.Values != nil {
			parts := make([]string, len(l.Values))
			for i, v := range l.Values {
				parts[i] = v.String()
			}
			text = strings.Join(parts, " ")
		}
		if l.Default {
			text += " (default)"
		}
		if k, rest, ok := l.Path().Record(); !ok || k != l.Key || !rest.Equal(l.Rel) || !k.Path().Equal(l.Record) {
			t.Errorf("%s: key %q, record %s, rel %s", l.Path(), l.Key, l.Record, l.Rel)
		}
		out = append(out, l.Path().String()+" "+text)
		return true
	})
	return out
}

// gnmi.md 13, 18, 21, 23, 95
func TestLeaves(t *testing.T) {
	m := withState(t, sample(t))
	peer6 := vpnPath + "/peers/peer[address=2001:db8::1]"
	family := "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family"
	tests := []struct {
		name, path string
		o          LeafOptions
		want       []string
	}{
		{"leaf", peerPath + "/config/as", LeafOptions{}, []string{peerPath + "/config/as 200"}},
		{"no leaf", peerPath + "/transport/config/local-port", LeafOptions{}, nil},
		{
			"wildcard key", "/bgp/instances/instance/vpn-instances/vpn-instance[name=*]/peers/peer/config/as",
			LeafOptions{},
			[]string{peerPath + "/config/as 200", peer6 + "/config/as 65001"},
		},
		{
			"inner wildcard", peer6 + "/afi-safis/afi-safi/config/enabled",
			LeafOptions{Defaults: true},
			[]string{peer6 + "/afi-safis/afi-safi[name=ipv4-unicast]/config/enabled true (default)", peer6 + "/afi-safis/afi-safi[name=vpnv4-unicast]/config/enabled false"},
		},
		{"inner entry", peer6 + "/transport/authentication/keys/key[key-id=10]", LeafOptions{}, []string{
			peer6 + "/transport/authentication/keys/key[key-id=10]/key-id 10", peer6 + "/transport/authentication/keys/key[key-id=10]/config/key-id 10",
			peer6 + "/transport/authentication/keys/key[key-id=10]/config/send-id 1", peer6 + "/transport/authentication/keys/key[key-id=10]/config/receive-id 2",
		}},
		{"leaf-list", family, LeafOptions{}, []string{family + "/config/route-distinguisher 100:1", family + "/config/import-route-target 100:1 100:2"}},
		{"secret", peerPath + "/transport/authentication/config", LeafOptions{Defaults: true}, []string{peerPath + "/transport/authentication/config/method md5"}},
		{"defaults", "/agent", LeafOptions{Defaults: true, Content: ConfigOnly}, []string{
			"/agent/history/config/size 50",
		}},
		{"state", vpnPath, LeafOptions{Content: StateOnly}, []string{
			peerPath + "/state/as 200", peerPath + "/state/session-state established", peerPath + "/state/established-transitions 18446744073709551615",
			peerPath + "/state/last-reset/text \x01<\"é\\\n", peerPath + "/transport/state/local-address 10.1.1.1", peerPath + "/afi-safis/afi-safi[name=ipv4-unicast]/state/active true",
		}},
		{"operational", peerPath + "/state", LeafOptions{Content: Operational, Depth: 1}, []string{
			peerPath + "/state/session-state established", peerPath + "/state/established-transitions 18446744073709551615",
		}},
		{"depth 1", peerPath, LeafOptions{Depth: 1}, []string{peerPath + "/address 10.1.1.2"}},
		{"depth 2", peerPath, LeafOptions{Depth: 2, Content: ConfigOnly}, []string{
			peerPath + "/address 10.1.1.2", peerPath + "/config/address 10.1.1.2", peerPath + "/config/description a \"peer\"",
			peerPath + "/config/enabled true", peerPath + "/config/peer-group g1", peerPath + "/config/as 200", peerPath + "/config/local-as 4200000000",
		}},
		{"missing entry", "/bgp/instances/instance[name=x]", LeafOptions{Defaults: true}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := visit(t, m, tt.path, tt.o)
			if tt.name == "defaults" { // the other containers of the agent stand with their defaults
				got = slices.DeleteFunc(got, func(s string) bool { return strings.HasSuffix(s, "(default)") })
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Defaults are told for what no container has been made for, and once.
func TestLeavesDefaults(t *testing.T) {
	got := visit(t, newMemory(), "/agent", LeafOptions{Defaults: true})
	want := []string{
		"/agent/reset-control/config/max-concurrent 64 (default)", "/agent/reset-control/config/settle-timeout 30 (default)",
		"/agent/reset-control/config/guard-timeout 120 (default)", "/agent/reset-control/config/guard-prefix-percent 0 (default)",
		"/agent/history/config/size 100 (default)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLeavesStop(t *testing.T) {
	m := sample(t)
	for stop := 1; stop < 12; stop++ {
		calls := 0
		Leaves(m, nil, LeafOptions{}, func(*LeafValue) bool {
			calls++
			return calls < stop
		})
		if calls != stop {
			t.Errorf("%d calls after false at the %dth", calls, stop)
		}
		nodes := 0
		Match(m, path(t, "/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer"), LeafOptions{}, func(Path) bool {
			nodes++
			return nodes < stop
		})
		if nodes != min(stop, 2) {
			t.Errorf("%d matches after false at the %dth", nodes, stop)
		}
	}
}

// gnmi.md 14, 24
func TestMatch(t *testing.T) {
	m := withState(t, sample(t))
	peer6 := vpnPath + "/peers/peer[address=2001:db8::1]"
	tests := []struct {
		path string
		o    LeafOptions
		want []string
	}{
		{"/", LeafOptions{}, []string{"/"}},
		{vpnPath + "/peers/peer", LeafOptions{}, []string{peerPath, peer6}},
		{vpnPath + "/peers/peer", LeafOptions{Content: StateOnly}, []string{peerPath}},
		{vpnPath + "/peers/peer/timers", LeafOptions{}, []string{peerPath + "/timers"}},
		{vpnPath + "/peers/peer/config/as", LeafOptions{}, []string{peerPath + "/config/as", peer6 + "/config/as"}},
		{vpnPath + "/peers/peer/config/as", LeafOptions{Content: StateOnly}, nil},
		{vpnPath + "/peers/peer/config/enabled", LeafOptions{Defaults: true}, []string{peerPath + "/config/enabled", peer6 + "/config/enabled"}},
		{vpnPath + "/peers/peer/transport/authentication/config/password", LeafOptions{}, nil},
		{"/bgp/instances/instance[name=x]", LeafOptions{}, nil},
		{"/bgp/instances/instance[name=*]/vpn-instances", LeafOptions{}, []string{"/bgp/instances/instance[name=default]/vpn-instances"}},
		{peer6 + "/afi-safis/afi-safi", LeafOptions{}, []string{peer6 + "/afi-safis/afi-safi[name=ipv4-unicast]", peer6 + "/afi-safis/afi-safi[name=vpnv4-unicast]"}},
		{peer6 + "/graceful-restart", LeafOptions{}, nil},
	}
	for _, tt := range tests {
		var got []string
		Match(m, path(t, tt.path), tt.o, func(p Path) bool {
			got = append(got, p.String())
			return true
		})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.path, diff)
		}
		if tt.o == (LeafOptions{}) && Exists(m, path(t, tt.path)) != (tt.want != nil) {
			t.Errorf("%s: exists %v", tt.path, tt.want == nil)
		}
	}
}
