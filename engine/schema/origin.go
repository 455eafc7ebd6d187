package schema

// Origins are origins of configuration in the datastore operational (RFC 8342
// 5.3.4), as a set.
type Origins uint8

// The origins that this agent knows. Nothing of its configuration is learned:
// what is, stands in state.
const (
	OriginIntended Origins = 1 << iota // somebody configured it
	OriginSystem                       // it always exists, or is there by itself
	OriginDefault                      // the default of the model is in use
	OriginOther                        // nothing here has it
)

// OriginNamespace is the namespace of the annotation and of the identities
// (RFC 8342, ietf-origin).
const OriginNamespace = "urn:ietf:params:xml:ns:yang:ietf-origin"

var originMarks = map[Origins]string{
	OriginIntended: ` or:origin="or:intended"`, OriginSystem: ` or:origin="or:system"`, OriginDefault: ` or:origin="or:default"`,
}

// mark is the annotation of a node, which a node with the origin of its parent
// does without.
func (e *xmlEncoder) mark(o Origins) string {
	if !e.o.Origin || o == e.inherited {
		return ""
	}
	return originMarks[o]
}

// wants says whether n is to be written for its origin. State has none.
func (e *xmlEncoder) wants(n *Node, o Origins) bool {
	return e.o.Origins == 0 || !n.Config || e.o.Origins&o != 0
}

// originOfEntry is the origin of an entry of the list n. One that stands in
// state alone is there without having been configured.
func originOfEntry(n *Node, at place) Origins {
	if n.kind != nil && permanent(at.key) || n.Config && !at.cfg.IsValid() {
		return OriginSystem
	}
	return OriginIntended
}

// originOf is that of the leaf n, which is set. State goes with its parent, and
// the name of an entry with the entry.
func (e *xmlEncoder) originOf(n *Node) Origins {
	if !n.Config || n.twin != nil {
		return e.inherited
	}
	return OriginIntended
}
