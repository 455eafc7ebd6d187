package transport

import (
	"context"
	"slices"
	"time"

	"mooring/bgp"
)

// peer is what the transport knows of a peer. It is guarded by the
// Transport's lock; methods are called with it held unless they say otherwise.
//
// At most one connection is the speaker's (conn), at most one waits for it
// (pending), and nothing is dialled while there is either.
type peer struct {
	t       *Transport
	key     bgp.PeerKey // of spec; never changes
	spec    *bgp.PeerSpec
	admits  *admission
	removed bool

	wanted  bool      // the speaker waits for a connection
	since   time.Time // since when, or since the settings changed
	fresh   bool      // nothing has been dialled since then
	conn    *conn     // handed over, not closed yet
	settled bool      // the session on conn is established

	pending  *conn // came in, and is for later
	watching bool  // a goroutine looks after pending
	dialing  *dialing
	failures uint64
}

// dialing is a dial loop at work.
type dialing struct {
	ctx       context.Context // of the loop: ends with it, not with a request
	cancel    context.CancelFunc
	in        *bgp.InstanceSpec
	spec      *bgp.PeerSpec
	since     time.Time
	atOnce    bool
	connected bool // TCP is, and the remote has not spoken yet
}

// next does what is to be done now: hand over, dial, or nothing.
func (p *peer) next() {
	if p.t.ended || p.removed || !p.wanted || p.conn != nil {
		return
	}
	if c := p.pending; c != nil {
		p.pending = nil
		if !c.dead() {
			p.give(c)
			return
		}
		c.Close()
	}
	in := p.t.instances[p.spec.Key.InstanceKey()]
	if p.spec.ConnectMode == bgp.ListenOnly || p.dialing != nil || in == nil {
		return
	}
	d := &dialing{in: in.spec, spec: p.spec, since: p.since, atOnce: p.fresh}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	p.dialing, p.fresh = d, false
	p.t.spawn(func(run context.Context) {
		defer d.cancel()
		defer context.AfterFunc(run, d.cancel)()
		p.dial(d)
	})
}

// quit ends the dial loop. A connection that it has open is closed by it.
func (p *peer) quit() {
	if p.dialing != nil {
		p.dialing.cancel()
		p.dialing = nil
	}
}

// give hands a connection over.
func (p *peer) give(c *conn) {
	p.quit()
	p.conn, p.wanted, p.settled = c, false, false
	c.spec = p.spec
	c.ended = p.connEnded
	in := p.t.instances[p.spec.Key.InstanceKey()]
	p.t.spawn(func(context.Context) { in.handOver(c) })
}

// connEnded is called without the lock, by whoever closes the connection.
func (p *peer) connEnded(c *conn) (after func()) {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	if p.conn != c {
		return func() {}
	}
	p.conn, p.settled = nil, false
	if !c.taken.Load() {
		p.wanted = true // it was none: the speaker still waits
	}
	return func() {
		p.t.mu.Lock()
		defer p.t.mu.Unlock()
		p.next()
	}
}

// setLive applies the live settings of a new specification.
func (p *peer) setLive(spec *bgp.PeerSpec) (changed []string, err error) {
	for _, c := range bgp.DiffPeers(p.spec, spec) {
		if slices.Contains(Live, c.Leaf) {
			changed = append(changed, c.Leaf)
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	for _, c := range []*conn{p.pending, p.conn} {
		if c == nil {
			continue
		}
		err := c.control(func(fd int) error { return setLive(fd, spec, c.pmtuDefault) })
		if err != nil && !c.dead() {
			return nil, err
		}
	}
	if p.conn == nil {
		changed = nil
	}
	return changed, nil
}

// dial is the dial loop. It is called without the lock.
func (p *peer) dial(d *dialing) {
	for first := true; ; first = false {
		if !(first && d.atOnce) && !sleep(d.ctx, pause(time.Since(d.since), d.spec.ConnectRetry)) {
			return
		}
		stood := false
		c, err := dialSocket(d.ctx, p.t.auth, d.in, d.spec)
		if err == nil {
			p.t.mu.Lock()
			d.connected = true
			p.t.mu.Unlock()
			stood = true
			stop := context.AfterFunc(d.ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
			if err = c.speaks(patience); err == nil {
				stop()
				p.offerOutgoing(d, c)
				return
			}
			stop()
			c.Close()
		}
		if d.ctx.Err() != nil {
			return
		}
		kind := failure(d.spec, err)
		if stood {
			kind = bgp.FailedClosed
		}
		p.dialFailed(d, kind, dialError(d.spec, err).Error())
	}
}

func (p *peer) dialFailed(d *dialing, kind bgp.ConnectFailure, text string) {
	p.t.mu.Lock()
	d.connected = false
	p.failures++
	e := Event{Peer: d.spec.Key, Time: time.Now(), Kind: kind, Text: text, Count: p.failures}
	p.t.mu.Unlock()
	p.t.sink(e)
}

// offerOutgoing is called without the lock.
func (p *peer) offerOutgoing(d *dialing, c *conn) {
	p.t.mu.Lock()
	if p.dialing == d && p.conn == nil && p.wanted && !p.t.ended {
		p.dialing = nil
		p.give(c)
		c = nil
	}
	p.t.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// sleep waits, and says whether ctx still stands.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
