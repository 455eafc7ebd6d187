package gobgp

import (
	"context"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend"
	"mooring/bgp"
)

// A session ends when GoBGP closes its connection, and no sooner: what Apply asks
// for is no event. GoBGP says itself why a session ended, but for those whose
// state machine Apply has replaced. Of these the connection tells which Cease was
// written, if one was. Where GoBGP makes its own connections nothing else is
// known than that it has replaced the state machine.

// up returns the events of a new session, and of its end where its connection
// has been closed since.
func (b *Backend) up(ctx context.Context, s sighting, a *api.Peer) []*backend.Event {
	p := s.p
	if b.own != nil && (s.conn == nil || s.conn.port() != uint16(s.event.Peer.Transport.LocalPort)) {
		return nil // its connection has been closed, and there is another by now
	}
	var out []*backend.Event
	if p.shown.Session == bgp.StateEstablished {
		out = append(out, b.over(s, bgp.StateIdle)) // before the next one begins
	}
	e := b.established(ctx, s, a)
	out = append(out, e)
	p.on, p.lost, p.next = s.conn, false, bgp.StateIdle
	if s.conn == nil || !s.conn.isShut() {
		return out
	}
	if asked, _ := s.conn.endedAsAsked(); !asked {
		p.lost = true
		return out
	}
	p.shown = *e
	return append(out, b.over(s, bgp.StateIdle))
}

// connClosed returns the event of a connection that has been closed, nil where
// GoBGP will say why or it was none of an established session.
func (b *Backend) connClosed(s sighting) *backend.Event {
	if p := s.p; p.shown.Session != bgp.StateEstablished || p.on != s.conn {
		return nil
	}
	if asked, _ := s.conn.endedAsAsked(); !asked {
		s.p.lost = true
		return nil
	}
	return b.over(s, s.p.next)
}

// ended returns the event of a state machine that Apply has ended, nil where its
// connection has still to be closed.
func (b *Backend) ended(s sighting) *backend.Event {
	p, was := s.p, s.p.shown.Session
	switch {
	case was == bgp.StateIdle:
		return nil
	case was != bgp.StateEstablished:
		e := blank(p, s.at)
		return &e
	case p.on == nil:
		e := blank(p, s.at)
		e.Session, e.Ended = p.next, s.end.ended()
		return &e
	case p.lost: // it had ended, and GoBGP will not say why any more
		return b.over(s, p.next)
	}
	return nil
}

// over is the end of the session that is shown, by what is known of its
// connection. state is that of the state machine now.
func (b *Backend) over(s sighting, state bgp.SessionState) *backend.Event {
	e := blank(s.p, s.at)
	e.Session = state
	e.Ended = s.p.lastSeen(s.item)
	return &e
}

// lastSeen explains the end of the session that is shown.
func (p *peer) lastSeen(it *item) *backend.Ended {
	if p.on == nil {
		return cease{subcode: bgp.CeaseOtherConfiguration}.ended()
	}
	if _, said := p.on.endedAsAsked(); said != nil {
		return &backend.Ended{Notification: said}
	}
	out := &backend.Ended{Cause: bgp.CauseRemote, Text: "the connection was lost"}
	if it.run != nil {
		if n := it.run.tap.takeHeard(it.addr); n != nil {
			out.Notification, out.Text = n, ""
		}
	}
	return out
}

// gone returns the end of a deleted peer, and of its session if it had one. That
// waits until its connection is closed.
func (b *Backend) gone(it *item) []backend.Event {
	last := it.last
	if last.on != nil && last.shown.Session == bgp.StateEstablished && !last.on.isShut() {
		b.leaving[last.want.Key] = it
		return nil
	}
	var events []backend.Event
	if last.shown.Session == bgp.StateEstablished {
		e := blank(last, it.at)
		e.Ended = cease{subcode: bgp.CeasePeerDeconfigured}.ended()
		if last.on != nil {
			e.Ended = last.lastSeen(it)
		}
		events = append(events, e)
	}
	return append(events, backend.Event{Kind: backend.PeerGone, Time: it.at, Peer: last.want.Key})
}

// left returns the events of a deleted peer whose connection an item tells the
// end of, or that comes back.
func (b *Backend) left(it *item) []backend.Event {
	if len(b.leaving) == 0 {
		return nil
	}
	key := bgp.PeerKey{Instance: it.instance.Instance, VPN: it.instance.VPN, Address: it.addr}
	was := b.leaving[key]
	if was == nil || it.kind != itemClosed && it.kind != itemCreated {
		return nil
	}
	delete(b.leaving, key)
	was.at = maxTime(was.at, it.at)
	last := *was.last
	e := blank(&last, was.at)
	e.Ended = last.lastSeen(was)
	return []backend.Event{e, {Kind: backend.PeerGone, Time: was.at, Peer: key}}
}

func maxTime(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
