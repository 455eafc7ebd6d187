package srcaddr

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"mooring/bgp"
)

// classify answers q from the mirror of its namespace. It is pure: the same
// mirror and query give the same answer.
//
// The rules, in the order in which they decide: the VRF device must exist; a
// named interface must exist, be in the VRF, and be up; a configured source
// must be usable there; without one, exactly one address must be usable.
func classify(m *mirror, q Query) Answer {
	q.Peer, q.Source = q.Peer.Unmap(), q.Source.Unmap()
	if !bgp.LinkLocal(q.Peer) {
		return classifyRest(m, q)
	}
	a := classifyRest(m, q)
	on := cmp.Or(q.Peer.Zone(), q.Interface, a.Source.Zone(), q.Source.Zone())
	l, ok := m.findZone(on)
	switch {
	case ok && a.Status == Resolved && bgp.LinkLocal(a.Source) && a.Index != l.index:
		return refuse(SourceMissing, "source address %s is on another interface than peer %s, which is on %s; set one of them right",
			a.Source, q.Peer, l.name)
	case ok:
		a.Zone, a.ZoneIndex = l.name, l.index
	case a.Usable():
		return refuse(InterfaceMissing, "peer %s is on interface %q, which does not exist in %s; create it or name another one",
			q.Peer, on, place(q.NetNS))
	}
	return a
}

// classifyRest is classify for all but the interface of a link-local peer.
func classifyRest(m *mirror, q Query) Answer {
	if a, ok := checkVRFDevice(m, q); !ok {
		return a
	}
	if q.Interface == "" && !q.Source.IsValid() {
		return Answer{Status: Unbound}
	}
	if q.Source.IsValid() && q.Peer.IsValid() && q.Source.Is4() != q.Peer.Is4() {
		return refuse(SourceMissing, "source address %s is %s and peer %s is %s; set a source address of the peer's family",
			q.Source, family(q.Source), q.Peer, family(q.Peer))
	}
	if q.Interface == "" && q.Source.Is6() && q.Source.IsLinkLocalUnicast() && q.Source.Zone() == "" {
		q.Source = q.Source.WithZone(q.Peer.Zone()) // both ends are on the one link
	}
	if q.Interface == "" && q.Source.Zone() == "" {
		return classifySource(m, q)
	}
	return classifyInterface(m, q)
}

func checkVRFDevice(m *mirror, q Query) (Answer, bool) {
	if q.VRFDevice == "" {
		return Answer{}, true
	}
	vrf, ok := m.find(q.VRFDevice)
	if !ok {
		return refuse(WrongVRF, "VRF device %s does not exist in %s; create it", q.VRFDevice, place(q.NetNS)), false
	}
	if vrf.kind != "vrf" {
		return refuse(WrongVRF, "interface %s in %s is not a VRF device; attach the VPN instance to one",
			q.VRFDevice, place(q.NetNS)), false
	}
	return Answer{}, true
}

// classifyInterface answers a query that names an interface, by itself or as
// the zone of its source address.
func classifyInterface(m *mirror, q Query) Answer {
	zone := q.Source.Zone()
	asked := q.Interface
	if asked == "" {
		asked = zone
	}
	l, ok := m.find(asked)
	if !ok && q.Interface == "" {
		l, ok = m.findIndex(zone)
	}
	if !ok {
		return refuse(InterfaceMissing, "interface %s does not exist in %s; create it or name another one", asked, place(q.NetNS))
	}
	if zone != "" {
		if z, ok := m.findZone(zone); !ok || z.index != l.index {
			return refuse(SourceMissing, "source address %s is scoped to another interface than %s; set one of them right",
				q.Source, label(l, asked))
		}
	}
	if a, ok := checkVRF(m, l, q, "interface "+label(l, asked)); !ok {
		return a
	}
	if !l.up {
		return refuse(InterfaceDown, "interface %s in %s is down; set it up", label(l, asked), place(q.NetNS))
	}
	if q.Source.IsValid() {
		return sourceOn(m, l, q, asked)
	}
	return onlyAddress(m, l, q, asked)
}

