package xmltree

import (
	"cmp"
	"strings"

	"mooring/engine/xpath"
)

// Node is an element as a node that XPath expressions walk in.
type Node struct {
	e         *Element
	up        *Node
	namespace string
	index     int // among its siblings
}

// AsNode returns e, whose own namespace is set, as a top-level node.
func AsNode(e *Element) *Node { return &Node{e: e, namespace: e.Namespace} }

// Name is the namespace and name of the element.
func (n *Node) Name() xpath.Name { return xpath.Name{Namespace: n.namespace, Local: n.e.Name} }

// Parent is the element around it.
func (n *Node) Parent() xpath.Node {
	if n.up == nil {
		return nil
	}
	return n.up
}

// Children are the elements in it.
func (n *Node) Children(test xpath.Name, fn func(xpath.Node) bool) bool {
	for i := range n.e.Children {
		c := &Node{e: &n.e.Children[i], up: n, namespace: n.namespace, index: i}
		if c.e.Namespace != "" {
			c.namespace = c.e.Namespace
		}
		if test.Matches(c.Name()) && !fn(c) {
			return false
		}
	}
	return true
}

// Leaf is the text of an element without children.
func (n *Node) Leaf() (string, bool) { return n.e.Text, len(n.e.Children) == 0 }

// Compare orders siblings; top-level nodes are in the order of their names.
func (n *Node) Compare(sibling xpath.Node) int {
	o, ok := sibling.(*Node)
	if !ok {
		return 0
	}
	return cmp.Or(cmp.Compare(n.index, o.index), strings.Compare(n.e.Name, o.e.Name))
}

// Identity is the identity that the text names by one of the prefixes that the
// element declares.
func (n *Node) Identity() (xpath.Name, bool) {
	prefix, local, ok := strings.Cut(n.e.Text, ":")
	for _, p := range n.e.Prefixes {
		if ok && p.Name == prefix {
			return xpath.Name{Namespace: p.Namespace, Local: local}, true
		}
	}
	return xpath.Name{}, false
}

// Canonical is the text, where a value is the same identity with another
// prefix.
func (n *Node) Canonical(value string, scope *xpath.Scope) string {
	id, ok := n.Identity()
	prefix, local, qualified := strings.Cut(value, ":")
	if ok && qualified && local == id.Local && scope.Prefixes[prefix] == id.Namespace {
		return n.e.Text
	}
	return value
}

// Pick returns what is left of e when only some nodes are kept, with some
// levels of each as Limit counts them, beside the list keys on the way to them.
// It fails where none of the nodes is of e.
func (e *Element) Pick(nodes []xpath.Node, levels int) (Element, bool) {
	chosen := make(map[*Element]bool, len(nodes))
	for _, n := range nodes {
		if n, ok := xpath.Element(n).(*Node); ok {
			chosen[n.e] = true
		}
	}
	return e.pick(chosen, levels)
}

func (e *Element) pick(chosen map[*Element]bool, levels int) (Element, bool) {
	if chosen[e] {
		return e.Limit(levels), true
	}
	out, found := *e, false
	out.Children = nil
	for i := range e.Children {
		c := &e.Children[i]
		kept, ok := c.pick(chosen, levels)
		switch {
		case ok:
			out.Children, found = append(out.Children, kept), true
		case c.Key:
			out.Children = append(out.Children, *c)
		}
	}
	return out, found
}
