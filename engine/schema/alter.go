package schema

import (
	"reflect"
	"slices"

	"github.com/openconfig/ygot/ygot"

	"mooring/internal/xmltok"
)

// RecordState is a record at one instant: its configuration and its state,
// each nil where there is none.
type RecordState struct{ Config, State ygot.GoStruct }

// Alteration is a node in which two states of a record differ: a list entry
// that is new or gone, with all in it, or a leaf.
type Alteration struct {
	Op    Op     // OpCreate, OpDelete, OpReplace
	Path  Path   // of the node
	Entry string // of a leaf-list: the entry that is new or gone
	Value []byte // but for OpDelete: the node and all in it as XML that stands alone
	// Before makes the same of what was there, but for OpCreate: with the
	// records below it, which the View has. It may be called in fn only.
	Before func(View) []byte
}

// Alterations calls fn for what has changed between two states of the record k,
// as far as a filter selects it, nil for everything, and the content takes it.
// What is gone comes before what is new, so that a case of a choice makes room
// for another one; each is in the order of the model and of list keys. It is the
// difference between what EncodeXML with Explicit writes of both states, so
// secrets are left out. Records below k are not looked at.
//
// Content matches of a filter in records above k are decided by their keys: no
// list entry that is a record has another leaf of its own.
func Alterations(k Key, old, new RecordState, f *Filter, c Content, fn func(*Alteration)) {
	(&alterer{key: k, fn: fn, enc: xmlEncoder{view: noRecords{}, content: c}}).run(old, new, f)
}

// Differences is Alterations for an edit of the first state: what a filter
// selects of either state is compared, so that a list entry is only new or gone
// where the other state has none.
func Differences(k Key, old, new RecordState, f *Filter, c Content, fn func(*Alteration)) {
	(&alterer{key: k, fn: fn, either: true, enc: xmlEncoder{view: noRecords{}, content: c}}).run(old, new, f)
}

func (a *alterer) run(old, new RecordState, f *Filter) {
	kind := a.key.Kind()
	sel := f.at(a.key)
	if !sel.any() {
		return
	}
	was, is := a.placeOf(old), a.placeOf(new)
	if kind.Singleton {
		a.members(kind.Node, was, is, sel.matching(was, false), sel.matching(is, false))
	} else {
		a.entry(kind.Node, was, is, sel, sel)
	}
	for i := range a.later {
		a.fn(&a.later[i])
	}
}

// Takes says whether a filter, nil for everything, can select anything of a
// content in any configuration.
func (f *Filter) Takes(c Content) bool { return f == nil || f.root.takes(c) }

func (f *filterNode) takes(c Content) bool {
	if f.never {
		return false
	}
	if f.selects {
		return f.n.holds(c)
	}
	if slices.ContainsFunc(f.matches, func(m contentMatch) bool { return c.takes(m.leaf) }) {
		return true
	}
	return slices.ContainsFunc(f.sub, func(nodes []*filterNode) bool {
		return slices.ContainsFunc(nodes, func(s *filterNode) bool { return s.takes(c) })
	})
}

// holds says whether the content has a leaf at n or below.
func (n *Node) holds(c Content) bool {
	if n.IsLeaf() {
		return !n.Secret && c.takes(n)
	}
	return slices.ContainsFunc(n.Children, func(child *Node) bool { return child.holds(c) })
}

// at returns what the filter selects at the record k, before its content is
// compared.
func (f *Filter) at(k Key) selection {
	if f == nil {
		return selection{all: true}
	}
	sel := selection{nodes: []*filterNode{f.root}}.matching(place{}, false)
	for _, s := range k.Path() {
		if !sel.all {
			sel = sel.child(s.Node)
		}
		switch {
		case sel.all || s.Node == k.Kind().Node:
		case len(s.Keys) > 0:
			sel = sel.named(s.Node, s.Keys[0])
		default:
			sel = sel.matching(place{}, false) // there are no leaves
		}
		if !sel.any() {
			return sel
		}
	}
	return sel
}

