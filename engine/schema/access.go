package schema

import (
	"reflect"

	"github.com/openconfig/ygot/ygot"
)

// Access says what of the data somebody may do one thing to, read it say. A nil
// Access permits everything at and below the node that it is for, Nothing
// permits nothing there; any other one permits some. An Access is never
// changed and may be used by several goroutines.
type Access interface {
	// Here says whether the node itself is permitted.
	Here() bool
	// Child is the access to a child of the node: for a list, to all its
	// entries together.
	Child(*Node) Access
	// Entry is the access to the entry with a key of the list that the access
	// is for.
	Entry(key string) Access
	// Entries are the keys of the entries of the list to which the access may
	// be another one than to the rest.
	Entries() []string
}

// ValueAccess is the Access to a leaf-list of which some entries are permitted.
type ValueAccess interface {
	Access
	// Value says whether an entry is permitted.
	Value(text string) bool
}

// Nothing is the Access that permits nothing.
var Nothing Access = nothing{}

type nothing struct{}

func (nothing) Here() bool          { return false }
func (nothing) Child(*Node) Access  { return Nothing }
func (nothing) Entry(string) Access { return Nothing }
func (nothing) Entries() []string   { return nil }

// At is the access to the node at a path below the node that a is for. A list
// on the path without a choice of one entry stands for all its entries.
func At(a Access, p Path) Access {
	for _, s := range p {
		if a == nil || a == Nothing {
			return a
		}
		a = a.Child(s.Node)
		if a != nil && s.Node.Kind == List && !s.wild() {
			a = a.Entry(s.Keys[0])
		}
	}
	return a
}

// Hider is a View that leaves out what somebody may not read. Its values are
// absent from the records, so whoever shows the defaults of what is absent
// must ask.
type Hider interface {
	View
	// Hides says whether a leaf of a record, or of an entry of a list in it, is
	// left out.
	Hides(k Key, leaf *Node) bool
}

// hiderOf returns what asks a view for hidden leaves, nil where it hides none.
func hiderOf(v View) Hider {
	h, _ := v.(Hider)
	return h
}

// Readable returns what may be read of a record, the access to which is a: the
// record itself, a copy without the rest, or nil. The keys of list entries are
// in the copy wherever something at the entry or below may be read.
func Readable(rec ygot.GoStruct, a Access) ygot.GoStruct {
	switch {
	case rec == nil || a == Nothing:
		return nil
	case a == nil:
		return rec
	}
	sv, changed := readable(kindOfRecord(rec).Node, structOf(rec), a)
	if !changed {
		return rec
	}
	return record(sv)
}

// readable is Readable of the struct of n, which is copied as far as something
// is taken out.
func readable(n *Node, sv reflect.Value, a Access) (out reflect.Value, changed bool) {
	out = sv
	own := func() reflect.Value {
		if !changed {
			out = reflect.New(n.typ).Elem()
			out.Set(sv)
			changed = true
		}
		return out
	}
	for _, c := range n.Children {
		if c.spine || c.kind != nil || c.isKey || !c.isSet(sv) {
			continue
		}
		switch may := a.Child(c); {
		case may == nil:
		case c.Kind == LeafList && may != Nothing:
			if values := c.readableValues(sv, may); len(values) < len(c.values(sv)) {
				c.setValues(own(), values)
			}
		case may == Nothing || c.IsLeaf():
			c.unset(own())
		case c.Kind == Container:
			if sub, less := readable(c, c.sub(sv), may); less {
				own().Field(c.field).Set(sub.Addr())
			}
		default:
			if entries, less := c.readableEntries(sv, may); less {
				c.setEntries(own(), entries)
			}
		}
	}
	return out, changed
}

// readableValues returns what may be read of the leaf-list n.
func (n *Node) readableValues(sv reflect.Value, a Access) (out []Value) {
	some, ok := a.(ValueAccess)
	for _, v := range n.values(sv) {
		if ok && some.Value(v.String()) {
			out = append(out, v)
		}
	}
	return out
}

// readableEntries returns what may be read of the entries of the list n.
func (n *Node) readableEntries(sv reflect.Value, a Access) (out []listEntry, changed bool) {
	for _, e := range n.entries(sv) {
		may := a.Entry(e.key.String())
		if may == Nothing {
			changed = true
			continue
		}
		if may != nil {
			less := false
			if e.sv, less = readable(n, e.sv, may); less {
				changed = true
			}
		}
		out = append(out, e)
	}
	return out, changed
}

// setEntries makes entries the list n.
func (n *Node) setEntries(sv reflect.Value, entries []listEntry) {
	if n.OrderedByUser {
		n.setOrdered(sv, entries)
		return
	}
	f := sv.Field(n.field)
	f.SetZero()
	if len(entries) == 0 {
		return
	}
	f.Set(reflect.MakeMapWithSize(f.Type(), len(entries)))
	for _, e := range entries {
		k := reflect.New(f.Type().Key()).Elem()
		put(k, e.key)
		f.SetMapIndex(k, e.sv.Addr())
	}
}
