package schema

import (
	"reflect"
	"slices"
)

// maxErrors is how many faults Validate reports. A group with 100,000 members
// is as wrong after the first thousand.
const maxErrors = 1000

// Validate checks the records that differ, and those that depend on them,
// against what the model says across leaves and records: mandatory, must,
// when, unique, min-elements, max-elements, leafref, choice, and values that a
// leaf-list holds twice (RFC 7950 8.1). r is the new configuration, dirty is
// sorted by key; types were checked when values were parsed. The cost does not
// depend on the size of the configuration. Tags are those of RFC 7950 15 and
// 8.3.1.
func Validate(r Reader, dirty []Dirty) Errors {
	v := &validator{r: r}
	for _, d := range dirty {
		if v.full() {
			break
		}
		if d.New != nil {
			v.record(d.Key, structOf(d.New))
			v.references(d.Key, structOf(d.New))
			v.unique(d, dirty)
		}
		v.dependents(d, dirty)
	}
	v.errs.Sort()
	return v.errs
}

// validator walks records. The stack leads from the record to the context
// node of the condition that is evaluated.
type validator struct {
	r     Reader
	k     Key // of the record
	stack []frame
	errs  Errors
}

// frame is a node on the way, its struct, and the key of a list entry. A leaf
// has no struct.
type frame struct {
	n   *Node
	sv  reflect.Value
	key string
}

func (v *validator) push(n *Node, sv reflect.Value, key string) {
	v.stack = append(v.stack, frame{n, sv, key})
}

func (v *validator) pop() { v.stack = v.stack[:len(v.stack)-1] }

func (v *validator) full() bool { return len(v.errs) >= maxErrors }

// path returns the path of the node on top of the stack, or of a leaf or list
// below it.
func (v *validator) path(below ...*Node) Path {
	p := v.k.Path()
	for _, f := range v.stack[1:] {
		if f.n.Kind == List {
			p = append(p, Step{Node: f.n, Keys: []string{f.key}})
		} else {
			p = append(p, Step{Node: f.n})
		}
	}
	for _, n := range below {
		p = append(p, Step{Node: n})
	}
	return p
}

func (v *validator) fail(e *Error) {
	if !v.full() {
		v.errs = append(v.errs, e)
	}
}

// find returns the value of a leaf: up steps above the context node, then
// down the names.
func (v *validator) find(up int, names ...string) (Value, bool) {
	f := v.stack[len(v.stack)-1-up]
	n, sv := f.n, f.sv
	for _, name := range names[:len(names)-1] {
		n = n.Child(name)
		sv = n.sub(sv)
	}
	return n.Child(names[len(names)-1]).value(sv)
}

// record checks what a record alone decides, and the musts that look at its
// neighbours.
func (v *validator) record(k Key, sv reflect.Value) {
	v.k = k
	v.stack = v.stack[:0]
	v.push(k.Kind().Node, sv, k.Name())
	if r := allRules()[k.Kind()]; r != nil {
		v.instance(r)
	}
}

// instance checks the container or list entry on top of the stack.
func (v *validator) instance(r *rules) {
	top := v.stack[len(v.stack)-1]
	v.when(r.when)
	for _, m := range r.musts {
		if !m.holds(v) {
			v.fail(&Error{Tag: OperationFailed, AppTag: m.appTag, Path: v.path(), Message: m.message})
		}
	}
	for _, n := range r.mandatory {
		if !n.isSet(top.sv) {
			v.fail(&Error{Tag: DataMissing, Path: v.path(n), Message: "mandatory leaf " + n.Name + " is missing: set it"})
		}
	}
	for _, n := range r.counted {
		v.count(n, top.sv)
	}
	v.leafWhens(r, top.sv)
	v.choices(r.choices, top.sv)
	for _, n := range r.instances {
		v.knownPath(n, top.sv)
	}
	for _, c := range r.children {
		if c.node.Kind == Container {
			v.push(c.node, c.node.sub(top.sv), "")
			v.instance(c)
			v.pop()
			continue
		}
		entries := c.node.entries(top.sv)
		for _, e := range entries {
			v.push(c.node, e.sv, e.key.String())
			v.instance(c)
			v.pop()
		}
		for _, u := range c.uniques {
			v.uniqueWithin(c.node, u, entries)
		}
	}
}

