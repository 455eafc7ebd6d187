package gnmi

import (
	"slices"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"mooring/engine/schema"
	"mooring/server/gnmi/ocview"
)

// tree is one of the models that paths lead through: this agent's own, or the
// OpenConfig view of it. Both have the same types for paths, values and edits.
type tree struct {
	root    *schema.Node
	resolve func([]schema.Elem) (schema.Path, error)
	expand  func([]schema.Elem) ([]schema.Path, error)

	match  func(schema.View, schema.Path, schema.LeafOptions, func(schema.Path) bool)
	leaves func(schema.View, schema.Path, schema.LeafOptions, func(*schema.LeafValue) bool)
	json   func([]byte, schema.View, schema.Path, schema.JSONOptions) ([]byte, error)

	remove func(schema.Tx, schema.Path) error
	write  func(schema.Tx, schema.Path, payload, schema.Op) error
	// edits emits what an update would write, without writing it.
	edits func(schema.View, schema.Path, payload, func(schema.Path, *schema.Edit) error) error
}

var nativeTree = &tree{
	root: schema.Root(), resolve: schema.Resolve, expand: schema.Expand,
	match: schema.Match, leaves: schema.Leaves, json: schema.AppendJSON,
	remove: remove, write: decode,
	edits: func(_ schema.View, at schema.Path, p payload, emit func(schema.Path, *schema.Edit) error) error {
		return p.decodeTo(at, emit)
	},
}

var openConfigTree = &tree{
	root: ocview.Root(), resolve: ocview.Resolve, expand: ocview.Expand,
	match: ocview.Match, leaves: ocview.Leaves, json: ocview.AppendJSON,
	remove: ocview.Delete,
	write: func(tx schema.Tx, at schema.Path, p payload, op schema.Op) error {
		if p.scalar != nil {
			return ocview.WriteScalar(tx, at, p.scalar, op)
		}
		return ocview.WriteJSON(tx, at, p.json, op)
	},
	edits: func(v schema.View, at schema.Path, p payload, emit func(schema.Path, *schema.Edit) error) error {
		if p.scalar != nil {
			return ocview.DecodeScalar(v, at, p.scalar, emit)
		}
		return ocview.DecodeJSON(v, at, p.json, emit)
	},
}

// treeOf is the tree that a path leads through. Without an origin the first
// element decides: the trees share no top-level name. The root without an
// origin is this agent's own (gnmi.md 9).
func treeOf(t target) *tree {
	if t.origin == originOpenConfig || ocview.Owned(t.origin) || t.origin == "" && ocview.Owns(t.elems) {
		return openConfigTree
	}
	return nativeTree
}

// openConfigModels are the models of the view, for Capabilities.
func openConfigModels() []*gpb.ModelData {
	var out []*gpb.ModelData
	for _, m := range ocview.Models() {
		out = append(out, &gpb.ModelData{Name: m.Name, Organization: m.Organization, Version: m.Version})
	}
	return out
}

// openConfig returns what the change means in the OpenConfig view.
func (d *delta) openConfig(o *sender) []*delta {
	d.viewed.Do(func() {
		before, after := recordsOf(d.change)
		now, _ := o.now()
		d.view = d.openConfigOf(now, before, after)
	})
	return d.view
}

// openConfigOf is openConfig of what may be told of the record.
func (d *delta) openConfigOf(v schema.View, before, after ocview.Record) []*delta {
	var out []*delta
	changes := ocview.Changes(v, d.change.Key, before, after)
	if d.change.New.Reborn { // as in compute
		for _, c := range ocview.Changes(v, d.change.Key, ocview.Record{}, after) {
			i := slices.IndexFunc(changes, func(o ocview.EntryChange) bool { return o.Entry.String() == c.Entry.String() })
			if i < 0 {
				changes = append(changes, c)
			} else if !changes[i].Gone {
				changes[i].Updates = c.Updates
			}
		}
	}
	for _, c := range changes {
		e := &delta{change: d.change, encoding: d.encoding, record: c.Entry, time: d.time, gone: c.Gone}
		for i := range c.Updates {
			u := &c.Updates[i]
			e.differ = append(e.differ, leafDelta{node: u.Node, rel: u.Rel, value: appendValue(nil, d.encoding, u)})
		}
		for _, rel := range c.Deletes {
			e.differ = append(e.differ, leafDelta{node: rel.Node(), rel: slices.Clip(rel)})
		}
		e.once.Do(func() {}) // known already
		out = append(out, e)
	}
	return out
}
