package effective

import (
	"encoding/base64"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/schema"
)

var (
	vpn1    = bgp.InstanceKey{Instance: "default", VPN: "vpn1"}
	thePeer = bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.MustParseAddr("10.1.1.2")}
	router  = netip.MustParseAddr("192.0.2.1")
)

// records is a configuration in memory, of which nothing but Get is asked.
type records struct {
	schema.Reader
	of map[schema.Key]string // as JSON without the keys
	t  *testing.T
}

func (r records) Get(k schema.Key) ygot.GoStruct {
	text, ok := r.of[k]
	if !ok {
		return nil
	}
	name := "name"
	if k.Kind().Letter == schema.KindPeer {
		name = "address"
	}
	text = strings.Replace(`{"`+name+`":"`+k.Name()+`",`+text[1:], ",}", "}", 1)
	rec, err := schema.DecodeRecord(k.Kind(), []byte(text), func(b []byte) ([]byte, error) { return b, nil })
	if err != nil {
		r.t.Fatalf("%s: %v", k, err)
	}
	return rec
}

// configured has the peer and its group as given, and the rest of the example.
func configured(t *testing.T, peer, group string) *Config {
	return Of(records{t: t, of: map[schema.Key]string{
		schema.VPNInstanceKey("vpn1"):     `{"config":{"vrf-device":"red"}}`,
		schema.BGPInstanceKey("default"):  `{"config":{"as":100}}`,
		schema.BGPVPNInstanceKey(vpn1):    `{}`,
		schema.PeerGroupKey(vpn1, "core"): group,
		schema.PeerKey(thePeer):           peer,
	}}, router)
}

var originNames = [...]string{"peer", "group", "instance", "default", "route"}

// told is what is effective and where it came from, without defaults.
func told(p *Peer) map[string]string {
	out := map[string]string{}
	for i, name := range bgp.PeerLeaves() {
		if o := p.Origins[i]; o != FromDefault {
			out[name] = p.Spec.Value(i) + " " + originNames[o]
		}
	}
	return out
}

// A setting is the peer's own, else the group's, else the instance's or the
// default; what makes sense together only is inherited together.
func TestInheritance(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte("secret"))
	const member = `{"config":{"peer-group":"core"}`
	always := map[string]string{"config/local-as": "100 instance", Source: " route"}
	tests := []struct {
		name, peer, group string
		want              map[string]string // beyond always
	}{
		{"nothing", `{}`, `{"config":{"as":300}}`, nil},
		{"own", `{"config":{"as":200,"local-as":101}}`, `{}`, map[string]string{"config/as": "200 peer", "config/local-as": "101 peer"}},
		{
			"of the group", member + `}`, `{"config":{"as":300,"local-as":102},"timers":{"config":{"hold-time":30}}}`,
			map[string]string{"config/as": "300 group", "config/local-as": "102 group", "timers/config/hold-time": "30 group"},
		},
		{"own before the group's", `{"config":{"peer-group":"core","as":200}}`, `{"config":{"as":300}}`, map[string]string{"config/as": "200 peer"}},
		{
			"the TTL settings go together", member + `,"transport":{"config":{"ebgp-max-hop":5}}}`, `{"transport":{"config":{"valid-ttl-hops":1}}}`,
			map[string]string{"transport/config/ebgp-max-hop": "5 peer"},
		},
		{
			"the source goes together", member + `,"transport":{"connect-interface":{"config":{"interface":"eth0"}}}}`,
			`{"transport":{"connect-interface":{"config":{"source-address":"10.1.1.1"}}}}`,
			map[string]string{Source: " peer"},
		},
		{
			"authentication goes together", member + `,"transport":{"authentication":{"config":{"method":"none"}}}}`,
			`{"transport":{"authentication":{"config":{"method":"md5","password":"` + secret + `"}}}}`,
			map[string]string{"transport/authentication/config/method": "none peer", Password: " peer", keys: " peer"},
		},
		{
			"families go one by one", member + `,"afi-safis":{"afi-safi":[{"name":"ipv4-unicast","config":{"name":"ipv4-unicast","enabled":false}}]}}`,
			`{"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"},{"name":"ipv6-unicast"}]}}`,
			map[string]string{families: "ipv6-unicast group"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := configured(t, tt.peer, tt.group)
			p, ok := c.PeerWithOrigins(schema.PeerKey(thePeer))
			if !ok {
				t.Fatal("no such peer")
			}
			want := maps.Clone(always)
			maps.Copy(want, tt.want)
			if diff := cmp.Diff(want, told(&p)); diff != "" {
				t.Errorf("effective (-want +got):\n%s", diff)
			}
			if p.Query.VRFDevice != "red" || p.Query.Peer != thePeer.Address || p.Spec.RouterID != router {
				t.Errorf("of the instance: query %+v, router ID %v", p.Query, p.Spec.RouterID)
			}
			plain, _ := c.Peer(schema.PeerKey(thePeer))
			if leaves := bgp.DiffPeers(&plain.Spec, &p.Spec); plain.Origins != nil || len(leaves) > 0 {
				t.Errorf("without origins: %v, differs in %v", plain.Origins, leaves)
			}
		})
	}
}

