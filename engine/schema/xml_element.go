package schema

import (
	"strings"

	"mooring/internal/xmltok"
)

// yangNamespace is that of the attributes insert, key and value (RFC 7950 7.8.6).
const yangNamespace = "urn:ietf:params:xml:ns:yang:1"

// level is an element whose children are read.
type level struct {
	n    *Node
	op   Op
	seen uint64 // children that may stand only once, by index
}

// child is a child element whose start tag was read.
type child struct {
	n         *Node
	op        Op
	explicit  bool // the operation is its own
	isDefault bool // marked as default (RFC 6243 4.5)
	insert    Insert
	anchor    string // of insert
}

// next reads up to the start tag of the next child of l. It returns false
// after the end tag of l.
func (d *xmlDecoder) next(l *level) (c child, ok bool, err error) {
	for {
		tok, err := d.dec.Next()
		switch {
		case err != nil:
			return c, false, malformed(err)
		case tok.Kind == xmltok.EndElement:
			return c, false, nil
		case tok.Kind == xmltok.StartElement:
			c, err = d.start(l, &tok)
			return c, err == nil, err
		case xmltok.TrimSpace(string(tok.Text)) != "":
			return c, false, &Error{Tag: BadElement, Path: d.at(), BadElement: l.n.Name, Message: "holds text: only elements are allowed here"}
		}
	}
}

// start checks the start tag of a child of l.
func (d *xmlDecoder) start(l *level, tok *xmltok.Token) (c child, err error) {
	n := l.n.Child(tok.Local)
	if n == nil || n.Namespace != tok.Namespace {
		return c, d.unknown(l.n, tok)
	}
	if !n.Config {
		return c, &Error{Tag: UnknownElement, Path: d.at(n), BadElement: n.Name, Message: "is state data (config false) and cannot be edited"}
	}
	if c, err = d.attributes(n, l.op, tok.Attrs); err != nil {
		return c, err
	}
	bit := uint64(1) << n.index
	if n.Kind == Container || n.Kind == Leaf {
		if l.seen&bit != 0 {
			return c, &Error{Tag: BadElement, Path: d.at(n), BadElement: n.Name, Message: "stands twice"}
		}
		l.seen |= bit
	}
	return c, nil
}

// unknown is the fault of an element that the model does not have here.
func (d *xmlDecoder) unknown(n *Node, tok *xmltok.Token) error {
	name, hint := tok.Local, ""
	if n.Child(name) == nil { // else only the namespace is wrong
		hint = n.Suggest(name)
	}
	for _, m := range Modules() {
		if m.Implemented && m.Namespace == tok.Namespace {
			return &Error{Tag: UnknownElement, Path: d.at(), BadElement: name, Message: "has no element " + name + " in the namespace " + m.Namespace + hint}
		}
	}
	return &Error{
		Tag: UnknownNamespace, Path: d.at(), BadElement: name, BadNamespace: tok.Namespace,
		Message: "element " + name + " is in the unknown namespace '" + tok.Namespace + "'",
	}
}

// attributes finds out what to do with a node. Only attributes with the
// namespaces of NETCONF, of with-defaults and of YANG are known. Of the last,
// value (RFC 7950 7.7.9) is not, as no leaf-list is ordered by the user.
func (d *xmlDecoder) attributes(n *Node, inherited Op, attrs []xmltok.Attr) (child, error) {
	c := child{n: n, op: inherited}
	for i := range attrs {
		a := &attrs[i]
		switch {
		case a.IsNamespaceDecl():
		case a.Namespace == baseNamespace && a.Local == "operation":
			op, ok := ParseOp(a.Value)
			switch {
			case !ok:
				return c, d.badAttribute(BadAttribute, n, a, "'"+a.Value+"' is no operation")
			case inherited.deletes() && op.creates():
				return c, d.badAttribute(BadAttribute, n, a, op.String()+" inside of "+inherited.String()+" contradicts it")
			case n.isKey && (op.deletes() || op == OpCreate):
				return c, &Error{Tag: BadElement, Path: d.at(n), BadElement: n.Name, Message: "is a list key: " + op.String() + " the list entry instead"}
			}
			c.op, c.explicit = op, true
		case a.Namespace == yangNamespace && n.Kind == List && n.OrderedByUser && (a.Local == "insert" || a.Local == "key"):
			var err error
			if c, err = d.insertion(c, a); err != nil {
				return c, err
			}
		case a.Namespace == DefaultsNamespace && a.Local == "default" && n.Kind == Leaf:
			switch xmltok.TrimSpace(a.Value) {
			case "true", "1":
				c.isDefault = true
			case "false", "0":
			default:
				return c, d.badAttribute(BadAttribute, n, a, "must be true or false")
			}
		case a.Namespace == TxidNamespace && a.Local == "etag" && d.etag != nil:
			if err := d.etag(d.at(n), a.Value); err != nil {
				return c, err
			}
		default:
			hint := ""
			if a.Local == "operation" {
				hint = ": it needs the namespace " + baseNamespace
			}
			return c, d.badAttribute(UnknownAttribute, n, a, "unknown attribute "+a.Name+hint)
		}
	}
	if c.insert.anchored() != (c.anchor != "") {
		a := xmltok.Attr{Local: "key"}
		if c.anchor != "" {
			return c, d.badAttribute(BadAttribute, n, &a, "key goes with insert before and after only")
		}
		return c, d.badAttribute(MissingAttribute, n, &a, "insert "+c.insert.String()+" needs the attribute key")
	}
	return c, nil
}

// insertion reads the attributes insert and key (RFC 7950 7.8.6).
func (d *xmlDecoder) insertion(c child, a *xmltok.Attr) (child, error) {
	if a.Local == "insert" {
		var ok bool
		if c.insert, ok = ParseInsert(a.Value); !ok {
			return c, d.badAttribute(BadAttribute, c.n, a, "'"+a.Value+"' is no place: use first, last, before or after")
		}
		return c, nil
	}
	key := c.n.Keys[0]
	p := instanceParser{rest: xmltok.TrimSpace(a.Value), module: func(prefix string) (string, bool) {
		ns, declared := d.dec.LookupPrefix(prefix)
		return c.n.Module, declared && ns == key.Namespace
	}}
	s := InstanceStep{Module: c.n.Module, Name: c.n.Name, Node: c.n}
	if !strings.HasPrefix(p.rest, "[") {
		return c, d.badAttribute(BadAttribute, c.n, a, "must be the key of an entry, as ["+key.Name+"='x']")
	}
	k, err := p.predicate(&s)
	if err != nil || p.rest != "" || k.User || k.Value == "" {
		return c, d.badAttribute(BadAttribute, c.n, a, "must be the key of an entry, as ["+key.Name+"='x']")
	}
	c.anchor = k.Value
	return c, nil
}

func (d *xmlDecoder) badAttribute(tag Tag, n *Node, a *xmltok.Attr, message string) error {
	return &Error{Tag: tag, Path: d.at(n), BadAttribute: a.Local, BadElement: n.Name, Message: message}
}
