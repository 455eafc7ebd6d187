package commit

import (
	"context"
	"slices"
	"strconv"
	"time"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"
)

// Unchanged is what the log says, at level debug, of a change after which
// everything is as before.
const Unchanged = "nothing differs"

// commit takes an edited transaction from validation to publication. The caller
// holds c.mu.
func (c *Coordinator) commit(ctx context.Context, actor Actor, opt Options, txn *datastore.Txn) (*Result, error) {
	if !opt.undoes {
		if err := c.cfg.Store.CheckChange(actor.holder(), txn); err != nil {
			return nil, err
		}
	}
	dirty := txn.Dirty()
	if errs := schema.Validate(txn, dirty); len(errs) > 0 {
		return nil, errs
	}
	ch, err := c.planChange(txn, dirty, txn.Touched())
	if err != nil {
		return nil, err
	}
	ch.actor, ch.opt, ch.txn, ch.dirty, ch.holds = actor, opt, txn, dirty, c.holding()
	if opt.leaves != nil {
		ch.holds = *opt.leaves
	}
	running := c.cfg.Store.Running()
	ch.res = &Result{Revision: running.Revision(), Time: c.cfg.Now(), Changed: len(dirty)+len(ch.plan.Steps) > 0, Plan: ch.plan}
	ch.now, ch.later = c.pace(ch.txn, ch.plan.Steps)
	without(ch.queries, ch.later)
	limit, _ := pacing(ch.txn)
	ch.res.Pacing = Pacing{MaxConcurrent: int(limit), AtOnce: len(c.ending(ch.now)), Waiting: len(ch.later)}
	if err := c.prepare(ctx, ch.plan.Steps); err != nil {
		return nil, err
	}
	if opt.DryRun {
		return ch.res, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err // the client is gone: it must not find its change applied
	}
	if opt.Confirm != nil && (ch.res.Changed || c.Pending() != nil) { // else there is nothing that could be rolled back
		return c.tryOut(ctx, ch)
	}
	if !ch.res.Changed {
		c.log.Debug(Unchanged, "user", actor.User, "protocol", actor.Protocol)
		return ch.res, nil
	}
	// From here on the change is carried through whatever the client does.
	if err := c.carryOut(context.WithoutCancel(ctx), ch); err != nil {
		return nil, err
	}
	return ch.res, nil
}

// tryOut is the rest of commit for a confirmed commit.
func (c *Coordinator) tryOut(ctx context.Context, ch *change) (*Result, error) {
	kind := PendingStarted
	if c.Pending() != nil {
		kind = PendingExtended
	}
	ch.holds.pending = c.arm(ch.actor, ch.opt.Confirm)
	var err error
	if ch.res.Changed {
		err = c.carryOut(context.WithoutCancel(ctx), ch)
	} else {
		err = c.hold(ch.holds)
	}
	if err != nil {
		return nil, err
	}
	c.tellPending(kind, ch.actor)
	return ch.res, nil
}

// carryOut persists, applies and publishes a planned change. The caller has set
// ch.holds.
func (c *Coordinator) carryOut(ctx context.Context, ch *change) error {
	res := ch.res
	running := c.cfg.Store.Running()
	res.CommitID = commitID(running.Revision() + 1)
	for i := range ch.now { // a shutdown never waits
		s := &ch.now[i]
		if s.ShutsDown() {
			s.Text = "commit " + res.CommitID + " by " + ch.actor.User
		}
	}
	c.watchOver(ch)
	if err := c.makeSo(ctx, ch, running); err != nil {
		res.Guarded = nil
		c.retain(c.holding())
		return err
	}
	c.log.Info("committed", "revision", res.Revision, "user", ch.actor.User, "protocol", ch.actor.Protocol,
		"records", len(ch.dirty), "steps", len(ch.plan.Steps), "resets", len(ch.ends), "waiting", len(ch.later))
	if c.pacer.pending() > 0 || ch.holds != (holds{}) {
		c.wakeUp()
	}
	return nil
}

