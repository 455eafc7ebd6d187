package schema

import (
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// LeafOptions choose what Leaves and Match visit.
type LeafOptions struct {
	Content  Content
	Depth    int  // levels of containers and lists below the path, 0 for all
	Defaults bool // also configuration leaves that are not set, with their defaults
}

// LeafValue is a leaf or leaf-list with its value. Rel is valid only during the
// call that gets it; Record may be kept.
type LeafValue struct {
	Key     Key  // of the record
	Record  Path // of the record
	Rel     Path // from the record to the leaf
	Node    *Node
	Value   Value   // of a leaf
	Values  []Value // of a leaf-list
	Default bool    // not set, the value is the default
}

// Path returns the whole path, which may be kept.
func (l *LeafValue) Path() Path { return append(slices.Clone(l.Record), l.Rel...) }

// Leaves calls fn for each leaf at p and below, in the order of the model and
// of keys, until fn returns false. Lists without a choice of one entry, also
// within p, stand for all their entries. Secrets are left out. What does not
// exist is not visited and is no error.
func Leaves(v View, p Path, o LeafOptions, fn func(*LeafValue) bool) {
	w := &walker{view: v, hider: hiderOf(v), o: o, leaf: fn}
	w.walk(Root(), p, place{}, unlimited(o.Depth))
}

// Match calls fn for each existing node that p names, with its path, which may
// be kept, until fn returns false. Lists without a choice of one entry stand
// for all their entries. A container without data does not exist.
func Match(v View, p Path, o LeafOptions, fn func(Path) bool) {
	w := &walker{view: v, hider: hiderOf(v), o: o, node: fn}
	w.walk(Root(), p, place{}, 1)
}

// walker goes down a path and then through everything below it, or tells
// where the path ends. stopped ends the walk.
type walker struct {
	view  View
	hider Hider // nil: nothing is hidden
	o     LeafOptions
	leaf  func(*LeafValue) bool
	node  func(Path) bool

	record  Path // of the record that the walk is in
	rel     Path // from there on; above all records, from the root
	inUse   bool // the entry that the walk is in is configured, so its defaults are in force
	stopped bool
	out     LeafValue
}

// walk visits n at a place; rest still leads on.
func (w *walker) walk(n *Node, rest Path, at place, depth int) {
	if len(rest) > 0 {
		w.step(rest[0], rest[1:], at, depth)
		return
	}
	if w.node != nil {
		if n.Kind == List && w.o.Content.config() || n.Presence && at.valid() || hasData(w.view, n, at, w.o.Content) {
			w.tell()
		}
		return
	}
	for _, c := range n.Children {
		if w.stopped {
			return
		}
		switch {
		case c.IsLeaf():
			w.visitLeaf(c, at)
		case depth > 1:
			w.step(Step{Node: c}, nil, at, depth-1)
		}
	}
}

// tell reports the path that the walk stands at.
func (w *walker) tell() {
	p := append(slices.Clone(w.record), w.rel...)
	w.stopped = w.stopped || !w.node(p)
}

// step goes from a place to the step's node, to each entry of a list that is
// not chosen.
func (w *walker) step(s Step, rest Path, at place, depth int) {
	n := s.Node
	switch {
	case n.IsLeaf():
		w.visitLeaf(n, at)
	case n.kind != nil:
		w.records(s, rest, at, depth)
	case n.spine:
		w.enter(s, rest, place{key: at.key}, depth)
	case n.Kind == Container:
		sub := at.sub(n)
		if sub.valid() || w.o.Defaults && !n.Presence && w.inUse && n.Config {
			w.enter(s, rest, sub, depth)
		}
	case s.wild():
		var few [fewEntries]placeEntry
		for _, e := range at.entries(few[:0], n) {
			w.enterEntry(Step{n, []string{e.key.String()}}, rest, e.place, depth)
		}
	default:
		if e := at.entry(n, s.Keys[0]); e.valid() {
			w.enterEntry(s, rest, e, depth)
		}
	}
}

// records goes to the records that the step chooses.
func (w *walker) records(s Step, rest Path, at place, depth int) {
	n := s.Node
	passing := rest.toRecord() // there are no orphans: only the last record is looked at
	switch {
	case passing && !s.wild():
		w.enterRecord(s, rest, place{key: MakeKey(at.key, n.kind, s.Keys...)}, depth)
	case n.kind.Singleton:
		w.enterRecord(s, rest, recordAt(w.view, MakeKey(at.key, n.kind), w.o.Content), depth)
	case s.wild():
		prefix := at.key.childPrefix(n.kind)
		ScanEntries(w.view, prefix, func(k Key, rec ygot.GoStruct) bool {
			at := place{key: k}
			if !passing {
				at = recordOf(w.view, k, rec, w.o.Content)
			}
			w.enterRecord(Step{n, []string{k.Name()}}, rest, at, depth)
			return !w.stopped
		})
	default:
		if r := recordAt(w.view, MakeKey(at.key, n.kind, s.Keys...), w.o.Content); r.valid() {
			w.enterRecord(s, rest, r, depth)
		}
	}
}

// enterRecord starts a new record path. Inside, rel is short again.
func (w *walker) enterRecord(s Step, rest Path, at place, depth int) {
	record, rel, inUse := w.record, w.rel, w.inUse
	w.inUse = at.cfg.IsValid() || s.Node.kind.Singleton
	w.record = append(append(make(Path, 0, len(record)+len(rel)+1), record...), rel...)
	w.record = append(w.record, s)
	w.rel = make(Path, 0, 8)
	if !w.stopped {
		w.walk(s.Node, rest, at, depth)
	}
	w.record, w.rel, w.inUse = record, rel, inUse
}

// enterEntry enters an entry of a list within a record.
func (w *walker) enterEntry(s Step, rest Path, at place, depth int) {
	inUse := w.inUse
	w.inUse = at.cfg.IsValid()
	w.enter(s, rest, at, depth)
	w.inUse = inUse
}

func (w *walker) enter(s Step, rest Path, at place, depth int) {
	if w.stopped {
		return
	}
	w.rel = append(w.rel, s)
	w.walk(s.Node, rest, at, depth)
	w.rel = w.rel[:len(w.rel)-1]
}

// visitLeaf reports the leaf or leaf-list n where it has a value.
func (w *walker) visitLeaf(n *Node, at place) {
	if w.stopped || n.Secret || !w.o.Content.takes(n) {
		return
	}
	sv := at.holder(n)
	set := n.isSet(sv)
	if !set && (!w.o.Defaults || !w.inUse || len(n.defaults()) == 0 || w.hider != nil && w.hider.Hides(at.key, n)) {
		return
	}
	w.rel = append(w.rel, Step{Node: n})
	defer func() { w.rel = w.rel[:len(w.rel)-1] }()
	if w.node != nil {
		w.tell()
		return
	}
	w.out = LeafValue{Key: at.key, Record: w.record, Rel: w.rel, Node: n, Default: !set}
	switch {
	case !set && n.Kind == Leaf:
		w.out.Value = n.defaults()[0]
	case !set:
		w.out.Values = n.defaults()
	case n.Kind == Leaf:
		w.out.Value, _ = n.value(sv)
	default:
		w.out.Values = n.values(sv)
	}
	w.stopped = !w.leaf(&w.out)
}

// defaults returns the default values of a leaf or leaf-list, nil for none.
// State has no defaults: what is not known is absent.
func (n *Node) defaults() []Value {
	if !n.Config {
		return nil
	}
	return n.defaultValues
}
