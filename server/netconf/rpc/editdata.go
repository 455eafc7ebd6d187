package rpc

// edit-data is RFC 8526 3.1.2: an edit-config without options, all or nothing.
var editDataOperation = operation{
	params: []spec{
		{name: "datastore", mandatory: true},
		{name: "default-operation"},
		{name: "config"},
		{name: "url"},
	},
	run: func(c *call) (body, error) {
		ds, err := c.datastore(running, candidate)
		if err != nil {
			return nil, err
		}
		e, err := c.newEdit()
		if err != nil {
			return nil, err
		}
		if ds == candidate {
			return nil, e.candidate()
		}
		return nil, e.running()
	},
}
