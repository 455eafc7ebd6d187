package main

// This file is both a part of the generator and its output: it is copied to
// the generated package, so that the tables there and the code that fills them
// share one definition of their types.

// Kind is the kind of a data node.
type Kind uint8

// The kinds of data nodes (RFC 7950 3). Choices and cases are not data nodes.
const (
	KindContainer Kind = iota + 1
	KindList
	KindLeaf
	KindLeafList
)

// Base is the built-in type at the bottom of a type (RFC 7950 9).
type Base uint8

// The built-in types that the model may use.
const (
	BaseString Base = iota + 1
	BaseInt8
	BaseInt16
	BaseInt32
	BaseInt64
	BaseUint8
	BaseUint16
	BaseUint32
	BaseUint64
	BaseBoolean
	BaseEnumeration
	BaseUnion
	BaseLeafref
	BaseBinary
	BaseEmpty
	BaseBits // a set of names; the structs hold its lexical form
)

// GoKind is how the generated structs hold the value of a leaf. A leaf-list is
// a slice of the same, without the pointer.
type GoKind uint8

// The Go forms of a value.
const (
	GoString GoKind = iota + 1 // *string
	GoInt8                     // *int8
	GoInt16                    // *int16
	GoInt32                    // *int32
	GoInt64                    // *int64
	GoUint8                    // *uint8
	GoUint16                   // *uint16
	GoUint32                   // *uint32
	GoUint64                   // *uint64
	GoBool                     // *bool
	GoEnum                     // a type derived from int64, 0 is unset
	GoUnion                    // an interface
	GoBinary                   // Binary
	GoEmpty                    // YANGEmpty
)

// Node is a data node of the model, of an RPC or of a notification. A slice of
// nodes is in YANG order and depth first: parents come before children, and a
// subtree is contiguous.
type Node struct {
	Name          string     // YANG name
	Module        string     // the module whose namespace the node has
	Parent        int        // index in the same slice, -1 at the top
	Kind          Kind       // container, list, leaf or leaf-list
	Config        bool       // false in RPCs and notifications
	Presence      bool       // a container whose existence has a meaning
	Mandatory     bool       // of a leaf
	Secret        bool       // mext:secret: never shown, logged or stored in the clear
	NACM          string     // nacm:default-deny-write or default-deny-all (RFC 8341), of the node itself; empty for neither
	OrderedByUser bool       // of a list or leaf-list
	Impact        string     // mext:session-impact: none, next-session, reset; empty on keys, state and all but leaves
	Keys          []string   // of a list
	Unique        [][]string // of a list: descendant paths, as written
	MinElements   uint64     // of a list or leaf-list
	MaxElements   uint64     // of a list or leaf-list, 0 is no limit
	Default       []string   // of a leaf, its type or a leaf-list, in lexical form
	Units         string     // of a leaf, a leaf-list or its type
	Description   string     // on one line
	Choice        string     // the choice that the node is in, or empty
	Case          string     // the case of that choice
	When          string     // the XPath text, as written
	Must          []Must     // in YANG order
	GoName        string     // the field of the parent's struct; RPCs and notifications have no structs
	GoKind        GoKind     // of a leaf or leaf-list
	Type          *Type      // of a leaf or leaf-list
}

// Must is a must statement (RFC 7950 7.5.3).
type Must struct {
	Expr    string // the XPath text, as written
	Message string // error-message, or empty
	AppTag  string // error-app-tag, or empty
}

// Type is the type of a leaf, with the restrictions of all typedefs it is
// derived from.
type Type struct {
	Base            Base
	Typedef         string    // the outermost typedef, or empty
	TypedefModule   string    // the module of that typedef
	Ranges          []Range   // of an integer; empty is all that the base type holds
	RangeMessage    string    // error-message of the innermost range, or empty
	Lengths         []Range   // of a string or binary, in characters or octets; empty is any
	LengthMessage   string    // error-message of the innermost length, or empty
	Patterns        []Pattern // all must match
	Enums           []Enum    // in YANG order
	Bits            []string  // of BaseBits, in YANG order
	Members         []*Type   // of a union, in YANG order
	Path            string    // of a leafref: the data path of its target in Nodes, without prefixes
	Target          int       // of a leafref: index of its target in Nodes
	TargetType      *Type     // of a leafref: the type of its target, perhaps a leafref again
	RequireInstance bool      // of a leafref
}

// Range is a part of a range or length restriction, both ends included.
type Range struct {
	Min, Max int64
}

// Pattern is a pattern restriction.
type Pattern struct {
	Regexp  string // in Go's syntax, anchored at both ends
	Message string // error-message, or empty
}

// Enum is a value of an enumeration.
type Enum struct {
	Name  string
	Value int64 // of the generated Go type
}

// Module is a YANG module.
type Module struct {
	Name         string
	Namespace    string
	Prefix       string
	Revision     string
	Organization string
	File         string   // in the yang folder
	Implemented  bool     // false where it is only imported
	DenyAll      []string // the operations and notifications with nacm:default-deny-all
}

// RPC is an operation. Its trees are like Nodes, each on its own.
type RPC struct {
	Name        string
	Module      string
	Description string
	Input       []Node
	Output      []Node
}

// Notification is an event. Its tree is like Nodes, on its own.
type Notification struct {
	Name        string
	Module      string
	Description string
	Nodes       []Node
}

// Resolve follows leafrefs to the first type that is none.
func (t *Type) Resolve() *Type {
	for t.Base == BaseLeafref {
		t = t.TargetType
	}
	return t
}
