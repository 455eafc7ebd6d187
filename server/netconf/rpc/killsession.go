package rpc

import (
	"strconv"

	"mooring/engine/schema"
)

// kill-session is RFC 6241 7.9. When it answers, the locks of the other
// session are free.
var killSessionOperation = operation{
	params: []spec{{name: "session-id", mandatory: true}},
	run: func(c *call) (body, error) {
		at := requestPath(c.req.op.local, "session-id")
		p := c.req.find("session-id")
		id, err := strconv.ParseUint(p.text, 10, 32)
		switch {
		case err != nil || id == 0 || p.child != nil:
			return nil, protocolError(schema.InvalidValue, "session-id must be a number from 1 to 4294967295").at(at)
		case uint32(id) == c.sess.ID:
			return nil, protocolError(schema.InvalidValue, "a session cannot kill itself: use close-session").at(at)
		case !c.srv.sessions.Kill(c.ctx, uint32(id), c.sess.ID):
			return nil, protocolError(schema.InvalidValue, "there is no session "+p.text).at(at)
		}
		return nil, nil
	},
}
