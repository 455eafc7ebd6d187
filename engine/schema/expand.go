package schema

import "errors"

// maxElems is more than any path in the model has; longer ones are refused
// before they cost anything.
const maxElems = 64

// Expand resolves elems in which an element may be "*", for any one element,
// or "...", for any number of elements. It returns all paths that the model
// has for them, with lists that are not chosen still standing for any entry,
// in the order of the model and each once. A "..." at the end is the subtree
// itself. The error is as that of Resolve.
func Expand(elems []Elem) ([]Path, error) {
	if len(elems) > maxElems {
		return nil, &Error{Tag: TooBig, Message: "the path has more elements than any path of the model"}
	}
	for len(elems) > 0 && elems[len(elems)-1].Name == "..." {
		elems = elems[:len(elems)-1]
	}
	paths := []Path{{}}
	patterned := false
	var unmatched error
	for i, e := range elems {
		if i > 0 && e.Name == "..." && elems[i-1].Name == "..." {
			continue // two of them say no more than one
		}
		patterned = patterned || e.Name == "*" || e.Name == "..."
		var next []Path
		for _, p := range paths {
			more, err := expandElem(p, e)
			if err != nil && !patterned {
				return nil, err
			}
			unmatched = better(unmatched, err)
			next = append(next, more...)
		}
		paths = unique(next)
	}
	if len(paths) > 0 {
		return paths, nil
	}
	if unmatched == nil {
		unmatched = &Error{Tag: UnknownElement, Message: "the model has nothing that the path matches"}
	}
	return nil, unmatched
}

// expandElem returns the paths that lead one element on from p.
func expandElem(p Path, e Elem) ([]Path, error) {
	n := p.Node()
	switch e.Name {
	case "...":
		if len(e.Keys) > 0 {
			return nil, &Error{Tag: BadElement, Path: p, BadElement: e.Name, Message: `"..." takes no keys`}
		}
		return subtree(nil, p), nil
	case "*":
		var out []Path
		var why error
		for _, c := range n.Children {
			keys, err := resolveKeys(p, c, e.Keys)
			if err != nil {
				why = better(why, err)
				continue
			}
			out = append(out, p.Append(c, keys...))
		}
		if len(out) > 0 {
			why = nil
		}
		return out, why
	}
	c, err := n.resolveChild(p, e.Name)
	if err != nil {
		return nil, err
	}
	keys, err := resolveKeys(p, c, e.Keys)
	if err != nil {
		return nil, err
	}
	return []Path{p.Append(c, keys...)}, nil
}

// subtree appends p and all paths below it.
func subtree(dst []Path, p Path) []Path {
	dst = append(dst, p)
	for _, c := range p.Node().Children {
		dst = subtree(dst, p.Append(c))
	}
	return dst
}

// unique drops paths that stand in the list before.
func unique(paths []Path) []Path {
	if len(paths) < 2 {
		return paths
	}
	seen := make(map[string]bool, len(paths))
	out := paths[:0]
	for _, p := range paths {
		if s := p.String(); !seen[s] {
			seen[s] = true
			out = append(out, p)
		}
	}
	return out
}

// better returns the one of two errors that tells more: where many elements do
// not fit, the one with a wrong value comes closest.
func better(a, b error) error {
	var e *Error
	if a == nil || errors.As(b, &e) && e.Tag == InvalidValue {
		return b
	}
	return a
}
