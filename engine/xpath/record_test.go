package xpath

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

const bgpNS, vpnNS = "urn:mooring:yang:bgp", "urn:mooring:yang:vpn-instance"

var bgpScope = &Scope{
	Prefixes: map[string]string{"b": bgpNS, "v": vpnNS}, Default: bgpNS, Variables: []string{"PEER"},
}

const network = `{
	"vpn-instances":{"vpn-instance":[{"name":"vpn1","ipv4-family":{"config":{"route-distinguisher":"100:1","import-route-target":["100:1","100:2"]}}}]},
	"bgp":{"instances":{"instance":[{"name":"default","config":{"as":100},
		"vpn-instances":{"vpn-instance":[{"name":"vpn1",
			"peer-groups":{"peer-group":[{"name":"g1","config":{"as":300}}]},
			"peers":{"peer":[
				{"address":"10.1.1.2","config":{"as":200,"description":"one"},
				 "transport":{"config":{"connect-mode":"connect-only"},"authentication":{"config":{"method":"md5","password":"s3cret"}}}},
				{"address":"10.1.1.3","config":{"peer-group":"g1","enabled":false}},
				{"address":"2001:db8::1","config":{"as":65001},
				 "transport":{"authentication":{"config":{"method":"tcp-ao"},"keys":{"key":[{"key-id":10,"config":{"secret":"k"}},{"key-id":9,"config":{"secret":"l"}}]}}}}
			]}}]}}]}}}`

const peers = "/bgp/instances/instance[name='default']/vpn-instances/vpn-instance[name='vpn1']/peers/peer"

// counted is a View that tells how much of it was read.
type counted struct {
	memory
	gets, states, scanned int
}

func (c *counted) Get(k schema.Key) ygot.GoStruct {
	c.gets++
	return c.memory.Get(k)
}

func (c *counted) State(k schema.Key) ygot.GoStruct {
	c.states++
	return c.memory.State(k)
}

func (c *counted) Scan(p schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	c.memory.Scan(p, func(k schema.Key, rec ygot.GoStruct) bool {
		c.scanned++
		return fn(k, rec)
	})
}

// ScanEntries passes over what is below an entry.
func (c *counted) ScanEntries(p schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	c.memory.Scan(p, func(k schema.Key, rec ygot.GoStruct) bool {
		if strings.Contains(string(k[len(p):]), "\x00") {
			return true
		}
		c.scanned++
		return fn(k, rec)
	})
}

func paths(set []Node) string {
	out := make([]string, len(set))
	for i, n := range set {
		out[i] = strings.Replace(Item(n).Path().String(), "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]", "~", 1)
		if text, ok := n.Leaf(); ok {
			out[i] += "=" + text
		}
	}
	return strings.Join(out, " ")
}

