package commit

import (
	"errors"
	"slices"
	"strings"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/schema"
)

// blame is the path of what a backend's error names: the setting, else the
// peer, else the instance.
func blame(err error) schema.Path {
	be, ok := errors.AsType[*backend.Error](err)
	if !ok {
		return nil
	}
	if !be.Peer.Address.IsValid() {
		return instancePath(be.Instance, be.Leaf)
	}
	p := schema.PeerKey(be.Peer).Path()
	if be.Leaf == "" {
		return p
	}
	return append(slices.Clone(p), leafPath(be.Leaf)...)
}

// leafPath is the path of a peer's setting below the peer, for messages.
func leafPath(leaf string) schema.Path { return pathBelow(schema.KindPeer, leaf) }

// pathBelow is the path of a leaf below a record of a kind, as far as there is
// such a leaf: for the rest the record itself is the best place to point at.
func pathBelow(kind byte, leaf string) schema.Path {
	n := schema.KindOf(kind).Node
	var p schema.Path
	for name := range strings.SplitSeq(leaf, "/") {
		if n = n.Child(name); n == nil {
			break
		}
		p = append(p, schema.Step{Node: n})
	}
	return p
}

// instancePath is the path of a setting of an instance (bgp.DiffInstances),
// which stands in one of three records.
func instancePath(key bgp.InstanceKey, leaf string) schema.Path {
	for _, at := range []schema.Key{schema.BGPVPNInstanceKey(key), schema.VPNInstanceKey(key.VPN), schema.BGPInstanceKey(key.Instance)} {
		below := pathBelow(at.Kind().Letter, leaf)
		if strings.Count(leaf, "/")+1 == len(below) {
			return append(slices.Clone(at.Path()), below...)
		}
	}
	return schema.BGPVPNInstanceKey(key).Path()
}
