package frr

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mooring/backend"
	"mooring/bgp"
)

var errStopped = errors.New("the backend has been stopped")

// Run looks after bgpd until ctx ends: it makes events of what BMP and polls
// tell, finds manual changes, and connects again. bgpd keeps its sessions.
func (b *Backend) Run(ctx context.Context, sink func(backend.Event)) error {
	var server sync.WaitGroup
	defer server.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer b.stop()
	if l, err := b.listen(ctx); err != nil {
		b.log.Warn("cannot listen for BMP, polling instead", "err", err)
	} else {
		server.Go(func() { b.serveBMP(ctx, l) })
		b.listening(l)
	}
	r := &watch{b: b, up: b.begin()}
	tick := time.NewTicker(b.tick)
	defer tick.Stop()
	b.hints.addAll()
	b.poke()
	for n := 1; ; {
		var due <-chan time.Time
		if at, ok := b.next(); ok {
			due = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.wake:
			r.react(ctx)
		case <-r.retry():
			r.react(ctx)
		case <-due:
			r.again(ctx)
		case <-tick.C:
			r.regular(ctx, n)
			n++
		}
		for _, e := range b.take() {
			if ctx.Err() != nil {
				return nil
			}
			sink(e)
		}
	}
}

// begin notes that events have somebody to go to, and says whether bgpd may be
// taken for present.
func (b *Backend) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran = true
	return !b.absent
}

func (b *Backend) listening(l net.Listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return
	}
	b.bmpAt = at
	for _, in := range b.instances {
		in.streamed = false
	}
}

func (b *Backend) take() []backend.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events = nil
	return events
}

func (b *Backend) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if b.shell != nil {
		b.shell.vty.close()
		b.shell = nil
	}
}

// watch is Run's knowledge of the connection.
type watch struct {
	b     *Backend
	up    bool // as told
	wait  time.Duration
	timer *time.Timer
}

// retry is when to connect again, never while connected.
func (w *watch) retry() <-chan time.Time {
	if w.timer == nil {
		return nil
	}
	return w.timer.C
}

// react does what was asked for: connect again, tell that, look at peers.
func (w *watch) react(ctx context.Context) {
	b := w.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if !w.connected(ctx) {
		return
	}
	addrs, all := b.hints.take()
	var err error
	if all {
		err = b.poll(ctx)
	} else {
		err = b.lookAt(ctx, addrs)
	}
	w.after(ctx, err)
}

// again does what is due for neighbors without a session.
func (w *watch) again(ctx context.Context) {
	b := w.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shell == nil || !w.connected(ctx) {
		b.pending = nil // with another bgpd all is new
		return
	}
	w.after(ctx, b.connectAgain(ctx))
}

// regular does what is due at a tick.
func (w *watch) regular(ctx context.Context, n int) {
	b := w.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.timer != nil && b.shell == nil || !w.connected(ctx) {
		return
	}
	var err error
	if time.Since(b.polled) >= pollShare*b.pollCost {
		err = b.poll(ctx)
	}
	if n%driftTicks == 0 && (err == nil || isRefusal(err)) { // which may be for what is gone
		err = errors.Join(err, b.checkDrift(ctx))
	}
	w.after(ctx, err)
}

func (w *watch) after(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		w.b.log.Warn("cannot look at bgpd", "err", err)
	}
	w.b.failed()
}

// connected makes sure of the connection, and tells where it was lost or is
// back. The caller holds mu.
func (w *watch) connected(ctx context.Context) bool {
	b := w.b
	lost := b.lost
	b.lost = nil
	if err := b.connect(ctx); err != nil {
		if ctx.Err() != nil {
			return false
		}
		w.wait = min(max(2*w.wait, retryMin), retryMax)
		w.timer = time.NewTimer(w.wait)
		if w.up {
			w.up = false
			b.goneAll()
			b.emit(backend.Event{Kind: backend.BackendDown, Time: now(), Err: errors.Join(lost, err)})
		}
		return false
	}
	w.timer, w.wait = nil, 0
	if w.up && lost == nil {
		return true
	}
	b.log.Info("connected to bgpd", "version", b.Info().Version)
	w.up = true
	for _, in := range b.instances {
		in.streamed = false
		for _, p := range in.peers {
			p.digest = summaryPeer{}
		}
	}
	// Who compares now must know which sessions are up.
	if len(b.instances) == 0 { // it was not there at boot
		b.adopt(b.running)
	}
	err := b.poll(ctx)
	w.after(ctx, err)
	if b.shell == nil {
		return false // lost again
	}
	b.emit(backend.Event{Kind: backend.BackendUp, Time: now()})
	return true
}

// goneAll tells that all sessions ended with the daemon.
func (b *Backend) goneAll() {
	for _, in := range b.sorted() {
		for _, addr := range sortedPeers(in) {
			p := in.peers[addr]
			b.ended(p, &backend.Ended{Cause: bgp.CauseBackend, Text: "bgpd does not answer"})
			p.looked = false
		}
	}
}

func (b *Backend) sorted() []*instance {
	var out []*instance
	for _, in := range b.instances {
		out = append(out, in)
	}
	slices.SortFunc(out, func(x, y *instance) int { return x.spec.Key.Compare(y.spec.Key) })
	return out
}

// lookAt looks at the peers of these addresses, in whatever instance.
func (b *Backend) lookAt(ctx context.Context, addrs map[netip.Addr]bool) error {
	if len(addrs) == 0 {
		return nil
	}
	for _, in := range b.sorted() {
		for _, addr := range sortedPeers(in) {
			p := in.peers[addr]
			if !addrs[addr] || p.given == nil {
				continue
			}
			if err := b.look(ctx, in, p, p.given.Key); err != nil {
				return err
			}
		}
	}
	return b.shell.leave()
}

// pollLooks bounds how many peers without a session are asked about in one
// poll; the others' turn comes.
const pollLooks = 64

// poll compares the summaries with the last ones and looks where something
// is new.
func (b *Backend) poll(ctx context.Context) error {
	start := now()
	defer func() { b.polled, b.pollCost = now(), now().Sub(start) }()
	budget := pollLooks
	if err := b.lookAtVRFs(ctx); err != nil {
		return err
	}
	for _, in := range b.sorted() {
		if blk := b.running.blocks[in.place]; !in.streamed && blk != nil {
			if err := b.stream(ctx, in, blk); err != nil && !isRefusal(err) {
				return err
			}
		}
		text, err := b.shell.exec(ctx, "show bgp "+within(in.place)+"summary json")
		if err != nil {
			if isRefusal(err) { // the router block is gone: drift, or a bgpd that was restarted
				text = "{}"
			} else {
				return err
			}
		}
		peers, err := decodeSummary([]byte(text))
		if err != nil {
			return err
		}
		for _, addr := range sortedPeers(in) {
			p, is := in.peers[addr], peers[addr.String()]
			if p.rekey && p.given != nil && !p.up() && is.State != "Established" {
				if err := b.rekey(ctx, in, p); err != nil {
					return err
				}
			}
			if p.given == nil || is == p.digest && p.looked {
				continue
			}
			session := p.up() || is.State == "Established" || is.Ups != p.digest.Ups || !p.looked
			if !session {
				if budget == 0 {
					continue
				}
				budget--
			}
			if err := b.look(ctx, in, p, p.given.Key); err != nil {
				return err
			}
			p.digest = is
		}
	}
	return b.shell.leave()
}
