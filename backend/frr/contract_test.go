package frr

import (
	"testing"
	"time"

	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
)

func TestContract(t *testing.T) {
	requireFRR(t)
	backendtest.Run(t, (*testing.T).Parallel, func(t *testing.T) backendtest.Harness { return harness(t, daemonOptions{}) })
}

func harness(t *testing.T, opt daemonOptions) backendtest.Harness {
	// Another DSCP than the default, so that a change to the default is one.
	opt.config = "bgp session-dscp 20\n"
	l := newLab(t, opt)
	peer := func(i, n int) *bgp.PeerSpec { return with(l.peer(i, n), func(p *bgp.PeerSpec) { p.DSCP = 20 }) }
	b := New(l.options())
	b.tick = 50 * time.Millisecond // these remotes are back in less than a second
	return backendtest.Harness{
		Backend:     b,
		Instance:    l.instance,
		Peer:        peer,
		OtherSource: func(p *bgp.PeerSpec) { p.Source = otherSource },
		Remote: func(t *testing.T, p *bgp.PeerSpec) backendtest.Remote {
			return l.dialling(t, p)
		},
		InForce:     l.inForce,
		Adapt:       func(p *bgp.PeerSpec) { p.DSCP = 20 },
		Unsupported: func(p *bgp.PeerSpec) *bgp.PeerSpec { return with(p, func(p *bgp.PeerSpec) { p.LocalPort = 31790 }) },
		FailingStep: func(*testing.T) plan.Step {
			// Somebody made the router block since Prepare looked.
			in := l.instance(1)
			l.by("configure terminal", router(64777, place(in)), "end")
			return putInstance(in)
		},
		Return: 12 * time.Second,
		Quiet:  500 * time.Millisecond,
	}
}
