package commit

import (
	"context"
	"sync"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"
)

// How often what could not be applied is tried again.
const repairInterval = 5 * time.Second

// Run serves until ctx ends: it takes the backend's events, follows the
// source addresses and repairs what could not be applied. It returns when the
// backend has ended.
func (c *Coordinator) Run(ctx context.Context) error {
	var followers sync.WaitGroup
	up := make(chan struct{}, 1) // the backend came back; one signal is enough
	inner, cancel := context.WithCancel(ctx)
	followers.Go(func() { c.follow(inner, up) })
	followers.Go(func() { c.tellCounted(inner) })
	err := c.cfg.Backend.Run(ctx, func(e backend.Event) { c.event(e, up) })
	cancel()
	followers.Wait()
	return err
}

// follow is the loop that calls the backend on the agent's own account.
func (c *Coordinator) follow(ctx context.Context, up <-chan struct{}) {
	tick := time.NewTicker(repairInterval)
	defer tick.Stop()
	deadline := time.NewTimer(0) // of the pending and the guarded commit
	defer deadline.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-deadline.C:
			wait(deadline, c.due(ctx))
		case <-c.alarm:
			wait(deadline, c.due(ctx))
		case ch := <-c.cfg.Sources.Changes():
			c.sourcesChanged(ctx, ch.NetNS)
		case <-up:
			c.repairNow(ctx, true)
		case <-tick.C:
			c.repairNow(ctx, false)
		}
	}
}

// due settles what waits and is due, and returns how long nothing is, 0 for
// ever.
func (c *Coordinator) due(ctx context.Context) time.Duration {
	next := c.release(ctx) // first: a guard waits for it
	guard := c.guard(ctx)  // before expire: it may take the confirmed commit with it
	for _, d := range []time.Duration{guard, c.expire(ctx)} {
		if next == 0 || d > 0 && d < next {
			next = d
		}
	}
	return next
}

// wait sets a timer, 0 for never.
func wait(t *time.Timer, d time.Duration) {
	t.Stop()
	if d > 0 {
		t.Reset(d)
	}
}

// repairNow reconciles where something is known to differ, or always.
func (c *Coordinator) repairNow(ctx context.Context, always bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settling.ended(c, "the disk does not take that a commit was refused, will be tried again", c.cfg.Store.Settle())
	if !c.repair && !always {
		return
	}
	if err := c.reconcile(ctx); err != nil {
		c.repair = true
		c.log.Warn("repair failed, will be tried again", "err", err)
	}
}

// event takes what the backend told. It is called from the backend's own
// goroutine and must not wait for a commit, which may be waiting for the
// backend.
func (c *Coordinator) event(e backend.Event, up chan<- struct{}) {
	switch e.Kind {
	case backend.BackendUp:
		c.setOnline(true)
		select {
		case up <- struct{}{}:
		default:
		}
	case backend.BackendDown:
		c.setOnline(false)
		c.log.Error("the BGP speaker does not answer", "err", e.Err)
	case backend.PeerGone:
		c.observe(e.Peer, e.Time, gone)
		c.forget(e.Peer)
	case backend.Drifted:
		c.drifted(e)
	case backend.PeerChanged:
		c.observe(e.Peer, e.Time, func(st *bgp.PeerState) { c.changed(st, e) })
	}
}

// observe changes the state of a peer and tells it, if the peer is configured.
func (c *Coordinator) observe(key bgp.PeerKey, at time.Time, fn func(*bgp.PeerState)) {
	c.learn(key, at, func(st *bgp.PeerState, _ **bgp.PeerSpec) { fn(st) })
}

// learn is observe that may also replace what is applied.
func (c *Coordinator) learn(key bgp.PeerKey, at time.Time, fn func(st *bgp.PeerState, applied **bgp.PeerSpec)) {
	c.tell.Lock()
	defer c.tell.Unlock()
	o := c.oper.Get(key)
	var st bgp.PeerState
	if o.State != nil {
		st = *o.State
	}
	applied := o.Applied
	fn(&st, &applied)
	before := c.oper.Counts(key.InstanceKey())
	c.know(key, at, operstate.Entry{State: &st, Applied: applied})
	if c.pacer.saw(key, &st) || c.Guarded() != nil {
		c.wakeUp()
	}
	if c.feed.Idle() {
		return
	}
	snap := c.cfg.Store.Running()
	c.countsMoved(snap, key.InstanceKey(), before)
	k := schema.PeerKey(key)
	if snap.Get(k) == nil {
		return
	}
	now := c.entry(snap, k, at, "")
	was := now
	was.Time, was.oper = time.Time{}, o
	c.publish([]Change{{Key: k, Old: was, New: now}})
}

// know replaces what is known of a peer and remembers what was. The caller
// holds c.tell.
func (c *Coordinator) know(key bgp.PeerKey, at time.Time, e operstate.Entry) {
	c.past.add(at, key, c.oper.Set(key, e), e)
}

// forget drops what is known of a peer that the backend has forgotten, unless
// it is to have it again.
func (c *Coordinator) forget(key bgp.PeerKey) {
	c.resets.forget(key)
	c.tell.Lock()
	defer c.tell.Unlock()
	snap := c.cfg.Store.Running()
	if c.oper.Get(key).Applied != nil || snap.Get(schema.PeerKey(key)) != nil {
		return
	}
	before := c.oper.Counts(key.InstanceKey())
	c.know(key, c.cfg.Now(), operstate.Entry{})
	if !c.feed.Idle() {
		c.countsMoved(snap, key.InstanceKey(), before)
	}
}

