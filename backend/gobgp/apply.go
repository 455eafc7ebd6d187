package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"

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
			b.log.Error("peers are lost by a restart of their instance", "instance", sp.spec.Key.String(), "err", rerr)
			err = errors.Join(err, &backend.Error{Instance: sp.spec.Key, Err: rerr})
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

func (b *Backend) start(ctx context.Context, sp *speaker, in *bgp.InstanceSpec) (*running, error) {
	r, err := start(ctx, b.log, in, b.own != nil,
		func(r *running, e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
			if b.own != nil && sp.current.Load() == r {
				key := bgp.PeerKey{Instance: in.Key.Instance, VPN: in.Key.VPN, Address: e.Peer.State.NeighborAddress}
				switch bgp.SessionState(e.Peer.State.SessionState) {
				case bgp.StateActive:
					if !sp.sleep.activated(key.Address) { // else it has one
						b.own.Wanted(key)
					}
				case bgp.StateEstablished:
					b.own.Settled(key)
				default: // the transport sees the end of the connection itself
				}
			}
			b.queue.push(item{kind: itemState, at: at, instance: in.Key, run: r, addr: e.Peer.State.NeighborAddress, event: e})
		},
		func(r *running, addr netip.Addr, reason string) {
			b.queue.push(item{kind: itemDialFailed, at: time.Now(), instance: in.Key, run: r, addr: addr, text: reason, failed: failure(reason)})
		})
	if err != nil {
		return nil, err
	}
	r.refused = func(addr netip.Addr, n *bgp.Notification, remote *openSaid) {
		b.queue.push(item{kind: itemRefused, at: time.Now(), instance: in.Key, run: r, addr: addr, note: n, open: remote})
	}
	return r, nil
}

func (b *Backend) putInstance(ctx context.Context, in *bgp.InstanceSpec, restarted *[]*speaker) error {
	sp := b.speakers[in.Key]
	if sp == nil {
		sp = &speaker{spec: in, peers: map[netip.Addr]*peer{}}
		if err := b.listen(ctx, sp, in); err != nil {
			return err
		}
		run, err := b.start(ctx, sp, in)
		if err != nil {
			if b.own != nil {
				b.own.RemoveInstance(in.Key)
			}
			return err
		}
		sp.use(run)
		b.speakers[in.Key] = sp
		return nil
	}
	if b.NativeInstance(sp.spec, in) != bgp.ImpactReset {
		sp.spec = in
		return nil
	}
	if err := b.listen(ctx, sp, in); err != nil {
		return err
	}
	var peers []*api.Peer
	for _, p := range sp.peers {
		if p.given == nil {
			continue
		}
		b.ending(sp, p, bgp.CeaseOtherConfiguration, "", p.want.ResetMode == bgp.ResetHard)
		peers = append(peers, apiPeer(sp.spec, p.given, p.gen, b.own != nil))
		p.given, p.renew, p.resetting = nil, false, ""
	}
	sp.run.stop(peers, bgp.CeaseOtherConfiguration)
	sp.sleep.clear() // nobody waits for connections now: addMissing does
	*restarted = append(*restarted, sp)
	run, err := b.start(ctx, sp, in)
	if err == nil {
		sp.use(run)
		sp.spec = in
		return nil
	}
	var old *running
	oldErr := b.listen(ctx, sp, sp.spec)
	if oldErr == nil {
		old, oldErr = b.start(ctx, sp, sp.spec)
	}
	if oldErr != nil {
		delete(b.speakers, in.Key)
		*restarted = (*restarted)[:len(*restarted)-1]
		return fmt.Errorf("%w; and the old instance does not start any more: %w", err, oldErr)
	}
	sp.use(old)
	return err
}

