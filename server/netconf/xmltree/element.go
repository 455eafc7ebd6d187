// Package xmltree is small XML trees that a server makes up as it is asked:
// what it tells of itself, and its notifications. It owns their form, their
// encoding and the subtree filter on them (RFC 6241 6). It must never hold
// configuration or peers: those stand in records, which package schema filters
// and encodes at the cost of what is selected.
package xmltree

import (
	"mooring/internal/xmltok"
)

// Element is an element with text or with children. It is not changed once it
// is made.
type Element struct {
	Namespace string // empty: that of the parent
	Name      string
	Prefixes  []Prefix // declared on the element, for names in its text
	Text      string
	Children  []Element
	Key       bool // a list key: it is kept with whatever is selected beside it
}

// Prefix is a namespace declaration.
type Prefix struct{ Name, Namespace string }

// Leaf returns an element with text.
func Leaf(name, text string) Element { return Element{Name: name, Text: text} }

// Key returns a leaf that is a list key.
func Key(name, text string) Element { return Element{Name: name, Text: text, Key: true} }

// New returns an element with children, in the namespace of its parent.
func New(name string, children ...Element) Element { return Element{Name: name, Children: children} }

// In returns e in a namespace of its own.
func (e Element) In(namespace string) Element {
	e.Namespace = namespace
	return e
}

// none is the Namespace of an element that is in no namespace.
const none = "\x00"

// Read reads the element whose start tag tok is, up to its end tag. Attributes
// and comments are lost, and so is white space around text; prefixes in text
// stay as they are.
func Read(dec *xmltok.Decoder, tok xmltok.Token) (Element, error) {
	e, err := ReadContent(dec)
	if e.Name, e.Namespace = tok.Local, tok.Namespace; e.Namespace == "" {
		e.Namespace = none
	}
	return e, err
}

// ReadContent reads what stands in the element that dec stands in, and its end
// tag, into an element without a name.
func ReadContent(dec *xmltok.Decoder) (e Element, err error) {
	for {
		tok, err := dec.Next()
		switch {
		case err != nil:
			return e, err
		case tok.Kind == xmltok.EndElement:
			return e, nil
		case tok.Kind == xmltok.Text:
			e.Text += xmltok.TrimSpace(string(tok.Text))
			continue
		}
		child, err := Read(dec, tok)
		if err != nil {
			return e, err
		}
		e.Children = append(e.Children, child)
	}
}

// Limit returns the upper levels of e, 0 for all: 1 is e without its children.
// List keys stay with their entry.
func (e Element) Limit(levels int) Element {
	if levels == 0 {
		return e
	}
	children := e.Children
	e.Children = nil
	for _, c := range children {
		switch {
		case levels > 1:
			e.Children = append(e.Children, c.Limit(levels-1))
		case c.Key:
			e.Children = append(e.Children, c)
		}
	}
	return e
}

// Append appends e as XML. parent is the default namespace that is in force.
func (e *Element) Append(b []byte, parent string) []byte {
	b = append(append(b, '<'), e.Name...)
	if e.Namespace != "" && e.Namespace != parent {
		parent = e.Namespace
		b = append(b, ` xmlns="`...)
		if parent != none {
			b = xmltok.AppendEscapedAttr(b, parent)
		}
		b = append(b, '"')
	}
	for _, p := range e.Prefixes {
		b = append(append(append(b, ` xmlns:`...), p.Name...), `="`...)
		b = append(append(b, p.Namespace...), '"')
	}
	if e.Text == "" && len(e.Children) == 0 {
		return append(b, "/>"...)
	}
	b = xmltok.AppendEscaped(append(b, '>'), e.Text)
	for i := range e.Children {
		b = e.Children[i].Append(b, parent)
	}
	return append(append(append(b, "</"...), e.Name...), '>')
}
