package schema

import (
	"strings"
	"sync"

	"mooring/bgp"
)

// Settings are the paths below a peer of its settings, by the names that
// bgp.PeerLeaves has for them. It must not be changed.
var Settings = sync.OnceValue(func() map[string]Path {
	m := map[string]Path{}
	for _, name := range bgp.PeerLeaves() {
		n := KindOf(KindPeer).Node
		var p Path
		for step := range strings.SplitSeq(name, "/") {
			if n = n.Child(step); n == nil {
				break
			}
			p = append(p, Step{Node: n})
		}
		if n != nil {
			m[name] = p
		}
	}
	return m
})
