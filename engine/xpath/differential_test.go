package xpath

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mooring/engine/schema"
)

// plain returns an expression without what optimize has noted in it: //x is two
// steps again, no key is looked up, and every set is sorted.
func plain(x *Expr) *Expr { return &Expr{x.text, x.scope, plainExpr(x.root)} }

func plainExpr(x expr) expr {
	switch x := x.(type) {
	case *binary:
		return &binary{x.op, plainExpr(x.l), plainExpr(x.r)}
	case *negation:
		return &negation{plainExpr(x.of)}
	case *call:
		c := &call{fn: x.fn}
		for _, a := range x.args {
			c.args = append(c.args, plainExpr(a))
		}
		return c
	case *location:
		l := &location{absolute: x.absolute, filters: plainPredicates(x.filters)}
		if x.start != nil {
			l.start = plainExpr(x.start)
		}
		for _, s := range x.steps {
			if s.deep {
				l.steps = append(l.steps, step{axis: axisDescendantOrSelf, test: nodeTest{kind: testNode}})
			}
			l.steps = append(l.steps, step{axis: s.axis, test: s.test, predicates: plainPredicates(s.predicates)})
		}
		return l
	}
	return x
}

func plainPredicates(ps []predicate) []predicate {
	var out []predicate
	for _, p := range ps {
		out = append(out, predicate{plainExpr(p.of), p.positional})
	}
	return out
}

// sameAnswer compares an expression with its plain form on nodes without an
// index, and with the path of the model that it may be. It says whether there
// was an answer, and whether it was of something.
func sameAnswer(t *testing.T, text string, scope *Scope, sources ...Source) (answered, found bool) {
	t.Helper()
	x, err := Compile(text, scope)
	if err != nil {
		return false, false
	}
	var unindexed []Source
	for _, s := range sources {
		if r, ok := s.(records); ok {
			s = plainRecords{r}
		}
		unindexed = append(unindexed, s)
	}
	variables := map[string]string{"PEER": "10.1.1.3"}
	answer := func(x *Expr, steps int, sources ...Source) (string, error) {
		c := Context{Document: NewDocument(sources...), Variables: variables, Steps: steps}
		if !x.NodeSet() {
			return x.Text(context.Background(), c)
		}
		set, err := x.Nodes(context.Background(), c)
		return places(set), err
	}
	got, err := answer(x, 50_000, sources...)
	if err != nil {
		return false, false
	}
	want, err := answer(plain(x), 500_000, unindexed...)
	if err != nil {
		return false, false
	}
	if got != want {
		t.Errorf("%q\noptimised %s\nplain     %s", text, got, want)
	}
	if p, ok := x.Path(variables); ok && len(p) > 0 {
		if got := selected(sources[0].(records), p); got != want {
			t.Errorf("%q\nas a path %s\nplain     %s", text, got, want)
		}
	}
	return true, got != "" && got != "false" && got != "0" && got != "NaN"
}

// places tells where the nodes of a set are.
func places(set []Node) string {
	out := make([]string, len(set))
	for i, n := range set {
		var at []string
		for up := Element(n); up != nil; up = up.Parent() {
			name := up.Name().Local
			if it := plainItem(up); it != nil {
				name = it.Path().String()
				at = append(at, name)
				break
			}
			if e, ok := up.(*element); ok {
				name = fmt.Sprintf("%s#%d", name, e.index)
			}
			at = append(at, name)
		}
		slices.Reverse(at)
		out[i] = strings.Join(at, "/")
		if leaf, ok := n.Leaf(); ok {
			out[i] += "=" + leaf
		}
		if Element(n) != n {
			out[i] += "/text()"
		}
	}
	return strings.Join(out, "\n")
}

func plainItem(n Node) *schema.Item {
	if p, ok := n.(plainNode); ok {
		return p.i.Item
	}
	return Item(n)
}

// selected tells what a path of the model leads to.
func selected(r records, p schema.Path) string {
	at := []*schema.Item{r.root}
	for _, s := range p {
		var next []*schema.Item
		for _, i := range at {
			i.Each(s.Node, func(c *schema.Item) bool {
				if q := c.Path(); len(s.Keys) == 0 || slices.Equal(q[len(q)-1].Keys, s.Keys) {
					next = append(next, c)
				}
				return true
			})
		}
		at = next
	}
	set := make([]Node, len(at))
	for i := range at {
		set[i] = item{at[i]}
	}
	return places(set)
}

