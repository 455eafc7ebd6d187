package schema

import (
	"cmp"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/openconfig/ygot/ygot"

	"mooring/gen"
)

// The accessors below are how all code of this package reaches values. sv is
// always the struct in which the node is a field, that is, the struct of its
// parent; the zero reflect.Value stands for an absent one and has no data.

// structOf returns the struct of a record, the zero Value for none.
func structOf(rec ygot.GoStruct) reflect.Value {
	if rec == nil {
		return reflect.Value{}
	}
	return reflect.ValueOf(rec).Elem()
}

// record returns the GoStruct of a struct.
func record(sv reflect.Value) ygot.GoStruct { return sv.Addr().Interface().(ygot.GoStruct) }

// sub returns the struct of the container n, the zero Value where it is
// absent.
func (n *Node) sub(sv reflect.Value) reflect.Value {
	if !sv.IsValid() {
		return sv
	}
	return sv.Field(n.field).Elem()
}

// ensure returns the struct of the container n and makes it where it is
// absent.
func (n *Node) ensure(sv reflect.Value) reflect.Value {
	f := sv.Field(n.field)
	if f.IsNil() {
		f.Set(reflect.New(n.typ))
	}
	return f.Elem()
}

// isSet says whether the leaf or leaf-list has a value, whether the container
// has a struct, or whether the list has an entry.
func (n *Node) isSet(sv reflect.Value) bool {
	_, set := n.lookup(sv)
	return set
}

// lookup returns the field of n, and says whether it is set.
func (n *Node) lookup(sv reflect.Value) (f reflect.Value, set bool) {
	if !sv.IsValid() {
		return sv, false
	}
	f = sv.Field(n.field)
	switch f.Kind() {
	case reflect.Pointer:
		return f, !f.IsNil()
	case reflect.Int64: // an enum
		return f, f.Int() != 0
	}
	return f, f.Len() > 0
}

// unset takes the node's data away.
func (n *Node) unset(sv reflect.Value) { sv.Field(n.field).SetZero() }

// value returns the value of the leaf n.
func (n *Node) value(sv reflect.Value) (Value, bool) {
	f, set := n.lookup(sv)
	if !set {
		return Value{}, false
	}
	return n.valueAt(f), true
}

// valueAt reads a leaf from its field, or an entry of a leaf-list.
func (n *Node) valueAt(f reflect.Value) Value {
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	return n.Type.valueOf(f)
}

// values returns the entries of the leaf-list n, nil for none.
func (n *Node) values(sv reflect.Value) []Value {
	if !n.isSet(sv) {
		return nil
	}
	f := sv.Field(n.field)
	out := make([]Value, f.Len())
	for i := range out {
		out[i] = n.Type.valueOf(f.Index(i))
	}
	return out
}

// valueOf reads a value as the structs hold it.
func (t *Type) valueOf(f reflect.Value) Value {
	switch t.Kind {
	case ValueString:
		return StringValue(f.String())
	case ValueUint:
		return UintValue(f.Uint())
	case ValueInt:
		return IntValue(f.Int())
	case ValueBool:
		return BoolValue(f.Bool())
	}
	return Value{kind: ValueEnum, s: t.enumName(f.Int()), n: uint64(f.Int())}
}

// put writes a value as the structs hold it.
func put(f reflect.Value, v Value) {
	switch v.kind {
	case ValueString:
		f.SetString(v.s)
	case ValueUint:
		f.SetUint(v.n)
	case ValueBool:
		f.SetBool(v.n != 0)
	default:
		f.SetInt(int64(v.n))
	}
}

// set gives the leaf n a value, always behind a new pointer.
func (n *Node) set(sv reflect.Value, v Value) {
	f := sv.Field(n.field)
	switch n.goKind {
	case gen.GoString:
		s := v.s // not &v.s: that would keep all of v
		f.Set(reflect.ValueOf(&s))
	case gen.GoEnum:
		f.SetInt(int64(v.n))
	default:
		p := reflect.New(f.Type().Elem())
		put(p.Elem(), v)
		f.Set(p)
	}
}

