package rpc

import "mooring/engine/schema"

// delete-config is RFC 6241 7.4. Running cannot be deleted, and there is no
// other datastore yet that could be.
var deleteConfigOperation = operation{
	params: []spec{{name: "target", mandatory: true}},
	run: func(c *call) (body, error) {
		at, err := c.place("target", running)
		if err != nil {
			return nil, err
		}
		e := protocolError(schema.OperationNotSupported, "running cannot be deleted; to empty it use edit-config with default-operation replace")
		return nil, e.at(requestPath(c.req.op.local, "target", string(at)))
	},
}
