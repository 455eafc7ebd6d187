package schema

import (
	"slices"
	"strings"
)

// Step is a node on a path, with the list keys that choose an entry. Keys are
// canonical and in the order of Node.Keys; nil and "*" stand for any entry.
type Step struct {
	Node *Node
	Keys []string
}

// Path leads from the root to a node. The root's is empty. A path that is
// shared is never appended to: Append makes a new one.
type Path []Step

// Wild is the list key that stands for any. No list entry may have it.
const Wild = "*"

// String returns the path as text: /bgp/instances/instance[name=default]. A
// backslash precedes ] and \ in a key.
func (p Path) String() string {
	if len(p) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, s := range p {
		b.WriteByte('/')
		b.WriteString(s.Node.Name)
		for i, v := range s.Keys {
			b.WriteByte('[')
			b.WriteString(s.Node.Keys[i].Name)
			b.WriteByte('=')
			for j := range len(v) {
				if v[j] == ']' || v[j] == '\\' {
					b.WriteByte('\\')
				}
				b.WriteByte(v[j])
			}
			b.WriteByte(']')
		}
	}
	return b.String()
}

// Append returns a new path with one more step.
func (p Path) Append(n *Node, keys ...string) Path {
	if len(keys) == 0 {
		keys = nil
	}
	return append(slices.Clip(p), Step{Node: n, Keys: keys})
}

// wild says whether the step is a list without a choice of one entry.
func (s Step) wild() bool {
	return s.Node.Kind == List && (len(s.Keys) != len(s.Node.Keys) || slices.Contains(s.Keys, Wild))
}

// Wildcard says whether a list on the path, also at its end, is without a
// choice of one entry.
func (p Path) Wildcard() bool { return slices.ContainsFunc(p, Step.wild) }

// Node returns the node that the path leads to.
func (p Path) Node() *Node {
	if len(p) == 0 {
		return Root()
	}
	return p[len(p)-1].Node
}

// Parent returns the path without its last step.
func (p Path) Parent() Path {
	if len(p) == 0 {
		return nil
	}
	return slices.Clip(p[:len(p)-1])
}

// Record returns the key of the record that the path leads into, and the rest
// of the path from there. It fails where the path stays above all records or
// does not choose one entry of a list that is a record.
func (p Path) Record() (k Key, rest Path, ok bool) {
	for i, s := range p {
		if s.Node.kind == nil {
			continue
		}
		if s.wild() {
			return "", nil, false
		}
		k, rest, ok = MakeKey(k, s.Node.kind, s.Keys...), p[i+1:], true
	}
	return k, rest, ok
}

// Equal says whether both are the same path.
func (p Path) Equal(o Path) bool {
	return slices.EqualFunc(p, o, func(a, b Step) bool { return a.Node == b.Node && slices.Equal(a.Keys, b.Keys) })
}

// toRecord says whether the path leads into another record.
func (p Path) toRecord() bool {
	return slices.ContainsFunc(p, func(s Step) bool { return s.Node.kind != nil })
}
