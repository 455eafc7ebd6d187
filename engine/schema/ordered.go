package schema

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// A list that is ordered-by user (RFC 7950 7.7.7) is an ordered map of ygot in
// the structs, a type of its own for each list: its methods are called by
// name. Such lists are short and stand within a record. Like leaves, an
// ordered map is never changed once it is set: setOrdered makes a new one.

// Insert says where an entry of a list that is ordered-by user goes
// (RFC 7950 7.8.6).
type Insert uint8

// The places.
const (
	InsertNowhere Insert = iota // a new entry last, others where they are
	InsertFirst
	InsertLast
	InsertBefore
	InsertAfter
)

var inserts = [...]string{"", "first", "last", "before", "after"}

// ParseInsert reads the attribute insert.
func ParseInsert(s string) (Insert, bool) {
	i := slices.Index(inserts[1:], s)
	return Insert(i + 1), i >= 0
}

// String returns the value of the attribute.
func (i Insert) String() string { return inserts[i] }

// anchored says whether the place is told by another entry.
func (i Insert) anchored() bool { return i == InsertBefore || i == InsertAfter }

// elementType is the struct of an entry of the list whose field has type t.
func elementType(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem().Elem()
	}
	if t.Kind() != reflect.Pointer || !t.Implements(reflect.TypeFor[ygot.GoOrderedMap]()) {
		panic(fmt.Sprintf("schema: %s is no list", t))
	}
	get, _ := t.MethodByName("Get")
	return get.Type.Out(0).Elem()
}

// orderedEntries returns the entries of an ordered map, in order.
func (n *Node) orderedEntries(f reflect.Value) []listEntry {
	values := f.MethodByName("Values").Call(nil)[0]
	out := make([]listEntry, values.Len())
	for i := range out {
		sv := values.Index(i).Elem()
		key, _ := n.Keys[0].value(sv)
		out[i] = listEntry{key, sv}
	}
	return out
}

// setOrdered makes entries the list n, in their order.
func (n *Node) setOrdered(sv reflect.Value, entries []listEntry) {
	f := sv.Field(n.field)
	if len(entries) == 0 {
		f.SetZero()
		return
	}
	m := reflect.New(f.Type().Elem())
	add := m.MethodByName("Append")
	for _, e := range entries {
		if err := add.Call([]reflect.Value{e.sv.Addr()})[0]; !err.IsNil() {
			panic(fmt.Sprintf("schema: %s: %v", n.Path(), err)) // the entry has no key, or one that is there
		}
	}
	f.Set(m)
}

// ensureOrdered returns the entry of a key, a new one last.
func (n *Node) ensureOrdered(sv reflect.Value, key string) reflect.Value {
	if e := n.entry(sv, key); e.IsValid() {
		return e
	}
	v, err := n.Keys[0].Type.Parse(key)
	if err != nil {
		panic(fmt.Sprintf("schema: %s: key %q is not canonical", n.Path(), key))
	}
	p := reflect.New(n.typ)
	n.setKeys(p.Elem(), v)
	n.setOrdered(sv, append(n.entries(sv), listEntry{v, p.Elem()}))
	return p.Elem()
}

// move puts the entry of a key, which is in the list n, to its place. It fails
// where there is no entry to put it beside.
func (n *Node) move(sv reflect.Value, key string, to Insert, anchor string) bool {
	entries := n.entries(sv)
	at := slices.IndexFunc(entries, func(e listEntry) bool { return e.key.String() == key })
	moved := entries[at]
	entries = slices.Delete(entries, at, at+1)
	switch to {
	case InsertFirst:
		at = 0
	case InsertLast:
		at = len(entries)
	case InsertBefore, InsertAfter:
		at = slices.IndexFunc(entries, func(e listEntry) bool { return e.key.String() == anchor })
		if at < 0 {
			return false
		}
		if to == InsertAfter {
			at++
		}
	}
	n.setOrdered(sv, slices.Insert(entries, at, moved))
	return true
}

// keysOf returns the keys of entries, in order.
func keysOf(entries []listEntry) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.key.String()
	}
	return out
}

// mergeOrder gives the list n in out, which holds the entries of a merge, the
// order of mine where mine moved any entry, else that of theirs. An entry that
// the other one added stands behind the entry that it was put behind, or last. It says
// whether both moved entries, to different places.
func (n *Node) mergeOrder(out reflect.Value, base, mine, theirs []string) (conflict bool) {
	first, second := theirs, mine
	if reordered(base, mine) {
		first, second = mine, theirs
		conflict = reordered(base, theirs) && reordered(mine, theirs)
	}
	order := slices.Clone(first)
	for i, key := range second {
		if slices.Contains(order, key) {
			continue
		}
		at := 0
		switch {
		case !slices.ContainsFunc(second[i+1:], func(k string) bool { return slices.Contains(first, k) }):
			at = len(order)
		case i > 0:
			at = slices.Index(order, second[i-1]) + 1
		}
		order = slices.Insert(order, at, key)
	}
	entries := n.entries(out)
	slices.SortStableFunc(entries, func(a, b listEntry) int {
		return slices.Index(order, a.key.String()) - slices.Index(order, b.key.String())
	})
	n.setOrdered(out, entries)
	return conflict
}

// reordered says whether the entries that both lists have stand in another order.
func reordered(a, b []string) bool {
	before, after := common(a, b), common(b, a)
	return !slices.Equal(before, after)
}

// common returns the keys of a that b has too.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(k string) bool { return !slices.Contains(b, k) })
}

// moved returns the entries, of those in both lists, that do not stand behind
// the one that they stood behind, with where they stood and stand.
func moved(a, b []listEntry) []orderChange {
	old, now := keysOf(a), keysOf(b)
	before, after := common(old, now), common(now, old)
	if slices.Equal(before, after) {
		return nil
	}
	var out []orderChange
	for i, k := range after {
		if was := slices.Index(before, k); was != i {
			out = append(out, orderChange{key: k, old: was + 1, now: i + 1})
		}
	}
	return out
}

// orderChange is an entry that stands elsewhere.
type orderChange struct {
	key      string
	old, now int // from 1, among the entries that both lists have
}

func (c orderChange) text(position int) string { return fmt.Sprintf("position %d", position) }
