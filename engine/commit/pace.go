package commit

import (
	"context"
	"time"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/effective"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"
)

// Resets are paced: of the established sessions that steps end, at most
// max-concurrent go down at once. The steps of the others are not handed to the
// backend: such a peer keeps what is applied, with its session, and waits. When
// its turn comes, the way from what is applied to what is intended by then is
// planned anew, so whatever was committed meanwhile is right by itself.

// Pacing is how the resets of a commit are paced.
type Pacing struct {
	MaxConcurrent int // as configured
	AtOnce        int // established sessions that go down with the commit itself
	Waiting       int // those that wait for their turn
}

// The model's defaults of /agent/reset-control/config.
const (
	defaultMaxConcurrent = 64
	defaultSettleTimeout = 30 * time.Second
)

// pacing is what is configured.
func pacing(r schema.Reader) (limit uint16, settle time.Duration) {
	rec, _ := r.Get(schema.AgentKey()).(*agentRec)
	limit, settle = defaultMaxConcurrent, defaultSettleTimeout
	if cfg := rec.GetResetControl().GetConfig(); cfg != nil {
		if cfg.MaxConcurrent != nil {
			limit = *cfg.MaxConcurrent
		}
		if cfg.SettleTimeout != nil {
			settle = time.Duration(*cfg.SettleTimeout) * time.Second
		}
	}
	return limit, settle
}

// pace splits the steps of a plan into those for now and those that wait.
func (c *Coordinator) pace(r schema.Reader, steps []plan.Step) (now, later []plan.Step) {
	limit, _ := pacing(r)
	return plan.Pace(steps, c.pacer.room(int(limit), c.cfg.Now()), c.established)
}

// starts notes the sessions that the steps are about to reset.
func (c *Coordinator) starts(r schema.Reader, steps []plan.Step) {
	_, settle := pacing(r)
	until := c.cfg.Now().Add(settle)
	for i := range steps {
		if s := &steps[i]; s.ComesBack() && c.established(s.Peer) {
			c.pacer.reset(s.Peer, downtime{transitions: c.oper.Get(s.Peer).State.Transitions, until: until})
		}
	}
}

// didNot takes back what starts noted of steps that were not carried out. A
// session that is down was reset before: that still counts.
func (c *Coordinator) didNot(steps []plan.Step) {
	for i := range steps {
		if c.established(steps[i].Peer) {
			c.pacer.free(steps[i].Peer)
		}
	}
}

// waits says whether a peer shows that it waits for its reset.
func (c *Coordinator) waits(key bgp.PeerKey) bool {
	st := c.oper.Get(key).State
	return st != nil && st.PendingReset
}

// postpone makes the peers of steps wait. The caller holds c.mu and c.tell and
// tells the changes.
func (c *Coordinator) postpone(steps []plan.Step, cause bgp.Cause, commitID string) {
	for i := range steps {
		s := &steps[i]
		c.pacer.wait(s.Peer, whyOf(s, cause, commitID))
		c.setWaits(s.Peer, true)
		if !c.established(s.Peer) {
			c.pacer.hurry(s.Peer) // it has just ended by itself
		}
	}
}

// tellWaiting makes the peers of a repair wait and tells it.
func (c *Coordinator) tellWaiting(steps []plan.Step, cause bgp.Cause) {
	if len(steps) == 0 {
		return
	}
	c.tell.Lock()
	defer c.tell.Unlock()
	snap := c.cfg.Store.Running()
	c.noteAgent()
	changes := c.before(snap, steps, nil)
	c.postpone(steps, cause, "")
	now := c.cfg.Now()
	for i := range changes {
		changes[i].New = c.entry(snap, changes[i].Key, now, "")
	}
	c.publish(changes)
	c.wakeUp()
}

// setWaits shows whether a peer waits. The caller holds c.tell.
func (c *Coordinator) setWaits(key bgp.PeerKey, is bool) {
	if c.waits(key) == is {
		return
	}
	old, e := c.oper.Update(key, func(e operstate.Entry) operstate.Entry {
		var st bgp.PeerState
		if e.State != nil {
			st = *e.State
		}
		st.PendingReset = is
		e.State = &st
		return e
	})
	c.past.add(c.cfg.Now(), key, old, e)
}

// without removes the queries of peers that wait: the sources of what is
// applied are followed.
func without(queries map[bgp.PeerKey]srcaddr.Query, later []plan.Step) {
	for i := range later {
		delete(queries, later[i].Peer)
	}
}

// release resets the peers whose turn it is, and returns how long it takes
// until the next turn comes whatever happens, 0 for ever.
func (c *Coordinator) release(ctx context.Context) time.Duration {
	if c.pacer.pending() == 0 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.online.Load() {
		return 0 // what comes back is compared and put right
	}
	running := c.cfg.Store.Running()
	limit, _ := pacing(running)
	c.tell.Lock()
	agent := c.entry(running, schema.AgentKey(), time.Time{}, "")
	keys, why := c.pacer.next(int(limit), c.cfg.Now())
	if len(keys) > 0 && !c.feed.Idle() {
		c.note(agent)
	}
	c.tell.Unlock()
	if len(keys) == 0 {
		return c.pacer.left(c.cfg.Now())
	}
	c.carryOn(ctx, running, keys, why)
	if c.pacer.pending() == 0 {
		c.allReset()
	}
	c.wakeUp() // where a reset failed, or was not needed any more, there is room left
	return c.pacer.left(c.cfg.Now())
}

// carryOn leads peers from what is applied to what is intended now. What fails
// is tried again, as after any repair. The caller holds c.mu.
func (c *Coordinator) carryOn(ctx context.Context, running *datastore.Snapshot, keys []bgp.PeerKey, why []waiting) {
	var pairs []plan.PeerPair
	intended := c.effective(running)
	causes := make(map[bgp.PeerKey]waiting, len(keys))
	for i, key := range keys {
		peer, ok := intended.Peer(schema.PeerKey(key))
		old := c.oper.Get(key).Applied
		if !ok || old == nil {
			continue // it is gone, or the repair has it
		}
		spec := peer.Spec
		effective.SetSource(&spec, c.cfg.Sources.Resolve(peer.Query), old)
		c.queries.set(key, peer.Query)
		pairs = append(pairs, c.chosen(plan.PeerPair{Old: old, New: &spec, Forced: why[i].forced}, peer.Query))
		causes[key] = why[i]
	}
	steps := plan.Compute(nil, pairs, c.costs).Steps
	for i := range steps {
		w := causes[steps[i].Peer]
		c.resets.expect(steps[i:i+1], c.cfg.Now(), w.cause, w.commitID)
	}
	c.log.Info("resetting peers that waited", "peers", len(steps), "waiting", c.pacer.pending())
	c.tellApplied(c.words(pairs))
	c.starts(running, steps)
	c.applyEach(ctx, steps)
	for _, key := range keys {
		if c.waits(key) { // it failed: what holds it down now is the failure
			c.observe(key, c.cfg.Now(), func(st *bgp.PeerState) { st.PendingReset = false })
		}
	}
}

// allReset gives the peers of a guarded commit their time, which begins with
// the last reset. The caller holds c.mu.
func (c *Coordinator) allReset() {
	g := c.Guarded()
	if g == nil || g.Timeout == 0 {
		return
	}
	next := *g
	next.Deadline, next.Timeout = c.cfg.Now().Add(g.Timeout), 0
	if err := c.setGuarded(&next); err != nil {
		c.log.Error("the guarded commit keeps its time", "until", g.Deadline, "err", err)
	}
}