// knownPath refuses the path of a data node that no module has: a rule with it
// would never match, and nobody would notice.
func (v *validator) knownPath(n *Node, sv reflect.Value) {
	text, ok := n.value(sv)
	if !ok {
		return
	}
	in, err := ParseInstance(text.s, nil)
	if err == nil {
		err = in.Known()
	}
	if err != nil {
		v.fail(&Error{Tag: InvalidValue, Path: v.path(n), BadElement: n.Name, Message: err.Error()})
	}
}

func (v *validator) leafWhens(r *rules, sv reflect.Value) {
	for _, l := range r.leaves {
		if l.node.isSet(sv) {
			v.push(l.node, reflect.Value{}, "")
			v.when(l.when)
			v.pop()
		}
	}
}

// when refuses the node on top of the stack if its condition is false.
func (v *validator) when(w *rule) {
	if w == nil || w.holds(v) {
		return
	}
	n := v.stack[len(v.stack)-1].n
	v.fail(&Error{Tag: UnknownElement, Path: v.path(), BadElement: n.Name, Message: n.Name + " is only allowed when " + w.text})
}

// count checks the number of entries of a list or leaf-list, and that a
// leaf-list holds no value twice.
func (v *validator) count(n *Node, sv reflect.Value) {
	entries := 0
	if n.isSet(sv) {
		entries = sv.Field(n.field).Len()
	}
	if most := n.mostElements(); most > 0 && uint64(entries) > most {
		v.fail(tooMany(n, v.path(n)))
	}
	if uint64(entries) < n.Meta.MinElements {
		v.fail(&Error{
			Tag: OperationFailed, AppTag: AppTooFew, Path: v.path(n),
			Message: "too few entries: at least " + UintValue(n.Meta.MinElements).String() + " are needed",
		})
	}
	if n.Kind != LeafList || entries < 2 {
		return
	}
	values := n.values(sv)
	slices.SortFunc(values, compareValues)
	for i := 1; i < len(values); i++ {
		if values[i] == values[i-1] {
			p := v.path(n)
			v.fail(&Error{
				Tag: OperationFailed, AppTag: AppNotUnique, Path: p, NonUnique: []Path{p},
				Message: "holds " + values[i].String() + " twice",
			})
			return
		}
	}
}

// maxLeafList bounds leaf-lists of standards that have no max-elements, and what
// is read of any: comparing the entries of one that is larger costs too much.
const maxLeafList = 4096

// mostElements is how many entries a list or leaf-list may have, 0 for any
// number.
func (n *Node) mostElements() uint64 {
	if n.Meta.MaxElements == 0 && n.Kind == LeafList {
		return maxLeafList
	}
	return n.Meta.MaxElements
}

// tooMany is the fault of RFC 7950 15.2.
func tooMany(n *Node, p Path) *Error {
	return &Error{
		Tag: OperationFailed, AppTag: AppTooMany, Path: p,
		Message: "too many entries: at most " + UintValue(n.mostElements()).String() + " are allowed",
	}
}

// choices refuses data of more than one case of a choice. Edits clear the
// other cases, so only data from elsewhere can be so.
func (v *validator) choices(nodes []*Node, sv reflect.Value) {
	for i, n := range nodes {
		if !n.isSet(sv) {
			continue
		}
		for _, o := range nodes[:i] {
			if o.Choice == n.Choice && o.Case != n.Case && o.isSet(sv) {
				v.fail(caseError(v.path(n), o))
				break
			}
		}
	}
}

// caseError is the fault that the node at p and the node other are of
// different cases of one choice (RFC 7950 8.3.1).
func caseError(p Path, other *Node) *Error {
	return &Error{
		Tag: BadElement, Path: p, BadElement: p.Node().Name,
		Message: p.Node().Name + " and " + other.Name + " exclude each other: give one of them",
	}
}
