package schema

import (
	"reflect"
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// place is where a walk over configuration and state stands: the struct of a
// node in the configuration record and the one in the state record, each the
// zero Value where it is absent, and the key of the record.
type place struct {
	key     Key
	cfg, st reflect.Value
}

func (p place) valid() bool { return p.cfg.IsValid() || p.st.IsValid() }

// sub returns the place of the container n.
func (p place) sub(n *Node) place { return place{p.key, n.sub(p.cfg), n.sub(p.st)} }

// holder returns the struct that has the value of the leaf n. A key is in
// both.
func (p place) holder(n *Node) reflect.Value {
	if n.Config && (p.cfg.IsValid() || !n.isKey) {
		return p.cfg
	}
	return p.st
}

// placeEntry is an entry of a list within a record.
type placeEntry struct {
	key   Value
	place place
}

// fewEntries is how many entries of a list within a record are looked at
// without room on the heap.
const fewEntries = 8

// entries returns the entries of the list n of both records, sorted by key
// unless the user orders them. room, which is empty, is where they stand as far
// as it goes.
func (p place) entries(room []placeEntry, n *Node) []placeEntry {
	if n.OrderedByUser {
		return p.orderedEntries(n.entries(p.cfg), n.entries(p.st))
	}
	out := room
	for e := range n.unsorted(p.cfg) {
		out = append(out, placeEntry{e.key, place{key: p.key, cfg: e.sv}})
	}
	for e := range n.unsorted(p.st) {
		out = append(out, placeEntry{e.key, place{key: p.key, st: e.sv}})
	}
	slices.SortStableFunc(out, func(a, b placeEntry) int { return compareValues(a.key, b.key) })
	both := out[:0]
	for _, e := range out {
		if last := len(both) - 1; last >= 0 && both[last].key == e.key {
			both[last].place.st = e.place.st
			continue
		}
		both = append(both, e)
	}
	return both
}

// orderedEntries is entries in the order of the configuration, with what only
// the other record has last.
func (p place) orderedEntries(cfg, st []listEntry) []placeEntry {
	out := make([]placeEntry, 0, len(cfg)+len(st))
	at := make(map[Value]int, len(cfg))
	for i, e := range cfg {
		at[e.key] = i
		out = append(out, placeEntry{e.key, place{key: p.key, cfg: e.sv}})
	}
	for _, e := range st {
		if i, both := at[e.key]; both {
			out[i].place.st = e.sv
			continue
		}
		out = append(out, placeEntry{e.key, place{key: p.key, st: e.sv}})
	}
	return out
}

// entry returns the place of one entry of the list n.
func (p place) entry(n *Node, key string) place {
	return place{p.key, n.entry(p.cfg, key), n.entry(p.st, key)}
}

// recordAt returns the place of the record of a key, with what the content
// needs of it. Of two records of one list only the last one's place is good:
// the state in it is lent.
func recordAt(v View, k Key, c Content) place { return recordOf(v, k, v.Get(k), c) }

// recordOf is recordAt with the configuration record at hand.
func recordOf(v View, k Key, rec ygot.GoStruct, c Content) place {
	p := place{key: k, cfg: structOf(rec)}
	if c.state() {
		p.st = structOf(LendState(v, k))
	}
	return p
}

// find returns the place of the last node of a path, for a leaf or a list
// without keys that of its parent. It fails where a list entry on the path
// does not exist, and for a path with a wildcard before its last step.
func find(v View, p Path, c Content) (place, bool) {
	if p.Parent().Wildcard() {
		return place{}, false
	}
	steps := p
	if n := p.Node(); n.IsLeaf() || n.Kind == List && p[len(p)-1].wild() {
		steps = p.Parent()
	}
	var at place
	for i, s := range steps {
		n := s.Node
		switch {
		case n.kind != nil && steps[i+1:].toRecord(): // there are no orphans: only the last record is looked at
			at = place{key: MakeKey(at.key, n.kind, s.Keys...)}
		case n.kind != nil && n.kind.Singleton:
			at = recordAt(v, MakeKey(at.key, n.kind), c)
		case n.kind != nil:
			if at = recordAt(v, MakeKey(at.key, n.kind, s.Keys...), c); !at.valid() {
				return at, false
			}
		case n.spine:
			at = place{key: at.key}
		case n.Kind == List:
			if at = at.entry(n, s.Keys[0]); !at.valid() {
				return at, false
			}
		default:
			at = at.sub(n)
			if n.Presence && !at.valid() {
				return at, false
			}
		}
	}
	return at, true
}

// Exists says whether there is configuration or state at p: a value, a list
// entry, or a container with something in it. Defaults do not count.
func Exists(v View, p Path) bool {
	found := false
	Match(v, p, LeafOptions{}, func(Path) bool {
		found = true
		return false
	})
	return found
}

// hasData says whether the content holds anything at the place of n, in the
// record or below.
func hasData(v View, n *Node, at place, c Content) bool {
	for _, child := range n.Children {
		switch {
		case child.spine || child.kind != nil:
			if hasRecords(v, child, at.key, c) {
				return true
			}
		case child.IsLeaf():
			if !child.isKey && c.takes(child) && child.isSet(at.holder(child)) {
				return true
			}
		case child.Kind == Container:
			sub := at.sub(child)
			if sub.valid() && (child.Presence && c.config() && sub.cfg.IsValid() || hasData(v, child, sub, c)) {
				return true
			}
		default:
			var few [fewEntries]placeEntry
			if slices.ContainsFunc(at.entries(few[:0], child), func(e placeEntry) bool {
				return c.config() && e.place.cfg.IsValid() || hasData(v, child, e.place, c)
			}) {
				return true
			}
		}
	}
	return false
}

// hasRecords says whether the content holds a record at n or below.
func hasRecords(v View, n *Node, key Key, c Content) bool {
	if n.kind == nil {
		return slices.ContainsFunc(n.Children, func(child *Node) bool { return hasRecords(v, child, key, c) })
	}
	if n.kind.Singleton {
		return hasData(v, n, recordAt(v, MakeKey(key, n.kind), c), c)
	}
	found := false
	v.Scan(key.childPrefix(n.kind), func(k Key, rec ygot.GoStruct) bool {
		found = c.config() || hasData(v, k.Kind().Node, recordOf(v, k, rec, c), c)
		return !found
	})
	return found
}

// unlimited is the depth of a walk without a limit.
func unlimited(depth int) int {
	if depth == 0 {
		return 1 << 30
	}
	return depth
}
