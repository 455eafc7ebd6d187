package nacm

import (
	"slices"
	"sync"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// Records finds the access to records. It remembers where the last one was, so
// it belongs to one goroutine. The zero Records permits everything.
type Records struct {
	root   schema.Access
	prefix schema.Key    // of the keys of the list, or the singleton, that was asked for last
	list   schema.Access // to that
}

// Records returns what tells the user's read access to records.
func (r *Rights) Records() Records { return Records{root: r.Read()} }

// Of returns the access to the record of a key.
func (r *Records) Of(k schema.Key) schema.Access {
	if r.root == nil || r.root == schema.Nothing || k == "" {
		return r.root
	}
	name := k.Name()
	prefix := k[:len(k)-len(name)]
	if r.prefix != prefix {
		above := Records{root: r.root}
		r.list = down(above.Of(k.Parent()), ways()[k.Kind()])
		r.prefix = prefix
	}
	if k.Kind().Singleton || r.list == nil || r.list == schema.Nothing {
		return r.list
	}
	return r.list.Entry(name)
}

// down follows nodes.
func down(a schema.Access, way []*schema.Node) schema.Access {
	for _, n := range way {
		if a == nil || a == schema.Nothing {
			break
		}
		a = a.Child(n)
	}
	return a
}

// way returns the nodes from below top to n.
func way(top, n *schema.Node) []*schema.Node {
	var out []*schema.Node
	for ; n != top; n = n.Parent {
		out = append(out, n)
	}
	slices.Reverse(out)
	return out
}

// ways are the nodes that lead to each kind of record from the one above.
var ways = sync.OnceValue(func() map[*schema.RecordKind][]*schema.Node {
	m := map[*schema.RecordKind][]*schema.Node{}
	for _, k := range schema.Kinds() {
		top := schema.Root()
		if k.Parent != nil {
			top = k.Parent.Node
		}
		m[k] = way(top, k.Node)
	}
	return m
})

// View returns what the user may read of a view: the view itself where that is
// everything. Filters, encoders and other views work on what is left, so that
// nothing tells of the rest.
func (r *Rights) View(v schema.View) schema.View {
	a := r.Read()
	if a == nil {
		return v
	}
	return &view{View: v, records: Records{root: a}}
}

// view implements schema.Hider. It belongs to one goroutine.
type view struct {
	schema.View
	records Records
}

// Get returns what may be read of a configuration record.
func (v *view) Get(k schema.Key) ygot.GoStruct {
	a := v.records.Of(k)
	if a == schema.Nothing {
		return nil
	}
	return schema.Readable(v.View.Get(k), a)
}

// State returns what may be read of the state of a record.
func (v *view) State(k schema.Key) ygot.GoStruct {
	a := v.records.Of(k)
	if a == schema.Nothing {
		return nil
	}
	return schema.Readable(v.View.State(k), a)
}

// LendState implements schema.StateLender.
func (v *view) LendState(k schema.Key) ygot.GoStruct {
	a := v.records.Of(k)
	if a == schema.Nothing {
		return nil
	}
	return schema.Readable(schema.LendState(v.View, k), a)
}

// Scan passes over what may not be read.
func (v *view) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	v.View.Scan(prefix, v.readable(fn))
}

// ScanEntries is Scan that passes over what is below an entry too.
func (v *view) ScanEntries(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	schema.ScanEntries(v.View, prefix, v.readable(fn))
}

// readable calls fn for what may be read of the records that it is called for.
func (v *view) readable(fn func(schema.Key, ygot.GoStruct) bool) func(schema.Key, ygot.GoStruct) bool {
	return func(k schema.Key, rec ygot.GoStruct) bool {
		a := v.records.Of(k)
		return a == schema.Nothing || fn(k, schema.Readable(rec, a))
	}
}

// Hides implements schema.Hider. In an entry of a list within a record nobody
// can tell which: there a leaf is hidden as soon as it is so in some entries.
func (v *view) Hides(k schema.Key, leaf *schema.Node) bool {
	a := v.records.Of(k)
	for _, n := range way(k.Kind().Node, leaf) {
		if a == nil || a == schema.Nothing {
			break
		}
		if a = a.Child(n); n.Kind == schema.List {
			break
		}
	}
	return a != nil
}
