package effective

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mooring/backend/srcaddr"
	"mooring/bgp"
)

// source prepares the question for the resolver. connect-interface is one
// command and is inherited as a whole.
func (p *Peer) source(own, inherited *sourceConfig, in *bgp.InstanceSpec) {
	from, by := own, FromPeer
	if *own == (sourceConfig{}) {
		from, by = inherited, FromGroup
	}
	if *from == (sourceConfig{}) {
		by = FromRoute
	}
	p.note(Source, by)
	p.Query = srcaddr.Query{
		NetNS: in.Namespace, VRFDevice: in.Device, Peer: p.Spec.Key.Address,
		Interface: interfaceName(from),
		Source:    addrOr(from.SourceAddress, netip.Addr{}),
	}
}

// interfaceName is the interface that a connect-interface names: type and
// number joined, as operators write them ("LoopBack" and "1" are LoopBack1).
func interfaceName(c *sourceConfig) string {
	if c.Interface != nil {
		return *c.Interface
	}
	return strings.Join([]string{deref(c.InterfaceType), deref(c.InterfaceNumber)}, "")
}

// SetSource puts the resolver's answer into a specification; applied is the one
// in force, nil for none. A disabled peer stays disabled whatever its source.
func SetSource(s *bgp.PeerSpec, a srcaddr.Answer, applied *bgp.PeerSpec) {
	s.SourceWarning = ""
	if a.Status == srcaddr.Ambiguous && applied != nil && slices.Contains(a.Candidates, applied.Source) {
		// An address that comes ends no session (docs/adr/0014).
		s.SourceWarning = fmt.Sprintf("%s; until then %s stays in use, but an agent that starts anew does not know it", a.Detail, applied.Source)
		a = srcaddr.Answer{Status: srcaddr.Resolved, Source: applied.Source, Interface: applied.Interface, Zone: a.Zone}
	}
	s.Source, s.Interface, s.Zone = a.Source, a.Interface, a.Zone
	if s.Down == bgp.DownDisabled {
		return
	}
	s.Down, s.DownDetail = downReason(a.Status), a.Detail
	if s.Down != bgp.DownNone {
		s.Source, s.Interface = netip.Addr{}, ""
	}
}

func downReason(s srcaddr.Status) bgp.DownReason {
	switch s {
	case srcaddr.Resolved, srcaddr.Unbound:
		return bgp.DownNone
	case srcaddr.InterfaceMissing:
		return bgp.DownInterfaceMissing
	case srcaddr.InterfaceDown:
		return bgp.DownInterfaceDown
	case srcaddr.NoAddress:
		return bgp.DownNoAddress
	case srcaddr.Tentative:
		return bgp.DownAddressTentative
	case srcaddr.Ambiguous:
		return bgp.DownAmbiguousSource
	case srcaddr.SourceMissing:
		return bgp.DownSourceMissing
	case srcaddr.NamespaceMissing:
		return bgp.DownNamespaceMissing
	case srcaddr.WrongVRF:
		return bgp.DownWrongVRF
	default:
		panic("effective: internal error: source status " + s.String())
	}
}
