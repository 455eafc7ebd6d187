package rpc

import "mooring/engine/schema"

// get-config is RFC 6241 7.1, on a snapshot as get.
var getConfigOperation = operation{
	params: []spec{{name: "source", mandatory: true}, {name: "filter"}, withDefaultsParam},
	run: func(c *call) (body, error) {
		from, err := c.place("source", running, candidate)
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
		var r schema.Reader = c.store().Running()
		if from == candidate {
			r = c.store().Shared().View()
		}
		o := schema.XMLOptions{Content: schema.ConfigOnly, Defaults: mode}
		return dataBody(c.srv.engine.ConfigView(r), f, o, nil), nil
	},
}
