package effective

import (
	"strings"
	"testing"

	"mooring/bgp"
	"mooring/engine/schema"
)

// Every configuration leaf of a peer decides a setting of the specification,
// or is one of those that cost nothing.
func TestEveryLeafHasASetting(t *testing.T) {
	free := map[string]bool{
		"config/address": true, "config/description": true, "config/peer-group": true,
	}
	used := map[string]bool{RouterID: true}
	var walk func(n *schema.Node, path string)
	walk = func(n *schema.Node, path string) {
		for _, ch := range n.Children {
			p := strings.TrimPrefix(path+"/"+ch.Name, "/")
			if !ch.Config || ch.IsKey() {
				continue
			}
			if !ch.IsLeaf() {
				walk(ch, p)
				continue
			}
			leaf, ok := Setting(ch)
			if ok {
				used[leaf] = true
			} else if !free[p] || ch.Impact != bgp.ImpactNone {
				t.Errorf("%s decides no setting", p)
			}
		}
	}
	walk(schema.KindOf(schema.KindPeer).Node, "")
	for _, leaf := range bgp.PeerLeaves() {
		if !used[leaf] {
			t.Errorf("setting %s has no leaf", leaf)
		}
		if _, ok := impacts[leaf]; !ok {
			t.Errorf("setting %s has no impact", leaf)
		}
	}
}