// named returns what of s is left at the entry of the list n with a key, whose
// only leaf is that key.
func (s selection) named(n *Node, key string) selection {
	if s.all {
		return s
	}
	out := selection{nodes: make([]*filterNode, 0, len(s.nodes))}
	for _, f := range s.nodes {
		if !f.never && !slices.ContainsFunc(f.matches, func(m contentMatch) bool { return m.leaf != n.Keys[0] || m.text != key }) {
			out.nodes = append(out.nodes, f)
		}
	}
	return out
}

// noRecords is a View of nothing: values are written without the records below.
type noRecords struct{}

func (noRecords) Get(Key) ygot.GoStruct                   { return nil }
func (noRecords) State(Key) ygot.GoStruct                 { return nil }
func (noRecords) Scan(Key, func(Key, ygot.GoStruct) bool) {}
func (a *alterer) placeOf(r RecordState) place {
	p := place{key: a.key, cfg: structOf(r.Config)}
	if a.enc.content.state() {
		p.st = structOf(r.State)
	}
	return p
}

// alterer compares. The steps from the record to the node at hand are on a
// stack.
type alterer struct {
	key    Key
	record Path // made for the first alteration
	rel    Path
	fn     func(*Alteration)
	either bool         // what is selected of one state is of the other too
	later  []Alteration // what is new
	enc    xmlEncoder   // writes values
}

// entry compares a list entry. The selections are those before its content is
// compared.
func (a *alterer) entry(n *Node, was, is place, sw, si selection) {
	before, after := a.shown(n, was, sw), a.shown(n, is, si)
	if a.either && before != after {
		before, after = was.valid(), is.valid()
	}
	switch {
	case before && after:
		a.members(n, was, is, sw.matching(was, false), si.matching(is, false))
	case before:
		a.tell(OpDelete, "", nil, func() []byte {
			a.enc.buf = a.enc.buf[:0]
			a.enc.entry(n, was, sw)
			return a.standalone(n)
		})
	case after:
		a.enc.buf = a.enc.buf[:0]
		a.enc.entry(n, is, si)
		a.tell(OpCreate, "", a.standalone(n), nil)
	}
}

// shown says whether a list entry is there and selected.
func (a *alterer) shown(n *Node, at place, sel selection) bool {
	if sel = sel.matching(at, false); !at.valid() || !sel.any() {
		return false
	}
	if a.enc.content.takes(n) && sel.takesKey(n) {
		return true
	}
	a.enc.buf = a.enc.buf[:0]
	a.enc.members(n, at, sel)
	return len(a.enc.buf) > 0
}

// members compares the children of n, but for keys and other records.
func (a *alterer) members(n *Node, was, is place, sw, si selection) {
	switch {
	case !a.either || sw.any() && si.any():
	case sw.any():
		si = sw
	default:
		sw = si
	}
	for _, c := range n.Children {
		cw, ci := sw, si
		if !sw.all {
			cw = sw.child(c)
		}
		if !si.all {
			ci = si.child(c)
		}
		switch {
		case c.isKey || c.spine || c.kind != nil || !cw.any() && !ci.any():
		case c.IsLeaf():
			if !c.Secret && a.enc.content.takes(c) {
				a.push(Step{Node: c})
				a.leaf(c, was.holder(c), is.holder(c), cw, ci)
				a.pop()
			}
		case c.Kind == Container:
			if w, i := was.sub(c), is.sub(c); w.valid() || i.valid() {
				a.push(Step{Node: c})
				a.members(c, w, i, cw.matching(w, false), ci.matching(i, false))
				a.pop()
			}
		case c.isSet(was.cfg) || c.isSet(was.st) || c.isSet(is.cfg) || c.isSet(is.st):
			a.list(c, was, is, cw, ci)
		}
	}
}

