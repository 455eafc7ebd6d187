package ocview

import (
	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// Leaves calls fn for each OpenConfig leaf that p names and below, in the
// order of the table, until fn returns false, as schema.Leaves does: Record is
// the path of the list entry and Rel leads on from there. Lists without a
// choice of one entry stand for all entries. Secrets are left out.
func Leaves(v schema.View, p schema.Path, o schema.LeafOptions, fn func(*schema.LeafValue) bool) {
	w := &walker{options: o, leaf: fn}
	w.walk(model.root, p, top(v), unlimited(o.Depth))
}

// Match calls fn for each existing node that p names, with its path, which may
// be kept, until fn returns false. A container without data does not exist.
func Match(v schema.View, p schema.Path, o schema.LeafOptions, fn func(schema.Path) bool) {
	w := &walker{options: o, node: fn}
	w.walk(model.root, p, top(v), 1)
}

// top is where a walk starts.
func top(v schema.View) *entry {
	return &entry{view: v, records: map[byte]ygot.GoStruct{}, states: map[byte]ygot.GoStruct{}, names: new([]string)}
}

func unlimited(depth int) int {
	if depth == 0 {
		return 1 << 30
	}
	return depth
}

// takes says whether a leaf belongs to the content.
func takes(c schema.Content, n *schema.Node) bool {
	switch c {
	case schema.ConfigOnly:
		return n.Config
	case schema.StateOnly:
		return !n.Config
	case schema.Operational:
		return !n.Config && !model.mirror[n]
	}
	return true
}

func withState(c schema.Content) bool { return c != schema.ConfigOnly }

// walker goes down a path and then through everything below it, or tells
// where the path ends.
type walker struct {
	options schema.LeafOptions
	leaf    func(*schema.LeafValue) bool
	node    func(schema.Path) bool

	record  schema.Path // of the list entry that the walk is in
	rel     schema.Path // from there on
	stopped bool
	out     schema.LeafValue
}

// walk visits n; rest still leads on.
func (w *walker) walk(n *schema.Node, rest schema.Path, e *entry, depth int) {
	if len(rest) > 0 {
		w.step(rest[0], rest[1:], e, depth)
		return
	}
	if w.node != nil {
		if n.Kind == schema.List && w.options.Content != schema.StateOnly && w.options.Content != schema.Operational || hasData(n, e, w.options.Content) {
			w.tell()
		}
		return
	}
	for _, c := range n.Children {
		switch {
		case w.stopped:
			return
		case c.IsLeaf():
			w.visit(c, e)
		case depth > 1:
			w.step(schema.Step{Node: c}, nil, e, depth-1)
		}
	}
}

func (w *walker) tell() {
	p := append(append(schema.Path{}, w.record...), w.rel...)
	w.stopped = w.stopped || !w.node(p)
}

// step goes to the step's node, to each entry of a list that is not chosen.
func (w *walker) step(s schema.Step, rest schema.Path, e *entry, depth int) {
	n := s.Node
	switch {
	case n.IsLeaf():
		w.visit(n, e)
	case n.Kind == schema.Container:
		w.rel = append(w.rel, s)
		w.walk(n, rest, e, depth)
		w.rel = w.rel[:len(w.rel)-1]
	case e.selfOnly && !isFamily(n):
	default:
		e.entries(n, s.Keys, withState(w.options.Content), func(at *entry) bool {
			w.enter(at, rest, depth)
			return !w.stopped
		})
	}
}

// enter enters a list entry. A family is within the entry of its peer.
func (w *walker) enter(e *entry, rest schema.Path, depth int) {
	if isFamily(e.list) {
		w.rel = append(w.rel, e.step())
		w.walk(e.list, rest, e, depth)
		w.rel = w.rel[:len(w.rel)-1]
		return
	}
	record, rel := w.record, w.rel
	w.record = append(append(append(make(schema.Path, 0, len(record)+len(rel)+1), record...), rel...), e.step())
	w.rel = make(schema.Path, 0, 8)
	w.walk(e.list, rest, e, depth)
	w.record, w.rel = record, rel
}

// visit reports a leaf where it has a value.
func (w *walker) visit(n *schema.Node, e *entry) {
	if w.stopped || n.Secret || !takes(w.options.Content, n) {
		return
	}
	r := model.row[n]
	values := e.show(r)
	unset := len(values) == 0
	if unset && w.options.Defaults {
		values = e.byDefault(r)
	}
	if len(values) == 0 {
		return
	}
	w.rel = append(w.rel, schema.Step{Node: n})
	defer func() { w.rel = w.rel[:len(w.rel)-1] }()
	if w.node != nil {
		w.tell()
		return
	}
	w.out = schema.LeafValue{Key: e.key, Record: w.record, Rel: w.rel, Node: n, Default: unset}
	if n.Kind == schema.LeafList {
		w.out.Values = values
	} else {
		w.out.Value = values[0]
	}
	w.stopped = !w.leaf(&w.out)
}

// byDefault returns the default in force of a configuration leaf.
func (e *entry) byDefault(r *row) []schema.Value {
	if len(r.node.Default) == 0 || e.config(r.record) == nil {
		return nil
	}
	if h, ok := e.view.(schema.Hider); ok && h.Hides(e.keyOf(r.record), r.leaf) {
		return nil
	}
	if r.inFamily && !e.hasFamily(r.record, e.family, false) {
		return nil
	}
	v, err := r.leaf.Type.Parse(r.node.Default[0])
	if err != nil {
		return nil // the native model has checked its defaults
	}
	return one(v)
}

// hasData says whether there is anything at n or below.
func hasData(n *schema.Node, e *entry, c schema.Content) bool {
	for _, child := range n.Children {
		switch {
		case child.IsLeaf():
			key := n.Kind == schema.List
			if !key && !child.Secret && takes(c, child) && len(e.show(model.row[child])) > 0 {
				return true
			}
		case child.Kind == schema.Container:
			if hasData(child, e, c) {
				return true
			}
		default:
			if !e.entries(child, nil, withState(c), func(at *entry) bool { return !(c == schema.All || c == schema.ConfigOnly || hasData(child, at, c)) }) {
				return true
			}
		}
	}
	return false
}
