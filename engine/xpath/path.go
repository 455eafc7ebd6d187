package xpath

import "mooring/engine/schema"

// Path returns an absolute path of children, with at most the key of each
// list, as a path of the model: a list without its key stands for all entries.
// It fails for any other expression, and where a name is not in the model. So
// a plain path is found without an evaluation, and matched against paths
// without data.
func (x *Expr) Path(variables map[string]string) (schema.Path, bool) {
	l, ok := x.root.(*location)
	if !ok || !l.absolute {
		return nil, false
	}
	var p schema.Path
	at := schema.Root()
	for i := range l.steps {
		s := &l.steps[i]
		if s.axis != axisChild || s.deep || s.test.kind != testElement || s.test.name.Local == "" {
			return nil, false
		}
		n := at.Child(s.test.name.Local)
		if n == nil || !s.test.name.Matches(nameOfNode(n)) {
			return nil, false
		}
		keys, ok := s.pathKeys(n, variables)
		if !ok {
			return nil, false
		}
		p, at = p.Append(n, keys...), n
	}
	return p, true
}

// pathKeys returns the key that the predicates of a step want, none where
// there are none.
func (s *step) pathKeys(n *schema.Node, variables map[string]string) ([]string, bool) {
	if len(s.predicates) == 0 {
		return nil, true
	}
	if n.Kind != schema.List || len(n.Keys) != 1 || len(s.predicates) != 1 || len(s.keys) != 1 {
		return nil, false
	}
	if b, ok := s.predicates[0].of.(*binary); !ok || b.op != "=" {
		return nil, false
	}
	k := Key{Path: s.keys[0].path}
	switch want := s.keys[0].want.(type) {
	case literal:
		k.Text = string(want)
	case variable:
		k.Text = variables[string(want)]
	default:
		return nil, false
	}
	value, err := n.ParseKey(0, k.Text)
	if err != nil || len(k.Path) != 1 || !isKeyOf(n, k) { // an entry of operational may be without config/<key>
		return nil, false
	}
	return []string{value}, true
}
