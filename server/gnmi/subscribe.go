package gnmi

import (
	"context"
	"errors"
	"fmt"
	"io"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mooring/engine/schema"
)

// errStopping ends the streams when the server stops (gnmi.md 83).
var errStopping = status.Error(codes.Unavailable, "the agent is shutting down")

// watch is what a Subscribe asks for, checked and made absolute.
type watch struct {
	mode        gpb.SubscriptionList_Mode
	encoding    gpb.Encoding
	updatesOnly bool
	scope       *scope
	groups      []group
}

// group is the patterns that share an origin, and so the form of the answer.
type group struct {
	origin   string
	patterns []schema.Path
}

// Subscribe serves ONCE, POLL and STREAM with ON_CHANGE. Nothing is sent
// before the whole request has been checked (gnmi.md 55).
func (s *Server) Subscribe(stream gpb.GNMI_SubscribeServer) error {
	defer s.open.Add(-1)
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
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	s.readers.Go(func() {
		select {
		case <-s.stopping:
			cancel(errStopping)
		case <-ctx.Done():
		}
	})
	out := &sender{stream: stream, watch: w}
	switch w.mode {
	case gpb.SubscriptionList_ONCE: // gnmi.md 66
		return out.ended(ctx, out.initial(ctx, s.cfg.Engine.View()))
	case gpb.SubscriptionList_POLL:
		return out.ended(ctx, s.poll(ctx, stream, out))
	}
	return out.ended(ctx, s.onChange(ctx, cancel, stream, out))
}

// newWatch checks the first message of a Subscribe.
func newWatch(req *gpb.SubscribeRequest) (*watch, error) {
	list := req.GetSubscribe()
	bad := func(field, format string, args ...any) (*watch, error) {
		return nil, fault{code: codes.InvalidArgument, path: field, reason: fmt.Sprintf(format, args...)}.err()
	}
	if list == nil { // gnmi.md 53
		return bad("subscribe", "the first message of a Subscribe must be a SubscriptionList")
	}
	if err := checkExtensions(rpcSubscribe, req.GetExtension()); err != nil {
		return nil, err
	}
	switch list.GetMode() {
	case gpb.SubscriptionList_STREAM, gpb.SubscriptionList_ONCE, gpb.SubscriptionList_POLL:
	default:
		return bad("mode", "%s is no mode: use STREAM, ONCE or POLL", list.GetMode())
	}
	if len(list.GetSubscription()) == 0 { // gnmi.md 54
		return bad("subscription", "the list names no path; the root is an empty path")
	}
	if m := list.GetQos().GetMarking(); m > 63 { // gnmi.md 62: else ignored
		return bad("qos", "DSCP %d is more than 63", m)
	}
	if err := checkEncoding(list.GetEncoding()); err != nil {
		return nil, err
	}
	modules, err := modulesOf(list.GetUseModels())
	if err != nil {
		return nil, err
	}
	sc, err := newScope(rpcSubscribe, list.GetPrefix())
	if err != nil {
		return nil, err
	}
	w := &watch{mode: list.GetMode(), encoding: list.GetEncoding(), updatesOnly: list.GetUpdatesOnly(), scope: sc}
	for i, sub := range list.GetSubscription() {
		if f := w.add(fmt.Sprintf("subscription[%d]", i), sub, modules); f != nil {
			return nil, f.err()
		}
	}
	for i := range w.groups {
		w.groups[i].patterns = outermost(w.groups[i].patterns)
	}
	return w, nil
}

// add adds one Subscription.
func (w *watch) add(op string, sub *gpb.Subscription, modules moduleSet) *fault {
	if w.mode == gpb.SubscriptionList_STREAM { // else modes and intervals mean nothing (gnmi.md 68)
		if f := checkMode(sub); f != nil {
			f.op = op
			return f
		}
	}
	t, patterns, f := w.scope.expand(op, sub.GetPath())
	if f != nil {
		return f
	}
	wanted := modules.of(patterns)
	if len(wanted) == 0 {
		return &fault{code: codes.Unimplemented, op: op, path: patterns[0].String(), reason: "the path is in none of the models of use_models"}
	}
	for i := range w.groups {
		if w.groups[i].origin == t.origin {
			w.groups[i].patterns = append(w.groups[i].patterns, wanted...)
			return nil
		}
	}
	w.groups = append(w.groups, group{origin: t.origin, patterns: wanted})
	return nil
}

// checkMode refuses what is not served yet. TARGET_DEFINED is ON_CHANGE; a
// sample interval beside it is a hint for leaves that would be sampled, of
// which there are none (gnmi.md 74, 75).
func checkMode(sub *gpb.Subscription) *fault {
	switch sub.GetMode() {
	case gpb.SubscriptionMode_TARGET_DEFINED, gpb.SubscriptionMode_ON_CHANGE:
	case gpb.SubscriptionMode_SAMPLE:
		return &fault{code: codes.Unimplemented, reason: "mode SAMPLE is not supported: use ON_CHANGE or TARGET_DEFINED"}
	default:
		return &fault{code: codes.InvalidArgument, reason: fmt.Sprintf("%s is no subscription mode: use ON_CHANGE or TARGET_DEFINED", sub.GetMode())}
	}
	if sub.GetHeartbeatInterval() > 0 {
		return &fault{code: codes.Unimplemented, reason: "heartbeat_interval is not supported: leave it out"}
	}
	return nil
}

// of returns the paths that belong to the set; the root becomes its top-level
// nodes.
func (m moduleSet) of(paths []schema.Path) []schema.Path {
	if m == nil {
		return paths
	}
	var out []schema.Path
	for _, p := range paths {
		if len(p) == 0 {
			for _, top := range schema.Root().Children {
				if m.has(top) {
					out = append(out, schema.Path{{Node: top}})
				}
			}
		} else if m.has(p.Node()) {
			out = append(out, p)
		}
	}
	return out
}

// receive reads what the client sends after its first message, until the
// stream ends or fn returns false. It returns at once; Serve waits for the
// goroutine, which gRPC lets go when the handler has returned.
func (s *Server) receive(stream gpb.GNMI_SubscribeServer, fn func(*gpb.SubscribeRequest, error) bool) {
	s.readers.Go(func() {
		for {
			req, err := stream.Recv()
			if !fn(req, err) || err != nil {
				return
			}
		}
	})
}

// poll sends everything now and at each Poll (gnmi.md 59, 67). It ends with OK
// when the client closes its side (gnmi.md 64).
func (s *Server) poll(ctx context.Context, stream gpb.GNMI_SubscribeServer, out *sender) error {
	type message struct {
		req *gpb.SubscribeRequest
		err error
	}
	messages := make(chan message)
	s.receive(stream, func(req *gpb.SubscribeRequest, err error) bool {
		select {
		case messages <- message{req, err}:
			return true
		case <-ctx.Done():
			return false
		}
	})
	if err := out.initial(ctx, s.cfg.Engine.View()); err != nil {
		return err
	}
	out.updatesOnly = false // it was for the first answer only
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
			if err := out.initial(ctx, s.cfg.Engine.View()); err != nil {
				return err
			}
		}
	}
}
