package effective

import (
	"slices"
	"strings"

	"mooring/bgp"
	"mooring/engine/schema"
)

// Settings of bgp.PeerSpec that stand for more than one leaf of the model, or
// for none below a peer, and those that are not told as they are.
const (
	Source   = "transport/connect-interface/config/source-address"
	Password = "transport/authentication/config/password"
	RouterID = "router-id"
	keys     = "transport/authentication/keys"
	families = "afi-safis"
)

// Setting returns the setting of bgp.PeerSpec that a leaf below a peer or a
// peer group decides, false for one that decides none.
func Setting(n *schema.Node) (string, bool) {
	var names []string
	for ; n != nil && !n.IsRecord(); n = n.Parent {
		names = append(names, n.Name)
	}
	slices.Reverse(names)
	leaf := strings.Join(names, "/")
	switch {
	case strings.HasPrefix(leaf, "transport/connect-interface/"):
		leaf = Source
	case strings.HasPrefix(leaf, keys+"/"):
		leaf = keys
	case strings.HasPrefix(leaf, families+"/"):
		leaf = families
	}
	return leaf, slices.Contains(bgp.PeerLeaves(), leaf)
}

// impacts is what each setting costs: the strongest session-impact of the
// leaves of a peer that decide it.
var impacts = func() map[string]bgp.Impact {
	m := map[string]bgp.Impact{RouterID: bgp.ImpactReset} // it stands in the OPEN
	var walk func(n *schema.Node)
	walk = func(n *schema.Node) {
		for _, ch := range n.Children {
			if !ch.Config {
				continue
			}
			if leaf, ok := Setting(ch); ok {
				m[leaf] = max(m[leaf], ch.Impact)
			}
			walk(ch)
		}
	}
	walk(schema.KindOf(schema.KindPeer).Node)
	return m
}()

// Impact returns what a change of a setting of bgp.PeerLeaves costs an
// established session, by the model.
func Impact(setting string) bgp.Impact { return impacts[setting] }
