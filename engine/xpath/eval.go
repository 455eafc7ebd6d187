package xpath

import (
	"context"
	"regexp"
	"slices"
)

// evaluation is one run of an expression. Once err is set, every loop ends and
// the values mean nothing.
type evaluation struct {
	ctx       context.Context //nolint:containedctx // it lives as long as one call
	expr      *Expr
	doc       *Document
	current   Node
	variables map[string]string
	patterns  map[string]*regexp.Regexp
	left      int // steps
	err       error
}

// focus is the context of a part of an expression (XPath 1.0 1).
type focus struct {
	node           Node
	position, size int
}

// contextEvery is how many steps lie between two looks at the context.
const contextEvery = 1 << 12

// spend pays for n steps. It fails when the budget or the context has come to
// its end.
func (e *evaluation) spend(n int) bool {
	before := e.left
	e.left -= n
	switch {
	case e.err != nil:
	case e.left < 0:
		e.err = &Error{Expr: e.expr.text, Offset: -1, Reason: ErrLimit, Detail: "the expression looks at too many nodes: name list keys, or the nodes on the way"}
	case before/contextEvery != e.left/contextEvery && e.ctx.Err() != nil:
		e.err = context.Cause(e.ctx)
	}
	return e.err == nil
}

func (x literal) eval(*evaluation, focus) value { return textValue(string(x)) }
func (x number) eval(*evaluation, focus) value  { return numberValue(float64(x)) }

func (x variable) eval(e *evaluation, _ focus) value { return textValue(e.variables[string(x)]) }

func (n *negation) eval(e *evaluation, f focus) value { return numberValue(-e.number(n.of.eval(e, f))) }

func (c *call) eval(e *evaluation, f focus) value {
	if !e.spend(1) {
		return value{kind: c.fn.result}
	}
	args := make([]value, len(c.args))
	for i, a := range c.args {
		args[i] = e.convert(a.eval(e, f), c.fn.param(i))
	}
	if c.fn.implied && len(args) == 0 {
		args = []value{e.convert(nodesValue(f.node), c.fn.params[0])}
	}
	return c.fn.run(e, f, args)
}

func (b *binary) eval(e *evaluation, f focus) value {
	if !e.spend(1) {
		return value{kind: b.kind()}
	}
	switch b.op {
	case "or":
		return boolValue(e.truth(b.l.eval(e, f)) || e.truth(b.r.eval(e, f)))
	case "and":
		return boolValue(e.truth(b.l.eval(e, f)) && e.truth(b.r.eval(e, f)))
	}
	l, r := b.l.eval(e, f), b.r.eval(e, f)
	switch b.op {
	case "|":
		return value{kind: kindNodes, nodes: e.ordered(append(slices.Clip(l.nodes), r.nodes...))}
	case "=", "!=", "<", "<=", ">", ">=":
		return boolValue(e.compare(b.op, l, r))
	}
	return numberValue(arithmetic(b.op, e.number(l), e.number(r)))
}

func (l *location) eval(e *evaluation, f focus) value {
	var set []Node
	switch {
	case l.start != nil:
		set = e.filter(slices.Clone(l.start.eval(e, f).nodes), l.filters)
	case l.absolute:
		set = []Node{e.doc}
	default:
		set = []Node{f.node}
	}
	for i := range l.steps {
		if len(set) == 0 || e.err != nil {
			break
		}
		set = e.step(set, &l.steps[i])
	}
	return value{kind: kindNodes, nodes: set}
}

// step goes from each node of a set along a step.
func (e *evaluation) step(set []Node, s *step) []Node {
	w := walk{e: e, s: s, counts: anyPositional(s.predicates)}
	w.keys, w.indexed = e.wanted(s.keys)
	for _, n := range set {
		if !e.spend(1) {
			return nil
		}
		if s.deep {
			w.deep(n)
		} else {
			w.from(n)
		}
	}
	if s.flat {
		return w.out
	}
	return e.ordered(w.out)
}

// walk is a step being taken.
type walk struct {
	e       *evaluation
	s       *step
	counts  bool // a predicate counts positions, so all nodes must be known first
	indexed bool
	keys    [][]Key // each of them chooses entries
	out     []Node
}

// from goes from one node.
func (w *walk) from(n Node) {
	if w.indexed && w.lookup(n) {
		return
	}
	if !w.counts {
		w.e.axis(n, w.s, w.keep)
		return
	}
	var found []Node
	w.e.axis(n, w.s, func(c Node) bool {
		found = append(found, c)
		return true
	})
	w.out = append(w.out, w.e.filter(found, w.s.predicates)...)
}

// keep takes a node for which all predicates hold, none of which counts
// positions.
func (w *walk) keep(n Node) bool {
	for _, p := range w.s.predicates {
		if !w.e.truth(p.of.eval(w.e, focus{n, 1, 1})) || w.e.err != nil {
			return w.e.err == nil
		}
	}
	w.out = append(w.out, n)
	return true
}

// lookup goes to the entries that the keys choose. It fails where they choose
// none of a list, and then nothing has been taken.
func (w *walk) lookup(n Node) bool {
	in, ok := n.(Indexed)
	if !ok {
		return false
	}
	var found []Node
	for _, keys := range w.keys {
		c, ok := in.Lookup(w.s.test.name, keys)
		if !ok || !w.e.spend(1) {
			return false
		}
		if c != nil {
			found = append(found, c)
		}
	}
	if len(found) > 1 {
		found = w.e.ordered(found)
	}
	w.out = append(w.out, w.e.filter(found, w.s.predicates)...)
	return true
}

// deep goes to the children of n and of everything below it.
func (w *walk) deep(n Node) {
	w.from(n)
	w.e.above(n, w.s.test.name, func(c Node) bool {
		if !w.e.spend(1) {
			return false
		}
		w.deep(c)
		return w.e.err == nil
	})
}

// above calls fn for the children of n that may have a descendant with a name.
func (e *evaluation) above(n Node, name Name, fn func(Node) bool) bool {
	if p, ok := n.(Pruned); ok && name.Local != "" {
		return p.Above(name, fn)
	}
	return n.Children(Name{}, fn)
}

// wanted evaluates the values of key tests: each element of the result is a
// set of keys of one entry. It fails where there is nothing to look up.
func (e *evaluation) wanted(tests []keyTest) ([][]Key, bool) {
	if len(tests) == 0 {
		return nil, false
	}
	sets := [][]Key{nil}
	for _, t := range tests {
		v := t.want.eval(e, focus{e.current, 1, 1})
		if v.kind == kindNodes && len(v.nodes) != 1 {
			if len(tests) > 1 {
				return nil, false
			}
			sets = nil
			for _, n := range v.nodes {
				sets = append(sets, []Key{{Path: t.path, Text: e.nodeText(n)}})
			}
			return sets, true
		}
		sets[0] = append(sets[0], Key{Path: t.path, Text: e.text(v), Number: v.kind == kindNumber})
	}
	return sets, true
}

// filter keeps those of a set for which the predicates hold, one after the
// other, each with positions of its own. The set is the caller's.
func (e *evaluation) filter(set []Node, predicates []predicate) []Node {
	for _, p := range predicates {
		kept, size := set[:0], len(set)
		for i, n := range set {
			if !e.spend(1) {
				return nil
			}
			v := p.of.eval(e, focus{n, i + 1, size})
			if v.kind == kindNumber && v.num == float64(i+1) || v.kind != kindNumber && e.truth(v) {
				kept = append(kept, n)
			}
		}
		set = kept
	}
	return set
}