// setValues gives the leaf-list n its entries, always in a new slice. Entries
// that the system orders are sorted, so that equal sets are equal slices.
func (n *Node) setValues(sv reflect.Value, vs []Value) {
	f := sv.Field(n.field)
	if len(vs) == 0 {
		f.SetZero()
		return
	}
	if !n.OrderedByUser {
		vs = slices.Clone(vs)
		slices.SortFunc(vs, compareValues)
	}
	s := reflect.MakeSlice(f.Type(), len(vs), len(vs))
	for i, v := range vs {
		put(s.Index(i), v)
	}
	f.Set(s)
}

// compareValues orders values of one type; enums in YANG order.
func compareValues(a, b Value) int {
	switch a.kind {
	case ValueString:
		return strings.Compare(a.s, b.s)
	case ValueUint, ValueBool:
		return cmp.Compare(a.n, b.n)
	}
	return cmp.Compare(int64(a.n), int64(b.n))
}

// listEntry is an entry of a list within a record.
type listEntry struct {
	key Value
	sv  reflect.Value
}

// entries returns the entries of the list n, sorted by key unless the user
// orders them.
func (n *Node) entries(sv reflect.Value) []listEntry {
	if !n.isSet(sv) {
		return nil
	}
	f := sv.Field(n.field)
	if n.OrderedByUser {
		return n.orderedEntries(f)
	}
	out := slices.AppendSeq(make([]listEntry, 0, f.Len()), n.unsorted(sv))
	slices.SortFunc(out, func(a, b listEntry) int { return compareValues(a.key, b.key) })
	return out
}

// unsorted yields the entries of the list n, which the user does not order, as
// they come. The key is read from the entry: that of a map costs memory.
func (n *Node) unsorted(sv reflect.Value) iter.Seq[listEntry] {
	return func(yield func(listEntry) bool) {
		if !sv.IsValid() {
			return
		}
		for it := sv.Field(n.field).MapRange(); it.Next(); {
			e := it.Value().Elem()
			if key, _ := n.Keys[0].value(e); !yield(listEntry{key, e}) {
				return
			}
		}
	}
}

// mapKey returns a list key as the map of the list n holds it.
func (n *Node) mapKey(sv reflect.Value, key string) (reflect.Value, Value) {
	k := reflect.New(sv.Field(n.field).Type().Key()).Elem()
	v, err := n.Keys[0].Type.Parse(key)
	if err != nil {
		return k, Value{} // keys are canonical, so nothing has it
	}
	put(k, v)
	return k, v
}

// entry returns the struct of an entry of the list n, the zero Value where it
// is absent.
func (n *Node) entry(sv reflect.Value, key string) reflect.Value {
	if !n.isSet(sv) {
		return reflect.Value{}
	}
	if n.OrderedByUser {
		for _, e := range n.entries(sv) {
			if e.key.String() == key {
				return e.sv
			}
		}
		return reflect.Value{}
	}
	k, _ := n.mapKey(sv, key)
	p := sv.Field(n.field).MapIndex(k)
	if !p.IsValid() {
		return p
	}
	return p.Elem()
}

// ensureEntry returns the struct of an entry of the list n and makes it, with
// its keys, where it is absent.
func (n *Node) ensureEntry(sv reflect.Value, key string) reflect.Value {
	f := sv.Field(n.field)
	if n.OrderedByUser {
		return n.ensureOrdered(sv, key)
	}
	if f.IsNil() {
		f.Set(reflect.MakeMap(f.Type()))
	}
	k, v := n.mapKey(sv, key)
	p := f.MapIndex(k)
	if !p.IsValid() {
		p = reflect.New(n.typ)
		n.setKeys(p.Elem(), v)
		f.SetMapIndex(k, p)
	}
	return p.Elem()
}

// removeEntry takes an entry of the list n away.
func (n *Node) removeEntry(sv reflect.Value, key string) {
	f := sv.Field(n.field)
	if n.OrderedByUser {
		n.setOrdered(sv, slices.DeleteFunc(n.entries(sv), func(e listEntry) bool { return e.key.String() == key }))
		return
	}
	k, _ := n.mapKey(sv, key)
	f.SetMapIndex(k, reflect.Value{})
	if f.Len() == 0 {
		f.SetZero()
	}
}

// setKeys writes the key of an entry of the list n, and its twin.
func (n *Node) setKeys(sv reflect.Value, v Value) {
	key := n.Keys[0]
	key.set(sv, v)
	if key.twin != nil {
		key.twin.set(key.twin.Parent.ensure(sv), v)
	}
}