// makeSo makes a change durable as prepared, which costs the speaker nothing if
// the disk refuses, and then applies it. From the moment it is durable a restart
// carries it out, until it is marked as aborted.
func (c *Coordinator) makeSo(ctx context.Context, ch *change, running *datastore.Snapshot) error {
	res := ch.res
	ch.ends = c.ending(ch.plan.Steps)
	c.retain(ch.holds)
	meta := ch.meta()
	var err error
	if meta.Notes, err = c.holding().changes(ch.holds); err != nil {
		return err
	}
	next, err := c.cfg.Store.Persist(ch.txn, meta)
	if err != nil {
		return &DiskError{Err: err}
	}
	c.resets.expect(ch.now, res.Time, bgp.CauseCommit, res.CommitID)
	c.starts(ch.txn, ch.now)
	if done, err := c.apply(ctx, ch.now); err != nil {
		c.didNot(ch.now[done:])
		// First the mark, then the speaker: a restart in between repairs it.
		aborted := c.cfg.Store.Abort(next)
		return c.undo(ctx, ch, done, err, aborted)
	}
	res.Revision = next.Revision()
	c.accept(running, next, ch)
	return nil
}

// commitID is the name of the commit that makes a revision.
func commitID(revision uint64) string { return strconv.FormatUint(revision, 10) }

// ending returns the peers whose established sessions the steps end.
func (c *Coordinator) ending(steps []plan.Step) []bgp.PeerKey {
	var out []bgp.PeerKey
	for i := range steps {
		if s := &steps[i]; s.EndsSession() && c.established(s.Peer) {
			out = append(out, s.Peer)
		}
	}
	return out
}

func (c *Coordinator) established(peer bgp.PeerKey) bool {
	st := c.oper.Get(peer).State
	return st != nil && st.Session == bgp.StateEstablished
}

// prepare asks the backend whether it can carry the steps out.
func (c *Coordinator) prepare(ctx context.Context, steps []plan.Step) error {
	if len(steps) == 0 {
		return nil
	}
	if err := c.cfg.Backend.Prepare(ctx, steps); err != nil {
		return &PrepareError{Path: blame(err), Err: err}
	}
	return nil
}

// apply hands the steps to the backend and returns how many were done.
func (c *Coordinator) apply(ctx context.Context, steps []plan.Step) (done int, err error) {
	if len(steps) == 0 {
		return 0, nil
	}
	return c.cfg.Backend.Apply(ctx, steps)
}

// undoneText is the reason of a session end that belongs to no commit.
const undoneText = "a commit failed and was undone"

// undo brings the backend back to what it was before a change of which some
// steps were done. What ended because of it names no commit, because there is
// none: its identifier goes to the next one.
func (c *Coordinator) undo(ctx context.Context, ch *change, n int, cause, aborted error) error {
	ae := &ApplyError{Path: blame(cause), Err: cause, Unsettled: aborted}
	c.disown(ch.now, ch.res.CommitID)
	done := ch.now[:n]
	if len(done) == 0 {
		return ae
	}
	back := plan.Inverse(done)
	c.resets.expect(back, c.cfg.Now(), bgp.CauseCommit, "")
	defer c.disown(back, "")
	if _, err := c.cfg.Backend.Apply(ctx, back); err != nil {
		ae.Rollback = err
		c.repair = true // Run compares and puts right
		c.log.Error("undoing a failed change failed", "err", err)
	}
	return ae
}

// accept publishes the new configuration, records what the backend accepted
// and tells everyone, in one order with the events of the backend: an event in
// between would be told with the new configuration on both sides.
func (c *Coordinator) accept(old, next *datastore.Snapshot, ch *change) {
	c.tell.Lock()
	defer c.tell.Unlock()
	steps := append(slices.Clip(ch.now), ch.words...) // of a large commit no copy, which mostly has no words
	changes := c.before(old, append(slices.Clip(steps), ch.later...), ch.dirty)
	agent := slices.ContainsFunc(ch.dirty, func(d schema.Dirty) bool { return d.Key == schema.AgentKey() })
	if !agent && !c.feed.Idle() {
		c.note(c.entry(old, schema.AgentKey(), time.Time{}, "")) // a commit is a revision and a line in the history
	}
	c.cfg.Store.Publish(next)
	announced := c.announced(old, ch)
	c.show(ch.holds)
	if agent {
		c.cfg.Store.SetHistory(int(historySize(next)))
	}
	c.applied(steps, ch.queries)
	c.postpone(ch.later, bgp.CauseCommit, ch.res.CommitID)
	for i := range changes {
		changes[i].New = c.entry(next, changes[i].Key, ch.res.Time, ch.res.CommitID)
		changes[i].New.confirm = announced
	}
	c.publish(changes)
}

