package rpc

// close-session is RFC 6241 7.8. The locks are free before the answer is out,
// so that whoever waits for it can lock at once.
var closeSessionOperation = operation{
	run: func(c *call) (body, error) {
		c.srv.Release(c.sess)
		c.closing = true
		return nil, nil
	},
}
