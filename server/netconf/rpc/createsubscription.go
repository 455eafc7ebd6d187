package rpc

import (
	"context"
	"errors"
	"io"
	"time"

	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

const (
	notificationNS = "urn:ietf:params:xml:ns:netconf:notification:1.0"
	streamsNS      = "urn:ietf:params:xml:ns:netmod:notification"
	// streamName is the only stream (RFC 5277 3.2.3).
	streamName        = "NETCONF"
	streamDescription = "All notifications of this server."
)

// create-subscription is RFC 5277 2.1.1. The answer is out before the first
// notification. A session has one subscription at a time; after its stopTime it
// may make another one.
var createSubscriptionOperation = operation{
	params: []spec{{name: "stream"}, {name: "filter"}, {name: "startTime"}, {name: "stopTime"}},
	run: func(c *call) (body, error) {
		o, err := c.subscription()
		if err != nil {
			return nil, err
		}
		if c.sess.dynamic.Load() > 0 { // RFC 8640 5
			return nil, protocolError(schema.OperationNotSupported, "this session has a subscription of establish-subscription: use another session")
		}
		if c.sess.Background == nil || !c.sess.subscribed.CompareAndSwap(false, true) {
			return nil, protocolError(schema.OperationFailed, "this session has a subscription: use another session or wait for its stopTime")
		}
		sub := c.srv.stream.Subscribe(o)
		c.after = func() {
			filters := 0
			if o.Filter != nil {
				filters = 1
			}
			shown := c.listen(commit.ListenEvents, filters)
			c.sess.Background(func(ctx context.Context, out Output) error {
				defer shown.End()
				return c.srv.deliver(ctx, c.sess, sub, out)
			})
		}
		return nil, nil
	},
}

// subscription reads the parameters.
func (c *call) subscription() (o notify.Options, err error) {
	if p := c.req.find("stream"); p != nil && p.text != streamName {
		return o, protocolError(schema.InvalidValue, "the only stream is "+streamName).at(c.here("stream"))
	}
	if o.Start, err = c.time("startTime"); err != nil {
		return o, err
	}
	if o.Stop, err = c.time("stopTime"); err != nil {
		return o, err
	}
	switch {
	case o.Start.After(time.Now()):
		return o, protocolError(schema.BadElement, "startTime is in the future").element("startTime").at(c.here("startTime"))
	case !o.Stop.IsZero() && o.Start.IsZero():
		return o, protocolError(schema.MissingElement, "stopTime needs startTime").element("startTime").at(c.here())
	case o.Stop.Before(o.Start) && !o.Stop.IsZero():
		return o, protocolError(schema.BadElement, "stopTime is before startTime").element("stopTime").at(c.here("stopTime"))
	}
	p := c.req.find("filter")
	if p == nil {
		return o, nil
	}
	if kind, ok := p.attr("type"); ok && kind != "subtree" {
		f, err := c.filter()
		o.Filter = f.event
		return o, err
	}
	dec, err := c.req.enter(p)
	if err != nil {
		return o, err
	}
	f, err := xmltree.ParseFilter(dec, xmltree.All)
	if errors.Is(err, xmltree.ErrMixed) {
		return o, protocolError(schema.BadElement, err.Error()).element("filter").at(c.here("filter"))
	}
	o.Filter = f.Matches
	return o, err
}

// time reads a date-and-time, zero for none.
func (c *call) time(param string) (time.Time, error) {
	p := c.req.find(param)
	if p == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, p.text)
	if err != nil || p.child != nil || t.IsZero() {
		return t, protocolError(schema.BadElement, param+" must be a date and time with its zone, as 2026-01-31T12:00:00Z").element(param).at(c.here(param))
	}
	return t, nil
}

// deliver writes the notifications of a subscription until it ends. It blocks
// as long as the client does not read.
func (s *Server) deliver(ctx context.Context, sess *Session, sub *notify.Subscription, out Output) error {
	for {
		e, kind, err := sub.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			sess.subscribed.Store(false)
			return nil
		case err != nil:
			return err
		case kind == notify.ReplayComplete:
			e = notify.Event{Time: time.Now(), Content: xmltree.New("replayComplete").In(streamsNS)}
		case kind == notify.Complete:
			e = notify.Event{Time: time.Now(), Content: xmltree.New("notificationComplete").In(streamsNS)}
		}
		if err := s.notify(sess, out, e); err != nil {
			return err
		}
	}
}

// streams is /netconf/streams (RFC 5277 3.2.5).
func streams(s *Server) xmltree.Element {
	created, aged := s.stream.Log()
	e := xmltree.New("stream", xmltree.Key("name", streamName), xmltree.Leaf("description", streamDescription),
		xmltree.Leaf("replaySupport", "true"), xmltree.Leaf("replayLogCreationTime", stamp(created)))
	if !aged.IsZero() {
		e.Children = append(e.Children, xmltree.Leaf("replayLogAgedTime", stamp(aged)))
	}
	return xmltree.New("netconf", xmltree.New("streams", e))
}
