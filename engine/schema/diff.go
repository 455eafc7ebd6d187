package schema

import (
	"reflect"
	"strings"

	"github.com/openconfig/ygot/ygot"

	"mooring/bgp"
)

// Change is a leaf whose value differs, with both values in canonical form and
// empty where it is absent; or an entry of a list ordered by the user that
// stands elsewhere, with both positions. Leaf-lists show their entries with spaces between.
// Secrets show only that there is one.
type Change struct {
	Path     Path
	Node     *Node
	Old, New string
	Impact   bgp.Impact
}

// Diff returns the leaves in which two records of one key differ, in the order
// of the model and of list keys; nil is an absent record. A list key is told
// by its config/<key>.
func Diff(k Key, old, new ygot.GoStruct) []Change {
	kind := k.Kind()
	d := differ{key: k}
	d.structs(kind.Node, structOf(old), structOf(new))
	return d.out
}

// Touches says whether what stands at p, or below it in the record, differs.
// p leads into the record.
func (d Dirty) Touches(p Path) bool {
	_, rest, ok := p.Record()
	if !ok || len(rest) == 0 {
		return ok
	}
	n, a, b := rest.Node(), locate(structOf(d.Old), rest), locate(structOf(d.New), rest)
	switch {
	case n.IsLeaf():
		return !n.sameLeaf(a, b)
	case n.Kind == List && rest[len(rest)-1].wild():
		return !n.sameList(a, b)
	case n.Kind == List:
		key := rest[len(rest)-1].Keys[0]
		a, b = n.entry(a, key), n.entry(b, key)
		return a.IsValid() != b.IsValid() || a.IsValid() && !equal(n, a, b)
	}
	a, b = n.sub(a), n.sub(b)
	return n.Presence && a.IsValid() != b.IsValid() || (a.IsValid() || b.IsValid()) && !equal(n, a, b)
}

// differ collects changes. The steps from the record to the node at hand are
// on a stack, and the record's own path is made for the first change.
type differ struct {
	key    Key
	record Path
	rel    Path
	out    []Change
}

func (d *differ) structs(n *Node, a, b reflect.Value) {
	for _, c := range n.Children {
		switch {
		case c.spine || c.kind != nil:
		case c.IsLeaf():
			if !(c.isKey && c.twin != nil) && !c.sameLeaf(a, b) {
				d.leaf(c, a, b)
			}
		case c.Kind == Container:
			if sa, sb := c.sub(a), c.sub(b); sa.IsValid() || sb.IsValid() {
				d.rel = append(d.rel, Step{Node: c})
				d.structs(c, sa, sb)
				d.rel = d.rel[:len(d.rel)-1]
			}
		case c.isSet(a) || c.isSet(b):
			d.list(c, a, b)
		}
	}
}

func (d *differ) list(n *Node, a, b reflect.Value) {
	for _, e := range (place{cfg: a, st: b}).entries(nil, n) {
		d.rel = append(d.rel, Step{n, []string{e.key.String()}})
		d.structs(n, e.place.cfg, e.place.st)
		d.rel = d.rel[:len(d.rel)-1]
	}
	if !n.OrderedByUser {
		return
	}
	for _, m := range moved(n.entries(a), n.entries(b)) {
		d.add(Change{Node: n, Old: m.text(m.old), New: m.text(m.now)}, m.key)
	}
}

func (d *differ) leaf(n *Node, a, b reflect.Value) {
	d.add(Change{Node: n, Old: n.text(a), New: n.text(b), Impact: n.Impact})
}

// add adds a change of the node at hand, with the keys of a list entry.
func (d *differ) add(c Change, keys ...string) {
	if d.record == nil {
		d.record = d.key.Path()
	}
	p := make(Path, 0, len(d.record)+len(d.rel)+1)
	c.Path = append(append(append(p, d.record...), d.rel...), Step{Node: c.Node, Keys: keys})
	d.out = append(d.out, c)
}

// text returns the value of a leaf or leaf-list to show to people.
func (n *Node) text(sv reflect.Value) string {
	switch {
	case !n.isSet(sv):
		return ""
	case n.Secret:
		return bgp.Secret("is set").String()
	case n.Kind == Leaf:
		v, _ := n.value(sv)
		return v.String()
	}
	var parts []string
	for _, v := range n.values(sv) {
		parts = append(parts, v.String())
	}
	return strings.Join(parts, " ")
}
