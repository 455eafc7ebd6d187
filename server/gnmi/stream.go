package gnmi

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/status"

	"mooring/engine/commit"
	"mooring/engine/nacm"
	"mooring/engine/schema"
)

// sender writes the answers of one Subscribe. Whoever reads slowly blocks it
// in Send and nobody else: the feed keeps at most one change a record for it
// (gnmi.md 61).
type sender struct {
	server *Server
	stream gpb.GNMI_SubscribeServer
	cancel context.CancelCauseFunc
	stall  *time.Timer  // runs while a message waits for the reader
	then   *moment      // nil: the present
	may    nacm.Records // what the user could read when the batch at hand came
	*watch
}

func newSender(s *Server, stream gpb.GNMI_SubscribeServer, w *watch, cancel context.CancelCauseFunc) *sender {
	o := &sender{server: s, stream: stream, cancel: cancel, watch: w}
	o.stall = time.AfterFunc(stallTime, func() { cancel(errStalled) })
	o.stall.Stop()
	return o
}

// run serves the RPC until it is complete or ctx ends.
func (o *sender) run(ctx context.Context) error {
	switch {
	case o.snapshot != nil:
		return o.tellSnapshot(ctx)
	case o.replay != nil:
		o.watchClient()
		return o.tellRange(ctx)
	}
	switch o.mode {
	case gpb.SubscriptionList_ONCE: // gnmi.md 66
		return o.initial(ctx)
	case gpb.SubscriptionList_POLL:
		return o.poll(ctx)
	}
	return o.follow(ctx)
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

// send sends a SubscribeResponse, as a message or as a frame.
func (o *sender) send(resp any) error {
	o.stall.Reset(stallTime)
	defer o.stall.Stop()
	return o.stream.SendMsg(resp)
}

// heading is that of a message about what stands at a path: target and origin
// are as the client gave them.
func (o *sender) heading(g *group, at schema.Path, time int64) heading {
	return heading{time: time, origin: g.origin, target: o.scope.prefix.GetTarget(), at: at}
}

// watchClient ends a STREAM when the client sends a second message or is gone;
// that it closes its side does not end it (gnmi.md 64).
func (o *sender) watchClient() {
	o.server.receive(o.stream, func(_ *gpb.SubscribeRequest, err error) bool {
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			o.cancel(err)
		default: // gnmi.md 53
			o.cancel(errSecondMessage)
		}
		return false
	})
}

// follow sends the initial values, then what STREAM asks for (gnmi.md 69 to
// 76). It ends when the client cancels or the server stops.
func (o *sender) follow(ctx context.Context) error {
	o.watchClient()
	// First the feeds, then the view: a change between is told twice, not lost.
	live, timers := o.schedule()
	if live != nil {
		defer live.feed.Close()
	}
	for _, t := range timers {
		if t.feed != nil {
			defer t.feed.Close()
		}
	}
	if err := o.initial(ctx); err != nil {
		return err
	}
	start := time.Now()
	for _, t := range timers {
		t.due = start.Add(t.every)
	}
	for {
		changes, err := live.wait(ctx, earliest(timers))
		if err != nil {
			return err
		}
		if err := o.tell(live, changes); err != nil {
			return err
		}
		for now := time.Now(); len(timers) > 0; {
			t := first(timers)
			if t.due.After(now) {
				break
			}
			if err := o.fire(ctx, t); err != nil {
				return err
			}
			// What fell due while the reader was slow is left out.
			t.due = t.due.Add(t.every * (time.Since(t.due)/t.every + 1))
		}
	}
}

// channel is groups that are told of the same feed at the same time.
type channel struct {
	feed   *commit.Subscription
	groups []*group
	gone   []schema.Key // for each group the last record whose removal was told
}

// timer is what happens again and again to one group: a sample, or a
// heartbeat, which has no feed.
type timer struct {
	channel
	every time.Duration
	due   time.Time
}

// schedule returns the channel of what is told at once, nil for none, and the
// timers. A sampled group has a feed of its own that collects what changes
// between two samples: it tells what has gone, and what has changed without
// anyone comparing everything there is.
func (o *sender) schedule() (live *channel, timers []*timer) {
	for i := range o.groups {
		g := &o.groups[i]
		if g.policy.sample > 0 {
			timers = append(timers, &timer{channel: *o.open(g), every: g.policy.sample})
		} else if live == nil {
			live = o.open(g)
		} else {
			live.groups = append(live.groups, g)
		}
		if g.policy.heartbeat > 0 {
			timers = append(timers, &timer{channel: channel{groups: []*group{g}}, every: g.policy.heartbeat})
		}
	}
	return live, timers
}

