package xpath

// optimize notes what the evaluator may make use of.
func (l *location) optimize() {
	l.steps = merged(l.steps)
	flat := l.start == nil
	if c, ok := l.start.(*call); ok {
		flat = c.fn == functions["current"]
	}
	for i := range l.steps {
		s := &l.steps[i]
		s.flat = flat && (s.axis == axisChild || s.axis == axisSelf) && !s.deep
		flat = flat && (s.axis == axisChild || s.axis == axisSelf || s.axis == axisParent) && !s.deep
		if s.axis == axisChild && s.test.kind == testElement && s.test.name.Local != "" {
			s.findKeys() // of one list: with a wildcard an equality chooses among children of any name
		}
	}
}

// merged makes //x one step where no predicate counts positions: among the
// children of each node, which // must count, or among all.
func merged(steps []step) []step {
	var out []step
	for i := 0; i < len(steps); i++ {
		s := steps[i]
		if i+1 < len(steps) && s.axis == axisDescendantOrSelf && s.test.kind == testNode && len(s.predicates) == 0 {
			if next := steps[i+1]; next.axis == axisChild && next.test.kind == testElement && !anyPositional(next.predicates) {
				next.deep = true
				out = append(out, next)
				i++
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

func anyPositional(ps []predicate) bool {
	for _, p := range ps {
		if p.positional {
			return true
		}
	}
	return false
}

// findKeys collects the values that the first predicates want, up to one that
// counts positions.
func (s *step) findKeys() {
	for _, p := range s.predicates {
		if p.positional {
			return
		}
		s.addKeys(p.of)
	}
}

func (s *step) addKeys(x expr) {
	b, ok := x.(*binary)
	switch {
	case !ok:
	case b.op == "and":
		s.addKeys(b.l)
		s.addKeys(b.r)
	case b.op == "=":
		path, want := children(b.l), b.r
		if path == nil {
			path, want = children(b.r), b.l
		}
		if path != nil && want.constant() && want.kind() != kindBool {
			s.keys = append(s.keys, keyTest{path, want})
		}
	}
}

// children returns the names of a path of children of the focus, without
// predicates, nil for any other expression.
func children(x expr) []Name {
	l, ok := x.(*location)
	if !ok || l.absolute || l.start != nil || len(l.steps) == 0 {
		return nil
	}
	var path []Name
	for _, s := range l.steps {
		if s.axis != axisChild || s.deep || s.test.kind != testElement || s.test.name.Local == "" || len(s.predicates) > 0 {
			return nil
		}
		path = append(path, s.test.name)
	}
	return path
}
