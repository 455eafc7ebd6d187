package frr

import (
	"testing"
	"time"

	"mooring/tests/remotes"
)

// What the plan promises is what the wire shows, with BIRD, FRR and GoBGP as
// remotes.
func TestRemotes(t *testing.T) {
	requireFRR(t)
	remotes.Run(t, (*testing.T).Parallel, func(t *testing.T) remotes.Harness {
		l := newLab(t, daemonOptions{})
		return remotes.Harness{
			Backend: New(l.options()), Lab: l.net, DUT: l.vrf[0], Far: l.far[0], Device: "vd",
			Instance: l.instance(0), Peer: l.peer(0, 0), OtherSource: otherSource,
			Return: 30 * time.Second, Quiet: time.Second,
		}
	})
}
