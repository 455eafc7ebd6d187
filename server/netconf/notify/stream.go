// Package notify is an event stream with a log (RFC 5277 3.2). It owns the log,
// its bounds, and where each subscription stands in it. It must never know what
// an event means, who reads it or how it goes over the wire, and it never waits
// for a reader.
//
//	Publish ─► log (bounded) ◄─ Subscription.Next ─┐ one per subscriber,
//	                         ◄─ Subscription.Next ─┘ each at its own place
//
// All subscriptions read the one log, so a subscriber costs nothing but its
// place in it, and a slow one costs nobody anything. One that is so slow that
// the log has lost what it has not read gets ErrBehind: it must begin anew, so
// that it knows that something is missing.
package notify

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"mooring/server/netconf/xmltree"
)

// ErrBehind is returned by Next when the log has lost events that the
// subscription has not read.
var ErrBehind = errors.New("the subscriber is too slow: notifications are lost")

// Event is one notification.
type Event struct {
	Time    time.Time
	Content xmltree.Element // with a namespace
}

// Limits bound the log; zero fields get the defaults named.
type Limits struct {
	Events int // 20,000
	Bytes  int // of their text, 16 MiB
}

// Stream is a stream of events. Make it with NewStream. All methods are safe
// for concurrent use.
type Stream struct {
	limits  Limits
	created time.Time

	mu      sync.Mutex // guards what follows
	log     []entry
	first   uint64 // the number of log[0]; numbers count from 0
	bytes   int
	text    []byte        // memory for that of an event
	aged    time.Time     // of the last event that the log lost
	changed chan struct{} // closed by the next Publish; nil: nobody waits
}

type entry struct {
	Event
	size int
}

// NewStream returns a Stream whose log begins now.
func NewStream(l Limits) *Stream {
	if l.Events <= 0 {
		l.Events = 20_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 16 << 20
	}
	return &Stream{limits: l, created: time.Now()}
}

// Publish adds events. It never waits for a reader.
func (s *Stream) Publish(events ...Event) {
	if len(events) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.text = e.Content.Append(s.text[:0], "")
		s.log = append(s.log, entry{e, len(s.text)})
		s.bytes += len(s.text)
	}
	for len(s.log) > s.limits.Events || s.bytes > s.limits.Bytes && len(s.log) > 1 {
		s.aged = s.log[0].Time
		s.bytes -= s.log[0].size
		s.log[0] = entry{}
		s.log = s.log[1:]
		s.first++
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Log tells since when there is a log, and the time of the last event that it
// has lost, zero for none.
func (s *Stream) Log() (created, aged time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.created, s.aged
}

// Options of a subscription.
type Options struct {
	Start time.Time // replay what happened from then on; zero: no replay
	Stop  time.Time // the end; zero: none
	// Filter says which events are wanted, nil for all. Next calls it.
	Filter func(xmltree.Element) bool
	// Excluded is called, where it is not nil, for each event that Filter keeps
	// back.
	Excluded func()
}

// Subscribe returns a subscription to what is published from now on and, with
// Start, to what the log has.
func (s *Stream) Subscribe(o Options) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.first + uint64(len(s.log))
	sub := &Subscription{stream: s, o: o, next: end, live: end, replaying: !o.Start.IsZero()}
	if sub.replaying {
		sub.next = s.first
	}
	return sub
}

// Kind is what Next returns.
type Kind int

// The kinds.
const (
	Notice         Kind = iota // an event
	ReplayComplete             // all of the log was returned
	Complete                   // the time is over; nothing follows but io.EOF
)

// Subscription is one reader of a stream. It is for one goroutine, needs no
// closing and holds no memory of its own.
type Subscription struct {
	stream    *Stream
	o         Options
	next      uint64 // the event to return next
	live      uint64 // the first one that is no replay
	replaying bool
	complete  bool
}

// Next waits for the next event that the filter lets through. The error is that
// of ctx, ErrBehind, or io.EOF after Complete.
func (s *Subscription) Next(ctx context.Context) (Event, Kind, error) {
	for {
		if s.complete {
			return Event{}, 0, io.EOF
		}
		e, ok, changed, err := s.take()
		switch {
		case err != nil:
			return Event{}, 0, err
		case s.replaying && s.next > s.live || s.replaying && !ok:
			if ok {
				s.next-- // it comes after
			}
			s.replaying = false
			return Event{}, ReplayComplete, nil
		case ok && !s.o.Stop.IsZero() && e.Time.After(s.o.Stop):
			continue
		case ok && s.lets(e):
			return e, Notice, nil
		case ok:
			continue
		}
		if err := s.wait(ctx, changed); err != nil {
			return Event{}, 0, err
		}
		if s.complete {
			return Event{}, Complete, nil
		}
	}
}

// take returns the event at the place of s, or a channel that is closed when
// there is one.
func (s *Subscription) take() (e Event, ok bool, changed <-chan struct{}, err error) {
	st := s.stream
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case s.next < st.first && s.replaying:
		s.next = st.first // aged out before it was asked for, or while it was sent
	case s.next < st.first:
		return e, false, nil, ErrBehind
	}
	if at := s.next - st.first; at < uint64(len(st.log)) {
		s.next++
		return st.log[at].Event, true, nil, nil
	}
	if st.changed == nil {
		st.changed = make(chan struct{})
	}
	return e, false, st.changed, nil
}

// lets says whether an event is wanted.
func (s *Subscription) lets(e Event) bool {
	if e.Time.Before(s.o.Start) {
		return false
	}
	if s.o.Filter == nil {
		return true
	}
	if s.o.Filter(e.Content) {
		return true
	}
	if s.o.Excluded != nil {
		s.o.Excluded()
	}
	return false
}

// Modify gives the subscription another end and another filter for what Next
// has not returned yet. It is not for use while Next runs.
func (s *Subscription) Modify(stop time.Time, f func(xmltree.Element) bool) {
	s.o.Stop, s.o.Filter = stop, f
}

// Skip gives up what the subscription has not read: it goes on with what is
// published from now on. It is what to do after ErrBehind by those who need
// not begin anew.
func (s *Subscription) Skip() {
	s.stream.mu.Lock()
	defer s.stream.mu.Unlock()
	s.next, s.replaying = s.stream.first+uint64(len(s.stream.log)), false
}

// wait returns when something was published, or sets complete at the stop
// time.
func (s *Subscription) wait(ctx context.Context, changed <-chan struct{}) error {
	var stop <-chan time.Time
	if !s.o.Stop.IsZero() {
		timer := time.NewTimer(time.Until(s.o.Stop))
		defer timer.Stop()
		stop = timer.C
	}
	select {
	case <-changed:
	case <-stop:
		s.complete = true
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
