package schema

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/openconfig/ygot/ygot"
)

// Tree is the data of a View as one tree of items, for code that walks in it
// in all directions, such as an XPath expression. Like its View it belongs to
// one goroutine.
type Tree struct {
	View    View
	Content Content
	// Defaults adds defaults in use and, as for a must (RFC 7950 6.4.1), each
	// container without presence whose parent exists. Without it a container is
	// there when it holds something.
	Defaults bool
	// Secrets adds secrets, for an expression of the model. One of a client must
	// not find them, whose answer would tell.
	Secrets bool
}

// Item is an instance of a node: a container, an entry of a list, a leaf or
// one value of a leaf-list. State is only read when an item needs it.
type Item struct {
	tree   *Tree
	parent *Item // nil for the root
	n      *Node
	key    Key           // of the record
	cfg    reflect.Value // the struct, of a container or an entry
	st     reflect.Value // the same for state, once it is loaded
	loaded bool
	value  Value // of a leaf or leaf-list; of an entry within a record, its key
	order  int   // of a value in its leaf-list, or of an entry in a list that the user orders
}

// Root returns the item above all others. Its node is Root().
func (t *Tree) Root() *Item { return &Item{tree: t, n: Root(), loaded: true} }

// Node returns the node that i is an instance of.
func (i *Item) Node() *Node { return i.n }

// Parent returns the item above, nil for the root.
func (i *Item) Parent() *Item { return i.parent }

// Value returns the value of a leaf, or of this one entry of a leaf-list.
func (i *Item) Value() Value { return i.value }

// Path returns the path to i. One entry of a leaf-list has the path of all.
func (i *Item) Path() Path {
	var p Path
	for ; i.parent != nil; i = i.parent {
		s := Step{Node: i.n}
		if i.n.Kind == List {
			s.Keys = []string{i.entryKey()}
		}
		p = append(p, s)
	}
	slices.Reverse(p)
	return p
}

func (i *Item) entryKey() string {
	if i.n.kind != nil {
		return i.key.Name()
	}
	return i.value.String()
}

// Compare orders items of one parent as they stand in a document: keys first,
// then in the order of the model, entries by their key.
func (i *Item) Compare(o *Item) int {
	switch {
	case i.n != o.n && i.n.isKey != o.n.isKey:
		if i.n.isKey {
			return -1
		}
		return 1
	case i.n != o.n:
		return cmp.Compare(i.n.index, o.n.index)
	case i.n.kind != nil:
		return strings.Compare(string(i.key), string(o.key))
	case i.n.Kind == List && !i.n.OrderedByUser:
		return compareValues(i.value, o.value)
	}
	return cmp.Compare(i.order, o.order)
}

// Each calls fn for each instance of c, a child of i's node, in order. It
// stops and returns false when fn does.
func (i *Item) Each(c *Node, fn func(*Item) bool) bool {
	switch {
	case c.IsLeaf():
		return i.eachValue(c, fn)
	case c.kind != nil && !c.kind.Singleton:
		return i.eachRecord(c, fn)
	case c.Kind == List:
		for at, e := range (place{i.key, i.cfg, i.state()}).entries(nil, c) {
			if !fn(i.entry(c, e, at)) {
				return false
			}
		}
		return true
	}
	if sub := i.container(c); sub != nil {
		return fn(sub)
	}
	return true
}

// Entry returns the entry of the list c, a child of i's node, with a canonical
// key, nil for none.
func (i *Item) Entry(c *Node, key string) *Item {
	if c.kind != nil {
		k := MakeKey(i.key, c.kind, key)
		if rec := i.tree.View.Get(k); rec != nil {
			return &Item{tree: i.tree, parent: i, n: c, key: k, cfg: structOf(rec)}
		}
		return nil
	}
	if c.OrderedByUser { // such a list is short, and the place in it counts
		var found *Item
		i.Each(c, func(e *Item) bool {
			if e.value.String() == key {
				found = e
			}
			return found == nil
		})
		return found
	}
	at := place{i.key, i.cfg, i.state()}.entry(c, key)
	v, err := c.Keys[0].Type.Parse(key)
	if !at.valid() || err != nil {
		return nil
	}
	return i.entry(c, placeEntry{v, at}, 0)
}

