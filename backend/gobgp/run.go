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
					sp.run.lastWords(p, bgp.CeaseAdminShutdown, "", false)
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

// look turns the queued items into events.
func (b *Backend) look(ctx context.Context) []backend.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var events []backend.Event
	items := b.queue.take()
	all := glances{}
	for _, it := range items {
		all.count(&it)
	}
	for _, it := range items {
		if it.kind == itemGone {
			events = append(events, gone(&it)...)
			continue
		}
		sp := b.speakers[it.instance]
		if sp == nil || !it.addr.IsValid() { // END_OF_INIT has no address (backends.md 1.5)
			continue
		}
		p := sp.peers[it.addr]
		if p == nil || it.run != nil && it.run != sp.run && it.kind != itemEnding {
			continue
		}
		if e := b.show(ctx, sp, p, &it, all); e != nil {
			p.shown = *e
			p.shown.Ended, p.shown.Failed = nil, bgp.FailedNone
			events = append(events, *e)
		}
	}
	return events
}

// gone tells the end of a deleted peer, and of its session if it had one.
func gone(it *item) []backend.Event {
	last := it.last.shown
	var events []backend.Event
	if last.Session == bgp.StateEstablished {
		e := blank(it.last, it.at)
		e.Ended = sent(bgp.CeasePeerDeconfigured, "")
		events = append(events, e)
	}
	return append(events, backend.Event{Kind: backend.PeerGone, Time: it.at, Peer: it.last.want.Key})
}

// blank is a peer without a session.
func blank(p *peer, at time.Time) backend.Event {
	return backend.Event{Kind: backend.PeerChanged, Time: at, Peer: p.want.Key, ConnectError: p.shown.ConnectError}
}

// show returns the event that an item makes, nil for none.
func (b *Backend) show(ctx context.Context, sp *speaker, p *peer, it *item, all glances) *backend.Event {
	was := p.shown.Session
	switch it.kind {
	case itemCreated:
		if was != bgp.StateIdle {
			return nil // the session was up before the item was looked at
		}
		e := blank(p, it.at)
		if p.want.Down == bgp.DownNone && b.own != nil {
			e.Session = bgp.StateActive // it waits for a connection
		}
		return &e
	case itemEnding:
		if was == bgp.StateIdle {
			return nil
		}
		e := blank(p, it.at)
		if was == bgp.StateEstablished {
			e.Ended = sent(it.subcode, it.text)
		}
		return &e
	case itemLive:
		if was != bgp.StateEstablished {
			return nil
		}
		e := p.shown
		e.Time = it.at
		b.lookAtSocket(p, &e.Socket)
		return &e
	case itemDialFailed:
		if it.failed == bgp.FailedClosed && p.refused != "" {
			// A remote that has refused us may say so by silence the next time.
			return p.failed(it, it.failed, p.refused)
		}
		p.refused = ""
		return p.failed(it, it.failed, it.text)
	case itemRefused:
		return b.refused(p, it)
	}
	state := bgp.SessionState(it.event.Peer.State.SessionState)
	if p.given == nil || state == was {
		return nil
	}
	a, err := all.peer(ctx, sp.run, it.addr)
	if err != nil {
		if ctx.Err() == nil {
			b.log.Warn("cannot look at a peer", "peer", p.want.Key.String(), "err", err)
		}
		return nil
	}
	if state == bgp.StateIdle && was == bgp.StateEstablished && isEstablished(a) {
		a = settle(ctx, sp.run, it.addr, a, false)
	}
	switch {
	case state == bgp.StateEstablished && a.GetTimers().GetState().GetUptime().GetSeconds() == 0,
		was == bgp.StateEstablished && isEstablished(a) && !endedByItself(it):
		// The last word of a state machine that has been replaced. The new one has
		// not been up yet, or is. (Its state lags behind its first event, its
		// time of establishment does not.)
		return nil
	case state == bgp.StateEstablished:
		return b.established(ctx, sp, p, it, settle(ctx, sp.run, it.addr, a, true))
	}
	e := blank(p, it.at)
	e.Session = state
	if was == bgp.StateEstablished {
		e.Ended = b.explain(sp, p, it)
	}
	if state == bgp.StateIdle && !mayBeUp(a) {
		if p.renew || len(bgp.DiffPeers(p.given, p.want)) > 0 {
			b.replace(ctx, sp, p)
			all.forget(sp.run, it.addr)
		}
		p.renew, p.resetting = false, ""
	}
	return &e
}

