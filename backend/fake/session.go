package fake

import (
	"context"
	"net/netip"
	"time"

	"mooring/backend"
	"mooring/bgp"
)

// note is an event that waits for Run. It is small because a batch of
// 100,000 steps leaves as many behind.
type note struct {
	time  time.Time
	peer  *bgp.PeerSpec // nil in notes of the speaker itself
	ended *backend.Ended
	err   error // of the speaker itself, or what it says of peer

	kind   backend.EventKind
	failed bgp.ConnectFailure
	up     bool // there is a session, opened with peer
}

// note queues n for Run. The caller holds mu.
func (b *Backend) note(n note) {
	n.time = b.clock()
	b.queue = append(b.queue, n)
	select {
	case b.wake <- struct{}{}:
	default: // Run has been told already
	}
}

// Run hands the events over until ctx ends. Then the sessions end with a
// Cease, unless the speaker is external.
func (b *Backend) Run(ctx context.Context, sink func(backend.Event)) error {
	defer b.stop()
	b.mu.Lock()
	b.ran = true
	b.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.wake:
		}
		b.mu.Lock()
		notes := b.queue
		b.queue = nil
		b.mu.Unlock()
		for i := range notes {
			if ctx.Err() != nil {
				return nil
			}
			sink(notes[i].event())
		}
	}
}

func (b *Backend) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.external {
		return
	}
	b.held = true
	for _, key := range b.keys() {
		b.end(b.instances[key.InstanceKey()], key, cease(bgp.CeaseAdminShutdown, ""))
	}
}

func (n *note) event() backend.Event {
	e := backend.Event{Kind: n.kind, Time: n.time, Ended: n.ended, Failed: n.failed}
	if n.peer != nil {
		e.Peer = n.peer.Key
	}
	switch {
	case n.failed != bgp.FailedNone:
		e.ConnectError = n.err.Error()
	case n.kind == backend.Drifted:
		e.Drift = n.err.Error()
	default:
		e.Err = n.err
	}
	if !n.up {
		return e
	}
	s := n.peer
	e.Session = bgp.StateEstablished
	e.RemoteRouterID = remoteID(s.Key.Address)
	e.HoldTime = s.HoldTime
	e.Socket = bgp.Socket{
		Local:     netip.AddrPortFrom(s.Source, s.LocalPort),
		Remote:    netip.AddrPortFrom(s.Key.Address, s.RemotePort),
		Interface: s.Interface,
		MSS:       s.MSS,
		TTL:       s.TTL,
	}
	for _, f := range s.Families {
		e.Families = append(e.Families, bgp.FamilyState{Family: f, Active: true})
	}
	return e
}

// remoteID makes a router ID of an address: the last four octets.
func remoteID(a netip.Addr) netip.Addr {
	s := a.AsSlice()
	id, _ := netip.AddrFromSlice(s[len(s)-4:])
	return id
}

func cease(subcode uint8, text string) *backend.Ended {
	return &backend.Ended{Notification: &bgp.Notification{
		Code: bgp.CodeCease, Subcode: subcode, Sent: true, Text: text,
	}}
}

// end ends the session of a peer, if it has one. The caller holds mu.
func (b *Backend) end(in *instance, key bgp.PeerKey, why *backend.Ended) {
	p := in.peers[key.Address]
	if p.session == nil {
		return
	}
	p.session = nil
	in.peers[key.Address] = p
	if n := why.Notification; n != nil && n.Sent && n.Code == bgp.CodeCease {
		b.ceases[key] = append(b.ceases[key], n.Subcode)
	}
	b.note(note{peer: p.spec, ended: why})
}

// settle gives the pending peers their sessions. The caller holds mu.
func (b *Backend) settle() {
	specs := b.pending
	b.pending = nil
	if b.held || b.down != nil {
		return
	}
	for _, spec := range specs {
		b.establish(spec.Key)
	}
}

// establish opens a session where there may and should be one, and says
// whether the peer has one. The caller holds mu.
func (b *Backend) establish(key bgp.PeerKey) bool {
	in := b.instances[key.InstanceKey()]
	if in == nil || b.down != nil {
		return false
	}
	p := in.peers[key.Address]
	if p.spec == nil || p.spec.Down != bgp.DownNone {
		return false
	}
	if p.session != nil {
		return true
	}
	p.session = p.spec
	p.connections++
	in.peers[key.Address] = p
	b.note(note{peer: p.spec, up: true})
	return true
}
