package commit

import (
	"slices"
	"strings"

	"mooring/bgp"
	"mooring/engine/schema"
)

// below, appended to a key, is the prefix of the keys of all records below it.
const below = "\x00"

// Settings of bgp.PeerSpec that stand for more than one leaf of the model, or
// for none below a peer.
const (
	leafSource   = "transport/connect-interface/config/source-address"
	leafKeys     = "transport/authentication/keys"
	leafPassword = "transport/authentication/config/password"
	leafFamilies = "afi-safis"
	leafRouterID = "router-id"
)

// specLeaf returns the setting of bgp.PeerSpec that a leaf below a peer or a
// peer group decides, false for one that decides none.
func specLeaf(n *schema.Node) (string, bool) {
	var names []string
	for ; n != nil && !n.IsRecord(); n = n.Parent {
		names = append(names, n.Name)
	}
	slices.Reverse(names)
	leaf := strings.Join(names, "/")
	switch {
	case strings.HasPrefix(leaf, "transport/connect-interface/"):
		leaf = leafSource
	case strings.HasPrefix(leaf, leafKeys+"/"):
		leaf = leafKeys
	case strings.HasPrefix(leaf, leafFamilies+"/"):
		leaf = leafFamilies
	}
	return leaf, slices.Contains(bgp.PeerLeaves(), leaf)
}

// impacts is what each setting costs: the strongest session-impact of the
// leaves of a peer that decide it.
var impacts = func() map[string]bgp.Impact {
	m := map[string]bgp.Impact{leafRouterID: bgp.ImpactReset} // it stands in the OPEN
	var walk func(n *schema.Node)
	walk = func(n *schema.Node) {
		for _, ch := range n.Children {
			if !ch.Config {
				continue
			}
			if leaf, ok := specLeaf(ch); ok {
				m[leaf] = max(m[leaf], ch.Impact)
			}
			walk(ch)
		}
	}
	walk(schema.KindOf(schema.KindPeer).Node)
	return m
}()

func leafImpact(leaf string) bgp.Impact { return impacts[leaf] }

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
