package gnmi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mooring/engine/commit"
	"mooring/server"
)

var (
	// errStopping ends the streams when the server stops (gnmi.md 83).
	errStopping = status.Error(codes.Unavailable, "the agent is shutting down")
	// errStalled ends the stream of a client that has stopped reading
	// (gnmi.md 61).
	errStalled = status.Error(codes.ResourceExhausted, "the client has not read for "+stallTime.String()+": read faster, or ask for less")
)

const (
	// How long one message may wait for its reader.
	stallTime = 2 * time.Minute
	// How long a stream that is to end may take to finish the message at hand.
	endTime = 250 * time.Millisecond
)

// errSecondMessage ends a STREAM (gnmi.md 53).
var errSecondMessage = fault{code: codes.InvalidArgument, reason: "nothing may follow the SubscriptionList of mode STREAM: open another Subscribe"}.err()

// Subscribe serves ONCE, POLL and STREAM. Nothing is sent before the whole
// request has been checked (gnmi.md 55). The goroutine of the RPC watches over
// one that sends: gRPC frees a sender whose client does not read only when the
// RPC returns.
func (s *Server) Subscribe(stream gpb.GNMI_SubscribeServer) error {
	defer func() {
		if s.open.Add(-1) == 0 {
			s.deltas.forget()
		}
	}()
	if s.open.Add(1) > int64(s.cfg.MaxSubscriptions) { // gnmi.md 108
		return fault{code: codes.ResourceExhausted, reason: fmt.Sprintf("there are %d subscriptions already: close one, or raise the agent's limit", s.cfg.MaxSubscriptions)}.err()
	}
	req, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return fault{code: codes.InvalidArgument, reason: "the stream ended before a SubscriptionList came"}.err()
	}
	if err != nil {
		return err
	}
	w, err := newWatch(req)
	if err != nil {
		return err
	}
	if s.cfg.Strict {
		if err := checkStrict(req.GetSubscribe()); err != nil {
			return err
		}
	}
	if err := w.permitted(s.rights(stream.Context())); err != nil {
		return err
	}
	if w.mode != gpb.SubscriptionList_ONCE { // which reads and does not listen
		defer s.cfg.Engine.Listen(w.listener(stream.Context())).End()
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	out := newSender(s, stream, w, cancel)
	done := make(chan struct{})
	var sendErr error // once done is closed
	s.readers.Go(func() {
		defer close(done)
		defer s.recovered("Subscribe", &sendErr)
		sendErr = out.run(ctx)
	})
	select {
	case <-done:
		return out.ended(ctx, sendErr)
	case <-s.stopping:
		cancel(errStopping)
	case <-ctx.Done():
	}
	late := time.NewTimer(endTime)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
	return out.ended(ctx, ctx.Err())
}

// listener is the caller as the state of the agent shows a subscription.
func (w *watch) listener(ctx context.Context) commit.Listener {
	l := commit.Listener{Protocol: protocol, Mode: commit.ListenStream, Paths: w.paths}
	if w.mode == gpb.SubscriptionList_POLL {
		l.Mode = commit.ListenPoll
	}
	if id, ok := ctx.Value(identityKey{}).(*server.Identity); ok {
		l.User, l.Source = id.User, id.Source
	}
	return l
}

// receive reads what the client sends after its first message, until the
// stream ends or fn returns false. It returns at once; Serve waits for the
// goroutine, which gRPC lets go when the handler has returned.
func (s *Server) receive(stream gpb.GNMI_SubscribeServer, fn func(*gpb.SubscribeRequest, error) bool) {
	s.readers.Go(func() {
		for {
			req, err := stream.Recv()
			if !s.handed(fn, req, err) || err != nil {
				return
			}
		}
	})
}

// handed hands on what was received, and an error where that panics, which ends
// the stream.
func (s *Server) handed(fn func(*gpb.SubscribeRequest, error) bool, req *gpb.SubscribeRequest, err error) bool {
	var failed error
	more := func() bool {
		defer s.recovered("Subscribe", &failed)
		return fn(req, err)
	}()
	if failed != nil {
		return fn(nil, failed)
	}
	return more
}

// poll sends everything now and at each Poll (gnmi.md 59, 67). It ends with OK
// when the client closes its side (gnmi.md 64).
func (o *sender) poll(ctx context.Context) error {
	type message struct {
		req *gpb.SubscribeRequest
		err error
	}
	messages := make(chan message)
	o.server.receive(o.stream, func(req *gpb.SubscribeRequest, err error) bool {
		select {
		case messages <- message{req, err}:
			return true
		case <-ctx.Done():
			return false
		}
	})
	if err := o.initial(ctx); err != nil {
		return err
	}
	o.updatesOnly = false // it was for the first answer only
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-messages:
			if errors.Is(m.err, io.EOF) {
				return nil
			}
			if m.err != nil {
				return m.err
			}
			if m.req.GetPoll() == nil {
				return fault{code: codes.InvalidArgument, reason: "only Poll may follow the SubscriptionList of mode POLL"}.err()
			}
			if err := o.initial(ctx); err != nil {
				return err
			}
		}
	}
}
