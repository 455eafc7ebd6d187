package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Apply carries the steps out. Peers of an instance that restarts are added
// again by their own steps, or at the end, so that no session that comes back
// quickly is ended by a step that follows.
func (b *Backend) Apply(ctx context.Context, steps []plan.Step) (done int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var restarted []*speaker
	for done < len(steps) && err == nil {
		s := &steps[done]
		if err = ctx.Err(); err == nil {
			err = b.step(ctx, s, &restarted)
		}
		if err != nil {
			err = &backend.Error{Instance: s.Instance, Peer: s.Peer, Err: err}
			break
		}
		done++
	}
	for _, sp := range restarted {
		if rerr := b.addMissing(sp); rerr != nil {
			b.log.Error("peers are lost by a restart of their instance", "instance", sp.key.String(), "err", rerr)
			err = errors.Join(err, &backend.Error{Instance: sp.key, Err: rerr})
		}
	}
	return done, err
}

func (b *Backend) step(ctx context.Context, s *plan.Step, restarted *[]*speaker) error {
	if b.stopped {
		return errStopped
	}
	sp := b.speakers[s.Instance]
	switch s.Op {
	case plan.PutInstance:
		return b.putInstance(ctx, s.NewInstance, restarted)
	case plan.DeleteInstance:
		if sp == nil {
			return nil
		}
		if len(sp.peers) > 0 {
			return fmt.Errorf("still has %d peers: delete them first", len(sp.peers))
		}
		if b.own != nil {
			b.own.RemoveInstance(s.Instance)
		}
		sp.run.stop(nil, bgp.CeasePeerDeconfigured)
		delete(b.speakers, s.Instance)
		return nil
	case plan.DeletePeer:
		if sp == nil || sp.peers[s.Peer.Address] == nil {
			return nil
		}
		return b.deletePeer(ctx, sp, s.Peer.Address)
	case plan.CreatePeer, plan.UpdatePeer:
		if sp == nil {
			return errors.New("its instance does not exist: create it first")
		}
		return b.putPeer(ctx, sp, s)
	}
	return fmt.Errorf("unknown operation %d", s.Op)
}

// prepare tells the transport what a peer is, before GoBGP is told; forget is
// its inverse.
func (b *Backend) prepare(p *bgp.PeerSpec) (live []string, err error) {
	if b.own == nil {
		return nil, nil
	}
	return b.own.Put(p)
}

func (b *Backend) forget(key bgp.PeerKey) {
	if b.own != nil {
		b.own.Remove(key)
	}
}

// ending settles the last words of a session that is about to end by our hand.
// The function that it returns is to be called when GoBGP has done so: GoBGP
// itself does not say why.
func (b *Backend) ending(sp *speaker, p *peer, end cease) (ended func()) {
	sp.run.talks.replaced(p.given.Key.Address)
	it := item{kind: itemEnding, instance: sp.key, run: sp.run, addr: p.given.Key.Address, end: sp.run.lastWords(p, end)}
	return func() {
		it.at = time.Now()
		b.queue.push(it)
	}
}

// lastWords settles what the Cease of a session will be, if GoBGP sends one,
// and returns it. GoBGP's own dialer gets no text.
func (r *running) lastWords(p *peer, end cease) cease {
	c := r.talks.get(p.given.Key.Address)
	if c == nil {
		return cease{subcode: end.subcode}
	}
	return c.endWith(end, p.given.GracefulRestart)
}

func (b *Backend) putPeer(ctx context.Context, sp *speaker, s *plan.Step) error {
	addr, spec := s.Peer.Address, s.New
	p := sp.peers[addr]
	if p == nil {
		p = &peer{}
	}
	switch {
	case spec.Down != bgp.DownNone:
		end := cease{subcode: bgp.CeaseOtherConfiguration, hard: spec.ResetMode == bgp.ResetHard}
		if spec.Down == bgp.DownDisabled {
			end.subcode = bgp.CeaseAdminShutdown
		}
		if s.ShutsDown() {
			end.text = s.Text
		}
		if err := b.takeDown(ctx, sp, p, end); err != nil {
			return err
		}
		b.forget(spec.Key) // also one that waited for its instance to restart
		sp.sleep.remove(addr)
	case p.given == nil:
		if err := b.add(ctx, sp, p, spec); err != nil {
			return err
		}
	default:
		if err := b.changePeer(ctx, sp, p, s); err != nil {
			return err
		}
	}
	started := p.want == nil || p.want.Down != bgp.DownNone && spec.Down == bgp.DownNone
	p.want = spec
	sp.peers[addr] = p
	if started {
		b.queue.push(item{kind: itemCreated, at: time.Now(), instance: s.Instance, run: sp.run, addr: addr})
	}
	return nil
}

// changePeer changes a peer that GoBGP has.
func (b *Backend) changePeer(ctx context.Context, sp *speaker, p *peer, s *plan.Step) error {
	same := len(bgp.DiffPeers(p.want, s.New)) == 0
	forced := s.AddReset && len(bgp.DiffPeers(s.Old, s.New)) == 0
	if same && !forced {
		return nil
	}
	live, err := b.prepare(s.New)
	if err != nil {
		return err
	}
	if err := b.changeGoBGP(ctx, sp, p, s); err != nil {
		if _, back := b.prepare(p.want); back != nil {
			err = fmt.Errorf("%w; and the old sockets do not come back: %w", err, back)
		}
		return err
	}
	if len(live) > 0 {
		b.queue.push(item{kind: itemLive, at: time.Now(), instance: s.Instance, addr: s.Peer.Address})
	}
	return nil
}