// dice makes expressions of bytes, so that the fuzzer can steer what is made.
type dice struct {
	bytes []byte
	used  int
}

func (d *dice) n(n int) int {
	d.used++
	if d.used > len(d.bytes) {
		return 0
	}
	return int(d.bytes[d.used-1]) % n
}

func (d *dice) one(of ...string) string { return of[d.n(len(of))] }

// name is a node test that often holds for something.
func (d *dice) name() string {
	return d.one("*", "b:*", "v:*", "node()", "text()", "peer", "peers", "config", "address", "as", "name", "key", "key-id", "instance", "vpn-instance",
		"v:vpn-instance", "v:name", "v:config", "peer-group", "transport", "authentication", "keys", "afi-safi", "peer-groups", "state", "b:instances", "bgp", "v:vpn-instances")
}

func (d *dice) value() string {
	return d.one("'10.1.1.2'", "'10.1.1.3'", "'2001:DB8::1'", "'2001:db8::1'", "'g1'", "'g2'", "'vpn1'", "'default'", "200", "'0200'", "9", "'09'", "10", "'10'", "true()",
		"$PEER", "concat('g', 1)", "//peer-group/name", "//address", "//nothing", "current()", "/bgp/instances/instance/name", "'ipv4-unicast'", "7", "'x'", "''")
}

// relative is a path from the context node.
func (d *dice) relative(depth int) string {
	out := ""
	if d.n(4) == 0 {
		out = d.one("../", ".//", "./", "descendant::", "self::", "following-sibling::", "preceding::", "ancestor-or-self::")
	}
	for i := range 1 + d.n(3) {
		if i > 0 {
			out += d.one("/", "/", "/", "//")
		}
		out += d.name()
		if depth > 0 && d.n(4) == 0 {
			out += "[" + d.predicate(depth-1) + "]"
		}
	}
	return out
}

func (d *dice) predicate(depth int) string {
	switch d.n(9) {
	case 0:
		return d.one("1", "2", "last()", "position() > 1", "position() mod 2 = 0", "position() = last()")
	case 1:
		return d.relative(depth)
	case 2:
		if depth > 0 {
			return d.one("not(", "boolean(", "count(//*) > 9 and (") + d.predicate(depth-1) + ")"
		}
	case 3, 4:
		if depth > 0 {
			return d.predicate(depth-1) + d.one(" and ", " and ", " or ") + d.predicate(depth-1)
		}
	case 5:
		return d.relative(depth) + d.one("!=", "<", ">=", "=") + d.value()
	case 6:
		return d.value() + "=" + d.one("address", "name", "config/address", "config/name", "v:name", "key-id", "config/as", ".", "../name")
	}
	return d.one("address", "name", "config/address", "config/name", "v:name", "key-id", "config/key-id", "config/as", ".", "b:*", "*") + "=" + d.value()
}

// expr is an absolute expression.
func (d *dice) expr() string {
	out := ""
	switch d.n(6) {
	case 0:
		out = "/bgp/instances/instance" + d.one("", "[name='default']", "[config/name='default']") + "/vpn-instances/vpn-instance" + d.one("", "[name='vpn1']", "[2]")
	case 1:
		out = "/v:vpn-instances"
	case 2:
		out = "/" + d.name()
	case 3:
		out = "(//" + d.name() + ")"
	}
	for range 1 + d.n(4) {
		out += d.one("/", "/", "//") + d.one("", "", "", "", "descendant::", "following-sibling::", "preceding-sibling::", "parent::", "ancestor::", "following::", "preceding::") + d.name()
		for range d.n(3) {
			out += "[" + d.predicate(2) + "]"
		}
	}
	switch d.n(12) {
	case 0:
		return "count(" + out + ")"
	case 1:
		return out + " | " + d.one("//peer", "//*[name='g1']", "/bgp", "//address/..")
	}
	return out
}

