package schema

import (
	"reflect"
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// WriteAccess is what somebody may create, change and take away.
type WriteAccess struct{ Create, Update, Delete Access }

// all says whether everything is permitted.
func (w WriteAccess) all() bool { return w.Create == nil && w.Update == nil && w.Delete == nil }

func (w WriteAccess) child(n *Node) WriteAccess {
	return w.each(func(a Access) Access { return a.Child(n) })
}

// Entry is the access to an entry of the list that w is for.
func (w WriteAccess) Entry(key string) WriteAccess {
	return w.each(func(a Access) Access { return a.Entry(key) })
}

func (w WriteAccess) each(fn func(Access) Access) WriteAccess {
	for _, a := range []*Access{&w.Create, &w.Update, &w.Delete} {
		if *a != nil {
			*a = fn(*a)
		}
	}
	return w
}

// Forbidden returns the path of the first node, in the order of the model, that
// differs in two records of one key although w, the access to the record, does
// not permit that, and what was done to it: "create", "update" or "delete".
// The path is nil where everything is permitted. What vanishes because a node of
// another case of its choice was written needs no permission (RFC 8341 3.2.5).
func Forbidden(k Key, old, new ygot.GoStruct, w WriteAccess) (at Path, operation string) {
	if w.all() {
		return nil, ""
	}
	c := changeChecker{}
	n := k.Kind().Node
	if !k.Kind().Singleton {
		c.presence(old != nil, new != nil, w)
	}
	c.structs(n, structOf(old), structOf(new), w)
	if c.operation == "" {
		return nil, ""
	}
	return append(k.Path(), c.rel...), c.operation
}

// changeChecker walks two records. operation is set, and rel leads to the node,
// once something is forbidden.
type changeChecker struct {
	rel       Path
	operation string
}

func (c *changeChecker) deny(operation string, a Access) {
	if a != nil && !a.Here() && c.operation == "" {
		c.operation = operation
	}
}

// presence checks the node at hand, which is made or taken away.
func (c *changeChecker) presence(before, after bool, w WriteAccess) {
	switch {
	case !before && after:
		c.deny("create", w.Create)
	case before && !after:
		c.deny("delete", w.Delete)
	}
}

func (c *changeChecker) structs(n *Node, a, b reflect.Value, w WriteAccess) {
	for _, child := range n.Children {
		if c.operation != "" {
			return
		}
		if !child.Config || child.spine || child.kind != nil || child.isKey && child.twin != nil || !child.isSet(a) && !child.isSet(b) {
			continue
		}
		may := w.child(child)
		if may.all() {
			continue
		}
		c.rel = append(c.rel, Step{Node: child})
		switch child.Kind {
		case Container:
			sa, sb := child.sub(a), child.sub(b)
			if child.Presence {
				c.presence(sa.IsValid(), sb.IsValid(), may)
			}
			if c.operation == "" {
				c.structs(child, sa, sb, may)
			}
		case List:
			c.list(child, a, b, may)
		default:
			if !child.sameLeaf(a, b) && !child.displaced(a, b) {
				c.leaf(child, a, b, may)
			}
		}
		if c.operation == "" {
			c.rel = c.rel[:len(c.rel)-1]
		}
	}
}

func (c *changeChecker) leaf(n *Node, a, b reflect.Value, w WriteAccess) {
	if n.Kind == Leaf && n.isSet(a) && n.isSet(b) {
		c.deny("update", w.Update)
		return
	}
	if n.Kind == Leaf {
		c.presence(n.isSet(a), n.isSet(b), w)
		return
	}
	// Each entry of a leaf-list is a node (RFC 7950 7.7).
	before, after := n.values(a), n.values(b)
	added := slices.ContainsFunc(after, func(v Value) bool { return !slices.Contains(before, v) })
	removed := slices.ContainsFunc(before, func(v Value) bool { return !slices.Contains(after, v) })
	switch {
	case added:
		c.deny("create", w.Create)
	case !removed:
		c.deny("update", w.Update) // only their order
	}
	if removed {
		c.deny("delete", w.Delete)
	}
}

// displaced says whether the leaf n is gone because a node of another case of
// its choice came.
func (n *Node) displaced(a, b reflect.Value) bool {
	return n.Choice != "" && b.IsValid() && !n.isSet(b) && slices.ContainsFunc(n.Parent.Children, func(o *Node) bool {
		return o.Choice == n.Choice && o.Case != n.Case && o.isSet(b) && !o.isSet(a)
	})
}

func (c *changeChecker) list(n *Node, a, b reflect.Value, w WriteAccess) {
	step := len(c.rel) - 1
	for _, e := range (place{cfg: a, st: b}).entries(nil, n) {
		key := e.key.String()
		may := w.Entry(key)
		if may.all() {
			continue
		}
		c.rel[step].Keys = []string{key}
		c.presence(e.place.cfg.IsValid(), e.place.st.IsValid(), may)
		if c.operation == "" {
			c.structs(n, e.place.cfg, e.place.st, may)
		}
		if c.operation != "" {
			return
		}
	}
	if !n.OrderedByUser {
		return
	}
	for _, m := range moved(n.entries(a), n.entries(b)) {
		c.rel[step].Keys = []string{m.key}
		if c.deny("update", w.Entry(m.key).Update); c.operation != "" {
			return
		}
	}
	c.rel[step].Keys = nil
}
