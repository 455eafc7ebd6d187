package rpc

// validate is RFC 6241 8.6.4. Running is valid by construction: nothing
// becomes running that is not.
var validateOperation = operation{
	params: []spec{{name: "source", mandatory: true}},
	run: func(c *call) (body, error) {
		from, err := c.place("source", running, candidate, startup, intended, url, inline)
		if err != nil || from.place == running || from.place == intended {
			return nil, err
		}
		what := c.draft()
		if from.place != candidate {
			if what, err = c.scratch(from); err != nil {
				return nil, err
			}
		}
		return nil, c.srv.engine.Validate(c.ctx, c.sess.actor(), what)
	},
}
