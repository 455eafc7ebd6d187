package rpc

import (
	"slices"

	"mooring/engine/nacm"
	"mooring/engine/xpath"
	"mooring/server/netconf/xmltree"
)

// tree is a top-level node of state that the server makes up by itself, beside
// the records of the engine. It is made when a filter asks for it.
type tree struct {
	namespace, name string
	build           func(*Server) xmltree.Element
}

// trees are all of them, in the order in which get writes them.
var trees = []tree{
	{monitoringNS, "netconf-state", netconfState},
	{libraryNS, "yang-library", yangLibrary},
	{libraryNS, "modules-state", modulesState},
	{streamsNS, "netconf", streams},
	{subscribedNS, "streams", streamsTree},
	{subscribedNS, "subscriptions", subscriptionsTree},
	{systemCapabilitiesNS, "system-capabilities", systemCapabilities},
}

// isTree says whether a top-level element is one of the trees.
func isTree(namespace, name string) bool {
	return slices.ContainsFunc(trees, func(t tree) bool {
		return t.name == name && (namespace == "" || namespace == t.namespace)
	})
}

// selectsTrees says whether a filter, nil for everything, selects any of them.
func selectsTrees(f *xmltree.Filter) bool {
	return slices.ContainsFunc(trees, func(t tree) bool { return f == nil || f.Selects(t.namespace, t.name) })
}

// ownTrees are the trees of a server as far as a user may read them.
type ownTrees struct {
	server *Server
	rights *nacm.Rights
}

// build makes a tree. It says whether the user may read something of it.
func (o *ownTrees) build(t tree) (xmltree.Element, bool) {
	return readable(o.rights, t.build(o.server).In(t.namespace), nil)
}

// appendTrees appends what a filter selects of the trees, nil for everything.
func (o *ownTrees) appendTrees(b []byte, f *xmltree.Filter) []byte {
	for _, t := range trees {
		if f != nil && !f.Selects(t.namespace, t.name) {
			continue
		}
		e, ok := o.build(t)
		if ok && f != nil {
			e, ok = f.Apply(e)
		}
		if ok {
			b = e.Append(b, "")
		}
	}
	return b
}

// treeSource has the trees for one evaluation of an XPath expression: each is
// made when the expression comes to it.
type treeSource struct {
	own   *ownTrees
	built map[string]*xmltree.Element // by name
}

func (s *treeSource) Top(test xpath.Name, fn func(xpath.Node) bool) bool {
	for _, t := range trees {
		if !test.Matches(xpath.Name{Namespace: t.namespace, Local: t.name}) {
			continue
		}
		e := s.built[t.name]
		if e == nil {
			made, ok := s.own.build(t)
			if !ok {
				continue
			}
			e = &made
			s.built[t.name] = e
		}
		if !fn(xmltree.AsNode(e)) {
			return false
		}
	}
	return true
}

func (s *treeSource) Owns(n xpath.Node) bool {
	_, ok := n.(*xmltree.Node)
	return ok
}

// appendPicked appends what of the trees an expression has selected.
func (s *treeSource) appendPicked(b []byte, nodes []xpath.Node, levels int) []byte {
	for _, t := range trees {
		if e := s.built[t.name]; e != nil {
			if picked, ok := e.Pick(nodes, levels); ok {
				b = picked.Append(b, "")
			}
		}
	}
	return b
}
