package rpc

import "mooring/engine/schema"

// get-config is RFC 6241 7.1, on a snapshot as get.
var getConfigOperation = operation{
	params: []spec{{name: "source", mandatory: true}, {name: "filter"}, withDefaultsParam},
	run: func(c *call) (body, error) {
		from, err := c.place("source", running, candidate, startup)
		if err != nil {
			return nil, err
		}
		f, err := c.filter()
		if err != nil {
			return nil, err
		}
		mode, err := c.withDefaults()
		if err != nil {
			return nil, err
		}
		o := schema.XMLOptions{Content: schema.ConfigOnly, Defaults: mode}
		snap := c.view(from.place)
		etag := c.dataEtag(snap)
		if etag == etagMatch {
			return prunedBody, nil
		}
		v := c.rights.View(c.srv.engine.ConfigView(snap))
		sel, err := f.selects(c.ctx, v, o, nil)
		if err != nil {
			return nil, err
		}
		return dataBody(v, sel, o, dataHead{etag: etag}), nil
	},
}
