package gobgp

import (
	"context"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend"
	"mooring/bgp"
)

// sighting is an item and what it is about.
type sighting struct {
	*item
	sp  *speaker
	p   *peer
	all glances
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
		events = append(events, b.left(&it)...)
		if it.kind == itemGone {
			events = append(events, b.gone(&it)...)
			continue
		}
		sp := b.speakers[it.instance]
		if sp == nil || !it.addr.IsValid() { // END_OF_INIT has no address (backends.md 1.5)
			continue
		}
		p := sp.peers[it.addr]
		if p == nil || it.run != nil && it.run != sp.run && it.kind != itemEnding && it.kind != itemClosed {
			continue
		}
		for _, e := range b.show(ctx, sighting{&it, sp, p, all}) {
			p.shown = *e
			p.shown.Ended, p.shown.Failed = nil, bgp.FailedNone
			if e.Session != bgp.StateEstablished {
				p.on, p.lost, p.next = nil, false, bgp.StateIdle
			}
			events = append(events, *e)
		}
	}
	return events
}

// blank is a peer without a session.
func blank(p *peer, at time.Time) backend.Event {
	return backend.Event{Kind: backend.PeerChanged, Time: at, Peer: p.want.Key, ConnectError: p.shown.ConnectError}
}

// show returns the events that an item makes.
func (b *Backend) show(ctx context.Context, s sighting) []*backend.Event {
	var e *backend.Event
	switch s.kind {
	case itemClosed:
		e = b.connClosed(s)
	case itemEnding:
		e = b.ended(s)
	case itemState:
		return b.showState(ctx, s)
	default:
		e = b.showOther(s)
	}
	if e == nil {
		return nil
	}
	return []*backend.Event{e}
}

// showOther returns the event of an item that is no session's, nil for none.
func (b *Backend) showOther(s sighting) *backend.Event {
	p, was := s.p, s.p.shown.Session
	switch s.kind {
	case itemCreated:
		if was != bgp.StateIdle {
			return nil // the session was up before the item was looked at
		}
		e := blank(p, s.at)
		if p.want.Down == bgp.DownNone && b.own != nil {
			e.Session = bgp.StateActive // it waits for a connection
		}
		return &e
	case itemLive:
		if was != bgp.StateEstablished {
			return nil
		}
		e := p.shown
		e.Time = s.at
		b.lookAtSocket(p, &e.Socket)
		return &e
	case itemDialFailed:
		if s.failed == bgp.FailedClosed && p.refused != "" {
			// A remote that has refused us may say so by silence the next time.
			return p.failed(s.item, s.failed, p.refused)
		}
		p.refused = ""
		return p.failed(s.item, s.failed, s.text)
	case itemRefused:
		return b.refused(p, s.item)
	}
	return nil
}

// showState returns the events of a state machine that has moved.
func (b *Backend) showState(ctx context.Context, s sighting) []*backend.Event {
	sp, p, was := s.sp, s.p, s.p.shown.Session
	state := bgp.SessionState(s.event.Peer.State.SessionState)
	if p.given == nil {
		return nil
	}
	if was == bgp.StateEstablished && state != bgp.StateEstablished && !endedByItself(s.item) {
		p.next = state // of the one that replaces it: the session lasts as long as its connection
		return nil
	}
	if state == was && (state != bgp.StateEstablished || p.on == s.conn) {
		return nil
	}
	a, err := s.all.peer(ctx, sp.run, s.addr)
	if err != nil {
		if ctx.Err() == nil {
			b.log.Warn("cannot look at a peer", "peer", p.want.Key.String(), "err", err)
		}
		return nil
	}
	if state == bgp.StateIdle && was == bgp.StateEstablished && isEstablished(a) {
		a = s.settle(ctx, a, false)
	}
	switch {
	case state == bgp.StateEstablished && a.GetTimers().GetState().GetUptime().GetSeconds() == 0:
		// The last word of a state machine that has been replaced: the new one has
		// not been up yet. (Its state lags behind its first event, its time of
		// establishment does not.)
		return nil
	case state == bgp.StateEstablished:
		return b.up(ctx, s, s.settle(ctx, a, true))
	}
	e := blank(p, s.at)
	e.Session = state
	if was == bgp.StateEstablished {
		e.Ended = b.explain(sp, p, s.item)
	}
	if state == bgp.StateIdle && !mayBeUp(a) {
		why := s.conn.dialAgain()
		if why != "" {
			e.ConnectError, e.Failed = why, bgp.FailedTimeout
		}
		if p.renew || why != "" || len(bgp.DiffPeers(p.given, p.want)) > 0 {
			b.replace(ctx, sp, p)
			s.all.forget(sp.run, s.addr)
		}
		p.renew, p.resetting = false, ""
	}
	return []*backend.Event{&e}
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
func (s *sighting) settle(ctx context.Context, a *api.Peer, up bool) *api.Peer {
	for range 20 {
		if isEstablished(a) == up {
			break
		}
		now, err := s.sp.run.peer(ctx, s.addr)
		if err != nil || now == nil {
			break
		}
		a = now
	}
	return a
}

// established tells a new session with the truth of its socket: the event has
// the ports, ListPeer the address (backends.md 1.5).
func (b *Backend) established(ctx context.Context, s sighting, a *api.Peer) *backend.Event {
	sp, p := s.sp, s.p
	p.refused, p.logged = "", ""
	t := s.event.Peer.Transport
	local, _ := netip.ParseAddr(a.GetTransport().GetLocalAddress())
	local = local.Unmap()
	e := &backend.Event{
		Kind: backend.PeerChanged, Time: s.at, Peer: p.want.Key, Session: bgp.StateEstablished,
		RemoteRouterID: s.event.Peer.State.RouterID,
		Socket: bgp.Socket{
			Local:  netip.AddrPortFrom(local, uint16(t.LocalPort)),
			Remote: netip.AddrPortFrom(s.addr, uint16(t.RemotePort)),
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
		b.ending(sp, p, cease{subcode: bgp.CeaseOtherConfiguration})
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
	sp.run.talks.replaced(p.given.Key.Address)
	if err := b.update(ctx, sp, p, p.want); err != nil {
		b.log.Error("settings that waited for the next session are not in force",
			"peer", p.want.Key.String(), "err", err)
	}
}
