package rpc

import (
	"errors"

	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// unlock is RFC 6241 7.6. Unlocking the candidate discards what is in it
// (8.3.5.2).
var unlockOperation = operation{
	params: []spec{{name: "target", mandatory: true}},
	run: func(c *call) (body, error) {
		at, err := c.place("target", running, candidate, startup)
		if err != nil {
			return nil, err
		}
		if at.place == candidate && c.sess.Private != nil {
			return nil, c.unlockPrivate()
		}
		err = c.store().Unlock(at.datastore(), c.sess.holder())
		locked, ok := errors.AsType[*datastore.LockedError](err)
		switch {
		case !ok:
			return nil, err
		case locked.Holder == datastore.Holder{}:
			return nil, protocolError(schema.OperationFailed, locked.Error())
		}
		return nil, lockDenied(locked)
	},
}
