package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"mooring/bgp"
)

// admission is a peer that takes connections in a space.
type admission struct {
	space  *space
	spec   *bgp.PeerSpec
	listen []netip.Addr // of its instance
	groups []*usedGroup // that know of it
	missed []*usedGroup // that have other settings for the same address on another link
}

// at says whether a connection to the local address can be one of the peer.
func (a *admission) at(local netip.Addr) bool {
	if a.spec.Source.IsValid() {
		return a.spec.Source.WithZone("") == local
	}
	return len(a.listen) == 0 || slices.Contains(a.listen, local)
}

// covered says whether connections of the peer can come in at a group.
func (a *admission) covered(group netip.Addr) bool {
	return group.Is4() == remoteOf(a.spec).Is4() && (group.IsUnspecified() || a.at(group))
}

// meets says whether one connection could be of either peer.
func (a *admission) meets(b *admission) bool {
	switch {
	case a.spec.Remote() != b.spec.Remote(): // one link-local address on two links
		return false
	case a.spec.Source.IsValid():
		return b.at(a.spec.Source.WithZone(""))
	case b.spec.Source.IsValid():
		return a.at(b.spec.Source.WithZone(""))
	case len(a.listen) == 0 || len(b.listen) == 0:
		return true
	}
	return slices.ContainsFunc(a.listen, b.at)
}

// admit makes the listening sockets ready for the peer's connections. A peer
// that takes none has no admission.
func admit(in *instance, p *bgp.PeerSpec) (*admission, error) {
	if in.listen == nil || p.ConnectMode == bgp.ConnectOnly {
		return nil, nil
	}
	a := &admission{space: in.listen.space, spec: p, listen: in.spec.Listen}
	remote := remoteOf(p)
	for _, b := range a.space.peers[remote] {
		if b.spec.Key != p.Key && a.meets(b) {
			return nil, fmt.Errorf("instance %s listens at the same address and has the same neighbour: "+
				"give the peers their own source-address, or the instances their own listen-address", b.spec.Key.InstanceKey())
		}
	}
	a.space.peers[remote] = append(a.space.peers[remote], a)
	for at, g := range a.space.groups {
		if !a.covered(at) {
			continue
		}
		err := g.add(remote, authOf(p), p.MSS)
		if errors.Is(err, errSlot) && dialsOnly(p) {
			a.missed = append(a.missed, g)
			continue
		}
		if err != nil {
			dismiss(a)
			return nil, fmt.Errorf("accept at %s: %w", g.at, err)
		}
		a.groups = append(a.groups, g)
	}
	return a, nil
}

// dismiss is the inverse of admit.
func dismiss(a *admission) {
	if a == nil {
		return
	}
	remote := remoteOf(a.spec)
	for _, g := range a.groups {
		g.remove(remote)
	}
	a.groups = nil
	as := a.space.peers[remote]
	if i := slices.Index(as, a); i >= 0 {
		as = slices.Delete(as, i, i+1)
	}
	if a.space.peers[remote] = as; len(as) == 0 {
		delete(a.space.peers, remote)
	}
	for _, b := range as {
		b.again()
	}
}

// again tries the groups that had no room for the peer.
func (a *admission) again() {
	missed := a.missed
	a.missed = nil
	for _, g := range missed {
		if g.add(remoteOf(a.spec), authOf(a.spec), a.spec.MSS) != nil {
			a.missed = append(a.missed, g)
		} else {
			a.groups = append(a.groups, g)
		}
	}
}

// dialsOnly says whether a peer can do without being accepted. A listening socket
// knows a remote by its address alone: where the same link-local address is on
// two links, with different keys, it has those of one. The other is dialled.
func dialsOnly(p *bgp.PeerSpec) bool {
	return bgp.LinkLocal(p.Key.Address) && p.ConnectMode != bgp.ListenOnly
}
