package xpath

import "slices"

// Name is the name of a node. As a test the zero Name stands for any, and one
// without Local for any of the namespace.
type Name struct{ Namespace, Local string }

// Matches says whether n, as a test, holds for a name.
func (n Name) Matches(o Name) bool {
	return (n.Namespace == "" || n.Namespace == o.Namespace) && (n.Local == "" || n.Local == o.Local)
}

// Node is an element of a tree. Its dynamic type must be comparable; two Nodes
// that are not equal may still be the same element, which Compare tells.
type Node interface {
	// Name is the name, the zero Name for the root.
	Name() Name
	// Parent is the node above, nil for one at the top and for the root.
	Parent() Node
	// Children calls fn for the children that a test holds for, in order. It
	// stops and returns false when fn does.
	Children(test Name, fn func(Node) bool) bool
	// Leaf is the text of an element without children. It fails for the others.
	Leaf() (text string, ok bool)
	// Compare orders nodes of one parent.
	Compare(sibling Node) int
}

// Key is a list key that a predicate wants. Number says that it is compared as
// a number.
type Key struct {
	Path   []Name // from the list entry on
	Text   string
	Number bool
}

// Indexed is a Node that finds entries of lists by their keys.
type Indexed interface {
	// Lookup returns the child with a name, which is no wildcard, and the keys,
	// nil for none. It fails where the keys do not choose one entry of a list.
	Lookup(name Name, keys []Key) (Node, bool)
}

// Pruned is a Node that knows what is not below it.
type Pruned interface {
	// Above calls fn for the children that may have a descendant with a name.
	Above(name Name, fn func(Node) bool) bool
}

// Typed is a leaf with a type.
type Typed interface {
	// Canonical returns the text that the leaf would have for a value, however
	// it is spelled. scope tells the namespaces of prefixes in the value.
	Canonical(value string, scope *Scope) string
}

// Linked is a leaf that refers to others: a leafref or an instance-identifier.
type Linked interface {
	// Deref calls fn for the nodes that are referred to.
	Deref(fn func(Node) bool) bool
}

// Enumerated is a leaf whose type is an enumeration.
type Enumerated interface {
	// Enum returns the integer of its value. It fails for leaves of other types.
	Enum() (int64, bool)
}

// Flagged is a leaf of type bits.
type Flagged interface {
	// Bit says whether a bit is set.
	Bit(name string) bool
}

// Identified is a leaf of type identityref.
type Identified interface {
	// Identity returns the namespace and the name of the identity. It fails for
	// leaves of other types.
	Identity() (Name, bool)
}

// Source has the top-level nodes of a tree.
type Source interface {
	// Top is Children of the root. The nodes have no parent.
	Top(test Name, fn func(Node) bool) bool
	// Owns says whether a top-level node is one of this source.
	Owns(n Node) bool
}

// Document is the root of the trees of one or more sources. Nodes of earlier
// sources stand before those of later ones.
type Document struct{ sources []Source }

// NewDocument returns the root of the trees of all sources.
func NewDocument(sources ...Source) *Document { return &Document{sources} }

// Name is the zero Name.
func (*Document) Name() Name { return Name{} }

// Parent is nil.
func (*Document) Parent() Node { return nil }

// Leaf fails: the root has no text of its own.
func (*Document) Leaf() (string, bool) { return "", false }

// Compare is never asked: the root has no siblings.
func (*Document) Compare(Node) int { return 0 }

// Children calls fn for the top-level nodes that a test holds for.
func (d *Document) Children(test Name, fn func(Node) bool) bool {
	for _, s := range d.sources {
		if !s.Top(test, fn) {
			return false
		}
	}
	return true
}

// rank is the place of a top-level node's source.
func (d *Document) rank(n Node) int {
	return slices.IndexFunc(d.sources, func(s Source) bool { return s.Owns(n) })
}

// text is the text node of a leaf.
type text struct{ of Node }

func (text) Name() Name                            { return Name{} }
func (t text) Parent() Node                        { return t.of }
func (text) Children(Name, func(Node) bool) bool   { return true }
func (t text) Leaf() (string, bool)                { return t.of.Leaf() }
func (text) Compare(Node) int                      { return 0 }
func (t text) Canonical(v string, s *Scope) string { return canonical(t.of, v, s) }

// Element returns the element that n is, or that it is the text of.
func Element(n Node) Node {
	if t, ok := n.(text); ok {
		return t.of
	}
	return n
}

// canonical returns what a string that is compared with n must be.
func canonical(n Node, value string, scope *Scope) string {
	if t, ok := n.(Typed); ok {
		return t.Canonical(value, scope)
	}
	return value
}
