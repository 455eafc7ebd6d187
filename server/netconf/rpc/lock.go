package rpc

import (
	"errors"

	"mooring/engine/datastore"
)

// lock is RFC 6241 7.5. A lock that the session itself holds is in the way
// too, and so are changes in the candidate (8.3.5.2) and, for running, a
// confirmed commit of somebody else.
var lockOperation = operation{
	params: []spec{{name: "target", mandatory: true}},
	run: func(c *call) (body, error) {
		at, err := c.place("target", running, candidate, startup)
		if err != nil {
			return nil, err
		}
		if at.place == candidate && c.sess.Private != nil {
			return nil, c.lockPrivate()
		}
		err = c.srv.engine.Lock(c.ctx, c.sess.actor(), at.datastore())
		if locked, ok := errors.AsType[*datastore.LockedError](err); ok {
			return nil, lockDenied(locked)
		}
		return nil, err
	},
}
