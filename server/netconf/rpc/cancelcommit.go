package rpc

import (
	"errors"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// cancel-commit is RFC 6241 8.4.4.1. When it answers, running is what it was
// before the confirmed commit.
var cancelCommitOperation = operation{
	params: []spec{{name: "persist-id"}},
	run: func(c *call) (body, error) {
		id, err := c.word("persist-id")
		if err != nil {
			return nil, err
		}
		err = c.srv.engine.Cancel(c.ctx, c.sess.actor(), id)
		switch {
		case errors.Is(err, commit.ErrNotPending) && id != "":
			return nil, protocolError(schema.InvalidValue, err.Error()).at(c.here("persist-id"))
		case errors.Is(err, commit.ErrNotPending):
			return nil, protocolError(schema.OperationFailed, err.Error())
		}
		return nil, c.confirmError(err)
	},
}
