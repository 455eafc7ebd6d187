package schema

import (
	"reflect"
	"slices"
	"strings"
)

// selection is what a filter selects at a node: everything, or the union of
// what some filter nodes of that node select.
type selection struct {
	all   bool
	nodes []*filterNode
}

func (s selection) any() bool { return s.all || len(s.nodes) > 0 }

// whole says whether everything below is selected.
func (s selection) whole() bool {
	return s.all || slices.ContainsFunc(s.nodes, func(f *filterNode) bool { return f.selects })
}

// child returns the selection at the child c. The matches of s hold.
func (s selection) child(c *Node) selection {
	var out selection
	for _, f := range s.nodes {
		if f.selects {
			return selection{all: true}
		}
		if c.IsLeaf() && slices.ContainsFunc(f.matches, func(m contentMatch) bool { return m.leaf == c }) {
			out.nodes = append(slices.Clip(out.nodes), f) // takesValue asks it
		}
		if f.sub == nil || len(f.sub[c.index]) == 0 {
			continue
		}
		if c.IsLeaf() && len(f.sub[c.index][0].matches) == 0 {
			return selection{all: true}
		}
		if out.nodes == nil {
			out.nodes = f.sub[c.index]
		} else {
			out.nodes = append(slices.Clip(out.nodes), f.sub[c.index]...)
		}
	}
	return out
}

// matching returns what of s is left at a container or list entry when its
// content is compared.
func (s selection) matching(at place, defaults bool) selection {
	if s.all {
		return s
	}
	holds := func(f *filterNode) bool {
		return !f.never && !slices.ContainsFunc(f.matches, func(m contentMatch) bool { return !m.holds(at, defaults) })
	}
	for i, f := range s.nodes {
		if holds(f) {
			continue
		}
		kept := slices.Clone(s.nodes[:i])
		for _, f := range s.nodes[i+1:] {
			if holds(f) {
				kept = append(kept, f)
			}
		}
		return selection{nodes: kept}
	}
	return s
}

// takesKey says whether the keys of an entry of the list n were asked for, so
// that the entry is written even if it has nothing else.
func (s selection) takesKey(n *Node) bool {
	return s.all || slices.ContainsFunc(s.nodes, func(f *filterNode) bool {
		return f.selects || slices.ContainsFunc(n.Keys, func(key *Node) bool {
			return f.sub != nil && f.sub[key.index] != nil ||
				!f.chosen && slices.ContainsFunc(f.matches, func(m contentMatch) bool { return m.leaf == key })
		})
	})
}

// takesValue says whether an entry of a leaf-list is selected: where content
// matches name some, those.
func (s selection) takesValue(n *Node, v reflect.Value) bool {
	return s.all || slices.ContainsFunc(s.nodes, func(f *filterNode) bool {
		return slices.ContainsFunc(f.matches, func(m contentMatch) bool { return m.leaf == n && m.equal(v) })
	})
}

// keyed is what is selected at the list entry with a key.
type keyed struct {
	key string
	sel selection
}

// keys splits s by the keys of the entries of the list n that it can select,
// sorted. It fails where a part of s does not name one.
func (s selection) keys(n *Node) ([]keyed, bool) {
	if s.all {
		return nil, false
	}
	out := make([]keyed, 0, len(s.nodes))
	for i, f := range s.nodes {
		if f.never {
			continue
		}
		m := slices.IndexFunc(f.matches, func(m contentMatch) bool { return m.leaf == n.Keys[0] })
		if m < 0 {
			return nil, false
		}
		out = append(out, keyed{f.matches[m].text, selection{nodes: s.nodes[i : i+1 : i+1]}})
	}
	slices.SortStableFunc(out, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	merged := out[:0]
	for _, k := range out {
		if last := len(merged) - 1; last >= 0 && merged[last].key == k.key {
			merged[last].sel.nodes = append(merged[last].sel.nodes, k.sel.nodes...)
			continue
		}
		merged = append(merged, k)
	}
	return merged, true
}
