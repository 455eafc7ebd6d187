package xpath

import (
	"slices"
	"sync"

	"mooring/engine/schema"
)

// Records is the tree of the records of package schema. State is rendered only
// for records of which an expression looks at the state.
func Records(t *schema.Tree) Source { return records{t.Root()} }

// Item returns the item that a node of Records is, nil for nodes of others.
func Item(n Node) *schema.Item {
	if i, ok := Element(n).(item); ok {
		return i.Item
	}
	return nil
}

type records struct{ root *schema.Item }

func (r records) Top(test Name, fn func(Node) bool) bool { return item{r.root}.Children(test, fn) }

func (r records) Owns(n Node) bool {
	_, ok := n.(item)
	return ok
}

// item is an item as a Node.
type item struct{ *schema.Item }

func nameOfNode(n *schema.Node) Name { return Name{n.Namespace, n.Name} }

// Name is the name of the item's node.
func (i item) Name() Name { return nameOfNode(i.Node()) }

// Parent is nil below the root.
func (i item) Parent() Node {
	p := i.Item.Parent()
	if p == nil || p.Parent() == nil {
		return nil
	}
	return item{p}
}

// Children stand as package schema encodes them: keys first, then in the order
// of the model.
func (i item) Children(test Name, fn func(Node) bool) bool {
	each := func(c *schema.Item) bool { return fn(item{c}) }
	n := i.Node()
	if test.Local != "" {
		c := n.Child(test.Local)
		return c == nil || !test.Matches(nameOfNode(c)) || i.Each(c, each)
	}
	for _, keys := range []bool{true, false} {
		for _, c := range n.Children {
			if c.IsKey() == keys && test.Matches(nameOfNode(c)) && !i.Each(c, each) {
				return false
			}
		}
	}
	return true
}

// Leaf is the canonical value.
func (i item) Leaf() (string, bool) {
	if !i.Node().IsLeaf() {
		return "", false
	}
	return i.Value().String(), true
}

// Compare orders siblings.
func (i item) Compare(sibling Node) int {
	if o, ok := sibling.(item); ok {
		return i.Item.Compare(o.Item)
	}
	return 0 // a text and an element: a leaf has nothing but its text
}

// Lookup goes straight to the entry of a list.
func (i item) Lookup(name Name, keys []Key) (Node, bool) {
	list := i.Node().Child(name.Local)
	if list == nil || !name.Matches(nameOfNode(list)) {
		return nil, true
	}
	if list.Kind != schema.List || len(list.Keys) != 1 {
		return nil, false
	}
	for _, k := range keys {
		if !isKeyOf(list, k) {
			continue
		}
		value, err := list.ParseKey(0, k.Text)
		if err != nil {
			return nil, true // no value of the type, so no entry has it
		}
		if found := i.Entry(list, value); found != nil {
			return item{found}, true
		}
		return nil, true
	}
	return nil, false
}

// isKeyOf says whether a wanted value is that of the key of a list: the key
// leaf, or config/<key>, which is the same value.
func isKeyOf(list *schema.Node, k Key) bool {
	key := list.Keys[0]
	if k.Number && key.Type.Kind != schema.ValueUint && key.Type.Kind != schema.ValueInt {
		return false // 010 is equal to 10 as a number
	}
	at := list
	for _, name := range k.Path {
		at = at.Child(name.Local)
		if at == nil || !name.Matches(nameOfNode(at)) {
			return false
		}
	}
	return at == key || at == key.Twin()
}

// Above leaves out what the model has no such node below.
func (i item) Above(name Name, fn func(Node) bool) bool {
	for _, c := range i.Node().Children {
		if !c.IsLeaf() && below()[c][name] && !i.Each(c, func(c *schema.Item) bool { return fn(item{c}) }) {
			return false
		}
	}
	return true
}

// below has the names of all nodes below a node.
var below = sync.OnceValue(func() map[*schema.Node]map[Name]bool {
	m := map[*schema.Node]map[Name]bool{}
	var visit func(n *schema.Node)
	visit = func(n *schema.Node) {
		m[n] = map[Name]bool{}
		for _, c := range n.Children {
			visit(c)
			for at := c.Parent; at != nil; at = at.Parent {
				m[at][nameOfNode(c)] = true
			}
		}
	}
	visit(schema.Root())
	return m
})

// Canonical is the canonical form of a value of the leaf's type.
func (i item) Canonical(value string, _ *Scope) string {
	if i.Node().IsLeaf() {
		if v, err := i.Node().Type.Parse(value); err == nil {
			return v.String()
		}
	}
	return value
}

// Enum is the integer of an enumeration's value. The model gives none, so they
// count from 0 (RFC 7950 9.6.4.2).
func (i item) Enum() (int64, bool) {
	if !i.Node().IsLeaf() || i.Node().Type.Kind != schema.ValueEnum {
		return 0, false
	}
	return int64(slices.Index(i.Node().Type.Enums, i.Value().String())), true
}

// Deref calls fn for the leaves that a leafref refers to: those of its target
// with the same value that have all ancestors in common that they can.
func (i item) Deref(fn func(Node) bool) bool {
	if !i.Node().IsLeaf() || i.Node().Type.Leafref == nil {
		return true
	}
	var down []*schema.Node
	for target := i.Node().Type.Leafref; ; target = target.Parent {
		for up := i.Item; up != nil; up = up.Parent() {
			if up.Node() == target {
				slices.Reverse(down)
				return descend(up, down, i.Value().String(), fn)
			}
		}
		down = append(down, target) // the root is above both
	}
}

// descend calls fn for the leaves with a value at the end of a way down.
func descend(at *schema.Item, down []*schema.Node, value string, fn func(Node) bool) bool {
	if len(down) == 0 {
		return at.Value().String() != value || fn(item{at})
	}
	next := func(c *schema.Item) bool { return descend(c, down[1:], value, fn) }
	if n := down[0]; n.Kind == schema.List && len(down) > 1 {
		last := down[len(down)-1]
		if key := n.Keys[0]; last == key || last == key.Twin() {
			if e := at.Entry(n, value); e != nil {
				return next(e)
			}
			return true
		}
	}
	return at.Each(down[0], next)
}
