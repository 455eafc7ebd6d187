package commit

import (
	"testing"

	"mooring/bgp"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// A View shows one instant, and so does its Fork: whatever changes then.
func TestViewIsOfOneInstant(t *testing.T) {
	r := newRig(t)
	r.mustEdit(peers(2, ""))
	r.eventually("established", func() bool { return r.c.oper.Counts(vpn1).Established == 3 })
	v := r.c.View()
	fork := v.(schema.Forker).Fork()

	if err := r.b.EndByRemote(thePeer, &bgp.Notification{Code: 6, Subcode: 2}); err != nil {
		t.Fatal(err)
	}
	r.mustEdit(func(tx schema.Tx) {
		tx.Delete(schema.PeerKey(nthPeer(1)))
		peerAt(tx, nthPeer(0)).Config.Description = ygot.String("later")
	})
	r.eventually("all is told", func() bool {
		st := r.c.oper.Get(thePeer).State
		return st.Transitions > 1 && r.c.oper.Len() == 2
	})

	for name, v := range map[string]schema.View{"view": v, "fork": fork} {
		for _, k := range []bgp.PeerKey{thePeer, nthPeer(0), nthPeer(1)} {
			st := v.State(schema.PeerKey(k)).(*peerRec).State
			if st.SessionState.String() != "established" || st.Description != nil || *st.EstablishedTransitions != 1 {
				t.Errorf("%s: %v is %v with description %v after %d transitions", name, k, st.SessionState, st.Description, *st.EstablishedTransitions)
			}
		}
		vpn := v.State(schema.BGPVPNInstanceKey(vpn1)).(*bgpVPNRec).State
		if *vpn.Peers != 3 || *vpn.EstablishedPeers != 3 {
			t.Errorf("%s: %d of %d peers are established, want 3 of 3", name, *vpn.EstablishedPeers, *vpn.Peers)
		}
		agent := v.State(schema.AgentKey()).(*agentRec)
		if len(agent.Commits.Commit) != 1 || *agent.State.Revision != 1 {
			t.Errorf("%s: revision %d and %d commits, want one of one", name, *agent.State.Revision, len(agent.Commits.Commit))
		}
	}
}

// Whoever reads while others commit finds the last commit of the configuration
// last in the history.
func TestViewBesideCommits(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	const rounds = 100
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			if _, err := r.edit(func(tx schema.Tx) { peerAt(tx, nthPeer(i)).GetOrCreateConfig().As = ygot.Uint32(200) }); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		agent := r.c.View().State(schema.AgentKey()).(*agentRec)
		newest := uint64(0)
		for revision := range agent.Commits.Commit {
			newest = max(newest, revision)
		}
		if newest != *agent.State.Revision {
			t.Fatalf("revision %d, and the last commit made %d", *agent.State.Revision, newest)
		}
	}
}
