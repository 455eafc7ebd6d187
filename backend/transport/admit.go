package transport

import (
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
	case a.spec.Key.Address != b.spec.Key.Address: // one link-local address on two links
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
		if err := g.add(remote, authOf(p), p.MSS); err != nil {
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
}
