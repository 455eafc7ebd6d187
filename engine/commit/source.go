package commit

import (
	"context"
	"maps"
	"slices"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/effective"
	"mooring/engine/plan"
)

// sourceIndex holds what peers ask the resolver, as far as the answer can
// change, and finds the peers of a namespace.
type sourceIndex struct {
	byPeer      map[bgp.PeerKey]srcaddr.Query
	byNamespace map[string]map[bgp.PeerKey]struct{}
}

func (x sourceIndex) set(key bgp.PeerKey, q srcaddr.Query) {
	x.remove(key)
	if q.Interface == "" && !q.Source.IsValid() && q.NetNS == "" && !bgp.LinkLocal(q.Peer) {
		return // the kernel's route lookup chooses at each connect
	}
	x.byPeer[key] = q
	peers := x.byNamespace[q.NetNS]
	if peers == nil {
		peers = map[bgp.PeerKey]struct{}{}
		x.byNamespace[q.NetNS] = peers
	}
	peers[key] = struct{}{}
}

func (x sourceIndex) remove(key bgp.PeerKey) {
	q, ok := x.byPeer[key]
	if !ok {
		return
	}
	delete(x.byPeer, key)
	peers := x.byNamespace[q.NetNS]
	if delete(peers, key); len(peers) == 0 {
		delete(x.byNamespace, q.NetNS)
	}
}

// chosen fills in what the route lookup gives on the side of a pair that leaves
// the source to it, where the other names one: naming what is in force costs
// nothing. Of an established session its own address counts.
func (c *Coordinator) chosen(pair plan.PeerPair, q srcaddr.Query) plan.PeerPair {
	old, new := pair.Old, pair.New
	if old == nil || new == nil || old.Source.IsValid() == new.Source.IsValid() {
		return pair
	}
	named, open := old, new
	if new.Source.IsValid() {
		was := *old
		pair.Old, named, open = &was, new, &was
	}
	if open.Down != bgp.DownNone && open.Down != bgp.DownDisabled {
		return pair // it has no source at all
	}
	if st := c.oper.Get(new.Key).State; open != new && st != nil && st.Session == bgp.StateEstablished && st.Socket.Local.IsValid() {
		open.Chosen = st.Socket.Local.Addr()
	} else {
		open.Chosen = c.cfg.Sources.Route(q)
	}
	if open.Chosen.WithZone("") == named.Source.WithZone("") {
		open.Chosen = named.Source // on the link that the peer is on, whatever its zone is called
	}
	return pair
}

// sourcesChanged resolves the sources of a namespace's peers again and resets
// those whose answer is another one. It changes no configuration: applied
// follows the network, intended stays. There is no pacing: the old address is
// gone, and its sessions are dead already.
func (c *Coordinator) sourcesChanged(ctx context.Context, namespace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	peers := slices.SortedFunc(maps.Keys(c.queries.byNamespace[namespace]), bgp.PeerKey.Compare)
	var pairs []plan.PeerPair
	warned := 0
	for _, key := range peers {
		old := c.oper.Get(key).Applied
		if old == nil {
			continue // could not be applied; the repair resolves it anew
		}
		spec := *old
		if spec.Down != bgp.DownDisabled {
			spec.Down, spec.DownDetail = bgp.DownNone, ""
		}
		effective.SetSource(&spec, c.cfg.Sources.Resolve(c.queries.byPeer[key]), old)
		if c.pacer.waits(key) {
			if len(bgp.DiffPeers(old, &spec)) > 0 {
				c.pacer.hurry(key) // its session is dead: the way is to what is intended
				c.wakeUp()
			}
			continue
		}
		pairs = append(pairs, c.chosen(plan.PeerPair{Old: old, New: &spec}, c.queries.byPeer[key]))
		if spec.SourceWarning != "" && old.SourceWarning == "" {
			warned++
		}
	}
	if warned > 0 {
		c.log.Warn("an interface got a second address: the peers keep their source, and their state says what to set",
			"namespace", namespace, "peers", warned)
	}
	c.tellApplied(c.words(pairs))
	p := plan.Compute(nil, pairs, c.costs)
	if len(p.Steps) == 0 {
		return
	}
	c.log.Info("source addresses changed", "namespace", namespace, "peers", len(p.Steps), "resets", len(c.ending(p.Steps)))
	c.resets.expect(p.Steps, c.cfg.Now(), bgp.CauseSource, "")
	c.applyEach(ctx, p.Steps)
}
