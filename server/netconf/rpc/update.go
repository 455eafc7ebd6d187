package rpc

import (
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// privateNS is that of private candidates (draft-ietf-netconf-privcand), and
// PrivateCapability what a client says that wants one.
const (
	privateNS         = "urn:ietf:params:xml:ns:yang:ietf-netconf-private-candidate"
	PrivateCapability = "urn:ietf:params:netconf:capability:private-candidate:1.0"
)

// resolutions are the words of resolution-mode.
var resolutions = map[string]datastore.Resolution{
	"revert-on-conflict": datastore.RevertOnConflict,
	"prefer-candidate":   datastore.PreferCandidate,
	"prefer-running":     datastore.PreferRunning,
}

// update brings a private candidate onto running. A session with the shared
// candidate has no use for it, because that one follows running by itself.
var updateOperation = operation{
	params: []spec{{name: "resolution-mode"}},
	run: func(c *call) (body, error) {
		mode, err := c.choice("resolution-mode", "revert-on-conflict", "prefer-candidate", "prefer-running")
		if err != nil {
			return nil, err
		}
		if c.sess.Private == nil {
			return nil, protocolError(schema.OperationNotSupported,
				"this session has no candidate of its own: its hello did not name "+PrivateCapability)
		}
		return nil, c.sess.Private.Update(resolutions[mode])
	},
}

// draft is the candidate of the session: its own or the shared one.
func (c *call) draft() *datastore.Candidate {
	if c.sess.Private != nil {
		return c.sess.Private
	}
	return c.store().Shared()
}

// lockPrivate locks the session's own candidate, which keeps nobody out. It is
// refused when a lock of the shared one would be.
func (c *call) lockPrivate() error {
	e := &datastore.LockedError{Datastore: datastore.DatastoreCandidate}
	switch {
	case c.sess.privateLock:
		e.Holder, e.Reason = c.sess.holder(), "already locked by this session"
	case c.sess.Private.Modified():
		e.Reason = "modified and not committed: commit or discard the changes first"
	default:
		c.sess.privateLock = true
		return nil
	}
	return lockDenied(e)
}

// unlockPrivate gives that lock up, and discards what is not committed as the
// end of the other one does.
func (c *call) unlockPrivate() error {
	if !c.sess.privateLock {
		return protocolError(schema.OperationFailed, "candidate: not locked")
	}
	c.sess.privateLock = false
	c.sess.Private.Discard()
	return nil
}
