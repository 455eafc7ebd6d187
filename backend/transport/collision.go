package transport

import (
	"context"
	"time"
)

// Connections collide where both sides dial at once (RFC 4271 6.8). The
// speaker settles that between sessions, but may have room for only one
// connection at a time, so most collisions are kept from it:
//
//   - What comes in while ours is on its way replaces it.
//   - What comes in while ours has reached the remote but nobody has said
//     anything: the side with the higher address keeps its own. Both sides
//     decide alike if both are of this kind, and no remote minds.
//   - What comes in while the speaker has a connection without a session
//     waits, unanswered. As a rule the session comes up and the remote drops
//     the other. Where after a while neither has happened, the higher address
//     decides here too.
//   - What comes in while a session is established is refused, unless the
//     speaker already waits for its next connection.
const (
	collisionTime = 5 * time.Second
	pendingTime   = time.Minute
)

// offerIncoming takes a connection of the peer that came in.
func (t *Transport) offerIncoming(p *peer, c *conn) {
	t.mu.Lock()
	old, taken := p.takeIncoming(c)
	t.mu.Unlock()
	if old != nil {
		old.reset()
	}
	if !taken {
		t.log.Debug("a connection of a peer is refused", "peer", p.spec.Key.String(), "remote", c.remote.String())
		c.reset()
	}
}

func (p *peer) takeIncoming(c *conn) (old *conn, taken bool) {
	if p.t.ended || p.removed || p.conn != nil && p.settled && !p.wanted {
		p.t.refused.Peer++
		return nil, false
	}
	if err := c.control(func(fd int) error { return setLive(fd, p.spec, c.pmtuDefault) }); err != nil {
		p.t.log.Warn("cannot set up a connection that came in", "peer", p.spec.Key.String(), "err", err)
		return nil, false
	}
	if d := p.dialing; d != nil && !(d.connected && weWin(c)) {
		p.quit()
	}
	old, p.pending = p.pending, c
	if p.dialing == nil {
		p.next()
	}
	if p.pending != nil && !p.watching {
		p.watching = true
		p.t.spawn(func(ctx context.Context) { p.watch(ctx) })
	}
	return old, true
}

// weWin says whether a connection that we opened would be the one to keep.
func weWin(c *conn) bool { return c.local.Addr().Compare(c.remote.Addr()) > 0 }

// watch sees to it that no connection is pending for ever. It is called
// without the lock.
func (p *peer) watch(ctx context.Context) {
	var last *conn
	age := time.Duration(0)
	for sleep(ctx, collisionTime) {
		p.t.mu.Lock()
		c := p.pending
		if c == nil {
			p.watching = false
			p.t.mu.Unlock()
			return
		}
		if c != last {
			last, age = c, 0
		}
		age += collisionTime
		var drop *conn
		switch {
		case c.dead(), age > pendingTime, p.conn != nil && weWin(c):
			drop, p.pending = c, nil
		case p.conn != nil && !p.settled:
			drop = p.conn // its end hands the other over
		}
		p.t.mu.Unlock()
		if drop != nil {
			drop.Close()
		}
	}
}
