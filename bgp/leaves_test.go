package bgp

import (
	"slices"
	"testing"
)

// The state of 100,000 peers is read with several calls of PeerLeaves each.
func TestPeerLeaves(t *testing.T) {
	leaves := PeerLeaves()
	for i, f := range peerFields {
		if i >= len(leaves) || leaves[i] != f.leaf {
			t.Fatalf("leaves %q, want one for each of peerFields, in their order", leaves)
		}
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(leaves))); len(sorted) != len(peerFields) {
		t.Errorf("%d names for %d settings", len(sorted), len(peerFields))
	}
	if n := testing.AllocsPerRun(10, func() { PeerLeaves() }); n != 0 {
		t.Errorf("PeerLeaves allocates %v times", n)
	}
}
