package schema

import (
	"reflect"
	"slices"

	"mooring/internal/xmltok"
)

// Filter is a subtree filter (RFC 6241 6), or what some paths select as one,
// resolved against the model. What the model does not know selects nothing. A
// Filter is not changed once it is made and may be used by several goroutines.
type Filter struct{ root *filterNode }

// filterNode is a containment or selection node (RFC 6241 6.2.3, 6.2.4) with
// the content match nodes (6.2.5) among its children.
type filterNode struct {
	n       *Node
	selects bool            // everything at and below n, once the matches hold
	never   bool            // an attribute match, or a content match that nothing can meet
	matches []contentMatch  // all must hold; of a leaf-list in a path, one of its nodes
	chosen  bool            // the matches tell which entry, and ask for nothing
	sub     [][]*filterNode // the other children, by the index of their node in n.Children
}

// contentMatch wants a leaf to have a value, or a leaf-list an entry.
type contentMatch struct {
	leaf *Node
	text string // canonical, without white space around it
}

// ParseSubtreeFilter reads the content of the element that dec stands in, and
// its end tag. An empty one selects nothing. Elements without a namespace match
// any (RFC 6241 6.2.1).
func ParseSubtreeFilter(dec *xmltok.Decoder) (*Filter, error) {
	p := filterParser{dec: dec}
	root := &filterNode{n: Root()}
	if text, _, err := p.content(root); err != nil {
		return nil, err
	} else if text != "" {
		return nil, &Error{Tag: BadElement, BadElement: "filter", Message: "the subtree filter holds text: it must hold elements"}
	}
	return &Filter{root}, nil
}

type filterParser struct{ dec *xmltok.Decoder }

// content reads the children of f up to its end tag. It returns the text
// between them, without white space, and how many elements there were.
func (p *filterParser) content(f *filterNode) (text string, elements int, err error) {
	others := 0
	for {
		tok, err := p.dec.Next()
		if err != nil {
			return "", 0, malformed(err)
		}
		switch tok.Kind {
		case xmltok.EndElement:
			// Content matches alone select all their siblings (RFC 6241 6.2.5).
			f.selects = elements > 0 && others == 0 && f.n != nil && f.n.Parent != nil
			return text, elements, nil
		case xmltok.Text:
			if t := xmltok.TrimSpace(string(tok.Text)); t != "" {
				text = t
			}
		default:
			elements++
			match, err := p.child(f, &tok)
			if err != nil {
				return "", 0, err
			}
			if !match {
				others++
			}
		}
	}
}

// child reads a child of f. It says whether it is a content match node, also
// if the model does not know it.
func (p *filterParser) child(f *filterNode, tok *xmltok.Token) (match bool, err error) {
	c := &filterNode{n: f.lookup(tok.Namespace, tok.Local), never: hasAttributes(tok.Attrs)}
	name, never := tok.Local, c.never
	text, elements, err := p.content(c)
	switch {
	case err != nil:
		return false, err
	case text != "" && elements > 0:
		return false, &Error{Tag: BadElement, BadElement: name, Message: "filter element " + name + " holds text and elements: give one of them"}
	case text != "":
		if never || c.n == nil || !c.n.IsLeaf() || c.n.Secret {
			f.never = true // a secret must not be found by guessing
			return true, nil
		}
		f.matches = append(f.matches, contentMatch{c.n, canonicalText(c.n, text)})
		return true, nil
	}
	if elements == 0 {
		c.selects = true
	}
	if c.n == nil || c.never || c.n.IsLeaf() && elements > 0 {
		return false, nil
	}
	if f.sub == nil {
		f.sub = make([][]*filterNode, len(f.n.Children))
	}
	f.sub[c.n.index] = append(f.sub[c.n.index], c)
	return false, nil
}

// lookup returns the child of f's node with a name, nil for none.
func (f *filterNode) lookup(namespace, name string) *Node {
	if f.n == nil {
		return nil
	}
	c := f.n.Child(name)
	if c == nil || namespace != "" && namespace != c.Namespace {
		return nil
	}
	return c
}

// hasAttributes says whether there is an attribute match: the data has no
// attributes, so nothing meets it.
func hasAttributes(attrs []xmltok.Attr) bool {
	return slices.ContainsFunc(attrs, func(a xmltok.Attr) bool { return !a.IsNamespaceDecl() && a.Namespace != TxidNamespace })
}

// canonicalText returns the canonical form of a value that is looked for, so
// that every spelling of an address finds it.
func canonicalText(leaf *Node, text string) string {
	if v, err := leaf.Type.Parse(text); err == nil {
		return v.String()
	}
	return text
}

// holds says whether the leaf has the value at a place.
func (m *contentMatch) holds(at place, defaults bool) bool {
	sv := at.holder(m.leaf)
	if !m.leaf.isSet(sv) {
		return defaults && m.leaf.Config && slices.Contains(m.leaf.Default, m.text)
	}
	f := sv.Field(m.leaf.field)
	if m.leaf.Kind == Leaf {
		return m.equal(f)
	}
	for i := range f.Len() {
		if m.equal(f.Index(i)) {
			return true
		}
	}
	return false
}

func (m *contentMatch) equal(f reflect.Value) bool {
	v := m.leaf.valueAt(f)
	if v.kind == ValueString {
		return xmltok.TrimSpace(v.s) == m.text
	}
	return v.String() == m.text
}
