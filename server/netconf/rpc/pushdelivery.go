package rpc

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"mooring/engine/commit"
	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/server/netconf/push"
)

// pusher serves one subscription to a datastore.
type pusher struct {
	srv    *Server
	sub    *subscription
	out    Output
	feed   *commit.Subscription // of an on-change one, open all the time: no change is lost
	kept   push.Dampened        // that has changed since the last update
	rights *nacm.Rights         // with which kept was read
	terms  terms
	sync   bool      // send all that is selected next
	patch  uint32    // the number of the next patch
	last   time.Time // when the last update was made
	due    time.Time // of the next periodic update
}

// errStopTime is returned when the stop-time is reached.
var errStopTime = errors.New("the stop-time is reached")

// startPush subscribes to changes and returns what serves the subscription.
func (s *Server) startPush(sub *subscription) func(context.Context, Output) error {
	p := &pusher{srv: s, sub: sub}
	p.follow(sub.current().push.period == 0)
	return func(ctx context.Context, out Output) error {
		defer p.follow(false)
		p.out = out
		return p.serve(ctx)
	}
}

// follow opens or closes the feed.
func (p *pusher) follow(open bool) {
	switch {
	case open && p.feed == nil:
		p.feed = p.srv.engine.SubscribeEach()
	case !open && p.feed != nil:
		p.feed.Close()
		p.feed, p.kept = nil, push.Dampened{}
	}
}

// serve sends updates until the subscription ends.
func (p *pusher) serve(ctx context.Context) error {
	for first := true; ; first = false {
		round, order, terms := p.sub.take(ctx)
		p.terms = terms
		switch {
		case order.end:
			return nil
		case order.kill:
			return p.srv.terminated(p.sub, p.out, noSuchSubscription)
		case order.modified:
			if err := p.srv.modified(p.sub, p.out, terms); err != nil {
				return err
			}
			p.kept.Forget() // it was read for another selection
		}
		if first || order.modified {
			p.follow(terms.push.period == 0)
			p.sync, p.due = terms.push.sync, firstUpdate(terms.push, time.Now())
		}
		p.sync = p.sync || order.resync
		err := p.round(round)
		switch {
		case errors.Is(err, errStopTime):
			return nil
		case ctx.Err() != nil || round.Err() == nil:
			return err
		}
	}
}

// round sends updates under the same terms until ctx ends, the stop-time, or an
// error.
func (p *pusher) round(ctx context.Context) error {
	if !p.terms.stop.IsZero() {
		timed, cancel := context.WithDeadlineCause(ctx, p.terms.stop, errStopTime)
		defer cancel()
		ctx = timed
	}
	next := p.change
	if p.terms.push.period > 0 {
		next = p.periodic
	}
	for {
		if err := next(ctx); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
	}
}

// until waits for a time, or for the end of ctx.
func until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstUpdate is when a periodic subscription sends its first update: at the
// next multiple of the period from the anchor on, without an anchor at once.
func firstUpdate(t *pushTerms, now time.Time) time.Time {
	if t.period == 0 || t.anchor.IsZero() {
		return now
	}
	since := now.Sub(t.anchor) % t.period
	switch {
	case since == 0:
		return now
	case since < 0:
		since += t.period
	}
	return now.Add(t.period - since)
}

// periodic sends the next update when it is due. Where the subscriber reads so
// slowly that updates cannot be had when they are due, the subscription is
// suspended until the next one (RFC 8641 3.11.1).
func (p *pusher) periodic(ctx context.Context) error {
	if err := until(ctx, p.due); err != nil {
		return err
	}
	if p.sub.suspended.Swap(false) {
		if err := p.srv.stateChange(p.sub, p.out, "subscription-resumed"); err != nil {
			return err
		}
	}
	if err := p.update(ctx); err != nil {
		return err
	}
	period := p.terms.push.period
	if p.due = p.due.Add(period); p.due.After(time.Now()) {
		return nil
	}
	p.due = p.due.Add((time.Since(p.due)/period + 1) * period)
	p.sub.suspended.Store(true)
	return p.srv.stateChange(p.sub, p.out, "subscription-suspended", periodUnsupported.leaf())
}

// past is a context that has ended: Next with it does not wait.
var past = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// update sends all that is selected. What changes while it is sent follows.
func (p *pusher) update(ctx context.Context) error {
	t := p.terms.push
	if p.feed != nil {
		_, _ = p.feed.Next(past) // what is in the view needs not be told
		p.kept = push.Dampened{}
	}
	rights := p.srv.rights(p.sub.sess)
	if !rights.Notify(pushModule, "push-update") {
		p.sync = false
		return nil
	}
	view := p.srv.engine.View()
	if t.selection.Content == schema.ConfigOnly {
		view = p.srv.engine.ConfigView(p.srv.engine.Store().Running())
	}
	view = rights.View(view)
	sel, end := p.selected(ctx, view, rights)
	n := &notice{srv: p.srv, sess: p.sub.sess, out: p.out, at: time.Now()}
	_, err := n.Write([]byte(`<push-update xmlns="` + pushNS + `"><id>` + number(p.sub.id) + "</id><datastore-contents>"))
	if err == nil && sel.records.Takes(t.selection.Content) {
		err = schema.EncodeXML(n, view, sel.records, schema.XMLOptions{Content: t.selection.Content})
	}
	if err == nil {
		_, err = n.Write(append(sel.trees, end...))
	}
	p.sub.sent.Add(1)
	p.patch, p.sync = 0, false
	p.last = time.Now()
	return errors.Join(err, n.end())
}

