package rpc

import (
	"mooring/engine/schema"
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
}

// treeFilter reads the filter a second time, for what stands in no record. It
// is nil where there is none: everything.
func (c *call) treeFilter() (*xmltree.Filter, error) {
	p := c.req.find("filter")
	if p == nil {
		return nil, nil
	}
	dec, err := c.req.enter(p)
	if err != nil {
		return nil, err
	}
	f, err := xmltree.ParseFilter(dec, func(namespace, name string) bool {
		for _, t := range trees {
			if t.name == name && (namespace == "" || namespace == t.namespace) {
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, &schema.Error{Tag: schema.BadElement, BadElement: "filter", Message: err.Error()}
	}
	return f, nil
}

// appendTrees appends what a filter selects of the trees.
func (s *Server) appendTrees(b []byte, f *xmltree.Filter) []byte {
	for _, t := range trees {
		if f != nil && !f.Selects(t.namespace, t.name) {
			continue
		}
		e, ok := t.build(s).In(t.namespace), true
		if f != nil {
			e, ok = f.Apply(e)
		}
		if ok {
			b = e.Append(b, "")
		}
	}
	return b
}