func TestNoSuch(t *testing.T) {
	c := configured(t, `{}`, `{}`)
	other := bgp.InstanceKey{Instance: "default", VPN: "vpn2"}
	if in := c.Instance(other); in != nil {
		t.Errorf("instance %+v", in)
	}
	for _, k := range []bgp.PeerKey{
		{Instance: "default", VPN: "vpn1", Address: router}, {Instance: "default", VPN: "vpn2", Address: thePeer.Address},
	} {
		if p, ok := c.Peer(schema.PeerKey(k)); ok {
			t.Errorf("%v: %+v", k, p)
		}
	}
}

func TestSetSource(t *testing.T) {
	one, two := netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("10.1.1.9")
	several := srcaddr.Answer{Status: srcaddr.Ambiguous, Candidates: []netip.Addr{one, two}, Detail: "several"}
	tests := []struct {
		name    string
		spec    bgp.PeerSpec
		answer  srcaddr.Answer
		applied *bgp.PeerSpec
		source  netip.Addr
		down    bgp.DownReason
		warned  bool
	}{
		{"resolved", bgp.PeerSpec{}, srcaddr.Answer{Status: srcaddr.Resolved, Source: one, Interface: "eth0"}, nil, one, bgp.DownNone, false},
		{"the kernel chooses", bgp.PeerSpec{Source: one}, srcaddr.Answer{Status: srcaddr.Unbound}, nil, netip.Addr{}, bgp.DownNone, false},
		{"gone", bgp.PeerSpec{Source: one}, srcaddr.Answer{Status: srcaddr.NoAddress}, nil, netip.Addr{}, bgp.DownNoAddress, false},
		{"several", bgp.PeerSpec{}, several, nil, netip.Addr{}, bgp.DownAmbiguousSource, false},
		{"several, one in force", bgp.PeerSpec{}, several, &bgp.PeerSpec{Source: two, Interface: "eth0"}, two, bgp.DownNone, true},
		{"several, another in force", bgp.PeerSpec{}, several, &bgp.PeerSpec{Source: router}, netip.Addr{}, bgp.DownAmbiguousSource, false},
		{"disabled", bgp.PeerSpec{Down: bgp.DownDisabled}, srcaddr.Answer{Status: srcaddr.NoAddress}, nil, netip.Addr{}, bgp.DownDisabled, false},
	}
	for _, tt := range tests {
		s := tt.spec
		SetSource(&s, tt.answer, tt.applied)
		if s.Source != tt.source || s.Down != tt.down || (s.SourceWarning != "") != tt.warned {
			t.Errorf("%s: source %v, down %v, warning %q", tt.name, s.Source, s.Down, s.SourceWarning)
		}
	}
}
