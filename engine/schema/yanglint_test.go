package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mooring/gen"
)

const modelDir = "../../yang"

// yanglint says for each document, in XML the content of a <config>, whether libyang
// accepts it as a whole configuration and prints it, else "": types, must, when, unique, mandatory,
// limits and leafrefs; what it prints has the defaults in it, so that it is never
// empty. All are read by one process, which would stop at the
// first fault if they were its arguments, so they are its commands.
func yanglint(t *testing.T, docs []lintDoc) (printed []string, output string) {
	t.Helper()
	program, err := exec.LookPath("yanglint")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("yanglint is missing: install libyang2-tools")
		}
		t.Skip("yanglint is missing: install libyang2-tools")
	}
	dir, err := os.MkdirTemp("", "mooring-yanglint")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	model, err := filepath.Abs(modelDir)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	fmt.Fprintf(&script, "searchpath %s\nload mooring-agent\nload mooring-bgp\nload mooring-vpn-instance\nload ietf-netconf-acm\n", model)
	for i, doc := range docs {
		if err := os.WriteFile(fmt.Sprintf("%s/%d.in", dir, i), []byte(doc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&script, "data -t config -F %s -f xml -d all -o %d.out %d.in\n", doc.format, i, i)
	}
	cmd := exec.Command(program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("yanglint: %v\n%s", err, out)
	}
	printed = make([]string, len(docs))
	for i := range docs {
		text, err := os.ReadFile(fmt.Sprintf("%s/%d.out", dir, i))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		printed[i] = string(text)
	}
	return printed, string(out)
}

// Our verdict on random configurations, valid and broken in each way, is that
// of libyang.
func TestValidateAgainstYanglint(t *testing.T) {
	const n = 600
	docs, ours := make([]lintDoc, n), make([]error, n)
	good := 0
	for i := range docs {
		docs[i] = lintDoc{format: "xml", text: randomConfig(rand.New(rand.NewPCG(uint64(i), 1)))}
		if _, ours[i] = newStore().commitXML(docs[i].text, OpMerge); ours[i] == nil {
			good++
		}
	}
	if good < n/5 || good > n*4/5 {
		t.Errorf("%d of %d random configurations are valid: the mix proves little", good, n)
	}
	everyFault(t, ours)
	theirs, _ := yanglint(t, docs)
	wrong := 0
	for i := range docs {
		if (theirs[i] != "") == (ours[i] == nil) {
			continue
		}
		if wrong++; wrong <= 3 {
			_, output := yanglint(t, docs[i:i+1])
			t.Errorf("configuration %d: ours %v, yanglint accepts = %v\n%s\n%s", i, ours[i], theirs[i] != "", output, docs[i].text)
		}
	}
	if wrong > 3 {
		t.Errorf("%d differences in all", wrong)
	}
}

// everyFault checks that the random configurations broke each must, when and
// unique of the model, and every other kind of constraint.
func everyFault(t *testing.T, errs []error) {
	t.Helper()
	seen := map[string]bool{}
	for _, err := range errs {
		for _, f := range faultsOf(err) {
			p, _ := Resolve(elems(t, f.Path))
			seen[p.Node().Path()+": "+f.Tag+" "+f.App] = true
			seen[p.Node().Path()+": "+f.Message] = true
		}
	}
	var want []string
	for i := range gen.Nodes {
		m, n := &gen.Nodes[i], compiled().data[i]
		if !m.Config || m.Module == accessModule {
			continue // the random configurations have none of it
		}
		for _, must := range m.Must {
			want = append(want, n.Path()+": "+must.Message)
		}
		if m.When != "" {
			want = append(want, n.Path()+": unknown-element ")
		}
		for _, u := range m.Unique {
			want = append(want, n.descendant(u[0]).Path()+": operation-failed data-not-unique")
		}
		if m.Mandatory {
			want = append(want, n.Path()+": data-missing ")
		}
		if m.MaxElements > 0 && n.Name != "export-route-target" {
			want = append(want, n.Path()+": operation-failed too-many-elements")
		}
		if n.Type != nil && n.Type.Leafref != nil && n.Type.Leafref != n.twin {
			want = append(want, n.Path()+": data-missing instance-required")
		}
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("no random configuration has the fault %s", w)
		}
	}
}

// randomXML writes configurations.
type randomXML struct {
	*rand.Rand
	strings.Builder
	risk int // one in so many choices is made without care
}

