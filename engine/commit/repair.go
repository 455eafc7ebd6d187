package commit

import (
	"context"
	"errors"
	"fmt"

	"mooring/backend"
	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// Boot compares what the backend has with the running configuration and
// applies the difference. A peer that cannot be applied is held down with the
// reason and tried again by Run; Boot fails only where the backend cannot tell
// what it has.
func (c *Coordinator) Boot(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.online.Store(true)
	return c.reconcile(ctx)
}

// reconcile brings the backend to the running configuration. The caller holds
// c.mu.
func (c *Coordinator) reconcile(ctx context.Context) error {
	have, err := c.cfg.Backend.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("ask the backend what it has: %w", err)
	}
	steps, p := c.difference(have)
	c.repair = false
	c.tell.Lock()
	for key, q := range p.queries {
		c.queries.set(key, q)
	}
	for _, pair := range p.peers {
		if pair.Old != nil && pair.New != nil { // what the backend has already counts as applied
			c.setApplied(pair.New.Key, pair.Old)
		}
	}
	for key, spec := range have.Instances {
		c.instances[key] = spec
	}
	c.tell.Unlock()
	if len(steps) > 0 {
		c.log.Info("repairing the backend", "steps", len(steps))
	}
	c.resets.expect(steps, bgp.CauseBackend, "")
	c.applyEach(ctx, steps)
	return nil
}

// difference plans the way from what the backend has to what is intended.
func (c *Coordinator) difference(have *backend.Snapshot) ([]plan.Step, *planner) {
	running := c.cfg.Store.Running()
	p := &planner{
		c: c, r: running,
		instances: map[bgp.InstanceKey]*bgp.InstanceSpec{},
		queries:   make(map[bgp.PeerKey]srcaddr.Query, running.Len()),
	}
	wantPeers := make(map[bgp.PeerKey]struct{}, running.Len())
	running.Scan("", func(k schema.Key, _ ygot.GoStruct) bool {
		switch k.Kind().Letter {
		case schema.KindBGPVPNInstance:
			key := instanceKeyOf(k)
			p.pairs = append(p.pairs, plan.Pair[bgp.InstanceSpec]{Old: have.Instances[key], New: p.instanceSpec(key)})
		case schema.KindPeer:
			res, ok := p.resolve(k, false)
			if !ok {
				return true
			}
			key := res.spec.Key
			spec := res.spec
			setSource(&spec, c.cfg.Sources.Resolve(res.query))
			wantPeers[key] = struct{}{}
			p.queries[key] = res.query
			p.peers = append(p.peers, plan.PeerPair{Old: have.Peers[key], New: &spec})
		}
		return true
	})
	for key, old := range have.Instances {
		if _, ok := p.instances[key]; !ok {
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
// is noted at its peer, skipped, and tried again later.
func (c *Coordinator) applyEach(ctx context.Context, steps []plan.Step) {
	for len(steps) > 0 {
		var done int
		var err error
		if err = c.cfg.Backend.Prepare(ctx, steps[:1]); err == nil || errors.Is(err, backend.ErrUnsupported) {
			done, err = c.cfg.Backend.Apply(ctx, steps)
		}
		c.tellApplied(steps[:done])
		steps = steps[done:]
		if err == nil {
			continue
		}
		if len(steps) == 0 {
			return
		}
		failed := steps[0]
		c.repair = true
		c.log.Warn("step failed, will be tried again", "step", failed.Op.String(), "instance", failed.Instance.String(), "peer", failed.Peer.String(), "err", err)
		c.tellFailed(failed, err)
		steps = steps[1:]
	}
}

// setApplied records what the backend accepted. What held the peer down
// because the backend had not accepted it is over.
func (c *Coordinator) setApplied(key bgp.PeerKey, spec *bgp.PeerSpec) {
	c.oper.Update(key, func(e operstate.Entry) operstate.Entry {
		e.Applied = spec
		if e.State != nil && e.State.Down != bgp.DownNone {
			st := *e.State
			st.Down, st.DownDetail = bgp.DownNone, ""
			e.State = &st
		}
		return e
	})
}