// list compares a list within the record.
func (a *alterer) list(n *Node, was, is place, sw, si selection) {
	old, now := was.entries(nil, n), is.entries(nil, n)
	for len(old) > 0 || len(now) > 0 {
		order := 0
		switch {
		case len(old) == 0:
			order = 1
		case len(now) == 0:
			order = -1
		default:
			order = compareValues(old[0].key, now[0].key)
		}
		var w, i placeEntry
		if order <= 0 {
			w, old = old[0], old[1:]
			i.key = w.key
		}
		if order >= 0 {
			i, now = now[0], now[1:]
		}
		a.push(Step{n, []string{i.key.String()}})
		a.entry(n, w.place, i.place, sw, si)
		a.pop()
	}
}

// leaf compares a leaf or leaf-list.
func (a *alterer) leaf(n *Node, was, is reflect.Value, sw, si selection) {
	if n.Kind == LeafList {
		a.leafList(n, was, is, sw, si)
		return
	}
	before, after := sw.any() && n.isSet(was), si.any() && n.isSet(is)
	if !before && !after || before && after && n.sameLeaf(was, is) {
		return
	}
	op := OpReplace
	switch {
	case !after:
		a.tell(OpDelete, "", nil, a.leafBefore(n, was))
		return
	case !before:
		op = OpCreate
	}
	v, _ := n.value(is)
	a.tell(op, "", a.leafValue(n, v), a.leafBefore(n, was))
}

// leafBefore makes the value that a leaf had.
func (a *alterer) leafBefore(n *Node, was reflect.Value) func() []byte {
	return func() []byte {
		v, _ := n.value(was)
		return a.leafValue(n, v)
	}
}

// leafList tells the entries that are gone and those that are new.
func (a *alterer) leafList(n *Node, was, is reflect.Value, sw, si selection) {
	old, now := n.selectedValues(was, sw), n.selectedValues(is, si)
	for _, v := range old {
		if !slices.Contains(now, v) {
			a.tell(OpDelete, v.String(), nil, func() []byte { return a.leafValue(n, v) })
		}
	}
	for _, v := range now {
		if !slices.Contains(old, v) {
			a.tell(OpCreate, v.String(), a.leafValue(n, v), nil)
		}
	}
}

// selectedValues returns the entries of a leaf-list that are selected.
func (n *Node) selectedValues(sv reflect.Value, sel selection) []Value {
	if !sel.any() {
		return nil
	}
	var out []Value
	for i, v := range n.values(sv) {
		if sel.takesValue(n, sv.Field(n.field).Index(i)) {
			out = append(out, v)
		}
	}
	return out
}

func (a *alterer) leafValue(n *Node, v Value) []byte {
	a.enc.buf = append(append(a.enc.buf[:0], '<'), n.Name...)
	a.enc.buf = append(a.enc.buf, '>')
	if v.kind == ValueString {
		a.enc.buf = xmltok.AppendEscaped(a.enc.buf, v.s)
	} else {
		a.enc.buf = v.Append(a.enc.buf)
	}
	a.enc.end(n)
	return a.standalone(n)
}

// standalone returns a copy of the element of n that was written, with its
// namespace declared.
func (a *alterer) standalone(n *Node) []byte {
	b, name := a.enc.buf, len("<")+len(n.Name)
	if b[name] != '>' {
		return slices.Clone(b) // it declares it already
	}
	return slices.Concat(b[:name], []byte(` xmlns="`), []byte(n.Namespace), []byte(`"`), b[name:])
}

func (a *alterer) push(s Step) { a.rel = append(a.rel, s) }
func (a *alterer) pop()        { a.rel = a.rel[:len(a.rel)-1] }

func (a *alterer) tell(op Op, entry string, value []byte, before func() []byte) {
	if a.record == nil {
		a.record = a.key.Path()
	}
	p := make(Path, 0, len(a.record)+len(a.rel))
	out := Alteration{Op: op, Path: append(append(p, a.record...), a.rel...), Entry: entry, Value: value}
	if before != nil {
		out.Before = func(v View) []byte {
			a.enc.view = v
			defer func() { a.enc.view = noRecords{} }()
			return before()
		}
	}
	if op == OpDelete {
		a.fn(&out)
		return
	}
	a.later = append(a.later, out)
}