func (o *sender) open(g *group) *channel {
	return &channel{feed: o.server.cfg.Engine.Subscribe(), groups: []*group{g}}
}

// first returns the timer that is due first.
func first(timers []*timer) *timer {
	best := timers[0]
	for _, t := range timers[1:] {
		if t.due.Before(best.due) {
			best = t
		}
	}
	return best
}

// earliest returns when the first timer is due, the zero time for never.
func earliest(timers []*timer) time.Time {
	if len(timers) == 0 {
		return time.Time{}
	}
	return first(timers).due
}

// wait returns what has changed, or nothing when it is due.
func (c *channel) wait(ctx context.Context, due time.Time) ([]commit.Change, error) {
	until := ctx
	if !due.IsZero() {
		var cancel context.CancelFunc
		until, cancel = context.WithDeadline(ctx, due)
		defer cancel()
	}
	if c == nil {
		<-until.Done()
		return nil, ctx.Err()
	}
	changes, err := c.feed.Next(until)
	if err != nil && until.Err() != nil {
		return nil, ctx.Err()
	}
	return changes, err
}

// past is a context that has ended: Next with it does not wait.
var past = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// fire does what a timer is for.
func (o *sender) fire(ctx context.Context, t *timer) error {
	g := t.groups[0]
	if t.feed != nil {
		changes, err := t.feed.Next(past)
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		if err := o.tell(&t.channel, changes); err != nil || g.policy.suppress {
			return err
		}
	}
	return o.dump(ctx, []group{*g})
}

// tell sends what a batch of changes, sorted so that a record comes before
// those below it, means to each group.
func (o *sender) tell(c *channel, changes []commit.Change) error {
	if len(changes) == 0 {
		return nil
	}
	c.gone = make([]schema.Key, len(c.groups))
	o.may = o.rights().Records()
	deltas := o.deltas(changes)
	for i := range changes {
		d := deltas.at(i)
		for j, g := range c.groups {
			if d.gone && c.gone[j] != "" && strings.HasPrefix(string(d.change.Key), string(c.gone[j].Below())) {
				continue // the delete of what is above says it already
			}
			for _, d := range o.readable(g, d) {
				said := d.said(o, g)
				if said.gone {
					c.gone[j] = d.change.Key
				}
				for _, m := range said.messages {
					if err := o.send(shared(m)); err != nil {
						return err
					}
				}
			}
		}
	}
	return o.commits(c, changes)
}

// deltas are those of a batch. What has happened in the past nobody shares.
func (o *sender) deltas(changes []commit.Change) *batch {
	if o.then != nil {
		return &batch{encoding: o.encoding, changes: changes}
	}
	return o.server.deltas.of(changes, o.encoding)
}

// initial sends everything that is there, and that it is all (gnmi.md 58, 59).
func (o *sender) initial(ctx context.Context) error {
	if !o.updatesOnly {
		if err := o.dump(ctx, o.all); err != nil {
			return err
		}
	}
	return o.send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_SyncResponse{SyncResponse: true}})
}

// commits tells a config subscription of the commits whose changes have been
// sent: the last one stands for those that were merged into it (gnmi.md 90).
func (o *sender) commits(c *channel, changes []commit.Change) error {
	if !o.configOnly || c.groups[0].policy.sample > 0 {
		return nil
	}
	var last uint64
	var confirm string
	for i := range changes {
		if c := &changes[i]; c.Old.Config != c.New.Config && c.New.Revision() > last {
			last, confirm = c.New.Revision(), c.New.ConfirmID(actor(o.stream.Context()))
		}
	}
	if last == 0 {
		return nil // only state has changed
	}
	id := strconv.FormatUint(last, 10) // a commit is named by the revision that it makes
	return o.send(&gpb.SubscribeResponse{Extension: []*extpb.Extension{{Ext: &extpb.Extension_ConfigSubscription{
		ConfigSubscription: &extpb.ConfigSubscription{Action: &extpb.ConfigSubscription_SyncDone{
			SyncDone: &extpb.ConfigSubscriptionSyncDone{CommitConfirmId: confirm, ServerCommitId: id, Done: true},
		}},
	}}}})
}