// findZone finds the link of a zone, which is a name or an index (RFC 4007 11.2).
func (m *mirror) findZone(zone string) (link, bool) {
	if l, ok := m.find(zone); ok {
		return l, true
	}
	return m.findIndex(zone)
}

func (m *mirror) findIndex(zone string) (link, bool) {
	i, err := strconv.Atoi(zone)
	if err != nil {
		return link{}, false
	}
	l, ok := m.links[i]
	return l, ok
}

// checkVRF refuses an interface of another VRF than the VPN instance's. Without
// a VRF device, an interface that is in some VRF is refused too: the kernel
// looks for a bound address only in the VRF of the socket (EADDRNOTAVAIL).
func checkVRF(m *mirror, l link, q Query, what string) (Answer, bool) {
	vrf, inVRF := m.vrfOf(l)
	switch {
	case q.VRFDevice == "" && !inVRF:
		return Answer{}, true
	case q.VRFDevice == "":
		return refuse(WrongVRF, "%s in %s belongs to VRF %s, and the VPN instance has no VRF device; attach it to %s",
			what, place(q.NetNS), vrf.name, vrf.name), false
	case !inVRF:
		return refuse(WrongVRF, "%s in %s is in no VRF; make it a slave of %s", what, place(q.NetNS), q.VRFDevice), false
	}
	if want, _ := m.find(q.VRFDevice); want.index != vrf.index {
		return refuse(WrongVRF, "%s in %s belongs to VRF %s; make it a slave of %s",
			what, place(q.NetNS), vrf.name, q.VRFDevice), false
	}
	return Answer{}, true
}

// sourceOn answers a query for a source address on the interface l.
func sourceOn(m *mirror, l link, q Query, asked string) Answer {
	want := q.Source.WithZone("")
	for _, a := range m.holders[want] {
		if a.link == l.index {
			return judge(l, a)
		}
	}
	if m.coveredByLoopback(l, want) {
		return resolved(l, want)
	}
	return refuse(SourceMissing, "source address %s is not on interface %s in %s%s; add it or set one that is there",
		want, label(l, asked), place(q.NetNS), has(m, l, want))
}

// classifySource answers a query for a source address on any interface. A
// link-local address is on a link, so two links that have it are ambiguous;
// for other addresses it makes no difference which link holds them.
func classifySource(m *mirror, q Query) Answer {
	var good []Answer
	worse := refuse(SourceMissing, "source address %s is on no interface in %s; add it to one", q.Source, place(q.NetNS))
	rank := 0 // of worse: how close the address is to being usable
	note := func(r int, a Answer) {
		if r > rank {
			rank, worse = r, a
		}
	}
	for _, a := range m.holders[q.Source] {
		l, known := m.links[a.link]
		if !known {
			continue
		}
		switch bad, ok := checkVRF(m, l, q, fmt.Sprintf("source address %s on interface %s", q.Source, l.name)); {
		case !ok:
			note(2, bad)
		case !l.up:
			note(1, refuse(SourceMissing, "source address %s is on interface %s in %s, which is down; set it up",
				q.Source, l.name, place(q.NetNS)))
		default:
			if r := judge(l, a); r.Status == Resolved {
				good = append(good, r)
			} else {
				note(3, r)
			}
		}
	}
	if len(good) == 0 {
		if r, ok := loopbackSource(m, q); ok {
			return r
		}
		return worse
	}
	if first := good[0].Index; q.Source.IsLinkLocalUnicast() && q.Source.Is6() && good[len(good)-1].Index != first {
		var zoned []netip.Addr
		for _, r := range good {
			zoned = append(zoned, r.Source)
		}
		return ambiguous(zoned, "link-local source address %s is on several interfaces in %s: %s; name the interface",
			q.Source, place(q.NetNS), list(zoned))
	}
	return good[0]
}