// selected is what of a view goes into an update, and how that ends.
func (p *pusher) selected(ctx context.Context, view schema.View, rights *nacm.Rights) (sel selection, end string) {
	t := p.terms.push
	own := t.period > 0 && t.datastore == "operational" // of the trees no change is told
	sel.records, end = t.selection.Filter, "</datastore-contents></push-update>"
	switch {
	case t.expr != nil:
		var trees *ownTrees
		if own {
			trees = &ownTrees{p.srv, rights}
		}
		var err error
		if sel, err = t.expr.selects(ctx, view, schema.XMLOptions{Content: t.selection.Content}, trees); err != nil {
			// The data has become more than the expression may look at.
			sel.records, end = schema.NewFilter(nil), "</datastore-contents><incomplete-update/></push-update>"
		}
	case own:
		sel.trees = (&ownTrees{p.srv, rights}).appendTrees(nil, t.trees)
	}
	return sel, end
}

// change sends the next update of an on-change subscription: everything, or
// what has changed.
func (p *pusher) change(ctx context.Context) error {
	if p.sync {
		return p.update(ctx)
	}
	if err := p.collect(ctx); err != nil {
		return err
	}
	n := &notice{srv: p.srv, sess: p.sub.sess, out: p.out, at: time.Now()}
	w := &patchWriter{notice: n, sub: p.sub.id, patch: p.patch}
	if err := p.patches(w); err != nil {
		return errors.Join(err, n.end())
	}
	if !n.begun {
		return nil // nothing that is selected: nothing is sent, nothing dampened
	}
	_, err := io.WriteString(n, "</yang-patch></datastore-changes></push-change-update>")
	p.sub.sent.Add(1)
	p.patch++ // 4294967295 is followed by 0 (RFC 8641 3.7)
	p.last = time.Now()
	return errors.Join(err, n.end())
}

// collect waits until something has changed and the dampening period of the last
// update is over. It takes the changes as they come, so that one that is undone
// within the period is not missed.
func (p *pusher) collect(ctx context.Context) error {
	over := p.last.Add(p.terms.push.dampening)
	for p.kept.Empty() || time.Now().Before(over) {
		wait, stop := ctx, context.CancelFunc(func() {})
		if !p.kept.Empty() {
			wait, stop = context.WithDeadline(ctx, over)
		}
		changes, err := p.feed.Next(wait)
		stop()
		switch {
		case err == nil:
			p.kept.Add(changes, p.reader(len(changes)))
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
	return nil
}

// reader is who is sent changes, with the rights that the user has now. Those
// who may read everything share the edits.
func (p *pusher) reader(changes int) push.Reader {
	rights, sel := p.srv.rights(p.sub.sess), &p.terms.push.selection
	if !rights.Same(p.rights) {
		p.kept.Forget()
	}
	p.rights = rights
	if rights.Read() == nil {
		return p.srv.patches.Reader(sel, changes)
	}
	records := rights.Records()
	return sel.Reader(func(c []commit.Change) []commit.Change { return commit.Readable(c, records.Of) })
}

// pushModule is that of RFC 8641.
const pushModule = "ietf-yang-push"

// patches writes the edits of what has changed, as far as the user may read it
// now.
func (p *pusher) patches(w io.Writer) error {
	r := p.reader(p.kept.Len())
	if p.rights.Read() != nil && !p.rights.Notify(pushModule, "push-change-update") {
		p.kept = push.Dampened{}
		return nil
	}
	return p.kept.Write(w, r)
}

// patchWriter begins a push-change-update with its first edit.
type patchWriter struct {
	notice     *notice
	sub, patch uint32
}

// Write implements io.Writer.
func (w *patchWriter) Write(p []byte) (int, error) {
	if !w.notice.begun {
		b := append([]byte(nil), `<push-change-update xmlns="`+pushNS+`"><id>`...)
		b = strconv.AppendUint(b, uint64(w.sub), 10)
		b = append(b, "</id><datastore-changes><yang-patch><patch-id>"...)
		b = strconv.AppendUint(b, uint64(w.patch), 10)
		if _, err := w.notice.Write(append(b, "</patch-id>"...)); err != nil {
			return 0, err
		}
	}
	return w.notice.Write(p)
}