func (i *Item) entry(c *Node, e placeEntry, order int) *Item {
	return &Item{tree: i.tree, parent: i, n: c, key: i.key, cfg: e.place.cfg, st: e.place.st, loaded: true, value: e.key, order: order}
}

func (i *Item) eachRecord(c *Node, fn func(*Item) bool) bool {
	prefix, more := i.key.childPrefix(c.kind), true
	ScanEntries(i.tree.View, prefix, func(k Key, rec ygot.GoStruct) bool {
		more = fn(&Item{tree: i.tree, parent: i, n: c, key: k, cfg: structOf(rec)})
		return more
	})
	return more
}

// container returns the instance of the container c, nil where there is none.
func (i *Item) container(c *Node) *Item {
	sub := &Item{tree: i.tree, parent: i, n: c, key: i.key}
	switch {
	case c.kind != nil:
		sub.key = MakeKey(i.key, c.kind)
		sub.cfg = structOf(i.tree.View.Get(sub.key))
	case c.spine:
		if !i.tree.Defaults && !hasRecords(i.tree.View, c, i.key, i.tree.Content) {
			return nil
		}
		return sub
	default:
		sub.cfg = c.sub(i.cfg)
	}
	if i.tree.Defaults && !c.Presence && (i.tree.Content.config() || !c.Config) || sub.holds() {
		return sub
	}
	return nil
}

// holds says whether the container i holds something. It looks at state only
// where that decides.
func (i *Item) holds() bool {
	v, c := i.tree.View, i.tree.Content
	if c.config() && i.cfg.IsValid() && (i.n.Presence || hasData(v, i.n, place{key: i.key, cfg: i.cfg}, ConfigOnly)) {
		return true
	}
	return i.n.state && c.state() && hasData(v, i.n, place{i.key, i.cfg, i.state()}, c)
}

// state returns the struct of i in the state of the record.
func (i *Item) state() reflect.Value {
	if i.loaded {
		return i.st
	}
	i.loaded = true
	switch {
	case !i.tree.Content.state() || !i.n.state:
	case i.n.kind != nil:
		i.st = structOf(i.tree.View.State(i.key))
	case !i.n.spine:
		i.st = i.n.sub(i.parent.state())
	}
	return i.st
}

// eachValue calls fn for the leaf c, or for each entry of the leaf-list.
func (i *Item) eachValue(c *Node, fn func(*Item) bool) bool {
	if c.Secret && !i.tree.Secrets || !c.isKey && !i.tree.Content.takes(c) {
		return true
	}
	sv := i.cfg
	if !c.Config || c.isKey && !sv.IsValid() {
		sv = i.state()
	}
	var vs []Value
	switch {
	case !c.isSet(sv):
		if h := hiderOf(i.tree.View); h != nil && h.Hides(i.key, c) {
			break
		}
		if i.tree.Defaults && c.Choice == "" && c.Meta.When == "" && i.inUse() {
			vs = c.defaults()
		}
	case c.Kind == Leaf:
		v, _ := c.value(sv)
		return fn(&Item{tree: i.tree, parent: i, n: c, key: i.key, loaded: true, value: v})
	default:
		vs = c.values(sv)
	}
	for at, v := range vs {
		if !fn(&Item{tree: i.tree, parent: i, n: c, key: i.key, loaded: true, value: v, order: at}) {
			return false
		}
	}
	return true
}

// inUse says whether i is configured, or a container without presence in such
// a place, so that the defaults of its leaves are in use.
func (i *Item) inUse() bool {
	for i.n.Kind == Container && !i.n.Presence && i.parent != nil && !i.cfg.IsValid() {
		i = i.parent
	}
	return i.parent == nil || i.cfg.IsValid()
}
