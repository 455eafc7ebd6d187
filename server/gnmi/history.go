package gnmi

import (
	"context"
	"fmt"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// period is what the history extension of a Subscribe asks for: what was there at
// one time (ONCE), or what happened from one time to another (STREAM).
type period struct {
	start, end time.Time // the same for a snapshot
}

// readHistory reads the extension. It is for Subscribe only: the others must
// not answer with the present (gnmi.md 92).
func (x *extensions) readHistory(h *extpb.History) (codes.Code, string) {
	switch a := h.GetRequest().(type) {
	case *extpb.History_SnapshotTime:
		at := time.Unix(0, a.SnapshotTime)
		x.snapshot = &period{at, at}
	case *extpb.History_Range:
		p := &period{time.Unix(0, a.Range.GetStart()), time.Unix(0, a.Range.GetEnd())}
		if p.start.After(p.end) { // gnmi.md 91
			return codes.InvalidArgument, fmt.Sprintf("the range starts at %s, after its end at %s", stampOf(p.start), stampOf(p.end))
		}
		x.replay = p
	default:
		return codes.InvalidArgument, "history needs a snapshot_time or a range"
	}
	return codes.OK, ""
}

func stampOf(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// history checks that what is asked for goes with the mode of the list, and is
// of the past. The end of a range may come yet: it is waited for (gnmi.md 91).
func (w *watch) history(exts *extensions) *fault {
	bad := func(code codes.Code, format string, args ...any) *fault {
		return &fault{code: code, op: "extension", reason: fmt.Sprintf(format, args...)}
	}
	w.snapshot, w.replay = exts.snapshot, exts.replay
	switch {
	case w.snapshot != nil && w.mode != gpb.SubscriptionList_ONCE:
		return bad(codes.InvalidArgument, "history with a snapshot_time goes with the mode ONCE, not %s", w.mode)
	case w.replay != nil && w.mode != gpb.SubscriptionList_STREAM:
		return bad(codes.InvalidArgument, "history with a range goes with the mode STREAM, not %s", w.mode)
	}
	for _, p := range []*period{w.snapshot, w.replay} {
		if p != nil && p.start.After(time.Now()) {
			return bad(codes.Unimplemented, "%s is yet to come: history is of the past", stampOf(p.start))
		}
	}
	return nil
}

// moment is a time that is told of as if it were now.
type moment struct {
	view schema.View
	time time.Time
}

// now returns what is told of, and its time.
func (o *sender) now() (schema.View, time.Time) {
	if o.then != nil {
		return o.then.view, o.then.time
	}
	return o.server.cfg.Engine.Instant()
}

// wanted is what of the past the list needs.
func (w *watch) wanted() commit.Content {
	if w.configOnly {
		return commit.ConfigOnly
	}
	for i := range w.all {
		for _, p := range w.all[i].patterns {
			if !stateless[p.Node()] {
				return commit.ConfigAndState
			}
		}
	}
	return commit.ConfigOnly
}

// tellSnapshot sends what was there at one time (gnmi.md 91).
func (o *sender) tellSnapshot(ctx context.Context) error {
	p, err := o.server.cfg.Engine.Past(o.snapshot.start, o.wanted())
	if err != nil {
		return err
	}
	o.then = &moment{p.View(), o.snapshot.start}
	return o.initial(ctx)
}

// tellRange sends what was there at the start, then every update from then
// until the end, and ends with OK (gnmi.md 91). Modes and intervals mean
// nothing here. Where the end is yet to come, it goes on with what happens.
func (o *sender) tellRange(ctx context.Context) error {
	groups := make([]*group, len(o.all))
	for i := range o.all {
		groups[i] = &o.all[i]
	}
	live := &channel{groups: groups}
	until := time.Now()
	open := o.replay.end.After(until)
	if open {
		live.feed = o.server.cfg.Engine.Subscribe() // from here on
		defer live.feed.Close()
		until = time.Now()
	} else {
		until = o.replay.end
	}
	// What happened at the very start is an update.
	p, err := o.server.cfg.Engine.Past(o.replay.start.Add(-1), o.wanted())
	if err != nil {
		return err
	}
	o.then = &moment{p.View(), o.replay.start}
	if err := o.initial(ctx); err != nil {
		return err
	}
	for changes := p.Next(until); changes != nil; changes = p.Next(until) {
		if err := ctx.Err(); err != nil {
			return err
		}
		o.then = &moment{p.View(), changes[0].New.Time}
		if err := o.tell(live, changes); err != nil {
			return err
		}
	}
	o.then = nil
	for open && time.Now().Before(o.replay.end) {
		changes, err := live.wait(ctx, o.replay.end)
		if err != nil {
			return err
		}
		if err := o.tell(live, changes); err != nil {
			return err
		}
	}
	return nil
}
