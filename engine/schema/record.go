package schema

import (
	"reflect"
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// New returns a record with nothing but its keys: the key leaf and its
// config/<key>.
func New(k Key) ygot.GoStruct {
	kind := k.Kind()
	sv := reflect.New(kind.typ).Elem()
	if !kind.Singleton {
		kind.Node.setKeys(sv, StringValue(k.Name()))
	}
	return record(sv)
}

// kindOfRecord returns the kind of a record by its type.
func kindOfRecord(rec ygot.GoStruct) *RecordKind {
	typ := reflect.TypeOf(rec).Elem()
	for _, k := range compiled().kinds {
		if k.typ == typ {
			return k
		}
	}
	panic("schema: " + typ.String() + " is not a record")
}

// Clone returns a copy that may be changed without changing rec. Values of
// leaves are shared, as they are never written through.
func Clone(rec ygot.GoStruct) ygot.GoStruct {
	return clone(kindOfRecord(rec).Node, structOf(rec)).Interface().(ygot.GoStruct)
}

// clone returns a pointer to a copy of the struct of n.
func clone(n *Node, sv reflect.Value) reflect.Value {
	p := reflect.New(n.typ)
	copied := p.Elem()
	copied.Set(sv)
	for _, c := range n.nested {
		f := copied.Field(c.field)
		if f.IsNil() {
			continue
		}
		if c.Kind == Container {
			f.Set(clone(c, f.Elem()))
			continue
		}
		if c.OrderedByUser {
			entries := c.entries(copied)
			for i := range entries {
				entries[i].sv = clone(c, entries[i].sv).Elem()
			}
			c.setOrdered(copied, entries)
			continue
		}
		m := reflect.MakeMapWithSize(f.Type(), f.Len())
		for it := f.MapRange(); it.Next(); {
			m.SetMapIndex(it.Key(), clone(c, it.Value().Elem()))
		}
		f.Set(m)
	}
	return p
}

// Equal says whether two records of one kind hold the same values; nil is an
// absent record. An empty container is the same as an absent one, unless it
// has presence.
func Equal(a, b ygot.GoStruct) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if kind := kindOfRecord(a); kind == kindOfRecord(b) {
		return equal(kind.Node, structOf(a), structOf(b))
	}
	return false
}

func equal(n *Node, a, b reflect.Value) bool {
	for _, c := range n.Children {
		if c.spine || c.kind != nil {
			continue
		}
		switch c.Kind {
		case Leaf, LeafList:
			if !c.sameLeaf(a, b) {
				return false
			}
		case Container:
			sa, sb := c.sub(a), c.sub(b)
			if c.Presence && sa.IsValid() != sb.IsValid() || (sa.IsValid() || sb.IsValid()) && !equal(c, sa, sb) {
				return false
			}
		case List:
			if !c.sameList(a, b) {
				return false
			}
		}
	}
	return true
}

// sameLeaf compares the leaf or leaf-list n in two structs.
func (n *Node) sameLeaf(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return n.isSet(a) == n.isSet(b)
	}
	fa, fb := a.Field(n.field), b.Field(n.field)
	switch fa.Kind() {
	case reflect.Pointer:
		if fa.Pointer() == fb.Pointer() {
			return true
		}
		return !fa.IsNil() && !fb.IsNil() && fa.Elem().Equal(fb.Elem())
	case reflect.Slice:
		if fa.Len() != fb.Len() {
			return false
		}
		for i := range fa.Len() {
			if !fa.Index(i).Equal(fb.Index(i)) {
				return false
			}
		}
		return true
	}
	return fa.Int() == fb.Int()
}

func (n *Node) sameList(a, b reflect.Value) bool {
	if !n.isSet(a) || !n.isSet(b) {
		return n.isSet(a) == n.isSet(b)
	}
	if n.OrderedByUser {
		return slices.EqualFunc(n.entries(a), n.entries(b), func(x, y listEntry) bool { return x.key == y.key && equal(n, x.sv, y.sv) })
	}
	fa, fb := a.Field(n.field), b.Field(n.field)
	if fa.Len() != fb.Len() {
		return false
	}
	for it := fa.MapRange(); it.Next(); {
		other := fb.MapIndex(it.Key())
		if !other.IsValid() || !equal(n, it.Value().Elem(), other.Elem()) {
			return false
		}
	}
	return true
}

// Empty says whether a record holds nothing but its keys.
func Empty(rec ygot.GoStruct) bool {
	return rec == nil || empty(kindOfRecord(rec).Node, structOf(rec))
}

// empty says whether the struct of n holds nothing but the keys of its list
// entry.
func empty(n *Node, sv reflect.Value) bool {
	if !sv.IsValid() {
		return true
	}
	for _, c := range n.Children {
		if c.spine || c.kind != nil || c.twin != nil || c.isKey || !c.isSet(sv) {
			continue
		}
		if c.Kind != Container || c.Presence || !empty(c, c.sub(sv)) {
			return false
		}
	}
	return true
}

// GetLeaf returns the value of the leaf at rest, a path within the record.
func GetLeaf(rec ygot.GoStruct, rest Path) (Value, bool) {
	n := rest.Node()
	sv := locate(structOf(rec), rest)
	if !sv.IsValid() || n.Kind != Leaf {
		return Value{}, false
	}
	return n.value(sv)
}

// SetLeaf writes the value of the leaf at rest, and makes the containers and
// list entries that lead to it. The record must be the caller's own, the value
// one of the leaf's type.
func SetLeaf(rec ygot.GoStruct, rest Path, v Value) {
	rest.Node().set(ensurePath(structOf(rec), rest), v)
}

// SetValues writes the leaf-list at rest as SetLeaf does.
func SetValues(rec ygot.GoStruct, rest Path, vs []Value) {
	rest.Node().setValues(ensurePath(structOf(rec), rest), vs)
}

// locate returns the struct of the parent of the path's last node, the zero
// Value where it is absent.
func locate(sv reflect.Value, rest Path) reflect.Value {
	for _, s := range rest.Parent() {
		if sv = s.in(sv); !sv.IsValid() {
			break
		}
	}
	return sv
}

// ensurePath is locate that makes what is absent.
func ensurePath(sv reflect.Value, rest Path) reflect.Value {
	for _, s := range rest.Parent() {
		sv = s.ensure(sv)
	}
	return sv
}

// in returns the struct of a step within a record.
func (s Step) in(sv reflect.Value) reflect.Value {
	if s.Node.Kind == List {
		return s.Node.entry(sv, s.Keys[0])
	}
	return s.Node.sub(sv)
}

// ensure is in that makes what is absent.
func (s Step) ensure(sv reflect.Value) reflect.Value {
	if s.Node.Kind == List {
		return s.Node.ensureEntry(sv, s.Keys[0])
	}
	return s.Node.ensure(sv)
}

// Assign makes dst, which must be of src's type and not published, a copy of
// src.
func Assign(dst, src ygot.GoStruct) {
	reflect.ValueOf(dst).Elem().Set(reflect.ValueOf(Clone(src)).Elem())
}