// endedByItself says whether an event is the end of a session that nobody of
// ours replaced. It counts also where the next session is up by now.
func endedByItself(it *item) bool {
	if bgp.SessionState(it.event.Peer.State.SessionState) != bgp.StateIdle {
		return false
	}
	switch it.event.Peer.State.DisconnectReason {
	case api.PeerState_DISCONNECT_REASON_UNSPECIFIED, api.PeerState_DISCONNECT_REASON_DECONFIGURED:
		return false
	}
	return true
}

// failed tells that an attempt to connect failed.
func (p *peer) failed(it *item, kind bgp.ConnectFailure, text string) *backend.Event {
	if p.shown.Session == bgp.StateEstablished {
		return nil
	}
	e := p.shown
	e.Time, e.ConnectError, e.Failed = it.at, text, kind
	return &e
}

// refused tells that an OPEN was refused.
func (b *Backend) refused(p *peer, it *item) *backend.Event {
	if p.given == nil || p.shown.Session == bgp.StateEstablished {
		return nil
	}
	text := refusal(it.note, p.given, it.open)
	if text == "" {
		return nil
	}
	p.refused = text
	if p.logged != text {
		p.logged = text
		b.log.Info("a session does not come up", "peer", p.want.Key.String(), "reason", text)
	}
	return p.failed(it, bgp.FailedRejected, text)
}

// settle waits for the state machine to be where its event says it is, up or
// not. Until then, some microseconds, GoBGP would end a new session without a
// Cease and Reset would not see it, and an end would be taken for that of a
// state machine that has been replaced.
func settle(ctx context.Context, run *running, addr netip.Addr, a *api.Peer, up bool) *api.Peer {
	for range 20 {
		if isEstablished(a) == up {
			break
		}
		now, err := run.peer(ctx, addr)
		if err != nil || now == nil {
			break
		}
		a = now
	}
	return a
}

// established tells a new session with the truth of its socket: the event has
// the ports, ListPeer the address (backends.md 1.5).
func (b *Backend) established(ctx context.Context, sp *speaker, p *peer, it *item, a *api.Peer) *backend.Event {
	p.refused, p.logged = "", ""
	t := it.event.Peer.Transport
	local, _ := netip.ParseAddr(a.GetTransport().GetLocalAddress())
	local = local.Unmap()
	e := &backend.Event{
		Kind: backend.PeerChanged, Time: it.at, Peer: p.want.Key, Session: bgp.StateEstablished,
		RemoteRouterID: it.event.Peer.State.RouterID,
		Socket: bgp.Socket{
			Local:  netip.AddrPortFrom(local, uint16(t.LocalPort)),
			Remote: netip.AddrPortFrom(it.addr, uint16(t.RemotePort)),
		},
		HoldTime: time.Duration(a.GetTimers().GetState().GetNegotiatedHoldTime()) * time.Second,
		Families: familyStates(a),
	}
	if local == p.given.Source {
		e.Socket.Interface = p.given.Interface
	}
	b.lookAtSocket(p, &e.Socket)
	if b.own == nil && sp.spec.Device != "" && p.given.Source.IsValid() && local != source(p.given).WithZone("") {
		// GoBGP does not check the address of a connection that it accepts
		// from a device (backends.md 1.2): such a session must not stay.
		b.log.Warn("a session at another address than the source is ended",
			"peer", p.want.Key.String(), "source", p.given.Source.String(), "address", local.String())
		b.ending(sp, p, bgp.CeaseOtherConfiguration, "", false)
		b.replace(ctx, sp, p)
	}
	return e
}

// lookAtSocket replaces what GoBGP knows of a connection by what the kernel
// does.
func (b *Backend) lookAtSocket(p *peer, s *bgp.Socket) {
	if b.own == nil {
		return
	}
	if now, ok := b.own.Socket(p.want.Key); ok {
		now.Interface = s.Interface
		*s = now
	}
}

// replace gives a peer a new state machine, by what is wanted now. An old one
// stays idle for a second at least after it has lost a connection, so there
// is no session that this could end.
func (b *Backend) replace(ctx context.Context, sp *speaker, p *peer) {
	p.gen++
	if err := b.update(ctx, sp, p, p.want); err != nil {
		b.log.Error("settings that waited for the next session are not in force",
			"peer", p.want.Key.String(), "err", err)
	}
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
			b.log.Warn("cannot look at the counters", "instance", sp.spec.Key.String(), "err", err)
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
