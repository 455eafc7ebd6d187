package schema

import (
	"net/netip"

	"mooring/bgp"
)

// The keys of the records of the model. Addresses in them are canonical, as
// netip writes them.

// AgentKey returns the key of the agent's record.
func AgentKey() Key { return MakeKey("", KindOf(KindAgent)) }

// VPNInstanceKey returns the key of a VPN instance.
func VPNInstanceKey(name string) Key { return MakeKey("", KindOf(KindVPNInstance), name) }

// BGPInstanceKey returns the key of a BGP instance.
func BGPInstanceKey(name string) Key { return MakeKey("", KindOf(KindInstance), name) }

// BGPVPNInstanceKey returns the key of a VPN instance within a BGP instance.
func BGPVPNInstanceKey(k bgp.InstanceKey) Key {
	return MakeKey(BGPInstanceKey(k.Instance), KindOf(KindBGPVPNInstance), k.VPN)
}

// PeerGroupKey returns the key of a peer group.
func PeerGroupKey(k bgp.InstanceKey, name string) Key {
	return MakeKey(BGPVPNInstanceKey(k), KindOf(KindPeerGroup), name)
}

// PeerKey returns the key of a peer.
func PeerKey(k bgp.PeerKey) Key {
	return MakeKey(BGPVPNInstanceKey(k.InstanceKey()), KindOf(KindPeer), k.Address.String())
}

// PeerKey returns the peer that k is the key of. k must be a peer's.
func (k Key) PeerKey() bgp.PeerKey {
	in := k.InstanceKey()
	return bgp.PeerKey{Instance: in.Instance, VPN: in.VPN, Address: netip.MustParseAddr(k.Name())}
}

// InstanceKey returns the instance that k is the key of, or that what k is the
// key of belongs to. k must be at or below a VPN instance within a BGP instance.
func (k Key) InstanceKey() bgp.InstanceKey {
	for k.Kind().Letter != KindBGPVPNInstance {
		k = k.Parent()
	}
	return bgp.InstanceKey{Instance: k.Parent().Name(), VPN: k.Name()}
}
