package rpc

import (
	"mooring/engine/commit"
	"mooring/engine/schema"
)

// copy-config is RFC 6241 7.3. A copy of the candidate to running is a commit,
// one of running to the candidate makes it follow running again.
var copyConfigOperation = operation{
	params: []spec{{name: "target", mandatory: true}, {name: "source", mandatory: true}, withDefaultsParam},
	run: func(c *call) (body, error) {
		to, err := c.place("target", running, candidate)
		if err != nil {
			return nil, err
		}
		from, err := c.place("source", running, candidate, inline)
		if err != nil {
			return nil, err
		}
		if _, err := c.withDefaults(); err != nil {
			return nil, err
		}
		engine, actor, shared := c.srv.engine, c.sess.actor(), c.store().Shared()
		switch {
		case from == to:
			e := protocolError(schema.InvalidValue, "source and target are the same datastore")
			return nil, e.at(requestPath(c.req.op.local, "source", string(from)))
		case from == candidate:
			_, err = engine.Commit(c.ctx, actor, shared, commit.Options{})
		case from == running:
			err = c.discard()
		case to == candidate:
			err = engine.EditCandidate(c.ctx, actor, shared, c.replaceAll)
		default:
			_, err = engine.Edit(c.ctx, actor, commit.Options{}, c.replaceAll)
		}
		return nil, err
	},
}

// replaceAll makes the content of <source><config> the whole configuration.
func (c *call) replaceAll(tx schema.Tx) error {
	dec, err := c.req.enterChild(c.req.find("source"))
	if err != nil {
		return err
	}
	return decode(dec, schema.OpReplace, func(base schema.Path, e *schema.Edit) error { return schema.Apply(tx, base, e) })
}
