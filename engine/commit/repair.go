package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mooring/backend"
	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/effective"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// Boot compares what the backend has with the running configuration and
// applies the difference. A peer that cannot be applied is held down with the
// reason and tried again by Run; Boot fails only where an embedded backend
// cannot tell what it has. One that lives outside the agent may come up later.
func (c *Coordinator) Boot(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.past.begin(c.cfg.Now()) }()
	c.setOnline(true)
	c.cfg.Store.SetHistory(int(historySize(c.cfg.Store.Running())))
	if err := c.startUp(); err != nil {
		return err
	}
	if err := errors.Join(c.resume(), c.resumeGuard()); err != nil {
		return err
	}
	err := c.reconcile(ctx)
	if err != nil && c.cfg.Backend.Info().External {
		c.setOnline(false)
		c.repair = true
		c.log.Error("the BGP speaker does not answer, will be asked again", "err", err)
		return nil
	}
	return err
}

// reconcile brings the backend to the running configuration. The caller holds
// c.mu.
func (c *Coordinator) reconcile(ctx context.Context) error {
	have, err := c.cfg.Backend.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("ask the backend what it has: %w", err)
	}
	for _, e := range have.Sessions {
		c.event(e, nil)
	}
	all, p := c.difference(have)
	c.guardRepaired(all)
	steps, later := c.pace(p.r, all)
	without(p.queries, later)
	c.repair = false
	c.tell.Lock()
	for key, q := range p.queries {
		c.queries.set(key, q)
	}
	for _, pair := range p.peers {
		switch { // what the backend has already counts as applied
		case pair.Old == nil || pair.New == nil:
		case len(bgp.DiffPeers(pair.Old, pair.New)) == 0:
			c.setApplied(pair.New.Key, pair.New) // says more of the source
		default:
			c.setApplied(pair.New.Key, pair.Old)
		}
	}
	c.tell.Unlock()
	c.instances = have.Instances
	if len(all) > 0 {
		c.log.Info("repairing the backend", "steps", len(all), "waiting", len(later))
	}
	c.tellWaiting(later, bgp.CauseBackend)
	c.starts(p.r, steps)
	c.resets.expect(steps, c.cfg.Now(), bgp.CauseBackend, "")
	c.applyEach(ctx, steps)
	return nil
}

// difference plans the way from what the backend has to what is intended.
func (c *Coordinator) difference(have *backend.Snapshot) ([]plan.Step, *planner) {
	running := c.cfg.Store.Running()
	p := &planner{
		c: c, r: running, intended: c.effective(running),
		queries: make(map[bgp.PeerKey]srcaddr.Query, running.Len()),
	}
	wantPeers := make(map[bgp.PeerKey]struct{}, running.Len())
	running.Scan("", func(k schema.Key, _ ygot.GoStruct) bool {
		switch k.Kind().Letter {
		case schema.KindBGPVPNInstance:
			key := k.InstanceKey()
			p.pairs = append(p.pairs, plan.Pair[bgp.InstanceSpec]{Old: have.Instances[key], New: p.intended.Instance(key)})
		case schema.KindPeer:
			peer, ok := p.intended.Peer(k)
			if !ok {
				return true
			}
			spec := peer.Spec
			key := spec.Key
			effective.SetSource(&spec, c.cfg.Sources.Resolve(peer.Query), have.Peers[key])
			wantPeers[key] = struct{}{}
			p.queries[key] = peer.Query
			p.peers = append(p.peers, c.chosen(plan.PeerPair{Old: have.Peers[key], New: &spec, Forced: c.pacer.forced(key)}, peer.Query))
		}
		return true
	})
	for key, old := range have.Instances {
		if p.intended.Instance(key) == nil {
			p.pairs = append(p.pairs, plan.Pair[bgp.InstanceSpec]{Old: old})
		}
	}
	for key, old := range have.Peers {
		if _, ok := wantPeers[key]; !ok {
			p.peers = append(p.peers, plan.PeerPair{Old: old})
		}
	}
	return plan.Compute(p.pairs, p.peers, c.costs).Steps, p
}

// applyEach applies steps for which there is no going back, because the
// configuration already says so or the network has changed: a step that fails
// is noted at its peers, skipped, and tried again later. Where the speaker has
// gone no step is to blame: when it is back, all is compared anew.
func (c *Coordinator) applyEach(ctx context.Context, steps []plan.Step) {
	for len(steps) > 0 {
		if ctx.Err() != nil || !c.online.Load() {
			c.didNot(steps)
			return
		}
		done, failed := 0, 0
		err := c.cfg.Backend.Prepare(ctx, steps)
		if err != nil {
			failed = blamed(steps, err)
		} else {
			done, err = c.cfg.Backend.Apply(ctx, steps)
			failed = done
		}
		c.tellApplied(steps[:done])
		if err == nil {
			return
		}
		c.repair = true
		steps = c.skip(steps[done:], failed-done, err)
	}
}

// blamed returns the index of the step that an error of Prepare names.
func blamed(steps []plan.Step, err error) int {
	be, ok := errors.AsType[*backend.Error](err)
	if !ok {
		return 0
	}
	return max(0, slices.IndexFunc(steps, func(s plan.Step) bool {
		if be.Peer.Address.IsValid() {
			return s.Peer == be.Peer
		}
		return s.Instance == be.Instance && !s.Peer.Address.IsValid()
	}))
}

// skip notes the reason at the peers of a failed step and returns the steps
// that remain. Peers share the failure of their instance.
func (c *Coordinator) skip(steps []plan.Step, failed int, err error) []plan.Step {
	f := steps[failed]
	c.log.Warn("step failed, will be tried again", "step", f.Op.String(), "instance", f.Instance.String(), "err", err)
	rest := make([]plan.Step, 0, len(steps)-1)
	for i, s := range steps {
		switch ofFailed := s.Instance == f.Instance && f.Op == plan.PutInstance; {
		case i != failed && !ofFailed:
			rest = append(rest, s)
		case s.Peer.Address.IsValid():
			c.didNot(steps[i : i+1])
			c.learn(s.Peer, c.cfg.Now(), func(st *bgp.PeerState, applied **bgp.PeerSpec) {
				st.Down, st.DownDetail = bgp.DownBackend, reason(err)
				if s.Old == nil {
					*applied = nil // the speaker has lost it
				}
			})
		}
	}
	return rest
}

// setApplied records what the backend accepted. What held the peer down
// because the backend had not accepted it is over.
func (c *Coordinator) setApplied(key bgp.PeerKey, spec *bgp.PeerSpec) {
	old, e := c.oper.Update(key, func(e operstate.Entry) operstate.Entry {
		e.Applied = spec
		if e.State != nil && e.State.Down != bgp.DownNone {
			st := *e.State
			st.Down, st.DownDetail = bgp.DownNone, ""
			e.State = &st
		}
		return e
	})
	c.past.add(c.cfg.Now(), key, old, e)
}
