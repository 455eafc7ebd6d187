package rpc

import (
	"errors"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// copy-config is RFC 6241 7.3, from anywhere to anywhere. A copy of the
// candidate to running is a commit that confirms nothing, one of running to the
// candidate makes it follow running again.
var copyConfigOperation = operation{
	params: []spec{{name: "target", mandatory: true}, {name: "source", mandatory: true}, withDefaultsParam},
	run: func(c *call) (body, error) {
		to, err := c.place("target", running, candidate, startup, url)
		if err != nil {
			return nil, err
		}
		from, err := c.place("source", running, candidate, startup, url, inline)
		if err != nil {
			return nil, err
		}
		mode, err := c.withDefaults()
		if err != nil {
			return nil, err
		}
		if from.same(to) {
			return nil, protocolError(schema.InvalidValue, "source and target are the same").at(from.at)
		}
		engine, actor, draft := c.srv.engine, c.sess.actor(), c.draft()
		switch {
		case to.place == url, to.place == startup:
			err = c.copyOut(from, to, mode)
		case from.place == candidate && c.rights.Read() == nil:
			_, err = engine.Commit(c.ctx, actor, draft, commit.Options{KeepPending: true})
		case to.place == running:
			_, err = engine.Edit(c.ctx, actor, commit.Options{}, c.replaceWith(from))
		case from.place == running:
			err = c.discard()
		default:
			err = engine.EditCandidate(c.ctx, actor, draft, c.replaceWith(from))
		}
		return nil, err
	},
}

// copyOut copies to where nothing but a copy is kept. Startup takes only what
// running could be: a start could do nothing with anything else.
func (c *call) copyOut(from, to source, mode schema.DefaultsMode) error {
	var cand *datastore.Candidate // that holds the source, where it is not known to be valid
	snap := c.view(from.place)
	switch from.place {
	case candidate:
		cand = c.draft()
	case inline, url:
		var err error
		if cand, err = c.scratch(from); err != nil {
			return err
		}
		snap = cand.View()
	}
	if to.place == url {
		return c.writeFile(to, snap, mode)
	}
	if from.place != running && !c.rights.All() { // of running only the operation needs a right (RFC 8341 3.2.6)
		return &schema.Error{Tag: schema.AccessDenied, Message: "access denied: only who may read and write everything copies to startup what is not running"}
	}
	if cand != nil {
		if err := c.srv.engine.Validate(c.ctx, c.sess.actor(), cand); err != nil {
			return err
		}
	}
	return c.saveStartup(snap)
}

// saveStartup makes a snapshot the startup datastore, and tells it.
func (c *call) saveStartup(snap *datastore.Snapshot) error {
	changed, err := c.store().SaveStartup(c.sess.holder(), snap)
	if _, locked := errors.AsType[*datastore.LockedError](err); err != nil && !locked {
		return &commit.DiskError{Err: err}
	}
	if err != nil {
		return err
	}
	c.srv.startupSaved(c.sess, changed)
	return nil
}
