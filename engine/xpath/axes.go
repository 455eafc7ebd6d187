package xpath

import (
	"cmp"
	"slices"
)

// parent returns the node above, nil for the root.
func (e *evaluation) parent(n Node) Node {
	if _, ok := n.(*Document); ok {
		return nil
	}
	if p := n.Parent(); p != nil {
		return p
	}
	return e.doc
}

// takes says whether a test holds for a node.
func (t nodeTest) takes(n Node) bool {
	_, isText := n.(text)
	switch t.kind {
	case testNode:
		return true
	case testText:
		return isText
	case testElement:
		_, isRoot := n.(*Document)
		return !isText && !isRoot && t.name.Matches(n.Name())
	}
	return false
}

// axis calls fn for the nodes on the axis of a step that its test holds for,
// in the order in which their positions count.
func (e *evaluation) axis(n Node, s *step, fn func(Node) bool) {
	if s.test.kind == testNothing {
		return
	}
	visit := func(n Node) bool {
		return e.spend(1) && (!s.test.takes(n) || fn(n))
	}
	switch s.axis {
	case axisSelf:
		visit(n)
	case axisChild:
		e.children(n, s.test, visit)
	case axisDescendant:
		e.descendants(n, s.test, visit)
	case axisDescendantOrSelf:
		_ = visit(n) && e.descendants(n, s.test, visit)
	case axisParent, axisAncestor, axisAncestorOrSelf:
		e.ancestors(n, s.axis, visit)
	case axisFollowingSibling, axisPrecedingSibling:
		e.siblings(n, s.axis, s.test, visit)
	case axisFollowing, axisPreceding:
		e.outside(n, s.axis, visit)
	case axisAttribute, axisNamespace:
	}
}

// children calls fn for the children of n that a test may hold for.
func (e *evaluation) children(n Node, t nodeTest, fn func(Node) bool) bool {
	if t.kind != testElement {
		if _, ok := n.Leaf(); ok {
			_, isText := n.(text)
			return isText || fn(text{n})
		}
	}
	return t.kind == testText || n.Children(t.name, fn)
}

// descendants calls fn for everything below n that a test may hold for, and
// for what lies between.
func (e *evaluation) descendants(n Node, t nodeTest, fn func(Node) bool) bool {
	return e.children(n, nodeTest{kind: testNode}, func(c Node) bool { return fn(c) && e.descendants(c, t, fn) })
}

func (e *evaluation) ancestors(n Node, a axis, fn func(Node) bool) {
	if a != axisAncestorOrSelf {
		n = e.parent(n)
	}
	for n != nil && fn(n) && a != axisParent {
		n = e.parent(n)
	}
}

func (e *evaluation) siblings(n Node, a axis, t nodeTest, fn func(Node) bool) {
	p := e.parent(n)
	if p == nil {
		return
	}
	var before []Node
	e.children(p, t, func(c Node) bool {
		switch order := e.order(c, n); {
		case a == axisFollowingSibling && order > 0:
			return fn(c)
		case a == axisPrecedingSibling && order < 0:
			before = append(before, c)
		}
		return e.spend(1)
	})
	for _, c := range slices.Backward(before) {
		if !fn(c) {
			return
		}
	}
}

// outside calls fn for everything after n in the document, or before it, but
// for what is above and below.
func (e *evaluation) outside(n Node, a axis, fn func(Node) bool) {
	all := nodeTest{kind: testNode}
	sibling := axisFollowingSibling
	if a == axisPreceding {
		sibling = axisPrecedingSibling
	}
	for ; n != nil && e.err == nil; n = e.parent(n) {
		e.siblings(n, sibling, all, func(c Node) bool {
			if a == axisFollowing {
				return fn(c) && e.descendants(c, all, fn)
			}
			below := []Node{c}
			e.descendants(c, all, func(d Node) bool {
				below = append(below, d)
				return e.spend(1)
			})
			for _, d := range slices.Backward(below) {
				if !fn(d) {
					return false
				}
			}
			return true
		})
	}
}

// ordered returns a set in document order with each node once. The set is the
// caller's.
func (e *evaluation) ordered(set []Node) []Node {
	if !e.spend(len(set)) {
		return nil
	}
	for i := 1; i < len(set); i++ {
		if e.order(set[i-1], set[i]) >= 0 {
			slices.SortFunc(set, e.order)
			return slices.CompactFunc(set, func(a, b Node) bool { return e.order(a, b) == 0 })
		}
	}
	return set
}

// order compares two nodes by where they stand in the document.
func (e *evaluation) order(a, b Node) int {
	if a == b {
		return 0
	}
	da, db := e.depth(a), e.depth(b)
	for d := da; d > db; d-- {
		a = e.parent(a)
	}
	for d := db; d > da; d-- {
		b = e.parent(b)
	}
	return cmp.Or(e.orderLevel(a, b), cmp.Compare(da, db))
}

func (e *evaluation) depth(n Node) int {
	d := 0
	for n = e.parent(n); n != nil; n = e.parent(n) {
		d++
	}
	return d
}

// orderLevel compares nodes of one depth.
func (e *evaluation) orderLevel(a, b Node) int {
	if a == b {
		return 0
	}
	pa, pb := a.Parent(), b.Parent()
	if pa == nil || pb == nil {
		if _, ok := a.(*Document); ok {
			return 0
		}
		return cmp.Or(cmp.Compare(e.doc.rank(a), e.doc.rank(b)), compareSameSource(e.doc, a, b))
	}
	if pa != pb {
		if c := e.orderLevel(pa, pb); c != 0 {
			return c
		}
	}
	return a.Compare(b)
}

// compareSameSource compares top-level nodes, if they are of one source.
func compareSameSource(d *Document, a, b Node) int {
	if d.rank(a) != d.rank(b) {
		return 0
	}
	return a.Compare(b)
}
