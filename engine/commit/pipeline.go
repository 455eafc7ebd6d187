package commit

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"mooring/backend"
	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"
)

// commit takes an edited transaction from validation to telling. The caller
// holds c.mu.
func (c *Coordinator) commit(ctx context.Context, actor Actor, opt Options, txn *datastore.Txn) (*Result, error) {
	dirty := txn.Dirty()
	if errs := schema.Validate(txn, dirty); len(errs) > 0 {
		return nil, errs
	}
	ch, err := c.planChange(txn, dirty, txn.Touched())
	if err != nil {
		return nil, err
	}
	running := c.cfg.Store.Running()
	res := &Result{Revision: running.Revision(), Time: c.cfg.Now(), Changed: len(dirty) > 0, Plan: ch.plan}
	if err := c.prepare(ctx, ch.plan.Steps); err != nil {
		return nil, err
	}
	if opt.DryRun || (len(dirty) == 0 && len(ch.plan.Steps) == 0) {
		return res, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err // the client is gone: it must not find its change applied
	}
	// From here on the change is carried through whatever the client does.
	ctx = context.WithoutCancel(ctx)
	next := running
	if res.Changed {
		res.CommitID = strconv.FormatUint(running.Revision()+1, 10)
	}
	for i := range ch.plan.Steps {
		if s := &ch.plan.Steps[i]; s.ShutsDown() {
			s.Text = "commit " + res.CommitID + " by " + actor.User
		}
	}
	c.resets.expect(ch.plan.Steps, res.Time, bgp.CauseCommit, res.CommitID)
	if err := c.apply(ctx, ch.plan.Steps); err != nil {
		return nil, err
	}
	if res.Changed {
		next, err = c.cfg.Store.Persist(txn, meta(actor, opt, res, dirty, ch.plan))
		if err != nil {
			return nil, c.undo(ctx, ch.plan.Steps, nil, err)
		}
		c.cfg.Store.Publish(next)
		res.Revision = next.Revision()
	}
	c.accept(running, next, dirty, ch, res)
	c.log.Info("committed", "revision", res.Revision, "user", actor.User, "protocol", actor.Protocol,
		"records", len(dirty), "steps", len(ch.plan.Steps), "resets", ch.plan.Resets())
	return res, nil
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

// apply hands the steps to the backend and undoes them if one fails.
func (c *Coordinator) apply(ctx context.Context, steps []plan.Step) error {
	if len(steps) == 0 {
		return nil
	}
	done, err := c.cfg.Backend.Apply(ctx, steps)
	if err == nil {
		return nil
	}
	return c.undo(ctx, steps[:done], blame(err), err)
}

// undo brings the backend back to what it was before the steps.
func (c *Coordinator) undo(ctx context.Context, done []plan.Step, at schema.Path, cause error) error {
	ae := &ApplyError{Path: at, Err: cause}
	if len(done) == 0 {
		return ae
	}
	if _, err := c.cfg.Backend.Apply(ctx, plan.Inverse(done)); err != nil {
		ae.Rollback = err
		c.repair = true // Run compares and puts right
		c.log.Error("undoing a failed change failed", "err", err)
	}
	return ae
}

// accept records what the backend accepted and tells everyone, in one order
// with the events of the backend.
func (c *Coordinator) accept(old, next *datastore.Snapshot, dirty []schema.Dirty, ch *change, res *Result) {
	c.tell.Lock()
	defer c.tell.Unlock()
	changes := c.before(old, dirty, ch.plan.Steps)
	c.applied(ch.plan.Steps, ch.queries)
	for i := range changes {
		changes[i].New = c.entry(next, changes[i].Key, res.Time, res.CommitID)
	}
	c.feed.Publish(changes)
	if slices.ContainsFunc(dirty, func(d schema.Dirty) bool { return d.Key == agentKey() }) {
		c.cfg.Store.SetHistory(int(c.historySize()))
	}
}

// before collects the entries that a change replaces, each record once. It
// costs nothing where nobody listens.
func (c *Coordinator) before(old *datastore.Snapshot, dirty []schema.Dirty, steps []plan.Step) []Change {
	if c.feed.Idle() {
		return nil
	}
	keys := make([]schema.Key, 0, len(dirty)+len(steps))
	for _, d := range dirty {
		keys = append(keys, d.Key)
	}
	for i := range steps {
		if s := &steps[i]; s.Peer.Address.IsValid() {
			keys = append(keys, peerRecordKey(s.Peer))
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	changes := make([]Change, len(keys))
	for i, k := range keys {
		changes[i] = Change{Key: k, Old: c.entry(old, k, time.Time{}, "")}
	}
	return changes
}

// applied records the specifications that the backend accepted.
func (c *Coordinator) applied(steps []plan.Step, queries map[bgp.PeerKey]srcaddr.Query) {
	for i := range steps {
		s := &steps[i]
		switch s.Op {
		case plan.PutInstance:
			c.instances[s.Instance] = s.NewInstance
		case plan.DeleteInstance:
			delete(c.instances, s.Instance)
		case plan.CreatePeer, plan.UpdatePeer:
			c.setApplied(s.Peer, s.New)
		case plan.DeletePeer:
			c.oper.Set(s.Peer, operstate.Entry{})
			c.queries.remove(s.Peer)
		}
	}
	for key, q := range queries {
		c.queries.set(key, q)
	}
}

// The changed leaves of a commit that the history keeps; a load of 100,000
// peers is told by its count.
const maxHistoryLines = 200

func meta(actor Actor, opt Options, res *Result, dirty []schema.Dirty, p plan.Plan) datastore.Meta {
	m := datastore.Meta{
		CommitID: res.CommitID, User: actor.User, Protocol: actor.Protocol, SourceHost: actor.Source,
		Session: actor.Session, Time: res.Time, Comment: opt.Comment,
	}
	for i, d := range dirty {
		if len(m.Changes) >= maxHistoryLines {
			m.Changes = append(m.Changes, "and "+strconv.Itoa(len(dirty)-i)+" more records")
			break
		}
		for _, l := range schema.Diff(d.Key, d.Old, d.New) {
			m.Changes = append(m.Changes, describe(l))
		}
	}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.EndsSession() && s.Peer.Address.IsValid() {
			if len(m.Resets) >= maxHistoryLines {
				m.Resets = append(m.Resets, "and more, in all "+strconv.Itoa(p.Resets()))
				break
			}
			m.Resets = append(m.Resets, s.Peer.String())
		}
	}
	return m
}

// blame is the path of what a backend's error names: the setting, else the
// peer, else the instance.
func blame(err error) schema.Path {
	be, ok := errors.AsType[*backend.Error](err)
	if !ok {
		return nil
	}
	if !be.Peer.Address.IsValid() {
		return instancePath(be.Instance, be.Leaf)
	}
	p := peerRecordKey(be.Peer).Path()
	if be.Leaf == "" {
		return p
	}
	return append(slices.Clone(p), leafPath(be.Leaf)...)
}

// describe is a changed leaf as the history tells it.
func describe(l schema.Change) string {
	return bgp.LeafChange{Leaf: l.Path.String(), Old: l.Old, New: l.New}.String()
}
