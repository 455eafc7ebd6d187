package rpc

import "mooring/engine/schema"

// get-config is RFC 6241 7.1, on a snapshot as get.
var getConfigOperation = operation{
	params: []spec{{name: "source", mandatory: true}, {name: "filter"}},
	run: func(c *call) (body, error) {
		from, err := c.place("source", running, candidate)
		if err != nil {
			return nil, err
		}
		f, err := c.filter()
		if err != nil {
			return nil, err
		}
		var r schema.Reader = c.store().Running()
		if from == candidate {
			r = c.store().Shared().View()
		}
		return dataBody(c.srv.engine.ConfigView(r), f, schema.ConfigOnly), nil
	},
}
