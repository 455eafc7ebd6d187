package rpc

import (
	"context"
	"errors"
	"io"
	"time"

	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// startStream returns what serves a subscription to the stream.
func (s *Server) startStream(sub *subscription) func(context.Context, Output) error {
	t := sub.current()
	sub.stream = s.stream.Subscribe(notify.Options{
		Start: t.start, Stop: t.stop, Filter: t.events, Excluded: func() { sub.excluded.Add(1) },
	})
	return func(ctx context.Context, out Output) error { return s.serveStream(ctx, sub, out) }
}

// serveStream sends the events of a stream until the subscription ends.
func (s *Server) serveStream(ctx context.Context, sub *subscription, out Output) error {
	for {
		round, order, terms := sub.take(ctx)
		switch {
		case order.end:
			return nil
		case order.kill:
			return s.terminated(sub, out, noSuchSubscription)
		case order.modified:
			sub.stream.Modify(terms.stop, terms.events)
			if err := s.modified(sub, out, terms); err != nil {
				return err
			}
		}
		err := s.sendEvents(round, sub, out)
		switch {
		case errors.Is(err, io.EOF):
			return nil // stop-time: the subscriber knows it (RFC 8639 2.7.3)
		case errors.Is(err, notify.ErrBehind):
			// The log has lost what was not read. That much is told, and the
			// subscription goes on (RFC 8639 2.7.4).
			sub.stream.Skip()
			reason := unsupportableVolume.leaf()
			err = errors.Join(s.stateChange(sub, out, "subscription-suspended", reason), s.stateChange(sub, out, "subscription-resumed"))
		}
		if err != nil && (ctx.Err() != nil || round.Err() == nil) {
			return err
		}
	}
}

// sendEvents sends events until ctx ends, the stop-time (io.EOF), or an error.
func (s *Server) sendEvents(ctx context.Context, sub *subscription, out Output) error {
	for {
		e, kind, err := sub.stream.Next(ctx)
		switch {
		case err != nil:
			return err
		case kind == notify.ReplayComplete:
			err = s.stateChange(sub, out, "replay-completed")
		case kind == notify.Complete:
			return io.EOF
		default:
			sub.sent.Add(1)
			err = s.notify(sub.sess, out, e)
		}
		if err != nil {
			return err
		}
	}
}

// terminated tells a subscriber that the subscription has ended.
func (s *Server) terminated(sub *subscription, out Output, why *identity) error {
	return s.stateChange(sub, out, "subscription-terminated", why.leaf())
}

// modified tells a subscriber where new terms begin, once the operation is
// answered.
func (s *Server) modified(sub *subscription, out Output, t terms) error {
	return s.stateChange(sub, out, "subscription-modified", t.elements()...)
}

// replayFrom is since when the log has everything.
func (s *Server) replayFrom() time.Time {
	created, aged := s.stream.Log()
	if aged.IsZero() {
		return created
	}
	return aged
}

// streamsTree is /streams (RFC 8639 3.1).
func streamsTree(s *Server) xmltree.Element {
	created, aged := s.stream.Log()
	e := xmltree.New("stream", xmltree.Key("name", streamName), xmltree.Leaf("description", streamDescription),
		xmltree.Leaf("replay-support", ""), xmltree.Leaf("replay-log-creation-time", stamp(created)))
	if !aged.IsZero() {
		e.Children = append(e.Children, xmltree.Leaf("replay-log-aged-time", stamp(aged)))
	}
	return xmltree.New("streams", e)
}

// subscriptionsTree is /subscriptions (RFC 8639 3.3). Each subscription has one
// receiver: its session.
func subscriptionsTree(s *Server) xmltree.Element {
	e := xmltree.New("subscriptions")
	for _, sub := range s.subscriptions.all() {
		state := "active"
		if sub.suspended.Load() {
			state = "suspended"
		}
		one := xmltree.New("subscription", xmltree.Key("id", number(sub.id)))
		t := sub.current()
		one.Children = append(one.Children, t.elements()...)
		one.Children = append(one.Children, xmltree.New("receivers", xmltree.New("receiver",
			xmltree.Key("name", "session "+number(sub.sess.ID)),
			xmltree.Leaf("sent-event-records", counter(sub.sent.Load())), xmltree.Leaf("excluded-event-records", counter(sub.excluded.Load())),
			xmltree.Leaf("state", state))))
		e.Children = append(e.Children, one)
	}
	return e
}
