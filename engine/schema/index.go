package schema

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/openconfig/ygot/ygot"
)

// reference is a leaf of a record that names another record.
type reference struct {
	leaf   *Node
	route  []*Node // containers from the record to the leaf
	target *RecordKind
}

// uniqueIndex is a unique statement of a list whose entries are records
// (RFC 7950 7.8.3): its values are looked up in the whole store.
type uniqueIndex struct {
	name  string // of the index, for Holders
	leaf  *Node
	route []*Node
}

// linkage is what ties records of a kind to others.
type linkage struct {
	references []reference
	uniques    []uniqueIndex
}

// linkages holds the linkage of each kind.
var linkages = sync.OnceValue(func() map[*RecordKind]*linkage {
	all := map[*RecordKind]*linkage{}
	for _, k := range Kinds() {
		l := &linkage{}
		l.findReferences(k.Node, k)
		for _, u := range k.Node.Meta.Unique {
			if len(u) != 1 {
				panic(fmt.Sprintf("schema: %s: unique over several leaves is not indexed", k))
			}
			leaf := k.Node.descendant(u[0])
			l.uniques = append(l.uniques, uniqueIndex{string(k.Letter) + u[0], leaf, routeTo(k.Node, leaf)})
		}
		all[k] = l
	}
	return all
})

// findReferences collects the leafrefs below n that lead to the key of a
// record. Those that stay in their own record are held by construction: they
// pair a key leaf with config/<key>.
func (l *linkage) findReferences(n *Node, own *RecordKind) {
	for _, c := range n.Children {
		switch {
		case c.Record != own || !c.Config:
		case !c.IsLeaf():
			l.findReferences(c, own)
		case c.Type.Leafref != nil && c.Type.Leafref.Record != own:
			target := c.Type.Leafref
			if target.twin == nil || !target.twin.Parent.IsRecord() || c.Kind != Leaf || !c.Type.RequireInstance {
				panic(fmt.Sprintf("schema: %s: a leafref must be a leaf that names a record", c.Path()))
			}
			l.references = append(l.references, reference{c, routeTo(own.Node, c), target.Record})
		}
	}
}

// descendant returns the node at a path such as "config/name" below n.
func (n *Node) descendant(path string) *Node {
	for i := 0; n != nil && i <= len(path); {
		end := i
		for end < len(path) && path[end] != '/' {
			end++
		}
		n, i = n.Child(path[i:end]), end+1
	}
	if n == nil {
		panic("schema: no node " + path)
	}
	return n
}

// routeTo returns the nodes between the record node top and n, which must be
// containers.
func routeTo(top, n *Node) []*Node {
	if n.Parent == top {
		return nil
	}
	if n.Parent.Kind != Container {
		panic("schema: " + n.Path() + " is in a list within a record")
	}
	return append(routeTo(top, n.Parent), n.Parent)
}

// follow returns the struct at the end of a route.
func follow(sv reflect.Value, route []*Node) reflect.Value {
	for _, n := range route {
		sv = n.sub(sv)
	}
	return sv
}

// named returns the key that a reference in the record k with a value names:
// its target has the same ancestors as k, as far as it has any.
func (r *reference) named(k Key, value string) Key {
	for k != "" && k.Kind() != r.target.Parent {
		k = k.Parent()
	}
	return MakeKey(k, r.target, value)
}

// ReferrerEntry is what the index entries of all referrers of k begin with.
// The separator \x01 and the key of the referrer follow.
func ReferrerEntry(k Key) string { return "r" + string(k) }

// HolderEntry is what the index entries of all holders of a value begin with.
// The separator \x01 and the key of the holder follow.
func HolderEntry(index, value string) string { return "u" + index + "\x01" + value }

// IndexEntries appends what a store's one index must hold of a record for
// Referrers and Holders: "entry\x01key", where entry is ReferrerEntry or
// HolderEntry. Neither keys nor values of the index contain \x01.
func IndexEntries(k Key, rec ygot.GoStruct, dst []string) []string {
	l, sv := linkages()[k.Kind()], structOf(rec)
	for i := range l.references {
		r := &l.references[i]
		if v, ok := r.leaf.value(follow(sv, r.route)); ok {
			dst = append(dst, ReferrerEntry(r.named(k, v.s))+"\x01"+string(k))
		}
	}
	for i := range l.uniques {
		u := &l.uniques[i]
		if v, ok := u.leaf.value(follow(sv, u.route)); ok {
			dst = append(dst, HolderEntry(u.name, u.scoped(k, v))+"\x01"+string(k))
		}
	}
	return dst
}

// scoped returns the value of a unique index: what is unique is so among the
// entries of one list.
func (u *uniqueIndex) scoped(k Key, v Value) string { return string(k.Parent()) + "\x02" + v.String() }