func (b *Backend) changeGoBGP(ctx context.Context, sp *speaker, p *peer, s *plan.Step) error {
	if s.Impact == bgp.ImpactReset {
		p.gen++ // GoBGP resets in any case, also where it finds nothing else to be different
		end := cease{subcode: bgp.CeaseOtherConfiguration, hard: s.New.ResetMode == bgp.ResetHard}
		if p.given.RemoteAS != s.New.RemoteAS {
			end.subcode = bgp.CeasePeerDeconfigured
		}
		ended := b.ending(sp, p, end)
		if err := b.update(ctx, sp, p, s.New); err != nil {
			return err
		}
		ended()
		return nil
	}
	a, err := sp.run.peer(ctx, s.Peer.Address)
	if err != nil {
		return err
	}
	if !mayBeUp(a) {
		return b.update(ctx, sp, p, s.New)
	}
	now := *p.given // the timers, which GoBGP takes without a reset
	now.Keepalive, now.ConnectRetry = s.New.Keepalive, s.New.ConnectRetry
	if b.own != nil { // the transport has these in force already
		now.ConnectMode, now.TTL, now.MinTTL = s.New.ConnectMode, s.New.TTL, s.New.MinTTL
		now.PathMTU, now.DSCP = s.New.PathMTU, s.New.DSCP
	}
	return b.update(ctx, sp, p, &now)
}

// add makes a peer that GoBGP does not have. Where connections are handed over
// it stays so until there is one.
func (b *Backend) add(ctx context.Context, sp *speaker, p *peer, spec *bgp.PeerSpec) error {
	if _, err := b.prepare(spec); err != nil {
		return err
	}
	if b.own != nil {
		p.given = nil
		if sp.sleep.add(spec.Key.Address) {
			b.own.Wanted(spec.Key)
		}
		return nil
	}
	if err := sp.run.AddPeer(ctx, &api.AddPeerRequest{Peer: apiPeer(sp.spec, spec, p.gen, b.own != nil)}); err != nil {
		b.forget(spec.Key)
		return err
	}
	p.given = spec
	return nil
}

// update hands spec over. GoBGP deletes and adds, so after an error the peer
// may be gone: then the old one is added again.
func (b *Backend) update(ctx context.Context, sp *speaker, p *peer, spec *bgp.PeerSpec) error {
	_, err := sp.run.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: apiPeer(sp.spec, spec, p.gen, b.own != nil)})
	if err == nil {
		p.given = spec
		return nil
	}
	return b.restore(sp, p, err)
}

func (b *Backend) restore(sp *speaker, p *peer, err error) error {
	if c := sp.run.talks.get(p.given.Key.Address); c != nil {
		c.takeBack()
	}
	ctx := context.Background() // also where the request has run out of time
	if a, lerr := sp.run.peer(ctx, p.given.Key.Address); lerr == nil && a == nil {
		if aerr := b.add(ctx, sp, p, p.given); aerr != nil {
			p.given = nil
			return fmt.Errorf("%w; and the old peer cannot be added again: %w", err, aerr)
		}
	}
	return err
}

// takeDown ends the session of a peer and takes the peer and its MD5 key out of
// GoBGP.
func (b *Backend) takeDown(ctx context.Context, sp *speaker, p *peer, end cease) error {
	if p.given == nil {
		if p.want != nil && p.want.Down == bgp.DownNone { // asleep
			b.queue.push(item{
				kind: itemEnding, at: time.Now(), instance: sp.key, run: sp.run, addr: p.want.Key.Address,
				end: cease{subcode: end.subcode},
			})
		}
		return nil
	}
	addr := p.given.Key.Address
	ended := b.ending(sp, p, end)
	b.forget(p.given.Key)
	a := parked(apiPeer(sp.spec, p.given, p.gen, b.own != nil), end.subcode)
	if _, err := sp.run.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: a}); err != nil {
		if _, perr := b.prepare(p.given); perr != nil {
			err = errors.Join(err, perr)
		}
		return b.restore(sp, p, err)
	}
	ended()
	if err := sp.run.DeletePeer(ctx, &api.DeletePeerRequest{Address: addr.String()}); err != nil {
		return err
	}
	sp.run.talks.forget(addr)
	sp.run.tap.takeHeard(addr)
	p.given, p.renew, p.resetting = nil, false, ""
	return nil
}

func (b *Backend) deletePeer(ctx context.Context, sp *speaker, addr netip.Addr) error {
	if err := b.takeDown(ctx, sp, sp.peers[addr], cease{subcode: bgp.CeasePeerDeconfigured}); err != nil {
		return err
	}
	b.queue.push(item{kind: itemGone, at: time.Now(), instance: sp.key, run: sp.run, addr: addr, last: sp.peers[addr]})
	b.forget(sp.peers[addr].want.Key)
	sp.sleep.remove(addr)
	delete(sp.peers, addr)
	return nil
}