// listen opens the sockets of an instance, or finds out whether GoBGP could,
// before anything has happened to its sessions.
func (b *Backend) listen(ctx context.Context, sp *speaker, in *bgp.InstanceSpec) error {
	if b.own != nil {
		return b.own.PutInstance(in, func(c net.Conn) { b.handOver(sp, c) })
	}
	if sp.run == nil {
		return nil
	}
	return probe(ctx, sp.spec, in)
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

// addMissing adds the peers that a new server has not yet. They were in the
// old one, so nothing is wrong with them.
func (b *Backend) addMissing(sp *speaker) error {
	var errs []error
	for _, p := range sp.peers {
		if p.given != nil || p.want.Down != bgp.DownNone {
			continue
		}
		if err := b.add(context.Background(), sp, p, p.want); err != nil {
			errs = append(errs, fmt.Errorf("peer %s: %w", p.want.Key, err))
		}
	}
	return errors.Join(errs...)
}

// ending queues that the session of a peer ends by our hand, before GoBGP
// can say so without the reason, and with which last words.
func (b *Backend) ending(sp *speaker, p *peer, subcode uint8, text string, hard bool) {
	subcode, text = sp.run.lastWords(p, subcode, text, hard)
	b.queue.push(item{
		kind: itemEnding, at: time.Now(), instance: sp.spec.Key, run: sp.run, addr: p.given.Key.Address,
		subcode: subcode, text: text,
	})
}

// lastWords settles what the Cease of a session will be, if GoBGP sends one,
// and returns its subcode and text. GoBGP's own dialer gets no text.
func (r *running) lastWords(p *peer, subcode uint8, text string, hard bool) (uint8, string) {
	c := r.talks.get(p.given.Key.Address)
	if c == nil {
		return subcode, ""
	}
	c.settle()
	return c.endWith(subcode, text, p.given.GracefulRestart, hard)
}

func (b *Backend) putPeer(ctx context.Context, sp *speaker, s *plan.Step) error {
	addr, spec := s.Peer.Address, s.New
	p := sp.peers[addr]
	if p == nil {
		p = &peer{}
	}
	switch {
	case spec.Down != bgp.DownNone:
		subcode, text := uint8(bgp.CeaseOtherConfiguration), ""
		if spec.Down == bgp.DownDisabled {
			subcode = bgp.CeaseAdminShutdown
		}
		if s.ShutsDown() {
			text = s.Text
		}
		if err := b.takeDown(ctx, sp, p, subcode, text, spec.ResetMode == bgp.ResetHard); err != nil {
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
		if s.AddReset {
			p.gen++
		}
		if s.AddReset || b.Native(p.given, s.New) == bgp.ImpactReset {
			subcode := uint8(bgp.CeaseOtherConfiguration)
			if p.given.RemoteAS != s.New.RemoteAS {
				subcode = bgp.CeasePeerDeconfigured
			}
			b.ending(sp, p, subcode, "", s.New.ResetMode == bgp.ResetHard)
		}
		return b.update(ctx, sp, p, s.New)
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

// takeDown ends the session of a peer with a Cease of the subcode and the text
// and takes the peer and its MD5 key out of GoBGP.
func (b *Backend) takeDown(ctx context.Context, sp *speaker, p *peer, subcode uint8, text string, hard bool) error {
	if p.given == nil {
		if p.want != nil && p.want.Down == bgp.DownNone { // asleep
			key := p.want.Key
			b.queue.push(item{kind: itemEnding, at: time.Now(), instance: key.InstanceKey(), run: sp.run, addr: key.Address, subcode: subcode})
		}
		return nil
	}
	addr := p.given.Key.Address
	b.ending(sp, p, subcode, text, hard)
	b.forget(p.given.Key)
	a := parked(apiPeer(sp.spec, p.given, p.gen, b.own != nil), subcode)
	if _, err := sp.run.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: a}); err != nil {
		if _, perr := b.prepare(p.given); perr != nil {
			err = errors.Join(err, perr)
		}
		return b.restore(sp, p, err)
	}
	if err := sp.run.DeletePeer(ctx, &api.DeletePeerRequest{Address: addr.String()}); err != nil {
		return err
	}
	sp.run.tap.takeHeard(addr)
	p.given, p.renew, p.resetting = nil, false, ""
	return nil
}

func (b *Backend) deletePeer(ctx context.Context, sp *speaker, addr netip.Addr) error {
	if err := b.takeDown(ctx, sp, sp.peers[addr], bgp.CeasePeerDeconfigured, "", false); err != nil {
		return err
	}
	b.queue.push(item{kind: itemGone, at: time.Now(), instance: sp.spec.Key, run: sp.run, addr: addr, last: sp.peers[addr]})
	b.forget(sp.peers[addr].want.Key)
	sp.sleep.remove(addr)
	delete(sp.peers, addr)
	return nil
}
