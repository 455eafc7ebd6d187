package datastore

import (
	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// Diff returns what leads from one configuration to another, sorted by key.
// Records that both share cost next to nothing, the others a comparison.
func Diff(from, to *Snapshot) []schema.Dirty { return diff(from.tree, to.tree) }

func diff(from, to tree) []schema.Dirty {
	var out []schema.Dirty
	add := func(k schema.Key, old, now ygot.GoStruct) {
		if !same(old, now) {
			out = append(out, schema.Dirty{Key: k, Old: old, New: now})
		}
	}
	a, b := from.records.Iter(), to.records.Iter()
	hasA, hasB := a.First(), b.First()
	for hasA || hasB {
		switch {
		case !hasB || hasA && a.Key() < b.Key():
			add(a.Key(), a.Value(), nil)
			hasA = a.Next()
		case !hasA || b.Key() < a.Key():
			add(b.Key(), nil, b.Value())
			hasB = b.Next()
		default:
			add(a.Key(), a.Value(), b.Value())
			hasA, hasB = a.Next(), b.Next()
		}
	}
	return out
}

// Become makes the Txn what snap is.
func (t *Txn) Become(snap *Snapshot) {
	for _, d := range diff(t.tree, snap.tree) {
		t.put(d.Key, d.New)
	}
}
