package effective

import (
	"net/netip"

	"mooring/bgp"
)

// Origin says where an effective value came from; the names are the model's.
type Origin uint8

// The origins, in the order of the model.
const (
	FromPeer Origin = iota
	FromGroup
	FromInstance
	FromDefault
	FromRoute // the kernel's route lookup
)

// setting is one of a peer's, of bgp.PeerLeaves.
type setting struct {
	peer *Peer
	name string
}

func (p *Peer) at(name string) setting { return setting{p, name} }

// pick returns the peer's value, else the group's, else def, and notes which.
func pick[T any](at setting, own, inherited *T, def T) T {
	switch {
	case own != nil:
		at.peer.note(at.name, FromPeer)
		return *own
	case inherited != nil:
		at.peer.note(at.name, FromGroup)
		return *inherited
	}
	at.peer.note(at.name, FromDefault)
	return def
}

// place is that of a setting in bgp.PeerLeaves.
var place = func() map[string]int {
	m := map[string]int{}
	for i, name := range bgp.PeerLeaves() {
		m[name] = i
	}
	return m
}()

func (p *Peer) note(name string, o Origin) {
	if p.Origins != nil {
		p.Origins[place[name]] = o
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// addrOr parses an address that the schema has checked.
func addrOr(s *string, def netip.Addr) netip.Addr {
	if s == nil {
		return def
	}
	return netip.MustParseAddr(*s)
}
