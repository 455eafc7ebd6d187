package rpc

import (
	"slices"
	"strings"

	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// place is what a source or target names.
type place string

// The places (RFC 6241 7). Whether startup and url are served is a setting.
const (
	running   place = "running"
	candidate place = "candidate"
	startup   place = "startup"
	intended  place = "intended" // always as running (RFC 8342 5.1.4)
	inline    place = "config"
	url       place = "url"
)

// What the agent serves only where it was told to.
const (
	noStartup = ": it is not served, because the agent's setting netconf-startup is off"
	noURL     = "no URL is served, because the agent has no setting netconf-url-dir"
)

// place reads the parameter source or target, which must name one of those
// allowed.
func (c *call) place(param string, allowed ...place) (source, error) {
	p := c.req.find(param)
	at := func() errorPath { return requestPath(c.req.op.local, param) }
	switch {
	case p.child == nil:
		return source{}, protocolError(schema.MissingElement, param+" names no datastore").element(param).at(at())
	case p.more != nil:
		return source{}, protocolError(schema.BadElement, param+" names more than one datastore").element(p.more.local).at(at())
	case !knownNamespace(p.child.namespace):
		return source{}, protocolError(schema.UnknownNamespace, "unknown namespace").element(p.child.local).namespace(p.child.namespace).at(at())
	}
	s := source{place: place(p.child.local), param: p, at: requestPath(c.req.op.local, param, p.child.local)}
	switch {
	case p.child.namespace == nmdaNS && p.child.local == "datastore" && slices.Contains(takeDatastore, c.req.op.local):
		s.at = c.here(param)
		s.at.text += "/" + s.at.use(prefixOfNamespace(nmdaNS)) + ":datastore"
		dec, err := c.req.enterChild(p)
		if err != nil {
			return s, err
		}
		scope := dec.Scope()
		text, err := c.req.childText(p)
		if err != nil {
			return s, err
		}
		s.place, err = c.datastoreNamed(identityNamed(text, scope), s.at, allowed...)
		return s, err
	case p.child.namespace != BaseNamespace:
	case s.place == url && c.srv.files == nil:
		return s, protocolError(schema.OperationNotSupported, noURL).at(s.at)
	case s.place == url && !slices.Contains(allowed, url):
		return s, protocolError(schema.OperationNotSupported, param+" of "+c.req.op.local+" cannot be a URL").at(s.at)
	case s.place == url:
		text, err := c.req.childText(p)
		if err != nil {
			return s, err
		}
		return s, c.readURL(&s, text)
	case s.place == startup && !c.srv.startup:
	case slices.Contains(allowed, s.place):
		return s, nil
	}
	text := param + " of " + c.req.op.local + " cannot be " + p.child.local
	if s.place == startup && !c.srv.startup {
		text += noStartup
	}
	return s, protocolError(schema.UnknownElement, text).element(p.child.local).at(s.at)
}

// datastore is the place as the lock table knows it.
func (p place) datastore() datastore.Datastore {
	switch p {
	case candidate:
		return datastore.DatastoreCandidate
	case startup:
		return datastore.DatastoreStartup
	}
	return datastore.DatastoreRunning
}

// choice reads a parameter that is one of some words; without it, the first.
func (c *call) choice(param string, words ...string) (string, error) {
	p := c.req.find(param)
	if p == nil {
		return words[0], nil
	}
	if p.child != nil || !slices.Contains(words, p.text) {
		e := protocolError(schema.InvalidValue, param+" must be one of "+strings.Join(words, ", "))
		return "", e.at(c.here(param))
	}
	return p.text, nil
}