// before collects the entries that a change replaces, each record once, sorted.
// It costs nothing where nobody listens. The caller holds c.tell.
func (c *Coordinator) before(old *datastore.Snapshot, steps []plan.Step, dirty []schema.Dirty) []Change {
	if c.feed.Idle() {
		clear(c.noted)
		return nil
	}
	keys := make([]schema.Key, 0, len(dirty)+len(steps)+2)
	for _, d := range dirty {
		keys = append(keys, d.Key)
	}
	for i := range steps {
		if s := &steps[i]; s.Peer.Address.IsValid() {
			keys = append(keys, schema.PeerKey(s.Peer))
		}
	}
	keys = countedBy(keys, steps, dirty)
	slices.Sort(keys)
	keys = slices.Compact(keys)
	changes := make([]Change, len(keys))
	for i, k := range keys {
		changes[i] = Change{Key: k, Old: c.entry(old, k, time.Time{}, "")}
		if noted, ok := c.noted[k]; ok {
			changes[i].Old = noted
			delete(c.noted, k)
		}
	}
	return changes
}

// applied records the specifications that the backend accepted.
func (c *Coordinator) applied(steps []plan.Step, queries map[bgp.PeerKey]srcaddr.Query) {
	for i := range steps {
		s := &steps[i]
		if s.Peer.Address.IsValid() {
			c.pacer.arrived(s.Peer)
		}
		switch s.Op {
		case plan.PutInstance:
			c.instances[s.Instance] = s.NewInstance
		case plan.DeleteInstance:
			delete(c.instances, s.Instance)
		case plan.CreatePeer, plan.UpdatePeer:
			c.setApplied(s.Peer, s.New)
			c.setWaits(s.Peer, false)
			if s.New.Down == bgp.DownDisabled {
				c.pacer.free(s.Peer)
			}
		case plan.DeletePeer:
			c.know(s.Peer, c.cfg.Now(), operstate.Entry{})
			c.queries.remove(s.Peer)
			c.pacer.free(s.Peer)
		}
	}
	for key, q := range queries {
		c.queries.set(key, q)
	}
}

// The changed leaves of a commit that the history keeps; a load of 100,000
// peers is told by its count.
const maxHistoryLines = 200

// meta is what the history tells of a change.
func (ch *change) meta() datastore.Meta {
	m := datastore.Meta{
		CommitID: ch.res.CommitID, User: ch.actor.User, Protocol: ch.actor.Protocol, SourceHost: ch.actor.Source,
		Session: ch.actor.Session, Time: ch.res.Time, Comment: ch.opt.Comment, Restores: ch.opt.restores, Urgent: ch.opt.undoes || ch.opt.restores != nil,
	}
	for i, d := range ch.dirty {
		if len(m.Changes) >= maxHistoryLines {
			m.Changes = append(m.Changes, "and "+strconv.Itoa(len(ch.dirty)-i)+" more records")
			break
		}
		for _, l := range schema.Diff(d.Key, d.Old, d.New) {
			m.Changes = append(m.Changes, describe(l))
		}
	}
	for i, peer := range ch.ends {
		if i >= maxHistoryLines {
			m.Resets = append(m.Resets, "and "+strconv.Itoa(len(ch.ends)-i)+" more")
			break
		}
		m.Resets = append(m.Resets, peer.String())
	}
	return m
}

// describe is a changed leaf as the history tells it.
func describe(l schema.Change) string {
	return bgp.LeafChange{Leaf: l.Path.String(), Old: l.Old, New: l.New}.String()
}