// randomConfig returns a configuration in which most choices respect the
// model's constraints.
func randomConfig(r *rand.Rand) string {
	g := &randomXML{Rand: r, risk: []int{1000, 60, 25}[r.IntN(3)]}
	vpns := []string{"_public_", "a", "b", "c"}[:1+r.IntN(4)]
	g.open(`vpn-instances ` + vpnXMLNS)
	for i, name := range vpns {
		g.vpnInstance(name, i)
	}
	g.end("vpn-instances")
	g.open(`bgp ` + bgpXMLNS)
	g.open("instances")
	for _, name := range []string{"default", "two"}[:1+r.IntN(2)] {
		g.open("instance")
		g.keyed("name", name, func() {
			if !g.bad() {
				g.leaf("as", "100")
			}
			g.maybe("router-id", "1.1.1.1", "192.0.2.1")
		})
		g.open("vpn-instances")
		for _, v := range vpns {
			if g.IntN(2) == 0 {
				g.bgpVPN(v)
			}
		}
		if g.bad() {
			g.bgpVPN("nowhere")
		}
		g.end("vpn-instances")
		g.end("instance")
	}
	g.end("instances")
	g.end("bgp")
	return g.String()
}

func (g *randomXML) bad() bool             { return g.IntN(g.risk) == 0 }
func (g *randomXML) likely() bool          { return g.IntN(3) > 0 }
func (g *randomXML) open(name string)      { g.WriteString("<" + name + ">") }
func (g *randomXML) end(name string)       { g.WriteString("</" + name + ">") }
func (g *randomXML) leaf(n, v string)      { g.WriteString("<" + n + ">" + v + "</" + n + ">") }
func (g *randomXML) in(n string, f func()) { g.open(n); f(); g.end(n) }

// maybe writes a leaf, or not.
func (g *randomXML) maybe(name string, values ...string) {
	if g.IntN(3) == 0 {
		g.leaf(name, values[g.IntN(len(values))])
	}
}

// keyed writes the key of an entry and its config container.
func (g *randomXML) keyed(key, value string, rest func()) {
	g.leaf(key, value)
	g.in("config", func() {
		g.leaf(key, value)
		rest()
	})
}

func (g *randomXML) vpnInstance(name string, i int) {
	g.open("vpn-instance")
	g.keyed("name", name, func() {
		g.maybe("description", "x", "")
		if name != "_public_" || g.bad() {
			if g.IntN(2) == 0 {
				g.leaf("vrf-device", "red")
			}
			if g.bad() {
				g.leaf("network-namespace", "blue")
			}
		}
	})
	for f, family := range []string{"ipv4-family", "ipv6-family"} {
		g.in(family, func() {
			g.in("config", func() {
				rd := i
				if g.bad() {
					rd = g.IntN(4)
				}
				if g.likely() {
					g.leaf("route-distinguisher", fmt.Sprintf("100:%d", rd))
				}
				targets := f + g.IntN(3)
				if g.bad() {
					targets = 65
				}
				for j := range targets {
					if g.bad() {
						j = 0
					}
					g.leaf("import-route-target", fmt.Sprintf("100:%d", j))
				}
			})
		})
	}
	g.end("vpn-instance")
}

func (g *randomXML) bgpVPN(name string) {
	g.open("vpn-instance")
	g.keyed("name", name, func() {
		listen := g.IntN(3)
		if g.bad() {
			listen = 9
		}
		for j := range listen {
			g.leaf("listen-address", fmt.Sprintf("10.0.0.%d", j))
		}
	})
	withAS := map[string]bool{}
	groups := []string{"g1", "g2", "g3"}[:g.IntN(4)]
	g.in("peer-groups", func() {
		for _, group := range groups {
			g.open("peer-group")
			g.keyed("name", group, func() {
				if withAS[group] = g.IntN(2) == 0; withAS[group] {
					g.leaf("as", "65001")
				}
			})
			g.session("")
			g.end("peer-group")
		}
	})
	g.in("peers", func() {
		for j := range g.IntN(4) {
			address, family := fmt.Sprintf("10.0.1.%d", j), "."
			if g.IntN(3) == 0 {
				address, family = fmt.Sprintf("2001:db8::%d", j+1), ":"
			}
			g.open("peer")
			g.keyed("address", address, func() { g.peerConfig(groups, withAS) })
			g.session(family)
			g.end("peer")
		}
	})
	g.end("vpn-instance")
}

func (g *randomXML) peerConfig(groups []string, withAS map[string]bool) {
	group := ""
	if len(groups) > 0 && g.IntN(2) == 0 {
		group = groups[g.IntN(len(groups))]
	}
	if g.bad() {
		group = "nobody"
	}
	if group != "" {
		g.leaf("peer-group", group)
	}
	if (!withAS[group] || g.IntN(2) == 0) && !g.bad() {
		g.leaf("as", "200")
	}
	g.maybe("enabled", "true", "false")
}
