package rpc

import "mooring/engine/commit"

// commit is RFC 6241 8.3.4.1, without confirmed commit.
var commitOperation = operation{
	run: func(c *call) (body, error) {
		_, err := c.srv.engine.Commit(c.ctx, c.sess.actor(), c.store().Shared(), commit.Options{})
		return nil, err
	},
}
