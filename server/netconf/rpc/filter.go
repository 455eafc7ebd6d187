package rpc

import "mooring/engine/schema"

// filter reads the parameter filter, nil where there is none: everything. Its
// type is subtree until xpath is announced (RFC 6241 6 and 8.9).
func (c *call) filter() (*schema.Filter, error) {
	p := c.req.find("filter")
	if p == nil {
		return nil, nil
	}
	if kind, ok := p.attr("type"); ok && kind != "subtree" {
		e := protocolError(schema.BadAttribute, "filters are of type subtree here")
		return nil, e.attribute("type", "filter").at(requestPath(c.req.op.local, "filter"))
	}
	dec, err := c.req.enter(p)
	if err != nil {
		return nil, err
	}
	return schema.ParseSubtreeFilter(dec)
}