// netconf.md 46 over the records of the agent.
func TestRecords(t *testing.T) {
	data := load(t, network)
	tests := []struct{ expr, want string }{
		{peers + "[address='10.1.1.2']/config/description", "~/peers/peer[address=10.1.1.2]/config/description=one"},
		{peers + "/address", "~/peers/peer[address=10.1.1.2]/address=10.1.1.2 ~/peers/peer[address=10.1.1.3]/address=10.1.1.3 ~/peers/peer[address=2001:db8::1]/address=2001:db8::1"},
		{peers + "[address='2001:DB8:0::1']/config/as", "~/peers/peer[address=2001:db8::1]/config/as=65001"}, // canonical
		{peers + "[config/address='2001:DB8:0::1']/config/as", "~/peers/peer[address=2001:db8::1]/config/as=65001"},
		{"//config[address='2001:DB8:0::1']/as", "~/peers/peer[address=2001:db8::1]/config/as=65001"},
		{peers + "[address=$PEER]/config/enabled", "~/peers/peer[address=10.1.1.3]/config/enabled=false"},
		{peers + "[config/as='0200']/config/as", "~/peers/peer[address=10.1.1.2]/config/as=200"},
		{peers + "[config/as=200]/config/as", "~/peers/peer[address=10.1.1.2]/config/as=200"},
		{peers + "[config/as=200 and address='10.1.1.3']", ""},
		{peers + "[address='nobody']", ""},
		{peers + "[address='*']", ""},
		{peers + "[2]/address", "~/peers/peer[address=10.1.1.3]/address=10.1.1.3"},
		{peers + "[address='10.1.1.3'][1]/address", "~/peers/peer[address=10.1.1.3]/address=10.1.1.3"},
		{peers + "[1][address='10.1.1.3']", ""},
		{"//peer[address='10.1.1.3']/config/peer-group", "~/peers/peer[address=10.1.1.3]/config/peer-group=g1"},
		{"//peer[not(config/as)]/address", "~/peers/peer[address=10.1.1.3]/address=10.1.1.3"},
		{"//key[key-id=9]/key-id", "~/peers/peer[address=2001:db8::1]/transport/authentication/keys/key[key-id=9]/key-id=9"},
		{"//key[key-id='09']/config/key-id", "~/peers/peer[address=2001:db8::1]/transport/authentication/keys/key[key-id=9]/config/key-id=9"},
		{"//key/key-id", "~/peers/peer[address=2001:db8::1]/transport/authentication/keys/key[key-id=9]/key-id=9 ~/peers/peer[address=2001:db8::1]/transport/authentication/keys/key[key-id=10]/key-id=10"},
		{"//password | //secret", ""}, // secrets cannot be found
		{"//*[contains(., 's3cret')]", ""},
		{"//v:import-route-target[. = '100:2']", "/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target=100:2"},
		{"//v:vpn-instance/v:name", "/vpn-instances/vpn-instance[name=_public_]/name=_public_ /vpn-instances/vpn-instance[name=vpn1]/name=vpn1"},
		{"/b:bgp//b:connect-mode[. = 'connect-only']/../../../b:address", "~/peers/peer[address=10.1.1.2]/address=10.1.1.2"},
		{"//peer/timers", ""}, // it holds nothing
		{"//peer-group/../../peers/peer[1]/address", "~/peers/peer[address=10.1.1.2]/address=10.1.1.2"},
		{"//peer[address='10.1.1.3']/preceding-sibling::*[1]/address", "~/peers/peer[address=10.1.1.2]/address=10.1.1.2"},
		// RFC 7950 10.3.1: the group that a peer names.
		{"deref(//peer/config/peer-group)", "~/peer-groups/peer-group[name=g1]/config/name=g1"},
		{"deref(//peer/config/peer-group)/../as", "~/peer-groups/peer-group[name=g1]/config/as=300"},
		{"deref(//vpn-instance/name)", "~/config/name=vpn1"},
		{"deref(//peer/config/as)", ""},
		{"//peer[re-match(address, '[0-9.]+')]/config/description", "~/peers/peer[address=10.1.1.2]/config/description=one"},
		{"//peer[enum-value(transport/config/connect-mode) = 1]/address", "~/peers/peer[address=10.1.1.2]/address=10.1.1.2"},
		{"//peer[address=//peer-group/name]", ""},
		{"//peer-group[name=//peer/config/peer-group]/name", "~/peer-groups/peer-group[name=g1]/name=g1"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			x, err := Compile(tt.expr, bgpScope)
			if err != nil {
				t.Fatal(err)
			}
			doc := NewDocument(Records(&schema.Tree{View: data, Content: schema.ConfigOnly}))
			set, err := x.Nodes(t.Context(), Context{Document: doc, Variables: map[string]string{"PEER": "10.1.1.3"}})
			if got := paths(set); got != tt.want || err != nil {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

// A must sees defaults and empty containers (RFC 7950 6.4.1), a filter only
// what is there.
func TestDefaults(t *testing.T) {
	data := load(t, network)
	x, err := Compile("count(//peer[config/enabled = 'true'][timers])", bgpScope)
	if err != nil {
		t.Fatal(err)
	}
	for defaults, want := range map[bool]float64{false: 0, true: 2} {
		doc := NewDocument(Records(&schema.Tree{View: data, Content: schema.ConfigOnly, Defaults: defaults}))
		if n, err := x.Number(t.Context(), Context{Document: doc}); n != want || err != nil {
			t.Errorf("defaults %v: %v, %v, want %v", defaults, n, err, want)
		}
	}
}

// State stands beside the configuration, and is rendered only where an
// expression looks at it.
func TestState(t *testing.T) {
	data := load(t, network)
	for k, rec := range data {
		if k.Kind().Letter == schema.KindPeer {
			st := schema.New(k)
			p := k.Kind().Node
			leaf := p.Child("state").Child("session-state")
			v, err := leaf.Type.Parse("established")
			if err != nil {
				t.Fatal(err)
			}
			if !schema.Empty(rec) && k.Name() != "10.1.1.3" {
				schema.SetLeaf(st, schema.Path{{Node: p.Child("state")}, {Node: leaf}}, v)
			}
			data["state"+k] = st
		}
	}
	tests := []struct {
		expr   string
		want   string
		states int
	}{
		{peers + "[state/session-state='established']/address", "~/peers/peer[address=10.1.1.2]/address=10.1.1.2 ~/peers/peer[address=2001:db8::1]/address=2001:db8::1", 3},
		{peers + "[config/as=200]/config/as", "~/peers/peer[address=10.1.1.2]/config/as=200", 0},
		{peers + "[address='10.1.1.2']/state/session-state", "~/peers/peer[address=10.1.1.2]/state/session-state=established", 1},
	}
	for _, tt := range tests {
		view := &counted{memory: data}
		x, err := Compile(tt.expr, bgpScope)
		if err != nil {
			t.Fatal(err)
		}
		set, err := x.Nodes(t.Context(), Context{Document: NewDocument(Records(&schema.Tree{View: view}))})
		if got := paths(set); got != tt.want || err != nil || view.states != tt.states {
			t.Errorf("%s\ngot  %s, %v, %d states\nwant %s, %d states", tt.expr, got, err, view.states, tt.want, tt.states)
		}
	}
}

// many is a configuration of n peers.
func many(t testing.TB, n int) memory {
	t.Helper()
	m := load(t, `{"vpn-instances":{"vpn-instance":[{"name":"vpn1"}]},"bgp":{"instances":{"instance":[{"name":"default","config":{"as":100},
		"vpn-instances":{"vpn-instance":[{"name":"vpn1"}]}}]}}}`)
	kind := schema.KindOf(schema.KindPeer)
	config := kind.Node.Child("config")
	as := schema.Path{{Node: config}, {Node: config.Child("as")}}
	vpn := schema.MakeKey(schema.MakeKey("", schema.KindOf(schema.KindInstance), "default"), schema.KindOf(schema.KindBGPVPNInstance), "vpn1")
	for i := range n {
		k := schema.MakeKey(vpn, kind, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		schema.SetLeaf(m.Mutable(k), as, schema.UintValue(uint64(64512+i%100)))
	}
	return m
}

// A predicate on the key goes straight to the record, wherever it stands, and
// whatever its other side is as long as it does not depend on the record.
func TestIndex(t *testing.T) {
	data := many(t, 1000)
	for _, expr := range []string{
		peers + "[address='10.0.1.1']/config/as",
		peers + "['10.0.1.1'=address]/config/as",
		peers + "[config/address='10.0.1.1']/config/as",
		peers + "[address=concat('10.0.', '1.1')]/config/as",
		peers + "[address=$PEER]/config/as",
		peers + "[config/as > 1 and address='10.0.1.1']/config/as",
		peers + "[config/as][address='10.0.1.1']/config/as",
		peers + "[address=current()" + peers + "[address='10.0.1.1']/address]/config/as",
		"/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer[address='10.0.1.1']/config/as",
		"//peer[address='10.0.1.1']/config/as",
	} {
		x, err := Compile(expr, bgpScope)
		if err != nil {
			t.Fatal(err)
		}
		view := &counted{memory: data}
		doc := NewDocument(Records(&schema.Tree{View: view, Content: schema.ConfigOnly}))
		set, err := x.Nodes(t.Context(), Context{Document: doc, Variables: map[string]string{"PEER": "10.0.1.1"}})
		if got := paths(set); got != "~/peers/peer[address=10.0.1.1]/config/as=64569" || err != nil {
			t.Errorf("%s: %s, %v", expr, got, err)
		}
		if view.gets+view.scanned > 40 {
			t.Errorf("%s: %d records were looked up and %d scanned", expr, view.gets, view.scanned)
		}
	}
}

// A plain path is a path of the model.
func TestPath(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"/", "/"},
		{"/bgp/instances/instance", "/bgp/instances/instance"},
		{peers + "[address='2001:DB8::1']/config", "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]/peers/peer[address=2001:db8::1]/config"},
		{"/bgp/instances/instance[name=$PEER]", "/bgp/instances/instance[name=x]"},
		{"/bgp/instances/instance[config/name='x']", ""}, // the entry may be without it
		{"//peer", ""},
		{"bgp", ""},
		{"/bgp/*", ""},
		{"/b:*", ""},
		{"/nothing", ""},
		{"/v:bgp", ""},
		{"/bgp/instances/instance[1]", ""},
		{"/bgp/instances/instance[config/as='1']", ""},
		{"/bgp/instances/instance[name='x' and config/as='1']", ""},
		{"/bgp/instances/instance[name!='x']", ""},
		{"/bgp/instances/instance[name='x'][config/as='1']", ""},
		{peers + "[address='x']", ""},
		{"/bgp | /bgp", ""},
		{"1", ""},
	}
	for _, tt := range tests {
		x, err := Compile(tt.expr, bgpScope)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := x.Path(map[string]string{"PEER": "x"})
		if ok != (tt.want != "") || ok && p.String() != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.expr, p, ok, tt.want)
		}
	}
}

// One root over several sources.
func TestDocument(t *testing.T) {
	doc := NewDocument(Records(&schema.Tree{View: load(t, network)}), parseXML(t, `<peer xmlns="`+bgpNS+`"><config><as>7</as></config></peer>`))
	x, err := Compile("//as | /peer/config", bgpScope)
	if err != nil {
		t.Fatal(err)
	}
	set, err := x.Nodes(t.Context(), Context{Document: doc})
	if got, want := show(set), "as=100 as=300 as=200 as=65001 config as=7"; got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if Item(set[0]) == nil || Item(set[5]) != nil || Item(doc) != nil {
		t.Error("whose node is whose?")
	}
}

// A keyed path costs as much at 100,000 peers as at 1,000; a scan for
// comparison.
func BenchmarkKeyed(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		view := schema.View(sorted(many(b, n)))
		for name, expr := range map[string]string{
			"path": peers + "[address='10.0.1.1']/config/as", "anywhere": "//peer[address='10.0.1.1']/config/as", "scan": peers + "[config/as='64513']/config/as",
		} {
			x, err := Compile(expr, bgpScope)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/peers=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					doc := NewDocument(Records(&schema.Tree{View: view, Content: schema.ConfigOnly}))
					if set, err := x.Nodes(b.Context(), Context{Document: doc}); err != nil || len(set) == 0 {
						b.Fatal(set, err)
					}
				}
			})
		}
	}
}
