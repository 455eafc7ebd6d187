package rpc

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mooring/engine/schema"
	"mooring/engine/xpath"
	"mooring/server/netconf/xmltree"
)

// maxEventSteps is how many nodes an expression may look at in one event.
const maxEventSteps = 1_000_000

// event returns a filter of events: the expression is true for those that are
// wanted. One that cannot be evaluated is not wanted.
func (f *filter) event(e xmltree.Element) bool {
	wanted, err := f.expr.Bool(context.Background(), xpath.Context{Document: xpath.NewDocument(eventSource{&e}), Steps: maxEventSteps})
	return err == nil && wanted
}

// eventSource has one notification as its only top-level element.
type eventSource struct{ e *xmltree.Element }

// Top implements xpath.Source.
func (s eventSource) Top(test xpath.Name, fn func(xpath.Node) bool) bool {
	n := xmltree.AsNode(s.e)
	return !test.Matches(n.Name()) || fn(n)
}

// Owns implements xpath.Source.
func (eventSource) Owns(xpath.Node) bool { return true }

// moduleNames are the prefixes that an expression of a subscription has without
// a declaration: the names of the modules (RFC 8639 4, stream-xpath-filter).
var moduleNames = func() map[string]string {
	m := make(map[string]string, len(modules))
	for _, mod := range modules {
		m[mod.Name] = mod.Namespace
	}
	return m
}()

// subscriptionXPath reads a parameter with an expression: as it is, and
// compiled.
func (c *call) subscriptionXPath(p *param) (*xmltree.Element, *filter, error) {
	text, scope, err := c.leafText(p)
	if err != nil {
		return nil, nil, err
	}
	prefixes := maps.Clone(moduleNames)
	maps.Copy(prefixes, scope)
	fault := func(_ schema.Tag, message string) error {
		return c.refuse(filterUnsupported, message, filterHint(message)).at(c.hereIn(p.name))
	}
	if p.child != nil {
		return nil, nil, fault(schema.InvalidValue, p.local+" is an XPath expression and holds no element")
	}
	f, err := compile(text, prefixes, fault)
	if err != nil {
		return nil, nil, err
	}
	e := xmltree.Leaf(p.local, strings.TrimSpace(text)).In(p.namespace)
	used := f.expr.Prefixes()
	for _, name := range slices.Sorted(maps.Keys(used)) {
		e.Prefixes = append(e.Prefixes, xmltree.Prefix{Name: name, Namespace: used[name]})
	}
	return &e, f, nil
}
