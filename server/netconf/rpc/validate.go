package rpc

// validate is RFC 6241 8.6.4. Running is valid by construction: nothing
// becomes running that is not.
var validateOperation = operation{
	params: []spec{{name: "source", mandatory: true}},
	run: func(c *call) (body, error) {
		from, err := c.place("source", running, candidate, inline)
		if err != nil || from == running {
			return nil, err
		}
		what := c.store().Shared()
		if from == inline {
			what = c.store().NewCandidate()
			if err := c.srv.engine.EditCandidate(c.ctx, c.sess.actor(), what, c.replaceAll); err != nil {
				return nil, err
			}
		}
		return nil, c.srv.engine.Validate(c.ctx, what)
	},
}
