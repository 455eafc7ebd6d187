package rpc

import "mooring/engine/datastore"

// discard-changes is RFC 6241 8.3.4.2.
var discardChangesOperation = operation{
	run: func(c *call) (body, error) { return nil, c.discard() },
}

// discard makes the candidate follow running again, unless another session
// has locked it. A modified candidate cannot be locked, so what another session
// does between the check and the discard cannot be a lock around changes that
// were there; only one that it takes and edits under in that instant is missed.
func (c *call) discard() error {
	if err := c.store().CheckWrite(datastore.DatastoreCandidate, c.sess.holder()); err != nil {
		return err
	}
	c.store().Shared().Discard()
	return nil
}
