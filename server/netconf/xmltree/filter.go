package xmltree

import (
	"errors"
	"slices"

	"mooring/internal/xmltok"
)

// ErrMixed is returned by ParseFilter for an element that holds text and
// elements: it is neither a containment nor a content match node.
var ErrMixed = errors.New("a filter element holds text and elements: give one of them")

// Filter is a subtree filter (RFC 6241 6). It is not changed once it is made.
type Filter struct {
	Levels int // of each selected node, itself included, 0 for all
	all    bool
	roots  []*node
}

// Everything returns a filter that selects everything, with the upper levels
// of each top-level element, 0 for all.
func Everything(levels int) *Filter { return &Filter{Levels: levels, all: true} }

// node is an element of a filter.
type node struct {
	namespace, name string // no namespace matches any
	text            string // of a content match (6.2.5), without white space around it
	attributes      bool   // an attribute match (6.2.2), which nothing here meets
	children        []*node
}

// ParseFilter reads the content of the element that dec stands in, and its end
// tag. Top-level elements that wanted refuses are passed over.
func ParseFilter(dec *xmltok.Decoder, wanted func(namespace, name string) bool) (*Filter, error) {
	top := &node{}
	if err := top.parse(dec, wanted); err != nil {
		return nil, err
	}
	return &Filter{roots: top.children}, nil
}

// Nothing is a filter that selects nothing.
var Nothing = &Filter{}

// All wants every element.
func All(string, string) bool { return true }

func (n *node) parse(dec *xmltok.Decoder, wanted func(namespace, name string) bool) error {
	for {
		tok, err := dec.Next()
		switch {
		case err != nil:
			return err
		case tok.Kind == xmltok.EndElement:
			return nil
		case tok.Kind == xmltok.Text:
			if n.text += xmltok.TrimSpace(string(tok.Text)); n.text != "" && len(n.children) > 0 {
				return ErrMixed
			}
			continue
		case n.text != "":
			return ErrMixed
		case !wanted(tok.Namespace, tok.Local):
			if err := dec.Skip(); err != nil {
				return err
			}
			continue
		}
		c := &node{
			namespace: tok.Namespace, name: tok.Local,
			attributes: slices.ContainsFunc(tok.Attrs, func(a xmltok.Attr) bool { return !a.IsNamespaceDecl() }),
		}
		if err := c.parse(dec, All); err != nil {
			return err
		}
		n.children = append(n.children, c)
	}
}

// Selects says whether the filter has a top-level element of that name.
func (f *Filter) Selects(namespace, name string) bool {
	return f.all || slices.ContainsFunc(f.roots, func(n *node) bool { return n.names(namespace, name) })
}

// Apply returns what f selects of e, whose own namespace is set, and whether
// that is anything.
func (f *Filter) Apply(e Element) (Element, bool) {
	if f.all {
		return e.Limit(f.Levels), true
	}
	out := f.selected([]Element{e}, "", f.roots)
	if len(out) == 0 {
		return Element{}, false
	}
	return out[0], true
}

// Matches says whether f selects anything of e.
func (f *Filter) Matches(e Element) bool {
	_, ok := f.Apply(e)
	return ok
}

func (n *node) names(namespace, name string) bool {
	return !n.attributes && n.name == name && (n.namespace == "" || n.namespace == namespace)
}

// selected returns what some filter nodes of one place select of the elements
// of that place.
func (f *Filter) selected(elements []Element, namespace string, nodes []*node) []Element {
	var out []Element
	asked := false // whether anything but keys that were not asked for is there
	for _, e := range elements {
		ns := namespace
		if e.Namespace != "" {
			ns = e.Namespace
		}
		whole, below := e.match(ns, nodes)
		switch {
		case whole:
			out, asked = append(out, e.Limit(f.Levels)), true
		case e.Key:
			out = append(out, e)
		case len(below) > 0:
			if e.Children = f.selected(e.Children, ns, below); len(e.Children) > 0 {
				out, asked = append(out, e), true
			}
		}
	}
	if !asked {
		return nil
	}
	return out
}

// match says whether some of the nodes select the whole of e, or else which
// nodes select among its children.
func (e *Element) match(namespace string, nodes []*node) (whole bool, below []*node) {
	for _, n := range nodes {
		switch {
		case !n.names(namespace, e.Name):
		case n.text != "":
			whole = whole || len(e.Children) == 0 && xmltok.TrimSpace(e.Text) == n.text
		case len(n.children) == 0:
			return true, nil
		case !e.meets(namespace, n.children):
		case !slices.ContainsFunc(n.children, func(c *node) bool { return c.text == "" }):
			return true, nil // content matches alone select their siblings too
		default:
			below = append(below, n.children...)
		}
	}
	return whole, below
}

// meets says whether e has all values that the content matches among the nodes
// want.
func (e *Element) meets(namespace string, nodes []*node) bool {
	for _, n := range nodes {
		if n.text == "" {
			continue
		}
		if !slices.ContainsFunc(e.Children, func(c Element) bool {
			ns := namespace
			if c.Namespace != "" {
				ns = c.Namespace
			}
			return n.names(ns, c.Name) && len(c.Children) == 0 && xmltok.TrimSpace(c.Text) == n.text
		}) {
			return false
		}
	}
	return true
}
