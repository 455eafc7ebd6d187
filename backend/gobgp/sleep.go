package gobgp

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/bgp"
)

// A peer costs GoBGP some 220 KB for each address family whether it has a
// session or not, because its tables are made with it (docs/adr/0017). Where
// connections are handed over, GoBGP need not know of a peer before there is
// one: the transport dials and listens for it, and the peer is added when it
// has a connection. A peer that has been without one for a while is taken out
// again. Such peers are asleep: wanted, admitted by the transport, and not in
// GoBGP.

// sleepers are the peers of a speaker that are asleep or on their way into
// GoBGP. It has a lock of its own, because a connection to a peer that is awake
// must not wait for an Apply of a thousand others.
type sleepers struct {
	mu     sync.Mutex // guards all below
	asleep map[netip.Addr]bool
	waking map[netip.Addr]chan struct{} // closed when the state machine takes a connection
}

// add says whether the peer was awake.
func (s *sleepers) add(peer netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asleep == nil {
		s.asleep, s.waking = map[netip.Addr]bool{}, map[netip.Addr]chan struct{}{}
	}
	was := s.asleep[peer]
	s.asleep[peer] = true
	return !was
}

// awake notes that GoBGP has the peer.
func (s *sleepers) awake(peer netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asleep, peer)
}

// remove forgets a peer that is gone or held down.
func (s *sleepers) remove(peer netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asleep, peer)
	delete(s.waking, peer)
}

func (s *sleepers) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.asleep)
	clear(s.waking)
}

func (s *sleepers) has(peer netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asleep[peer]
}

// wake returns a channel that is closed when the state machine of the peer is
// active for the first time.
func (s *sleepers) wake(peer netip.Addr) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan struct{})
	s.waking[peer] = ch
	return ch
}

// activated says whether the peer was waking up.
func (s *sleepers) activated(peer netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.waking[peer]
	if ch != nil {
		close(ch)
		delete(s.waking, peer)
	}
	return ch != nil
}

// wakeTime is for a machine that is very busy: GoBGP takes a millisecond.
const wakeTime = 10 * time.Second

// handOver gives a connection of the transport to the server that runs. A
// connection that it cannot give is closed, and the transport makes another.
func (b *Backend) handOver(sp *speaker, c net.Conn) {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		c.Close()
		return
	}
	run := sp.current.Load()
	if addr := tcp.AddrPort().Addr().Unmap(); sp.sleep.has(addr) {
		run = b.wake(sp, addr, c)
	}
	if run == nil {
		c.Close()
		return
	}
	run.handOver(c)
}

// wake adds a peer to GoBGP for a connection to it, and returns the server when
// it takes the connection; nil where it does not.
func (b *Backend) wake(sp *speaker, addr netip.Addr, c net.Conn) *running {
	run, active := b.addFor(sp, addr, c)
	if active == nil {
		return run
	}
	limit := time.NewTimer(wakeTime)
	defer limit.Stop()
	select {
	case <-active:
		return run
	case <-run.served:
	case <-limit.C:
		b.log.Error("GoBGP does not start a peer", "instance", sp.key.String(), "peer", addr.String())
	}
	return nil
}

// addFor adds the peer. It returns no channel where it is awake already, or is
// not to be woken, and no server where the connection is of no use.
func (b *Backend) addFor(sp *speaker, addr netip.Addr, c net.Conn) (*running, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := sp.peers[addr]
	switch made, ok := c.(interface{ For() *bgp.PeerSpec }); {
	case b.stopped || p == nil || p.want.Down != bgp.DownNone:
		return nil, nil
	case p.given != nil:
		return sp.run, nil
	case ok && len(bgp.DiffPeers(made.For(), p.want)) > 0:
		return nil, nil // made by settings that are over
	}
	active := sp.sleep.wake(addr)
	sp.sleep.awake(addr)
	ctx := context.Background() // a connection is no request that could end
	if err := sp.run.AddPeer(ctx, &api.AddPeerRequest{Peer: apiPeer(sp.spec, p.want, p.gen, true)}); err != nil {
		sp.sleep.remove(addr)
		sp.sleep.add(addr)
		b.log.Error("GoBGP refuses a peer", "peer", p.want.Key.String(), "err", err)
		b.queue.push(item{
			kind: itemDialFailed, at: time.Now(), instance: sp.key, run: sp.run, addr: addr,
			text: "GoBGP refuses the peer: " + err.Error(), failed: bgp.FailedOther,
		})
		return nil, nil
	}
	p.given, p.drowsy = p.want, false
	return sp.run, active
}

// tires says whether a peer has had no connection for two looks, and GoBGP
// keeps nothing for its return either (RFC 4724).
func (p *peer) tires(a *api.Peer) bool {
	was := p.drowsy
	p.drowsy = p.given != nil && p.shown.Session == bgp.StateActive &&
		a.GetState().GetSessionState() == api.PeerState_SESSION_STATE_ACTIVE && !a.GetGracefulRestart().GetPeerRestarting()
	return was && p.drowsy
}

// layDown takes a peer without a connection out of GoBGP. The transport goes on
// as before.
func (b *Backend) layDown(ctx context.Context, sp *speaker, p *peer) {
	key := p.want.Key
	sp.sleep.add(key.Address) // from here on a connection wakes it
	if !b.own.Idle(key) || len(bgp.DiffPeers(p.given, p.want)) > 0 {
		sp.sleep.remove(key.Address)
		return
	}
	if err := sp.run.DeletePeer(ctx, &api.DeletePeerRequest{Address: key.Address.String()}); err != nil {
		sp.sleep.remove(key.Address)
		b.log.Warn("a peer without a connection stays in GoBGP", "peer", key.String(), "err", err)
		return
	}
	sp.run.talks.forget(key.Address)
	sp.run.tap.takeHeard(key.Address)
	p.given, p.drowsy, p.renew, p.resetting = nil, false, false, ""
}
