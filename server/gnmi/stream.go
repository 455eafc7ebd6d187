package gnmi

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// sender writes the answers of one Subscribe. Whoever reads slowly blocks it
// in Send and nobody else: the feed keeps at most one change a record for it
// (gnmi.md 61).
type sender struct {
	stream gpb.GNMI_SubscribeServer
	*watch
}

// onChange sends the initial values, then what changes (gnmi.md 69). It ends
// when the client cancels, the server stops, or the client sends a second
// message; that the client closes its side does not end it (gnmi.md 64).
func (s *Server) onChange(ctx context.Context, cancel context.CancelCauseFunc, stream gpb.GNMI_SubscribeServer, out *sender) error {
	s.receive(stream, func(_ *gpb.SubscribeRequest, err error) bool {
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			cancel(err)
		default: // gnmi.md 53
			cancel(fault{code: codes.InvalidArgument, reason: "nothing may follow the SubscriptionList of mode STREAM: open another Subscribe"}.err())
		}
		return false
	})
	// First the feed, then the view: a change between is told twice, not lost.
	sub := s.cfg.Engine.Subscribe()
	defer sub.Close()
	if err := out.initial(ctx, s.cfg.Engine.View()); err != nil {
		return err
	}
	for {
		changes, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if err := out.tell(changes); err != nil {
			return err
		}
	}
}

// tell sends what a batch of changes, sorted so that a record comes before
// those below it, means to each group.
func (o *sender) tell(changes []commit.Change) error {
	gone := make([]schema.Key, len(o.groups)) // the last record whose removal a group was told
	for i := range changes {
		d := newDelta(&changes[i], o.encoding)
		for g := range o.groups {
			if d.gone && gone[g] != "" && strings.HasPrefix(string(d.change.Key), string(gone[g])+"\x00") {
				continue // the delete of what is above says it already
			}
			n, whole := o.change(&o.groups[g], d)
			if whole {
				gone[g] = d.change.Key
			}
			if n == nil {
				continue
			}
			if err := o.send(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended is the status with which the RPC ends.
func (o *sender) ended(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return statusOf(err)
}

// initial sends everything that is there, a record in a message, and that it
// is all (gnmi.md 58, 59).
func (o *sender) initial(ctx context.Context, view schema.View) error {
	if !o.updatesOnly {
		now := time.Now().UnixNano()
		for i := range o.groups {
			for p := range o.groups[i].patterns {
				d := &dump{sender: o, group: &o.groups[i], pattern: p, time: now}
				if err := d.run(ctx, view); err != nil {
					return err
				}
			}
		}
	}
	return o.stream.Send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_SyncResponse{SyncResponse: true}})
}

func (o *sender) send(n *gpb.Notification) error {
	return o.stream.Send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_Update{Update: n}})
}

// prefix is that of a message about a record: its path, and target and origin
// as the client gave them.
func (o *sender) prefix(g *group, record schema.Path) *gpb.Path {
	return &gpb.Path{Origin: g.origin, Target: o.scope.prefix.GetTarget(), Elem: elemsOut(record)}
}

// dump sends what one pattern of a group names, without what an earlier
// pattern has sent (gnmi.md 47, 58).
type dump struct {
	*sender
	group   *group
	pattern int
	time    int64

	key     schema.Key
	earlier []schema.Path // below the record at hand, what earlier patterns name
	sent    bool          // they name all of it
	n       *gpb.Notification
}

func (d *dump) run(ctx context.Context, view schema.View) error {
	var err error
	schema.Leaves(view, d.group.patterns[d.pattern], schema.LeafOptions{Defaults: true}, func(l *schema.LeafValue) bool {
		if l.Key != d.key || d.n == nil {
			if err = d.flush(); err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return false
			}
			d.begin(l)
		}
		if d.sent || slices.ContainsFunc(d.earlier, func(p schema.Path) bool { return covers(p, l.Rel) }) {
			return true
		}
		d.n.Update = append(d.n.Update, &gpb.Update{Path: relOut(l.Rel), Val: leafValue(d.encoding, l)})
		return true
	})
	if err != nil {
		return err
	}
	return d.flush()
}

// begin starts the message of a record.
func (d *dump) begin(l *schema.LeafValue) {
	d.key, d.earlier, d.sent = l.Key, d.earlier[:0], false
	for _, p := range d.group.patterns[:d.pattern] {
		rest, ok := below(p, l.Record)
		if ok && len(rest) == 0 {
			d.sent = true
		}
		if ok {
			d.earlier = append(d.earlier, rest)
		}
	}
	d.n = &gpb.Notification{Timestamp: d.time, Prefix: d.prefix(d.group, l.Record)}
}

func (d *dump) flush() error {
	n := d.n
	d.n = nil
	if n == nil || len(n.Update) == 0 {
		return nil
	}
	return d.send(n)
}

// below returns what a pattern names within a record: nothing more to say
// where it names the record or something above it.
func below(pattern, record schema.Path) (rest schema.Path, ok bool) {
	if len(pattern) <= len(record) {
		return nil, covers(pattern, record)
	}
	return pattern[len(record):], covers(pattern[:len(record)], record)
}

// change is what a group is told of a change, nil for nothing. whole says that
// the record as such was told to be gone.
func (o *sender) change(g *group, d *delta) (n *gpb.Notification, whole bool) {
	all := false
	var rests []schema.Path
	for _, p := range g.patterns {
		rest, ok := below(p, d.record)
		if ok {
			rests = append(rests, rest)
			all = all || len(rest) == 0
		}
	}
	switch {
	case len(rests) == 0:
		return nil, false
	case all && d.gone:
		return &gpb.Notification{Timestamp: d.time, Prefix: o.prefix(g, nil), Delete: []*gpb.Path{{Elem: elemsOut(d.record)}}}, true
	}
	n = &gpb.Notification{Timestamp: d.time, Prefix: o.prefix(g, d.record)}
	for _, l := range d.leaves() {
		switch {
		case !all && !slices.ContainsFunc(rests, func(r schema.Path) bool { return covers(r, l.rel) }):
		case l.value == nil:
			n.Delete = append(n.Delete, relOut(l.rel))
		default:
			n.Update = append(n.Update, &gpb.Update{Path: relOut(l.rel), Val: l.value, Duplicates: d.duplicates})
		}
	}
	if len(n.Update)+len(n.Delete) == 0 {
		return nil, false
	}
	return n, false
}
