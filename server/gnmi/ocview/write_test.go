package ocview

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/engine/schema"
)

// What clients send: the whole of a neighbor as ygot marshals it, keys last,
// identities with their modules (gnmi.md 2, ygnmi).
func TestWriteWhole(t *testing.T) {
	s := newStore()
	s.write(t, schema.OpReplace, theProtocol, `{
	  "openconfig-network-instance:bgp": {
	    "global": {"config": {"as": 100, "router-id": "192.0.2.1"}},
	    "neighbors": {"neighbor": [{
	      "afi-safis": {"afi-safi": [{"afi-safi-name": "openconfig-bgp-types:IPV4_UNICAST",
	        "config": {"afi-safi-name": "openconfig-bgp-types:IPV4_UNICAST", "enabled": true}}]},
	      "config": {"auth-password": "secret", "description": "d", "enabled": true, "neighbor-address": "2001:DB8::2", "peer-as": 200, "peer-group": "g1"},
	      "ebgp-multihop": {"config": {"enabled": true, "multihop-ttl": 5}},
	      "graceful-restart": {"config": {"enabled": true, "restart-time": 120, "stale-routes-time": 360}},
	      "neighbor-address": "2001:DB8::2",
	      "timers": {"config": {"hold-time": 90, "keepalive-interval": 30}},
	      "transport": {"config": {"local-address": "2001:db8::1", "mtu-discovery": true, "passive-mode": false, "tcp-mss": 1400}}}]},
	    "peer-groups": {"peer-group": [{"config": {"peer-as": 300, "peer-group-name": "g1"}, "peer-group-name": "g1"}]}},
	  "openconfig-network-instance:config": {"identifier": "openconfig-policy-types:BGP", "name": "default"},
	  "openconfig-network-instance:identifier": "openconfig-policy-types:BGP",
	  "openconfig-network-instance:name": "default"}`)
	const peer = nativeBGPVPN + "/peers/peer[address=2001:db8::2]"
	want := `{"address":"2001:db8::2","config":{"address":"2001:db8::2","description":"d","enabled":true,"peer-group":"g1","as":200},` +
		`"transport":{"config":{"connect-mode":"both","ebgp-max-hop":5,"tcp-mss":1400,"path-mtu-discovery":true},` +
		`"connect-interface":{"config":{"source-address":"2001:db8::1"}},"authentication":{"config":{"method":"md5"}}},` +
		`"timers":{"config":{"hold-time":90,"keepalive-interval":30}},"graceful-restart":{"config":{"enabled":true,"restart-time":120,"stale-routes-time":360}},` +
		`"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":true}}]}}`
	if diff := cmp.Diff(want, s.nativeJSON(t, peer)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := s.nativeJSON(t, nativeInstance+"/config"); got != `{"name":"default","as":100}` {
		t.Errorf("instance: %s", got)
	}
	if s.records[schema.VPNInstanceKey("vpn1")] == nil {
		t.Error("the VPN instance was not made")
	}
	// And back, in JSON_IETF.
	text, err := AppendJSON(nil, s, oc(t, theProtocol+"/bgp/neighbors/neighbor[neighbor-address=2001:db8::2]/afi-safis"), schema.JSONOptions{IETF: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `{"openconfig-network-instance:afi-safi":[{"afi-safi-name":"openconfig-bgp-types:IPV4_UNICAST",`+
		`"config":{"afi-safi-name":"openconfig-bgp-types:IPV4_UNICAST","enabled":true}}]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A replace sets the mapped leaves of what it names, removes the entries that
// it does not name, and leaves alone what OpenConfig has no node for.
func TestReplace(t *testing.T) {
	const full = `{"config":{"as":200,"description":"d"},"transport":{"config":{"dscp":46,"local-port":1000,"tcp-mss":1400,"connect-mode":"connect-only"},` +
		`"connect-interface":{"config":{"interface":"lo1","source-address":"10.1.1.1"}}},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"},{"name":"vpnv4-unicast"}]}}`
	tests := []struct {
		name, at, value string
		want            string // of the native peer, without its key
	}{
		{
			"a leaf", theNeighbor + "/config/description", `"e"`,
			`{"address":"10.1.1.2","config":{"address":"10.1.1.2","description":"e","as":200},"transport":{"config":{"connect-mode":"connect-only","local-port":1000,"tcp-mss":1400,"dscp":46},"connect-interface":{"config":{"interface":"lo1","source-address":"10.1.1.1"}}},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast"}},{"name":"vpnv4-unicast","config":{"name":"vpnv4-unicast"}}]}}`,
		},
		{
			"a container with what it shows keeps both forms of the source", theNeighbor + "/transport/config", `{"tcp-mss":1300,"local-address":"10.1.1.1","passive-mode":false}`,
			`{"address":"10.1.1.2","config":{"address":"10.1.1.2","description":"d","as":200},"transport":{"config":{"connect-mode":"connect-only","local-port":1000,"tcp-mss":1300,"dscp":46},"connect-interface":{"config":{"interface":"lo1","source-address":"10.1.1.1"}}},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast"}},{"name":"vpnv4-unicast","config":{"name":"vpnv4-unicast"}}]}}`,
		},
		{
			"a container with nothing", theNeighbor + "/transport", `{}`,
			`{"address":"10.1.1.2","config":{"address":"10.1.1.2","description":"d","as":200},"transport":{"config":{"local-port":1000,"dscp":46}},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast"}},{"name":"vpnv4-unicast","config":{"name":"vpnv4-unicast"}}]}}`,
		},
		{
			"families", theNeighbor + "/afi-safis", `{"afi-safi":[{"afi-safi-name":"IPV4_UNICAST","config":{"enabled":false}}]}`,
			`{"address":"10.1.1.2","config":{"address":"10.1.1.2","description":"d","as":200},"transport":{"config":{"connect-mode":"connect-only","local-port":1000,"tcp-mss":1400,"dscp":46},"connect-interface":{"config":{"interface":"lo1","source-address":"10.1.1.1"}}},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":false}}]}}`,
		},
		{
			"the entry keeps what has no node", theNeighbor, `{"config":{"peer-as":300}}`,
			`{"address":"10.1.1.2","config":{"address":"10.1.1.2","as":300},"transport":{"config":{"local-port":1000,"dscp":46}}}`,
		},
		{
			"the list with the entry", theProtocol + "/bgp/neighbors", `{"neighbor":[{"neighbor-address":"10.1.1.2","config":{"peer-as":300}}]}`,
			`{"address":"10.1.1.2","config":{"address":"10.1.1.2","as":300},"transport":{"config":{"local-port":1000,"dscp":46}}}`,
		},
		{"the list without the entry", theProtocol + "/bgp/neighbors", `{"neighbor":[{"neighbor-address":"10.1.1.3"}]}`, nativePeer + ": there is no such data"},
		{"above the list", theProtocol + "/bgp", `{"global":{"config":{"as":100}}}`, nativePeer + ": there is no such data"},
		{"the root", "/", `{}`, nativePeer + ": there is no such data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := example(t)
			s.native(t, nativePeer, full)
			s.write(t, schema.OpReplace, tt.at, tt.value)
			if diff := cmp.Diff(tt.want, s.nativeJSON(t, nativePeer)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// An update adds and changes only what it names (gnmi.md 33).
func TestUpdateKeepsTheRest(t *testing.T) {
	s := example(t)
	s.native(t, nativePeer, `{"config":{"as":200,"description":"d"},"timers":{"config":{"hold-time":90}}}`)
	s.write(t, schema.OpMerge, "/network-instances", `{"network-instance":[{"name":"vpn1","protocols":{"protocol":[{"identifier":"BGP","name":"default",
		"bgp":{"neighbors":{"neighbor":[{"neighbor-address":"10.1.1.2","timers":{"config":{"keepalive-interval":30}}}]}}}]}}]}`)
	want := `{"address":"10.1.1.2","config":{"address":"10.1.1.2","description":"d","as":200},"timers":{"config":{"hold-time":90,"keepalive-interval":30}}}`
	if got := s.nativeJSON(t, nativePeer); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDelete(t *testing.T) {
	build := func(t *testing.T) *store {
		s := example(t)
		s.native(t, nativePeer, `{"config":{"as":200},"transport":{"config":{"dscp":46,"tcp-mss":1400},"authentication":{"config":{"method":"md5","password":"p"}}},"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"}]}}`)
		s.native(t, nativeBGPVPN+"/peers/peer[address=10.1.1.3]", `{"config":{"as":200}}`)
		s.native(t, "/vpn-instances/vpn-instance[name=vpn2]", `{}`)
		s.native(t, nativeInstance+"/vpn-instances/vpn-instance[name=vpn2]", `{}`)
		return s
	}
	present := func(s *store, k schema.Key) bool { return s.records[k] != nil }
	tests := []struct {
		name, at string
		check    func(*store) bool
	}{
		{"a leaf", theNeighbor + "/transport/config/tcp-mss", func(s *store) bool {
			return s.leafValue(t, nativePeer+"/transport/config/tcp-mss") == "-" && s.leafValue(t, nativePeer+"/transport/config/dscp") == "46"
		}},
		{"a leaf of all", theProtocol + "/bgp/neighbors/neighbor/config/peer-as", func(s *store) bool {
			return s.leafValue(t, nativePeer+"/config/as") == "-" && s.leafValue(t, nativeBGPVPN+"/peers/peer[address=10.1.1.3]/config/as") == "-"
		}},
		{"a secret", theNeighbor + "/config/auth-password", func(s *store) bool {
			return s.leafValue(t, nativePeer+"/transport/authentication/config/method") == "-" && s.leafValue(t, nativePeer+"/transport/authentication/config/password") == "-"
		}},
		{"a container", theNeighbor + "/transport", func(s *store) bool {
			return s.leafValue(t, nativePeer+"/transport/config/tcp-mss") == "-" && s.leafValue(t, nativePeer+"/transport/config/dscp") == "46"
		}},
		{"a family", theNeighbor + "/afi-safis/afi-safi[afi-safi-name=IPV4_UNICAST]", func(s *store) bool {
			return s.leafValue(t, nativePeer+"/afi-safis/afi-safi[name=ipv4-unicast]/name") == "-"
		}},
		{"families", theNeighbor + "/afi-safis", func(s *store) bool {
			return s.leafValue(t, nativePeer+"/afi-safis/afi-safi[name=ipv4-unicast]/name") == "-"
		}},
		{"an entry", theNeighbor, func(s *store) bool { return s.leafValue(t, nativePeer+"/address") == "-" && len(s.records) == 10 }},
		{"all entries", theProtocol + "/bgp/neighbors/neighbor[neighbor-address=*]", func(s *store) bool { return len(s.records) == 9 }},
		{"a protocol, not the last of its BGP instance", theProtocol, func(s *store) bool {
			return present(s, schema.BGPInstanceKey("default")) && !present(s, bgpVPNKey("default", "vpn1")) && present(s, schema.VPNInstanceKey("vpn1"))
		}},
		{"the last ones", "/network-instances/network-instance/protocols", func(s *store) bool {
			return !present(s, schema.BGPInstanceKey("default")) && present(s, schema.VPNInstanceKey("vpn1"))
		}},
		{"a network instance", theInstance, func(s *store) bool {
			return !present(s, schema.VPNInstanceKey("vpn1")) && !present(s, bgpVPNKey("default", "vpn1"))
		}},
		{"everything", "/", func(s *store) bool { return len(s.records) == len(schema.Permanent()) }},
		{"what is not there", theProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.9.9.9]/config/peer-as", func(s *store) bool { return len(s.records) == 11 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := build(t)
			s.remove(t, tt.at)
			if !tt.check(s) {
				t.Errorf("left: %v", s.records)
			}
		})
	}
}

// What cannot be is refused by path and with the tag that the native model
// would give (gnmi.md 35, 36, 40, 41, 42).
func TestRefused(t *testing.T) {
	m, r := schema.OpMerge, schema.OpReplace
	tests := []struct {
		op        schema.Op
		at, value string
		tag       schema.Tag
		want      string
	}{
		{m, theNeighbor, `{"neighbor-address":"10.1.1.3"}`, schema.InvalidValue, "contradicts"},
		{m, theNeighbor, `{"config":{"neighbor-address":"10.1.1.3"}}`, schema.InvalidValue, "contradicts"},
		{m, theNeighbor, `{"state":{"peer-as":1}}`, schema.InvalidValue, "config false"},
		{m, theNeighbor + "/state/peer-as", `1`, schema.InvalidValue, "config false"},
		{m, theNeighbor, `{"config":{"peer-as":0}}`, schema.InvalidValue, theNeighbor + "/config/peer-as"},
		{m, theNeighbor, `{"config":{"peer-as":null}}`, schema.InvalidValue, "found null"},
		{m, theNeighbor, `{"config":{"enabled":"true"}}`, schema.InvalidValue, "expected true or false, found a string"},
		{m, theNeighbor, `{"config":{"peer-as":1,"peer-as":2}}`, schema.BadElement, "twice"},
		{m, theNeighbor, `{"config":{"route-flap-damping":true}}`, schema.UnknownElement, `no "route-flap-damping" in config`},
		{m, theNeighbor, `{"apply-policy":{}}`, schema.UnknownElement, `no "apply-policy" in neighbor`},
		{m, theNeighbor, `{"openconfig-bgp:config":{}}`, schema.UnknownNamespace, "openconfig-bgp"},
		{m, theNeighbor, `{"config":{"peer-as":1}`, schema.MalformedMessage, theNeighbor},
		{m, theNeighbor, `{} {}`, schema.MalformedMessage, theNeighbor},
		{m, theNeighbor, `[]`, schema.InvalidValue, "expected an object, found an array"},
		{m, theNeighbor + "/config/peer-as", `{}`, schema.InvalidValue, "expected an integer, found an object"},
		{r, theNeighbor, `{}`, schema.InvalidValue, "delete the entry"},
		{r, theNeighbor + "/config/peer-as", `null`, schema.InvalidValue, "found null"},
		{m, theProtocol + "/bgp/neighbors", `{"neighbor":[{"config":{"peer-as":1}}]}`, schema.MissingElement, "no key neighbor-address"},
		{m, theProtocol + "/bgp/neighbors", `{"neighbor":[{"neighbor-address":"10.1.1.2"},{"neighbor-address":"10.1.1.2"}]}`, schema.OperationFailed, "twice"},
		{m, theProtocol + "/bgp/neighbors", `{"neighbor":{}}`, schema.InvalidValue, "expected an array"},
		{m, theProtocol + "/bgp/neighbors", `{"neighbor":[{"neighbor-address":"*"}]}`, schema.InvalidValue, "any entry"},
		{m, theInstance, `{"config":{"type":"DEFAULT_INSTANCE"}}`, schema.InvalidValue, "L3VRF"},
		{m, theInstance, `{"config":{"type":"L2VSI"}}`, schema.InvalidValue, "no"},
		{m, theNeighbor, `{"ebgp-multihop":{"config":{"enabled":false,"multihop-ttl":5}}}`, schema.InvalidValue, "multihop-ttl"},
		{m, theNeighbor, `{"ebgp-multihop":{"config":{"enabled":true,"multihop-ttl":1}}}`, schema.InvalidValue, "multihop-ttl"},
		{m, theNeighbor, `{"transport":{"config":{"local-address":"a b"}}}`, schema.InvalidValue, "local-address"},
		{m, theNeighbor, `{"afi-safis":{"afi-safi":[{"afi-safi-name":"L2VPN_EVPN"}]}}`, schema.InvalidValue, "no"},
	}
	for _, tt := range tests {
		err := WriteJSON(example(t), oc(t, tt.at), []byte(tt.value), tt.op)
		e, ok := errors.AsType[*schema.Error](err)
		if !ok || e.Tag != tt.tag || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want %v with %q", tt.at, tt.value, err, tt.tag, tt.want)
		}
	}
	if msg := example(t).refuse(t, m, theNeighbor, `{"config":{"auth-password":"`+strings.Repeat("geheim", 20)+`"}}`); strings.Contains(msg, "geheim") {
		t.Errorf("the text holds the secret: %s", msg)
	}
}

// Scalars, as PROTO carries them (gnmi.md 39).
func TestWriteScalar(t *testing.T) {
	tests := []struct {
		at   string
		v    schema.Scalar
		want string // read back, or part of the error
		ok   bool
	}{
		{"/config/peer-as", uint64(7), "7", true},
		{"/config/peer-as", int64(7), "7", true},
		{"/config/peer-as", "7", "7", true},
		{"/config/peer-as", int64(-1), "AS number", false},
		{"/config/peer-as", 1.5, "floating point", false},
		{"/config/peer-as", true, "found a boolean", false},
		{"/config/description", int64(5), `"5"`, true},
		{"/config/enabled", false, "false", true},
		{"/config/enabled", "false", "found a string", false},
		{"/config/enabled", []schema.Scalar{true}, "found a list", false},
		{"/config", "x", "send JSON", false},
		{"/transport/config/local-address", "lo1", `"lo1"`, true},
		{"/state/peer-as", uint64(7), "config false", false},
	}
	for _, tt := range tests {
		s := example(t)
		err := WriteScalar(s, oc(t, theNeighbor+tt.at), tt.v, schema.OpMerge)
		if (err == nil) != tt.ok || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s = %v: %v, want %s", tt.at, tt.v, err, tt.want)
		}
		if got := s.read(t, theNeighbor+tt.at, schema.All); tt.ok && got != tt.want {
			t.Errorf("%s = %v: read %s, want %s", tt.at, tt.v, got, tt.want)
		}
	}
}

// Leaf by leaf, in the orders in which clients send them.
func TestMultihop(t *testing.T) {
	const at = theNeighbor + "/ebgp-multihop/config"
	steps := func(s ...string) []string { return s }
	tests := []struct {
		steps []string // leaf=value, -leaf deletes; ! is refused
		want  string
	}{
		{steps("enabled=true", "multihop-ttl=5"), `{"enabled":true,"multihop-ttl":5}`},
		{steps("multihop-ttl=5", "enabled=true"), `{"enabled":true,"multihop-ttl":5}`},
		{steps("enabled=true"), `{"enabled":true,"multihop-ttl":255}`},
		{steps("multihop-ttl=5", "enabled=false"), `{"enabled":false}`},
		{steps("enabled=false", "!multihop-ttl=5"), `{"enabled":false}`},
		{steps("multihop-ttl=5", "-enabled"), `{}`},
		{steps("multihop-ttl=5", "-multihop-ttl"), `{"enabled":true,"multihop-ttl":255}`},
		{steps("enabled=false", "-multihop-ttl"), `{"enabled":false}`},
		{steps("-multihop-ttl", "-enabled"), `{}`},
		{steps("!multihop-ttl=1"), `{}`},
	}
	for _, tt := range tests {
		s := example(t)
		for _, step := range tt.steps {
			text, refused := strings.CutPrefix(step, "!")
			leaf, value, _ := strings.Cut(text, "=")
			if name, ok := strings.CutPrefix(leaf, "-"); ok {
				s.remove(t, at+"/"+name)
				continue
			}
			if err := WriteJSON(s, oc(t, at+"/"+leaf), []byte(value), schema.OpMerge); (err != nil) != refused {
				t.Errorf("%v: %v", step, err)
			}
		}
		if got := s.read(t, at, schema.ConfigOnly); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.steps, got, tt.want)
		}
	}
}

// One form of the source displaces the other; TCP-AO is not touched by what
// only means MD5.
func TestDisplacement(t *testing.T) {
	s := example(t)
	s.native(t, nativePeer, `{"transport":{"connect-interface":{"config":{"interface-type":"LoopBack","interface-number":"1","source-address":"10.1.1.1"}}}}`)
	s.write(t, schema.OpMerge, theNeighbor+"/transport/config/local-address", `"10.1.1.1"`)
	if got := s.nativeJSON(t, nativePeer+"/transport/connect-interface/config"); !strings.Contains(got, "LoopBack") {
		t.Errorf("writing what is shown took the interface away: %s", got)
	}
	s.write(t, schema.OpMerge, theNeighbor+"/transport/config/local-address", `"eth0"`)
	if got := s.nativeJSON(t, nativePeer+"/transport/connect-interface/config"); got != `{"interface":"eth0"}` {
		t.Errorf("interface: %s", got)
	}
	s.write(t, schema.OpMerge, theNeighbor+"/transport/config/local-address", `"10.1.1.9"`)
	if got := s.nativeJSON(t, nativePeer+"/transport/connect-interface/config"); got != `{"source-address":"10.1.1.9"}` {
		t.Errorf("address: %s", got)
	}
	const ao = `{"transport":{"authentication":{"config":{"method":"tcp-ao"},"keys":{"key":[{"key-id":1,"config":{"send-id":1,"receive-id":1,"secret":"s"}}]}}}}`
	s.native(t, nativePeer, ao)
	s.write(t, schema.OpReplace, theNeighbor, `{"config":{"peer-as":200}}`)
	if got := s.leafValue(t, nativePeer+"/transport/authentication/config/method"); got != "tcp-ao" {
		t.Errorf("method %s after a replace without a password", got)
	}
	s.write(t, schema.OpMerge, theNeighbor+"/config/auth-password", `"p"`)
	if got := s.nativeJSON(t, nativePeer+"/transport/authentication"); got != `{"config":{"method":"md5"}}` {
		t.Errorf("after a password: %s", got)
	}
}

// A write of the value that is there counts as written, for the reset policy
// "always".
func TestTouch(t *testing.T) {
	s := example(t)
	s.native(t, nativePeer, `{"config":{"as":200},"transport":{"config":{"connect-mode":"both"}}}`)
	s.touched = nil
	s.write(t, schema.OpMerge, theNeighbor, `{"config":{"peer-as":200},"transport":{"config":{"passive-mode":false}}}`)
	want := []string{
		nativePeer + " /bgp/instances/instance/vpn-instances/vpn-instance/peers/peer/config/as",
		nativePeer + " /bgp/instances/instance/vpn-instances/vpn-instance/peers/peer/transport/config/connect-mode",
	}
	if diff := cmp.Diff(want, s.touched); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