// loopbackSource looks for a loopback interface whose prefix covers the source.
func loopbackSource(m *mirror, q Query) (Answer, bool) {
	var found []int
	for i, l := range m.links {
		if _, ok := checkVRF(m, l, q, ""); ok && l.up && m.coveredByLoopback(l, q.Source) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return Answer{}, false
	}
	return resolved(m.links[slices.Min(found)], q.Source), true
}

// coveredByLoopback reports whether ip is local because l is a loopback
// interface with an IPv4 prefix around it: there the kernel makes the whole
// prefix local, 127.0.0.0/8 above all, except its broadcast address. It does
// not do so for IPv6.
func (m *mirror) coveredByLoopback(l link, ip netip.Addr) bool {
	if !l.loopback || !ip.Is4() {
		return false
	}
	for held := range m.onLink[l.index] {
		if !held.Is4() {
			continue
		}
		for _, a := range m.holders[held] {
			p := netip.PrefixFrom(a.ip, a.bits)
			if a.link == l.index && p.Contains(ip) && !isBroadcast(p, ip) {
				return true
			}
		}
	}
	return false
}

func isBroadcast(p netip.Prefix, ip netip.Addr) bool {
	return p.Bits() < 31 && !p.Contains(ip.Next())
}

// judge says whether an address that is there can be bound. A configured
// address may be deprecated or temporary: that only matters to a choice.
func judge(l link, a address) Answer {
	switch {
	case a.dadFailed():
		return refuse(SourceMissing, "source address %s on interface %s is a duplicate (another host has it); use another one",
			a.ip, l.name)
	case a.tentative():
		return refuse(Tentative, "source address %s on interface %s is still in duplicate address detection; wait for it to end",
			a.ip, l.name)
	}
	return resolved(l, a.ip)
}

// onlyAddress answers a query for the interface l without a source address:
// there must be exactly one candidate. IPv4 secondaries count, as the command
// asks for the source address as soon as there are several. 127.0.0.1, which lo
// always has beside a router's own loopback addresses, reaches no peer but one
// on this machine.
func onlyAddress(m *mirror, l link, q Query, asked string) Answer {
	if !q.Peer.IsValid() {
		return refuse(NoAddress, "interface %s needs a peer address to choose the address family", label(l, asked))
	}
	var candidates, waiting []netip.Addr
	for _, a := range m.addresses(l.index) {
		switch {
		case a.ip.Is4() != q.Peer.Is4():
		case a.ip.IsLoopback() && !q.Peer.IsLoopback():
		case a.ip.Is4():
			candidates = append(candidates, a.ip)
		case a.ip.IsLinkLocalUnicast() != q.Peer.IsLinkLocalUnicast():
			// A link-local source reaches no peer beyond the link, and a
			// link-local peer is best met from its own scope (RFC 6724 5, rule 2).
		case a.dadFailed() || a.is(unix.IFA_F_DEPRECATED) || a.is(unix.IFA_F_TEMPORARY):
		case a.tentative():
			waiting = append(waiting, a.ip)
		default:
			candidates = append(candidates, scoped(l, a.ip))
		}
	}
	switch {
	case len(candidates) == 1:
		return resolved(l, candidates[0])
	case len(candidates) > 1:
		return ambiguous(candidates, "interface %s in %s has %d %s addresses (%s); set the source address to one of them",
			label(l, asked), place(q.NetNS), len(candidates), family(q.Peer), list(candidates))
	case len(waiting) > 0:
		return refuse(Tentative, "address %s on interface %s in %s is still in duplicate address detection; wait for it to end",
			list(waiting), label(l, asked), place(q.NetNS))
	}
	return refuse(NoAddress, "interface %s in %s has no usable %s address%s; add one",
		label(l, asked), place(q.NetNS), family(q.Peer), has(m, l, q.Peer))
}

// scoped gives an IPv6 link-local address its interface as zone.
func scoped(l link, ip netip.Addr) netip.Addr {
	if ip.Is6() && ip.IsLinkLocalUnicast() {
		return ip.WithZone(l.name)
	}
	return ip
}

func resolved(l link, ip netip.Addr) Answer {
	return Answer{Status: Resolved, Source: scoped(l, ip), Interface: l.name, Index: l.index}
}
