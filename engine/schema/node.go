package schema

import (
	"reflect"
	"slices"

	"mooring/bgp"
	"mooring/gen"
)

// Kind is the kind of a data node (RFC 7950 3).
type Kind uint8

// The kinds of data nodes.
const (
	Container = Kind(gen.KindContainer)
	List      = Kind(gen.KindList)
	Leaf      = Kind(gen.KindLeaf)
	LeafList  = Kind(gen.KindLeafList)
)

// Node is a data node of the model. Nodes are made once and never changed.
type Node struct {
	Name      string // empty for the root
	Module    string
	Namespace string
	Kind      Kind

	Config        bool
	Presence      bool
	Mandatory     bool
	Secret        bool
	OrderedByUser bool

	Keys     []*Node // of a list: its key leaves, in order
	Parent   *Node   // nil for the root
	Children []*Node // in YANG order
	Type     *Type   // of a leaf or leaf-list
	Default  []string
	Impact   bgp.Impact
	Choice   string
	Case     string

	// Record is the kind of the record in which the node's values live, nil
	// above all boundaries.
	Record *RecordKind
	// Meta is the generated metadata: must, when, unique, descriptions. It is
	// nil for the root.
	Meta *gen.Node

	plan
}

// plan is how a node's values are reached in the structs.
type plan struct {
	field  int          // index in the struct of the parent, -1 without one
	index  int          // among the parent's children
	typ    reflect.Type // container, list: the struct; leaf, leaf-list: the field
	goKind gen.GoKind

	byName map[string]*Node
	kind   *RecordKind   // of a boundary
	spine  bool          // not a boundary, but above one
	below  []*RecordKind // the boundaries below, none of them below another
	nested []*Node       // children with structs of their own within the record
	isKey  bool          // a key leaf of its parent
	twin   *Node         // of a key leaf: config/<key>; and the reverse
	mirror bool          // a state leaf that repeats a config leaf
	state  bool          // there is state at n or below, in its record

	defaultValues []Value // of Default

	member, qualified string // `"name":` and `"module:name":`
	startTag, endTag  string // `<name` and `</name>`
}

// Root returns the node above all top-level nodes.
func Root() *Node { return compiled().root }

// Modules returns the modules by name.
func Modules() []gen.Module { return gen.Modules }

// Child returns the child with a name, nil for none.
func (n *Node) Child(name string) *Node { return n.byName[name] }

// Index is the place of n among the children of its parent.
func (n *Node) Index() int { return n.index }

// IsRecord says whether n is itself the boundary of n.Record: its list entry
// or container is the record.
func (n *Node) IsRecord() bool { return n.kind != nil }

// IsKey says whether n is a key leaf of the list that is its parent.
func (n *Node) IsKey() bool { return n.isKey }

// Twin returns config/<key> for a key leaf and the key leaf for config/<key>,
// nil for all others. Both are one value.
func (n *Node) Twin() *Node { return n.twin }

// IsLeaf says whether n is a leaf or a leaf-list.
func (n *Node) IsLeaf() bool { return n.Kind == Leaf || n.Kind == LeafList }

// Path returns the schema path, without prefixes and keys: "/bgp/instances".
// The root's is "/".
func (n *Node) Path() string {
	if n.Parent == nil {
		return "/"
	}
	return n.steps().String()
}

// steps returns the path from the root with nil keys.
func (n *Node) steps() Path {
	var p Path
	for ; n.Parent != nil; n = n.Parent {
		p = append(p, Step{Node: n})
	}
	slices.Reverse(p)
	return p
}

// Operation is an RPC of the model. Its nodes have no structs.
type Operation struct {
	Name, Module, Namespace string
	Input, Output           *Node // containers without a parent
}

// RPC returns the operation with a name, nil for none.
func RPC(name string) *Operation { return compiled().rpcs[name] }

// Notification returns the tree of the notification with a name, nil for none.
// Its nodes have no structs.
func Notification(name string) *Node { return compiled().notifications[name] }
