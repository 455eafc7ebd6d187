package xpath

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mooring/engine/schema"
)

// settings are what a peer and its groups may have, right or wrong together.
var settings = []string{
	`"config":{"as":200}`, `"config":{"peer-group":"g1"}`, `"config":{"peer-group":"g2"}`,
	`"transport":{"config":{"valid-ttl-hops":2}}`, `"transport":{"config":{"ebgp-max-hop":1}}`, `"transport":{"config":{"ebgp-max-hop":5}}`,
	`"transport":{"connect-interface":{"config":{"interface-type":"LoopBack"}}}`, `"transport":{"connect-interface":{"config":{"interface-number":"1"}}}`,
	`"transport":{"connect-interface":{"config":{"source-address":"10.0.0.1"}}}`, `"transport":{"connect-interface":{"config":{"source-address":"2001:db8::2"}}}`,
	`"transport":{"authentication":{"config":{"method":"md5"}}}`, `"transport":{"authentication":{"config":{"method":"tcp-ao"}}}`,
	`"transport":{"authentication":{"config":{"password":"s"}}}`, `"transport":{"authentication":{"keys":{"key":[{"key-id":1,"config":{"secret":"k"}}]}}}`,
	`"timers":{"config":{"hold-time":0}}`, `"timers":{"config":{"hold-time":9}}`,
	`"timers":{"config":{"keepalive-interval":3}}`, `"timers":{"config":{"keepalive-interval":4}}`,
}

// TestModelConditions: what the validation of package schema says by hand of
// each must in the model is what the text of the must says.
func TestModelConditions(t *testing.T) {
	musts := map[string]*Expr{}
	compiled := func(n *schema.Node, text string) *Expr {
		if x := musts[n.Path()+text]; x != nil {
			return x
		}
		x, err := Compile(text, &Scope{Default: n.Namespace})
		if err != nil {
			t.Fatalf("%s: %v", n.Path(), err)
		}
		musts[n.Path()+text] = x
		return x
	}
	violations := 0
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		data := load(t, `{"vpn-instances":{"vpn-instance":[{"name":"vpn1"}`+[]string{"", `,{"name":"_public_","config":{"vrf-device":"red"}}`}[r.IntN(2)]+`]},
			"bgp":{"instances":{"instance":[{"name":"default","config":{"as":100},"vpn-instances":{"vpn-instance":[{"name":"vpn1",
			"peer-groups":{"peer-group":[{"name":"g1","config":{"as":300}},{"name":"g2"}]}}]}}]}}}`)
		for _, entry := range []string{`peers/peer/address/10.1.1.2`, `peers/peer/address/2001:db8::1`, `peer-groups/peer-group/name/g1`} {
			p := strings.Split(entry, "/")
			for _, s := range settings {
				if r.IntN(4) > 0 || p[0] == "peer-groups" && strings.Contains(s, "peer-group") {
					continue
				}
				merge(t, data, fmt.Sprintf(`{"bgp":{"instances":{"instance":[{"name":"default","vpn-instances":{"vpn-instance":[{"name":"vpn1","%s":{"%s":[{"%s":"%s",%s}]}}]}}]}}}`, p[0], p[1], p[2], p[3], s))
			}
		}
		tree := &schema.Tree{View: data, Content: schema.ConfigOnly, Defaults: true, Secrets: true}
		doc := NewDocument(Records(tree))
		var got []string
		var visit func(n Node)
		visit = func(n Node) {
			node := Item(n).Node()
			for _, m := range node.Meta.Must {
				holds, err := compiled(node, m.Expr).Bool(t.Context(), Context{Document: doc, Node: n})
				if err != nil {
					t.Fatal(err)
				}
				if !holds {
					got = append(got, Item(n).Path().String())
				}
			}
			n.Children(Name{}, func(c Node) bool { visit(c); return true })
		}
		doc.Children(Name{}, func(n Node) bool { visit(n); return true })
		var dirty []schema.Dirty
		for k, rec := range data {
			dirty = append(dirty, schema.Dirty{Key: k, New: rec})
		}
		var want []string
		for _, e := range schema.Validate(data, dirty) {
			if e.AppTag == schema.AppMustViolation {
				want = append(want, e.Path.String())
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("the texts say\n%s\nthe validation says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		violations += len(want)
	}
	if violations < 100 || len(musts) < 10 {
		t.Errorf("%d violations of %d musts prove little", violations, len(musts))
	}
}
