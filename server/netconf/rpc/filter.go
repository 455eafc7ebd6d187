package rpc

import (
	"context"
	"errors"
	"strings"

	"mooring/engine/schema"
	"mooring/engine/xpath"
	"mooring/internal/xmltok"
	"mooring/server/netconf/xmltree"
)

// filter is what an operation was asked to select: a subtree (RFC 6241 6), or
// what an XPath expression selects (RFC 6241 8.9). A nil one is everything.
type filter struct {
	records *schema.Filter  // the subtree, for the records
	trees   *xmltree.Filter // the same for the trees of the server
	expr    *xpath.Expr     // or the expression
	fault   faultOf
}

// faultOf makes the error that tells what is wrong with a filter.
type faultOf func(tag schema.Tag, message string) error

// selection is what a filter selects of one view.
type selection struct {
	records *schema.Filter // nil: everything
	trees   []byte         // of the trees of the server, as XML
}

// filter reads the parameter filter of get and get-config, nil where there is
// none.
func (c *call) filter() (*filter, error) {
	p := c.req.find("filter")
	if p == nil {
		return nil, nil
	}
	at := c.here("filter")
	kind, ok := p.attr("type")
	text, selects := p.attr("select")
	switch {
	case !ok || kind == "subtree":
		if selects {
			e := protocolError(schema.BadAttribute, "select needs type xpath")
			return nil, e.attribute("select", "filter").at(at)
		}
		return c.subtreeFilter(p)
	case kind != "xpath":
		e := protocolError(schema.BadAttribute, "the type of a filter is subtree or xpath")
		return nil, e.attribute("type", "filter").at(at)
	case !selects:
		e := protocolError(schema.MissingAttribute, "a filter of type xpath needs select")
		return nil, e.attribute("select", "filter").at(at)
	case p.child != nil || p.text != "":
		e := protocolError(schema.BadElement, "a filter of type xpath is empty: the expression stands in select")
		return nil, e.element("filter").at(at)
	}
	dec, err := c.req.enter(p)
	if err != nil {
		return nil, err
	}
	f, err := compile(text, dec.Scope(), func(tag schema.Tag, message string) error {
		e := protocolError(tag, message).at(at)
		if tag == schema.InvalidValue { // of an attribute
			e = protocolError(schema.BadAttribute, message).attribute("select", "filter").at(at)
		}
		return e
	})
	if err != nil {
		return nil, err
	}
	return f, f.needsNodes()
}

// subtreeFilter reads a parameter that holds a subtree filter.
func (c *call) subtreeFilter(p *param) (*filter, error) {
	dec, err := c.req.enter(p)
	if err != nil {
		return nil, err
	}
	f := &filter{}
	if f.records, err = schema.ParseSubtreeFilter(dec); err != nil {
		return nil, err
	}
	if dec, err = c.req.enter(p); err != nil { // a second time, for what stands in no record
		return nil, err
	}
	if f.trees, err = xmltree.ParseFilter(dec, isTree); err != nil {
		return nil, &schema.Error{Tag: schema.BadElement, BadElement: p.local, Message: err.Error()}
	}
	return f, nil
}

// xpathFilter reads a parameter that is a leaf with an expression which must
// select nodes (RFC 8526, RFC 8639).
func (c *call) xpathFilter(p *param) (*filter, error) {
	f, err := c.expression(p)
	if err != nil {
		return nil, err
	}
	return f, f.needsNodes()
}

// expression reads a parameter that is a leaf with an expression of any type.
// Its prefixes are those in scope on the leaf.
func (c *call) expression(p *param) (*filter, error) {
	fault := func(tag schema.Tag, message string) error { return protocolError(tag, message).at(c.here(p.local)) }
	if p.child != nil {
		return nil, fault(schema.InvalidValue, p.local+" is an XPath expression and holds no element")
	}
	text, scope, err := c.leafText(p)
	if err != nil {
		return nil, err
	}
	return compile(text, scope, fault)
}

// leafText returns the text of a parameter, all of it, up to a child element,
// and the prefixes in scope on it.
func (c *call) leafText(p *param) (string, map[string]string, error) {
	dec, err := c.req.enter(p)
	if err != nil {
		return "", nil, err
	}
	scope := dec.Scope()
	var text []byte
	for {
		tok, err := dec.Next()
		switch {
		case err != nil:
			return "", nil, err
		case tok.Kind != xmltok.Text:
			return string(text), scope, nil
		}
		text = append(text, tok.Text...)
	}
}

// compile makes a filter of an expression, with the prefixes that are in scope
// where it stands.
func compile(text string, prefixes map[string]string, fault faultOf) (*filter, error) {
	f := &filter{fault: fault}
	var err error
	if f.expr, err = xpath.Compile(strings.TrimSpace(text), &xpath.Scope{Prefixes: prefixes, Derived: derived}); err != nil {
		return nil, f.wire(err, schema.TooBig)
	}
	return f, nil
}

// needsNodes refuses an expression whose value is no node-set.
func (f *filter) needsNodes() error {
	if f.expr.NodeSet() {
		return nil
	}
	return f.fault(schema.InvalidValue, "the expression must select nodes, and not be a string, number or boolean")
}

// wire tells the client what package xpath says. limit is the tag for what is
// too much.
func (f *filter) wire(err error, limit schema.Tag) error {
	switch _, ok := errors.AsType[*xpath.Error](err); {
	case !ok:
		return err
	case errors.Is(err, xpath.ErrLimit):
		return f.fault(limit, err.Error())
	}
	return f.fault(schema.InvalidValue, err.Error())
}

// selects evaluates a filter on a view and, where own is set, on the trees that
// the server makes up. What is not reported is not found either.
func (f *filter) selects(ctx context.Context, v schema.View, o schema.XMLOptions, own *ownTrees) (selection, error) {
	switch {
	case f == nil && own == nil:
		return selection{}, nil
	case f == nil:
		return selection{trees: own.appendTrees(nil, xmltree.Everything(o.MaxDepth))}, nil
	case f.expr == nil && own == nil:
		return selection{records: f.records}, nil
	case f.expr == nil:
		f.trees.Levels = o.MaxDepth
		return selection{f.records, own.appendTrees(nil, f.trees)}, nil
	}
	if p, ok := f.expr.Path(nil); ok && len(p) > 0 {
		return selection{records: schema.PathFilter(p)}, nil // it is found as the data is written
	}
	made := &treeSource{own: own, built: map[string]*xmltree.Element{}}
	sources := []xpath.Source{xpath.Records(&schema.Tree{View: v, Defaults: o.Defaults.ReportsAll()})}
	if own != nil {
		sources = append(sources, made)
	}
	doc := xpath.NewDocument(sources...)
	nodes, err := f.expr.Nodes(ctx, xpath.Context{Document: doc})
	if err != nil {
		return selection{}, f.wire(err, schema.ResourceDenied)
	}
	if len(nodes) > 0 && nodes[0] == xpath.Node(doc) {
		return (*filter)(nil).selects(ctx, v, o, own)
	}
	items := make([]*schema.Item, 0, len(nodes))
	for _, n := range nodes {
		if i := xpath.Item(n); i != nil {
			items = append(items, i)
		}
	}
	return selection{schema.NewFilter(items), made.appendPicked(nil, nodes, o.MaxDepth)}, nil
}
