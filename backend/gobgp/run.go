package gobgp

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"mooring/backend"
	"mooring/bgp"
)

// Run turns what GoBGP tells into events until ctx ends, and then stops all
// servers: their sessions end with Cease 6/2.
func (b *Backend) Run(ctx context.Context, sink func(backend.Event)) error {
	if b.own != nil {
		// It outlives the servers, whose last words go over its connections.
		own, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- b.own.Run(own) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				b.log.Error("the transport ended", "err", err)
			}
		}()
	}
	defer b.stopAll()
	poll := time.NewTicker(b.poll)
	defer poll.Stop()
	for {
		var events []backend.Event
		select {
		case <-ctx.Done():
			return nil
		case <-b.queue.wake:
			events = b.look(ctx)
		case <-poll.C:
			events = b.count(ctx)
		}
		for _, e := range events {
			if ctx.Err() != nil {
				return nil
			}
			sink(e)
		}
	}
}

func (b *Backend) stopAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	var wg sync.WaitGroup
	for _, sp := range b.speakers {
		wg.Go(func() {
			var peers []*api.Peer
			for _, p := range sp.peers {
				if p.given != nil {
					sp.run.lastWords(p, cease{subcode: bgp.CeaseAdminShutdown})
					b.forget(p.given.Key)
					peers = append(peers, apiPeer(sp.spec, p.given, p.gen, b.own != nil))
				}
			}
			sp.run.stop(peers, bgp.CeaseAdminShutdown)
		})
	}
	wg.Wait()
	clear(b.speakers)
	b.queue.take()
}

// count tells the prefix counters that have changed.
func (b *Backend) count(ctx context.Context) []backend.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var events []backend.Event
	for _, sp := range b.speakers {
		var drowsy []*peer
		req := &api.ListPeerRequest{EnableAdvertised: true}
		err := sp.run.ListPeer(ctx, req, func(a *api.Peer) {
			addr, err := netip.ParseAddr(a.GetState().GetNeighborAddress())
			p := sp.peers[addr]
			if err == nil && p != nil && b.own != nil && p.tires(a) {
				drowsy = append(drowsy, p)
			}
			if err != nil || p == nil || p.shown.Session != bgp.StateEstablished || !isEstablished(a) {
				return
			}
			now, socket := familyStates(a), p.shown.Socket
			b.lookAtSocket(p, &socket)
			if !slices.Equal(now, p.shown.Families) || socket != p.shown.Socket {
				p.shown.Families, p.shown.Socket, p.shown.Time = now, socket, time.Now()
				events = append(events, p.shown)
			}
		})
		if err != nil && ctx.Err() == nil {
			b.log.Warn("cannot look at the counters", "instance", sp.key.String(), "err", err)
		}
		for _, p := range drowsy {
			b.layDown(ctx, sp, p)
		}
	}
	return events
}

// The states of GoBGP and of RFC 4271 are numbered alike: these do not compile
// otherwise.
var (
	_ = [1]struct{}{}[int(gobgp.BGP_FSM_IDLE)-int(bgp.StateIdle)]
	_ = [1]struct{}{}[int(gobgp.BGP_FSM_CONNECT)-int(bgp.StateConnect)]
	_ = [1]struct{}{}[int(gobgp.BGP_FSM_ACTIVE)-int(bgp.StateActive)]
	_ = [1]struct{}{}[int(gobgp.BGP_FSM_OPENSENT)-int(bgp.StateOpenSent)]
	_ = [1]struct{}{}[int(gobgp.BGP_FSM_OPENCONFIRM)-int(bgp.StateOpenConfirm)]
	_ = [1]struct{}{}[int(gobgp.BGP_FSM_ESTABLISHED)-int(bgp.StateEstablished)]
)
