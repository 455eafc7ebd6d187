package ocview

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/schema"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		path string
		want string // the path, or part of the error
		tag  schema.Tag
	}{
		{"/", "/", 0},
		{theNeighbor, theNeighbor, 0},
		{"/openconfig-network-instance:network-instances/network-instance[name=DEFAULT]", "/network-instances/network-instance[name=DEFAULT]", 0},
		{theInstance + "/protocols/protocol[name=default][identifier=openconfig-policy-types:BGP]", theProtocol, 0},
		{theInstance + "/protocols/protocol[identifier=BGP]", theInstance + "/protocols/protocol[identifier=BGP][name=*]", 0},
		{theProtocol + "/bgp/neighbors/neighbor[neighbor-address=2001:DB8:0::1]", theProtocol + "/bgp/neighbors/neighbor[neighbor-address=2001:db8::1]", 0},
		{theNeighbor + "/afi-safis/afi-safi[afi-safi-name=openconfig-bgp-types:IPV6_UNICAST]", theNeighbor + "/afi-safis/afi-safi[afi-safi-name=IPV6_UNICAST]", 0},
		{"/interfaces", `no "interfaces" here`, schema.UnknownElement},
		{theNeighbor + "/route-reflector", `no "route-reflector" in neighbor`, schema.UnknownElement},
		{theNeighbor + "/config/peer-as/x", "peer-as is a leaf", schema.UnknownElement},
		{"/openconfig-bgp:network-instances", "openconfig-bgp", schema.UnknownNamespace},
		{theProtocol + "/bgp/neighbors/neighbor[address=10.1.1.2]", `"address" is not a key`, schema.BadElement},
		{theProtocol + "/bgp/neighbors[x=y]", "takes no keys", schema.BadElement},
		{theProtocol + "/bgp/neighbors/neighbor[neighbor-address=300.1.1.1]", "300.1.1.1", schema.InvalidValue},
		{theInstance + "/protocols/protocol[identifier=STATIC][name=x]", "must be one of BGP", schema.InvalidValue},
		{"/network-instances/network-instance[name=_public_]", "network instance DEFAULT", schema.InvalidValue},
		{theNeighbor + "/afi-safis/afi-safi[afi-safi-name=L2VPN_EVPN]", "must be one of", schema.InvalidValue},
	}
	for _, tt := range tests {
		p, err := Resolve(elems(tt.path))
		if err == nil {
			if p.String() != tt.want {
				t.Errorf("%s: %s, want %s", tt.path, p, tt.want)
			}
			continue
		}
		e, ok := errors.AsType[*schema.Error](err)
		if !ok || e.Tag != tt.tag || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %v with %q", tt.path, err, tt.tag, tt.want)
		}
	}
	if _, err := Resolve([]schema.Elem{{}}); err == nil {
		t.Error("an element without a name was resolved")
	}
}

func TestExpand(t *testing.T) {
	tests := []struct {
		path string
		n    int
		has  string // one of the paths, or part of the error
	}{
		{"/...", 1, "/"},
		{"/.../peer-as", 4, "/network-instances/network-instance/protocols/protocol/bgp/neighbors/neighbor/config/peer-as"},
		{theNeighbor + "/*/peer-as", 2, theNeighbor + "/state/peer-as"},
		{theNeighbor + "/.../.../hold-time", 2, theNeighbor + "/timers/config/hold-time"},
		{"/*/network-instance[name=x]", 1, "/network-instances/network-instance[name=x]"},
		{"/.../nonsense", 0, "no \"nonsense\""},
		{"/.../neighbor[neighbor-address=bad]", 0, "bad"},
		{"/...[a=b]/x", 0, "takes no keys"},
		{strings.Repeat("/x", 65), 0, "more elements"},
	}
	for _, tt := range tests {
		paths, err := Expand(elems(tt.path))
		if tt.n == 0 {
			if err == nil || !strings.Contains(err.Error(), tt.has) {
				t.Errorf("%s: %v, want %q", tt.path, err, tt.has)
			}
			continue
		}
		found := false
		for _, p := range paths {
			found = found || p.String() == tt.has
		}
		if err != nil || len(paths) != tt.n || !found {
			t.Errorf("%s: %v %v, want %d with %s", tt.path, paths, err, tt.n, tt.has)
		}
	}
}

// readable has two instances and state.
func readable(t *testing.T) *store {
	s := example(t)
	s.native(t, "/vpn-instances/vpn-instance[name=DEFAULT]", `{}`) // its name is another's in OpenConfig
	s.native(t, nativeInstance+"/vpn-instances/vpn-instance[name=_public_]/peers/peer[address=10.1.1.2]", `{"config":{"as":1}}`)
	s.native(t, nativePeer, `{"config":{"as":200},"afi-safis":{"afi-safi":[{"name":"vpnv4-unicast"}]}}`)
	s.state(t, nativePeer+"/state/session-state", "established")
	s.state(t, nativePeer+"/state/established-transitions", "2")
	s.state(t, nativePeer+"/state/as", "200")
	return s
}

func leafTexts(s *store, p schema.Path, o schema.LeafOptions) []string {
	var out []string
	Leaves(s, p, o, func(l *schema.LeafValue) bool {
		text := l.Path().String() + "="
		if l.Node.Kind == schema.LeafList {
			text += "list"
		}
		out = append(out, text+l.Value.String())
		return true
	})
	return out
}