// data is a configuration.
func (d *dice) data(t testing.TB) Source {
	data := load(t, network)
	for range d.n(6) {
		vpn, address := d.one("vpn1", "vpn2"), d.one("10.1.1.2", "10.1.1.3", "10.1.1.9", "2001:db8::1", "fe80::1%eth0")
		merge(t, data, `{"vpn-instances":{"vpn-instance":[{"name":"`+vpn+`"}]},"bgp":{"instances":{"instance":[{"name":"default","vpn-instances":{"vpn-instance":[{"name":"`+vpn+`",
			"`+d.one(`peers":{"peer":[{"address":"`+address+`",`, `peer-groups":{"peer-group":[{"name":"`+d.one("g1", "g2", "200", "vpn1", "10.1.1.2")+`",`)+
			d.one(`"config":{"as":7}`, `"config":{"as":200,"description":"10.1.1.2"}`, `"timers":{"config":{"hold-time":9}}`,
				`"afi-safis":{"afi-safi":[{"name":"ipv4-unicast"},{"name":"ipv6-unicast","config":{"enabled":true}}]}`,
				`"transport":{"authentication":{"config":{"method":"tcp-ao"},"keys":{"key":[{"key-id":9},{"key-id":200}]}}}`)+`}]}}]}}]}}}`)
	}
	return Records(&schema.Tree{View: data, Content: []schema.Content{schema.ConfigOnly, schema.All}[d.n(2)], Defaults: d.n(2) == 0})
}

// aside is what the server makes up beside the records.
const aside = `<peers xmlns="` + bgpNS + `"><peer><address>10.1.1.2</address><config><as>7</as></config></peer><peer><address>10.1.1.9</address><name>g1</name></peer></peers>`

// TestOptimisedIsPlain: an optimisation changes no answer, on random
// expressions and random data.
func TestOptimisedIsPlain(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 1))
	answered, found := 0, 0
	for range 1500 {
		d := &dice{bytes: make([]byte, 160)}
		for i := range d.bytes {
			d.bytes[i] = byte(r.Uint32())
		}
		a, f := sameAnswer(t, d.expr(), bgpScope, d.data(t), parseXML(t, aside))
		if a {
			answered++
		}
		if f {
			found++
		}
	}
	if answered < 1200 || found < 120 {
		t.Errorf("%d answers, %d of something: they prove little", answered, found)
	}
}

// FuzzOptimised is TestOptimisedIsPlain with what the fuzzer makes.
func FuzzOptimised(f *testing.F) {
	r := rand.New(rand.NewPCG(10, 2))
	for range 20 {
		b := make([]byte, 120)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{bytes: b}
		sameAnswer(t, d.expr(), bgpScope, d.data(t), parseXML(t, aside))
	})
}

// TestWildcardWithValue: an equality below a wildcard chooses children of any
// name (XPath 1.0 2.3, 2.4).
func TestWildcardWithValue(t *testing.T) {
	const peer = "~/peers/peer[address=10.1.1.2]"
	data := load(t, network)
	for _, tt := range []struct{ expr, want string }{
		{"//*[b:address='10.1.1.2']", peer + " " + peer + "/config"},
		{"//b:*[b:address='10.1.1.2']", peer + " " + peer + "/config"},
		{"//b:*[address='10.1.1.2']/config/as", peer + "/config/as=200"},
		{"//b:peers/*[b:config/b:as=200]", peer},
		{"//peers/b:*[config/as=200 and address='10.1.1.2']", peer},
		{"//peers/*[config/address='10.1.1.2']", peer},
		{"//peers/*['10.1.1.2'=address]", peer},
		{"//peers/*[address=$PEER]/address", "~/peers/peer[address=10.1.1.3]/address=10.1.1.3"},
		{"/v:vpn-instances/*[v:name='vpn1']/v:name", "/vpn-instances/vpn-instance[name=vpn1]/name=vpn1"},
		{"/v:vpn-instances/v:*[v:name='vpn1'][1]/v:name", "/vpn-instances/vpn-instance[name=vpn1]/name=vpn1"},
		{"//keys/*[key-id=9]/key-id", "~/peers/peer[address=2001:db8::1]/transport/authentication/keys/key[key-id=9]/key-id=9"},
		{"//*[name=//peer/config/peer-group]/name", "~/peer-groups/peer-group[name=g1]/name=g1 ~/peer-groups/peer-group[name=g1]/config/name=g1"},
		{"//node()[address='10.1.1.2']/..", "~/peers " + peer},
		{"//peers/node()[address='10.1.1.2']", peer},
		{"//peers/*[address='10.1.1.2'][address='10.1.1.3']", ""},
		{"//peers/*[v:address='10.1.1.2']", ""},
	} {
		x, err := Compile(tt.expr, bgpScope)
		if err != nil {
			t.Fatal(err)
		}
		set, err := x.Nodes(t.Context(), Context{Document: NewDocument(Records(&schema.Tree{View: data})), Variables: map[string]string{"PEER": "10.1.1.3"}})
		if got := paths(set); got != tt.want || err != nil {
			t.Errorf("%s\ngot  %s, %v\nwant %s", tt.expr, got, err, tt.want)
		}
	}
}
