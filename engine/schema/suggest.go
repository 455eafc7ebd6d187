package schema

import (
	"iter"
	"strings"

	"mooring/internal/nearest"
)

// Suggest returns ": did you mean X?" for a name that n has no child of: the
// child that comes closest, else the nearest descendant with this very name, by
// its path from n. It returns "" if there is neither.
func (n *Node) Suggest(name string) string {
	if hint := nearest.Hint(name, n.childNames()); hint != "" {
		return hint
	}
	if below := n.deeper(name); below != nil {
		path := below.Name
		for at := below.Parent; at != n; at = at.Parent {
			path = at.Name + "/" + path
		}
		return ": did you mean " + path + "?"
	}
	return ""
}

// SuggestKey returns ": did you mean X?" for a name that is no key of the list
// n. A list with one key has no other, so that it is always meant.
func (n *Node) SuggestKey(name string) string {
	if len(n.Keys) == 1 {
		return ": did you mean " + n.Keys[0].Name + "?"
	}
	return nearest.Hint(name, func(yield func(string) bool) {
		for _, k := range n.Keys {
			if !yield(k.Name) {
				return
			}
		}
	})
}

func (n *Node) childNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, c := range n.Children {
			if !yield(c.Name) {
				return
			}
		}
	}
}

// deeper finds a node below n by its name, level by level, configuration
// before state.
func (n *Node) deeper(name string) *Node {
	var state *Node
	for level := n.Children; len(level) > 0; {
		var next []*Node
		for _, c := range level {
			for _, d := range c.Children {
				if strings.EqualFold(d.Name, name) {
					if d.Config {
						return d
					}
					if state == nil {
						state = d
					}
				}
			}
			next = append(next, c.Children...)
		}
		level = next
	}
	return state
}