// gone is what remains of a session that the speaker has forgotten.
func gone(st *bgp.PeerState) {
	st.Session, st.Socket, st.Families, st.HoldTime = bgp.StateIdle, bgp.Socket{}, nil, 0
}

func (c *Coordinator) changed(st *bgp.PeerState, e backend.Event) {
	was := st.Session
	st.Session, st.Socket, st.Families, st.HoldTime = e.Session, e.Socket, e.Families, e.HoldTime
	if e.RemoteRouterID.IsValid() {
		st.RemoteRouterID = e.RemoteRouterID
	}
	st.ConnectError = e.ConnectError
	if e.Failed != bgp.FailedNone {
		st.Failures = st.Failures.With(e.Failed, e.Time, e.ConnectError)
	}
	if e.Session == bgp.StateEstablished && was != bgp.StateEstablished {
		st.Transitions++
		st.LastEstablished = e.Time
		c.log.Info("session established", "peer", e.Peer.String(), "local", e.Socket.Local.String(), "transitions", st.Transitions)
	}
	if e.Ended == nil {
		return
	}
	r := bgp.Reset{Cause: e.Ended.Cause}
	if e.Ended.Cause == bgp.CauseNone {
		r = c.resets.explain(e.Peer, e.Time)
	}
	r.Time, r.Notification = e.Time, e.Ended.Notification
	if r.Text == "" {
		r.Text = e.Ended.Text
	}
	st.LastReset = &r
	st.Resets[r.Cause]++
	c.logEnd(e.Peer, &r)
}

// logEnd says why a session ended, as far as that is known.
func (c *Coordinator) logEnd(peer bgp.PeerKey, r *bgp.Reset) {
	attrs := []any{"peer", peer.String(), "cause", r.Cause.String()}
	if r.CommitID != "" {
		attrs = append(attrs, "commit", r.CommitID)
	}
	for _, l := range r.Leaves {
		attrs = append(attrs, "leaf", l.String())
	}
	if n := r.Notification; n != nil {
		attrs = append(attrs, "code", n.Code, "subcode", n.Subcode, "sent", n.Sent)
	}
	if r.Text != "" {
		attrs = append(attrs, "text", r.Text)
	}
	c.log.Info("session ended", attrs...)
}

// expectations remembers why the engine asked for resets, because a backend
// tells the end of a session some time after it was asked for, perhaps after
// the next one was. A backend marks the ends that the engine asked for, so an
// expectation that was not met (no session was up) does no harm.
type expectations struct {
	mu     sync.Mutex                  // guards byPeer
	byPeer map[bgp.PeerKey][]bgp.Reset // oldest first, at most a few
}

// How many expectations of a peer are kept: more resets than this between an
// end and its event are told as the oldest of them.
const maxExpectations = 4

// expect notes the peers whose sessions the steps end, before the backend is
// asked.
func (x *expectations) expect(steps []plan.Step, at time.Time, cause bgp.Cause, commitID string) {
	for i := range steps {
		if s := &steps[i]; s.EndsSession() && s.Peer.Address.IsValid() {
			r := bgp.Reset{Time: at, Cause: cause, CommitID: commitID, Leaves: s.Leaves}
			if s.New != nil {
				r.Text = s.New.DownDetail
			}
			x.ask(s.Peer, r)
		}
	}
}

// ask notes one reset, before the backend is asked.
func (x *expectations) ask(key bgp.PeerKey, r bgp.Reset) {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := append(x.byPeer[key], r)
	x.byPeer[key] = list[max(0, len(list)-maxExpectations):]
}

// explain returns the reset that ended a session at a time: the last one that
// was asked for before.
func (x *expectations) explain(key bgp.PeerKey, at time.Time) bgp.Reset {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.byPeer[key]
	if len(list) == 0 {
		return bgp.Reset{Cause: bgp.CauseBackend}
	}
	i := 0
	for i+1 < len(list) && !list[i+1].Time.After(at) {
		i++
	}
	x.byPeer[key] = list[i:]
	return list[i]
}

// disown takes the name of a commit that was undone from the ends that it
// explains.
func (x *expectations) disown(key bgp.PeerKey, commitID string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.byPeer[key] {
		if r := &x.byPeer[key][i]; r.Cause == bgp.CauseCommit && r.CommitID == commitID {
			r.CommitID, r.Text = "", undoneText
		}
	}
}

// disown is that of expectations for the peers of steps, and for what their
// states show already.
func (c *Coordinator) disown(steps []plan.Step, commitID string) {
	for i := range steps {
		key := steps[i].Peer
		c.resets.disown(key, commitID)
		st := c.oper.Get(key).State
		if st == nil || st.LastReset == nil || st.LastReset.Cause != bgp.CauseCommit || st.LastReset.CommitID != commitID {
			continue
		}
		c.observe(key, c.cfg.Now(), func(st *bgp.PeerState) {
			if st.LastReset != nil && st.LastReset.CommitID == commitID {
				r := *st.LastReset
				r.CommitID, r.Text = "", undoneText
				st.LastReset = &r
			}
		})
	}
}

// forget drops what is known of a peer that is gone.
func (x *expectations) forget(key bgp.PeerKey) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.byPeer, key)
}

// tellApplied records steps that changed no configuration and tells them.
func (c *Coordinator) tellApplied(steps []plan.Step) {
	if len(steps) == 0 {
		return
	}
	c.tell.Lock()
	defer c.tell.Unlock()
	snap := c.cfg.Store.Running()
	changes := c.before(snap, steps, nil)
	c.applied(steps, nil)
	now := c.cfg.Now()
	for i := range changes {
		changes[i].New = c.entry(snap, changes[i].Key, now, "")
	}
	c.publish(changes)
}
