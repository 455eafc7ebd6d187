package schema

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// element is a node of a random document, which need not fit the model.
type element struct {
	node         *Node // what it is an instance of, nil for none
	name, module string
	text         string // of a leaf
	kids         []*element
	raw          string // what is written instead of a leaf's value, or of the whole object in JSON
	before       string // what is written before the children
	attr         string // of the start tag in XML, with a space before it
}

func (e *element) leaf() bool { return e.node != nil && e.node.IsLeaf() }

// randomDoc draws documents along the model.
type randomDoc struct {
	*rand.Rand
	risk  int                // one value in so many is made without care, and one part of the structure
	known map[*Node][]string // values of the leaves that leafrefs name, as far as written
}

func (g *randomDoc) bad() bool { return g.IntN(g.risk) == 0 }

// document returns the top-level elements.
func (g *randomDoc) document() []*element {
	g.known = map[*Node][]string{}
	root := &element{node: Root()}
	for _, name := range []string{"vpn-instances", "bgp", "nacm", "agent"} { // leafrefs lead to the left
		if g.IntN(4) > 0 {
			n := Root().Child(name)
			root.kids = append(root.kids, g.container(n))
		}
	}
	if len(root.kids) == 0 { // yanglint wants a document
		return g.document()
	}
	return root.kids
}

func newElement(n *Node) *element { return &element{node: n, name: n.Name, module: n.Module} }

func (g *randomDoc) container(n *Node) *element {
	e := newElement(n)
	g.fill(e)
	return e
}

// fill gives e children that the model has there.
func (g *randomDoc) fill(e *element) {
	cases := map[string]string{}
	for _, c := range e.node.Children {
		if !c.Config {
			continue
		}
		if c.isKey && e.node.Kind == List {
			continue // entry wrote them
		}
		if c.Choice != "" && !g.bad() {
			if chosen, ok := cases[c.Choice]; ok && chosen != c.Case {
				continue
			}
		}
		more := g.children(c)
		if len(more) > 0 && c.Choice != "" {
			cases[c.Choice] = c.Case
		}
		e.kids = append(e.kids, more...)
	}
}

// children draws the instances of c in one parent.
func (g *randomDoc) children(c *Node) []*element {
	wanted := c.Mandatory && c.Choice == "" || c.twin != nil || c.Meta.When != "" || c.Name == "as" || c.Name == "interface-number" || g.IntN(3) == 0
	switch c.Kind {
	case Container:
		if g.IntN(3) == 0 && c.Name != "config" {
			return nil
		}
		return []*element{g.container(c)}
	case Leaf:
		if wanted == g.bad() || !g.applies(c) {
			return nil
		}
		return []*element{g.value(c)}
	case LeafList:
		var all []*element
		used := map[string]bool{}
		for range g.IntN(3) {
			if e := g.value(c); !used[e.text] || g.bad() {
				used[e.text] = true
				all = append(all, e)
			}
		}
		return all
	}
	if !g.applies(c) {
		return nil
	}
	var all []*element
	used := map[string]bool{}
	for range 1 + g.IntN(3) {
		entry := g.entry(c)
		if key := entry.kids[0].text; !used[key] || g.bad() {
			used[key] = true
			all = append(all, entry)
		}
	}
	return all
}

// applies says whether the node's when will be true, mostly.
func (g *randomDoc) applies(c *Node) bool {
	if c.Meta.When == "" || g.bad() {
		return true
	}
	want, _, _ := strings.Cut(c.Meta.When[strings.Index(c.Meta.When, "'")+1:], "'")
	return g.known[methodOf(c)] != nil && slices.Contains(g.known[methodOf(c)], want)
}

// methodOf is the leaf on which the whens of the model depend.
func methodOf(c *Node) *Node {
	for n := c; n != nil; n = n.Parent {
		if n.Name == "authentication" {
			return n.Child("config").Child("method")
		}
	}
	return nil
}

// entry draws an entry of a list, keys first. config/<key> repeats the key.
func (g *randomDoc) entry(n *Node) *element {
	for leaf := range g.known {
		if under(leaf, n) {
			delete(g.known, leaf)
		}
	}
	e := newElement(n)
	for _, k := range n.Keys {
		e.kids = append(e.kids, g.value(k))
	}
	g.fill(e)
	for _, c := range e.kids {
		for _, leaf := range c.kids {
			if leaf.node.twin != nil && !g.bad() {
				leaf.text = e.kids[0].text
			}
		}
	}
	for _, k := range e.kids[:len(n.Keys)] {
		g.known[k.node] = append(g.known[k.node], k.text)
		if k.node.twin != nil {
			g.known[k.node.twin] = append(g.known[k.node.twin], k.text)
		}
	}
	return e
}

// under says whether n is a descendant of an entry of list, but not its key.
func under(n, list *Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p == list {
			return !n.isKey && (n.twin == nil || n.twin.Parent != list)
		}
	}
	return false
}

func (g *randomDoc) value(n *Node) *element {
	e := newElement(n)
	e.text = g.text(n)
	if there := g.targets(n); len(there) > 0 && !g.bad() {
		e.text = there[g.IntN(len(there))]
	}
	if methodOf(n) == n {
		g.known[n] = []string{e.text}
	}
	return e
}

// targets are the values that the leafref n may have; below bgp the key of a VPN
// instance is one whose own leaf is the leafref.
func (g *randomDoc) targets(n *Node) []string {
	if n.isKey && n.twin != nil && n.twin.Type.Leafref != nil && n.twin.Type.Leafref != n {
		n = n.twin
	}
	if n.Type.Leafref == nil {
		return nil
	}
	return g.known[n.Type.Leafref]
}

// text draws the lexical form of a value of n, sometimes one beside its type.
func (g *randomDoc) text(n *Node) string {
	t := n.Type
	if g.bad() {
		return g.near(n)
	}
	if s := usual[n.Name]; s != nil && t.Kind != ValueEnum {
		return s[g.IntN(len(s))]
	}
	if s := usual[t.Typedef]; s != nil {
		return s[g.IntN(len(s))]
	}
	switch t.Kind {
	case ValueBool:
		return []string{"true", "false"}[g.IntN(2)]
	case ValueEnum:
		return t.Enums[g.IntN(len(t.Enums))]
	case ValueUint, ValueInt:
		if len(t.meta.Ranges) > 0 {
			r := t.meta.Ranges[g.IntN(len(t.meta.Ranges))]
			return fmt.Sprint([]int64{r.Min, r.Max}[g.IntN(2)])
		}
		return fmt.Sprint(g.IntN(200))
	}
	return []string{"a", "b", "c d", "é", "x/y"}[g.IntN(5)]
}
