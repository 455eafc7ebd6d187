package rpc

import (
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// delete-config is RFC 6241 7.4, of startup and of files. After that of startup
// a start begins with nothing but what always exists. Running cannot be
// deleted.
var deleteConfigOperation = operation{
	params: []spec{{name: "target", mandatory: true}},
	run: func(c *call) (body, error) {
		at, err := c.place("target", running, startup, url)
		if err != nil {
			return nil, err
		}
		switch at.place {
		case startup:
			return nil, c.saveStartup(datastore.Blank())
		case url:
			if err := c.srv.files.Remove(at.file); err != nil {
				return nil, c.fileError(at, err)
			}
			return nil, nil
		}
		e := protocolError(schema.OperationNotSupported, "running cannot be deleted; to empty it use edit-config with default-operation replace")
		return nil, e.at(at.at)
	},
}
