// Package bgp holds the words of the domain: who a peer is, what it should be
// (PeerSpec), what it is (PeerState) and what a change costs (Impact). Every
// other package speaks in these; this one knows no YANG, no protocol and no
// BGP speaker, and imports only the standard library.
package bgp

import (
	"cmp"
	"net/netip"
)

// PublicVPN is the name of the VPN instance that stands for the BGP view: the
// agent's own network namespace without a VRF. It always exists.
const PublicVPN = "_public_"

// InstanceKey names a VPN instance of a BGP instance: the unit that a backend
// runs as one BGP speaker.
type InstanceKey struct {
	Instance string // BGP instance, such as "default"
	VPN      string // VPN instance, such as "vpn1" or PublicVPN
}

// String returns "instance/vpn".
func (k InstanceKey) String() string { return k.Instance + "/" + k.VPN }

// Compare orders keys by instance, then by VPN instance.
func (k InstanceKey) Compare(o InstanceKey) int {
	if c := cmp.Compare(k.Instance, o.Instance); c != 0 {
		return c
	}
	return cmp.Compare(k.VPN, o.VPN)
}

// PeerKey names a peer. The address alone never does: the same neighbour
// address may stand in several VPN instances.
type PeerKey struct {
	Instance string
	VPN      string
	Address  netip.Addr // canonical, with zone where link-local
}

// InstanceKey returns the key of the instance that the peer is in.
func (k PeerKey) InstanceKey() InstanceKey {
	return InstanceKey{Instance: k.Instance, VPN: k.VPN}
}

// String returns "instance/vpn/address".
func (k PeerKey) String() string {
	return k.Instance + "/" + k.VPN + "/" + k.Address.String()
}

// Compare orders keys by instance, VPN instance and address.
func (k PeerKey) Compare(o PeerKey) int {
	if c := k.InstanceKey().Compare(o.InstanceKey()); c != 0 {
		return c
	}
	return k.Address.Compare(o.Address)
}