// gnmi.md 13, 14, 18: wildcards give concrete paths; contents select.
func TestLeaves(t *testing.T) {
	s := readable(t)
	public := strings.Replace(theNeighbor, "vpn1", "DEFAULT", 1)
	tests := []struct {
		path string
		o    schema.LeafOptions
		want []string
	}{
		{"/network-instances/network-instance/config/name", schema.LeafOptions{}, []string{
			"/network-instances/network-instance[name=DEFAULT]/config/name=DEFAULT", theInstance + "/config/name=vpn1",
		}},
		{"/network-instances/network-instance/protocols/protocol/bgp/neighbors/neighbor/config/peer-as", schema.LeafOptions{}, []string{
			public + "/config/peer-as=1", theNeighbor + "/config/peer-as=200",
		}},
		{theNeighbor + "/config", schema.LeafOptions{Defaults: true}, []string{
			theNeighbor + "/config/neighbor-address=10.1.1.2", theNeighbor + "/config/enabled=true", theNeighbor + "/config/peer-as=200",
		}},
		{theNeighbor, schema.LeafOptions{Content: schema.Operational}, []string{
			theNeighbor + "/state/session-state=ESTABLISHED", theNeighbor + "/state/established-transitions=2",
		}},
		{theNeighbor, schema.LeafOptions{Content: schema.StateOnly, Depth: 2}, []string{
			theNeighbor + "/state/neighbor-address=10.1.1.2", theNeighbor + "/state/peer-as=200",
			theNeighbor + "/state/session-state=ESTABLISHED", theNeighbor + "/state/established-transitions=2",
		}},
		{theNeighbor, schema.LeafOptions{Depth: 1}, []string{theNeighbor + "/neighbor-address=10.1.1.2"}},
		{theNeighbor + "/afi-safis/afi-safi", schema.LeafOptions{Defaults: true, Content: schema.ConfigOnly}, []string{
			theNeighbor + "/afi-safis/afi-safi[afi-safi-name=L3VPN_IPV4_UNICAST]/afi-safi-name=L3VPN_IPV4_UNICAST",
			theNeighbor + "/afi-safis/afi-safi[afi-safi-name=L3VPN_IPV4_UNICAST]/config/afi-safi-name=L3VPN_IPV4_UNICAST",
			theNeighbor + "/afi-safis/afi-safi[afi-safi-name=L3VPN_IPV4_UNICAST]/config/enabled=true",
		}},
		{theProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.9.9.9]", schema.LeafOptions{}, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, leafTexts(s, oc(t, tt.path), tt.o)); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.path, diff)
		}
	}
	var paths []string
	Match(s, oc(t, theProtocol+"/bgp/neighbors/neighbor/transport"), schema.LeafOptions{}, func(p schema.Path) bool {
		paths = append(paths, p.String())
		return true
	})
	if len(paths) > 0 {
		t.Errorf("a container without data exists: %v", paths)
	}
}

func TestAppendJSON(t *testing.T) {
	s := readable(t)
	tests := []struct {
		path string
		o    schema.JSONOptions
		want string
	}{
		{theNeighbor + "/config/peer-as", schema.JSONOptions{IETF: true}, `200`},
		{theNeighbor + "/config/enabled", schema.JSONOptions{}, `true`},
		{theNeighbor + "/state/established-transitions", schema.JSONOptions{IETF: true}, `"2"`},
		{theNeighbor + "/state/established-transitions", schema.JSONOptions{}, `2`},
		{theInstance + "/config", schema.JSONOptions{IETF: true}, `{"openconfig-network-instance:name":"vpn1","openconfig-network-instance:type":"openconfig-network-instance-types:L3VRF"}`},
		{theNeighbor, schema.JSONOptions{Content: schema.StateOnly}, `{"neighbor-address":"10.1.1.2","state":{"neighbor-address":"10.1.1.2","peer-as":200,"session-state":"ESTABLISHED","established-transitions":2}}`},
		{theNeighbor + "/transport", schema.JSONOptions{}, `{}`},
		{theProtocol + "/bgp/peer-groups/peer-group", schema.JSONOptions{}, `[{"peer-group-name":"g1","config":{"peer-group-name":"g1"}}]`},
		{theProtocol + "/bgp", schema.JSONOptions{Depth: 3}, `{"global":{"config":{"as":100}},"peer-groups":{"peer-group":[{"peer-group-name":"g1"}]},"neighbors":{"neighbor":[{"neighbor-address":"10.1.1.2"}]}}`},
		{"/", schema.JSONOptions{IETF: true, Depth: 3}, `{"openconfig-network-instance:network-instances":{"network-instance":[{"name":"DEFAULT"},{"name":"vpn1"}]}}`},
		{theProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.9.9.9]", schema.JSONOptions{}, "no such data"},
		{theNeighbor + "/config/description", schema.JSONOptions{}, "no such data"},
	}
	for _, tt := range tests {
		text, err := AppendJSON(nil, s, oc(t, tt.path), tt.o)
		if err != nil {
			text = []byte(err.Error())
		}
		if tt.want == "no such data" && strings.Contains(string(text), tt.want) {
			continue
		}
		if diff := cmp.Diff(tt.want, string(text)); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.path, diff)
		}
	}
}
