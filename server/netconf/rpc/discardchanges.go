package rpc

// discard-changes is RFC 6241 8.3.4.2.
var discardChangesOperation = operation{
	run: func(c *call) (body, error) { return nil, c.discard() },
}

// discard makes the candidate follow running again, unless another session
// has locked it.
func (c *call) discard() error { return c.srv.engine.Discard(c.sess.actor(), c.draft()) }
