package rpc

import (
	"errors"
	"time"

	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/server/netconf/xmltree"
)

// listens is how the state of the agent tells of a subscription.
func (t *terms) listens() (mode commit.ListenMode, filters int) {
	switch {
	case t.push == nil:
		mode = commit.ListenEvents
	case t.push.period > 0:
		mode = commit.ListenPeriodic
	default:
		mode = commit.ListenOnChange
	}
	if t.filter != nil {
		filters = 1
	}
	return mode, filters
}

// terms are what a subscriber has asked for. They are not changed once they are
// in force.
type terms struct {
	filter      *xmltree.Element           // as it was given, nil for none
	events      func(xmltree.Element) bool // of a stream: the same, nil for all events
	start, stop time.Time                  // zero: no replay, no end
	push        *pushTerms                 // nil: of a stream
}

// elements are the terms as /subscriptions and notifications show them.
func (t *terms) elements() []xmltree.Element {
	var out []xmltree.Element
	if t.filter != nil {
		out = append(out, *t.filter)
	}
	if t.push == nil {
		out = append(out, xmltree.Leaf("stream", streamName))
	} else {
		out = append(out, t.push.elements()...)
	}
	if !t.start.IsZero() {
		out = append(out, xmltree.Leaf("replay-start-time", stamp(t.start)))
	}
	if !t.stop.IsZero() {
		out = append(out, xmltree.Leaf("stop-time", stamp(t.stop)))
	}
	encoding := xmltree.Leaf("encoding", "sn:encode-xml")
	encoding.Prefixes = []xmltree.Prefix{{Name: "sn", Namespace: subscribedNS}}
	return append(out, encoding)
}

// maxFilter is how large a filter may be, written out: it is kept and shown.
const maxFilter = 64 << 10

// subtree reads a parameter with a subtree filter twice: as it is, and for
// events and trees.
func (c *call) subtree(p *param) (*xmltree.Element, *xmltree.Filter, error) {
	dec, err := c.req.enter(p)
	if err != nil {
		return nil, nil, err
	}
	start := dec.Offset()
	events, err := xmltree.ParseFilter(dec, xmltree.All)
	if errors.Is(err, xmltree.ErrMixed) {
		return nil, nil, c.refuse(filterUnsupported, err.Error(), filterHint(err.Error())).at(c.hereIn(p.name))
	}
	if err != nil {
		return nil, nil, err
	}
	if dec.Offset()-start > maxFilter {
		const message = "the filter is longer than 65536 bytes"
		return nil, nil, c.refuse(filterUnsupported, message, filterHint(message)).at(c.hereIn(p.name))
	}
	if dec, err = c.req.enter(p); err != nil {
		return nil, nil, err
	}
	e, err := xmltree.ReadContent(dec)
	if err != nil {
		return nil, nil, err
	}
	e.Name, e.Namespace = p.local, p.namespace
	return &e, events, nil
}

func filterHint(text string) xmltree.Element { return xmltree.Leaf("filter-failure-hint", text) }

// streamFilter reads the filter of a stream, if there is one.
func (c *call) streamFilter(t *terms) error {
	if p := c.req.find("stream-filter-name"); p != nil {
		e := &Error{Type: typeApplication, Tag: schema.DataMissing, AppTag: schema.AppInstanceRequired}
		e.Message = "there is no filter " + p.text + ": filters cannot be configured, give it in the subscription"
		return e.at(c.here(p.local))
	}
	p, x := c.req.find("stream-subtree-filter"), c.req.find("stream-xpath-filter")
	switch {
	case p != nil && x != nil:
		return protocolError(schema.BadElement, "the filters exclude each other").element(x.local).at(c.here(x.local))
	case p != nil:
		e, f, err := c.subtree(p)
		if err != nil {
			return err
		}
		t.filter, t.events = e, f.Matches
	case x != nil:
		e, f, err := c.subscriptionXPath(x)
		if err != nil {
			return err
		}
		t.filter, t.events = e, f.event
	}
	return nil
}

// times reads replay-start-time and stop-time.
func (c *call) times(t *terms) error {
	var err error
	now := time.Now()
	if p := c.req.find("replay-start-time"); p != nil {
		if t.start, err = c.instant(p); err != nil {
			return err
		}
		if !t.start.Before(now) {
			return protocolError(schema.InvalidValue, "replay-start-time must be in the past").at(c.here(p.local))
		}
	}
	if p := c.req.find("stop-time"); p != nil {
		if t.stop, err = c.instant(p); err != nil {
			return err
		}
		switch {
		case !t.start.IsZero() && !t.stop.After(t.start):
			return protocolError(schema.InvalidValue, "stop-time must be after replay-start-time").at(c.here(p.local))
		case t.start.IsZero() && !t.stop.After(now):
			return protocolError(schema.InvalidValue, "stop-time must be in the future").at(c.here(p.local))
		}
	}
	return nil
}

// instant reads a date-and-time (RFC 6991 3).
func (c *call) instant(p *param) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, p.text)
	if err != nil || p.child != nil || t.IsZero() {
		return t, protocolError(schema.InvalidValue, p.local+" must be a date and time with its zone, as 2026-01-31T12:00:00Z").at(c.hereIn(p.name))
	}
	return t, nil
}

// hereIn is the path of a parameter that has a namespace of its own.
func (c *call) hereIn(n name) errorPath {
	x := c.here()
	x.text += "/" + x.use(prefixOfNamespace(n.namespace)) + ":" + n.local
	return x
}
