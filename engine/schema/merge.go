package schema

import (
	"reflect"

	"github.com/openconfig/ygot/ygot"
)

// Merge returns theirs with the changes that lead from base to mine, leaf by
// leaf, and whether both changed the same leaf, the same list entry or the order
// of a list of the user differently: there mine wins. All three are of one record; none is changed.
func Merge(base, mine, theirs ygot.GoStruct) (merged ygot.GoStruct, conflict bool) {
	merged = Clone(theirs)
	m := merger{}
	m.structs(kindOfRecord(mine).Node, structOf(base), structOf(mine), structOf(merged))
	return merged, m.conflict
}

type merger struct{ conflict bool }

// structs brings the changes from base to mine into out, which begins as
// theirs. base and mine may be absent.
func (m *merger) structs(n *Node, base, mine, out reflect.Value) {
	for _, c := range n.Children {
		switch {
		case c.spine || c.kind != nil:
		case c.IsLeaf():
			m.leaf(c, base, mine, out)
		case c.Kind == List:
			m.list(c, base, mine, out)
		case c.isSet(base) || c.isSet(mine):
			m.structs(c, c.sub(base), c.sub(mine), c.ensure(out))
			if !c.isSet(mine) && empty(c, c.sub(out)) {
				c.unset(out)
			}
		}
	}
}

func (m *merger) leaf(n *Node, base, mine, out reflect.Value) {
	if n.sameLeaf(base, mine) || n.sameLeaf(mine, out) {
		return
	}
	m.conflict = m.conflict || !n.sameLeaf(base, out)
	if !n.isSet(mine) {
		n.unset(out)
		return
	}
	out.Field(n.field).Set(mine.Field(n.field)) // leaves are replaced, never written through
	if n.Choice != "" {
		n.clearOtherCases(out)
	}
}

func (m *merger) list(n *Node, base, mine, out reflect.Value) {
	var theirOrder []string
	if n.OrderedByUser {
		theirOrder = keysOf(n.entries(out))
	}
	for _, e := range n.entries(base) {
		key := e.key.String()
		if n.entry(mine, key).IsValid() {
			continue
		}
		if theirs := n.entry(out, key); theirs.IsValid() {
			m.conflict = m.conflict || !equal(n, e.sv, theirs)
			n.removeEntry(out, key)
		}
	}
	for _, e := range n.entries(mine) {
		key := e.key.String()
		was, theirs := n.entry(base, key), n.entry(out, key)
		switch {
		case theirs.IsValid():
			m.conflict = m.conflict || !was.IsValid() && !equal(n, e.sv, theirs) // both made it
			m.structs(n, was, e.sv, theirs)
		case !was.IsValid():
			n.ensureEntry(out, key).Set(clone(n, e.sv).Elem())
		case !equal(n, was, e.sv):
			m.conflict = true // they deleted what I changed
			n.ensureEntry(out, key).Set(clone(n, e.sv).Elem())
		}
	}
	if n.OrderedByUser {
		conflict := n.mergeOrder(out, keysOf(n.entries(base)), keysOf(n.entries(mine)), theirOrder)
		m.conflict = m.conflict || conflict
	}
}
