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

	"mooring/bgp"
)

// start starts a server for an instance of sp.
func (b *Backend) start(ctx context.Context, sp *speaker, in *bgp.InstanceSpec) (*running, error) {
	push := func(kind itemKind, r *running, addr netip.Addr, it item) {
		it.kind, it.instance, it.run, it.addr = kind, in.Key, r, addr
		b.queue.push(it)
	}
	return start(ctx, in, startOptions{
		log: b.log, own: b.own != nil,
		state: func(r *running, e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
			b.tellTransport(sp, r, e)
			addr := e.Peer.State.NeighborAddress
			push(itemState, r, addr, item{at: at, event: e, conn: r.talks.get(addr)})
		},
		dialFailed: func(r *running, addr netip.Addr, reason string) {
			push(itemDialFailed, r, addr, item{at: time.Now(), text: reason, failed: failure(reason)})
		},
		refused: func(r *running, addr netip.Addr, n *bgp.Notification, remote *openSaid) {
			push(itemRefused, r, addr, item{at: time.Now(), note: n, open: remote})
		},
		closed: func(r *running, addr netip.Addr, c *spoken) {
			push(itemClosed, r, addr, item{at: time.Now(), conn: c})
		},
	})
}

// tellTransport tells the transport of a state machine that wants a connection,
// or has a session. It sees the end of the connection itself.
func (b *Backend) tellTransport(sp *speaker, r *running, e *apiutil.WatchEventMessage_PeerEvent) {
	if b.own == nil || sp.current.Load() != r {
		return
	}
	key := bgp.PeerKey{Instance: sp.key.Instance, VPN: sp.key.VPN, Address: e.Peer.State.NeighborAddress}
	switch bgp.SessionState(e.Peer.State.SessionState) {
	case bgp.StateActive:
		if !sp.sleep.activated(key.Address) { // else it has one
			b.own.Wanted(key)
		}
	case bgp.StateEstablished:
		b.own.Settled(key)
	default:
	}
}

func (b *Backend) putInstance(ctx context.Context, in *bgp.InstanceSpec, restarted *[]*speaker) error {
	sp := b.speakers[in.Key]
	if sp == nil {
		sp = &speaker{key: in.Key, spec: in, peers: map[netip.Addr]*peer{}}
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
	var ended []func()
	for _, p := range sp.peers {
		if p.given == nil {
			continue
		}
		ended = append(ended, b.ending(sp, p, cease{subcode: bgp.CeaseOtherConfiguration, hard: p.want.ResetMode == bgp.ResetHard}))
		peers = append(peers, apiPeer(sp.spec, p.given, p.gen, b.own != nil))
		p.given, p.renew, p.resetting = nil, false, ""
	}
	sp.run.stop(peers, bgp.CeaseOtherConfiguration)
	for _, e := range ended {
		e()
	}
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
