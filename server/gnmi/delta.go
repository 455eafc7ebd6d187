package gnmi

import (
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// delta is what changed in one record: only the leaves whose value differs
// (gnmi.md 69). A leaf that falls back to its default has the default as its
// new value (gnmi.md 78).
type delta struct {
	change     *commit.Change
	encoding   gpb.Encoding
	record     schema.Path
	time       int64 // of the event (gnmi.md 60)
	duplicates uint32
	gone       bool // the record was deleted

	differ []leafDelta // computed when first asked for
	known  bool
}

// leafDelta is a leaf that differs.
type leafDelta struct {
	rel   schema.Path
	value *gpb.TypedValue // nil: it is gone
}

func newDelta(c *commit.Change, enc gpb.Encoding) *delta {
	at := c.New.Time
	if at.IsZero() {
		at = time.Now()
	}
	return &delta{
		change: c, encoding: enc, record: c.Key.Path(), time: at.UnixNano(),
		duplicates: c.Duplicates, gone: c.New.Config == nil,
	}
}

// leaves returns what differs, new values first, each in the order of the
// model.
func (d *delta) leaves() []leafDelta {
	if d.known {
		return d.differ
	}
	d.known = true
	type leaf struct {
		rel    schema.Path
		value  schema.Value
		values []schema.Value
		found  bool
	}
	var old []leaf
	index := map[leafID]int{}
	walk(d.change.Key, d.record, d.change.Old, func(l *schema.LeafValue) {
		index[idOf(l)] = len(old)
		old = append(old, leaf{rel: slices.Clone(l.Rel), value: l.Value, values: l.Values})
	})
	walk(d.change.Key, d.record, d.change.New, func(l *schema.LeafValue) {
		if i, ok := index[idOf(l)]; ok {
			old[i].found = true
			if old[i].value == l.Value && slices.Equal(old[i].values, l.Values) {
				return
			}
		}
		d.differ = append(d.differ, leafDelta{rel: slices.Clone(l.Rel), value: leafValue(d.encoding, l)})
	})
	for _, l := range old {
		if !l.found {
			d.differ = append(d.differ, leafDelta{rel: l.rel})
		}
	}
	return d.differ
}

// leafID tells the leaves of a record apart.
type leafID struct {
	node *schema.Node
	keys string
}

func idOf(l *schema.LeafValue) leafID {
	id := leafID{node: l.Node}
	for _, s := range l.Rel {
		if len(s.Keys) > 0 {
			id.keys += strings.Join(s.Keys, "\x00") + "\x00"
		}
	}
	return id
}

// walk visits all leaves of a record as an entry of a change has them.
func walk(k schema.Key, record schema.Path, e commit.Entry, fn func(*schema.LeafValue)) {
	if e.Config == nil {
		return
	}
	v := recordView{key: k, config: e.Config, state: e.State()}
	schema.Leaves(v, record, schema.LeafOptions{Defaults: true}, func(l *schema.LeafValue) bool {
		fn(l)
		return true
	})
}

// recordView is one record to walk through. The records above it exist but
// are empty, those below do not.
type recordView struct {
	key           schema.Key
	config, state ygot.GoStruct
}

// Get implements schema.View.
func (v recordView) Get(k schema.Key) ygot.GoStruct {
	if k == v.key {
		return v.config
	}
	return emptyRecords[k.Kind()]
}

// State implements schema.View.
func (v recordView) State(k schema.Key) ygot.GoStruct {
	if k == v.key {
		return v.state
	}
	return nil
}

// Scan implements schema.View.
func (v recordView) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	if strings.HasPrefix(string(v.key), string(prefix)) {
		fn(v.key, v.config)
	}
}

// emptyRecords has a record without values of each kind, only ever walked
// through.
var emptyRecords = func() map[*schema.RecordKind]ygot.GoStruct {
	m := map[*schema.RecordKind]ygot.GoStruct{}
	for _, k := range schema.Kinds() {
		m[k] = schema.New(schema.MakeKey("", k))
	}
	return m
}()

// relPaths are the paths from a record to its leaves that no list is on: most
// leaves, and always the same message.
var relPaths = func() map[*schema.Node]*gpb.Path {
	m := map[*schema.Node]*gpb.Path{}
	var grow func(n *schema.Node, p schema.Path)
	grow = func(n *schema.Node, p schema.Path) {
		for _, c := range n.Children {
			rel := p.Append(c)
			switch {
			case c.IsRecord():
				grow(c, nil)
			case c.IsLeaf():
				m[c] = &gpb.Path{Elem: elemsOut(rel)}
			case c.Kind == schema.Container:
				grow(c, rel)
			}
		}
	}
	grow(schema.Root(), nil)
	return m
}()

// relOut is a path below a record as gNMI writes it. It may be shared: nobody
// changes it.
func relOut(rel schema.Path) *gpb.Path {
	if p := relPaths[rel.Node()]; p != nil {
		return p
	}
	return &gpb.Path{Elem: elemsOut(rel)}
}
