package rpc

import "mooring/engine/datastore"

// discard-changes is RFC 6241 8.3.4.2.
var discardChangesOperation = operation{
	run: func(c *call) (body, error) { return nil, c.discard() },
}

// discard makes the candidate follow running again, unless another session
// has locked it.
func (c *call) discard() error {
	if err := c.store().CheckWrite(datastore.DatastoreCandidate, c.sess.holder()); err != nil {
		return err
	}
	c.store().Shared().Discard()
	return nil
}
