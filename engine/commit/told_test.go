package commit

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/schema"
	"mooring/gen"
)

func (r *rig) readPeer() *peerStateRec {
	return r.c.View().State(schema.PeerKey(thePeer)).(*peerRec).State
}

func (r *rig) readBackend() *backendStateRec {
	return r.c.View().State(schema.AgentKey()).(*agentRec).Backend.State
}

// Attempts to connect that failed are counted by kind, with the time of the
// last one, and told; a session takes the reason away and not the counts.
func TestConnectFailures(t *testing.T) {
	r := newRig(t)
	r.b.Hold()
	r.mustEdit(example)
	changes := r.c.Subscribe()
	defer changes.Close()
	r.b.FailConnect(thePeer, bgp.FailedRefused, "nobody is there")
	r.b.FailConnect(thePeer, bgp.FailedRefused, "still nobody is there")
	r.b.FailConnect(thePeer, bgp.FailedNoRoute, "no way")
	count := func(kind bgp.ConnectFailure) uint64 {
		f := r.readPeer().GetConnectFailures().GetConnectFailure(enumOf[gen.E_MooringTypes_ConnectFailure](kind - 1))
		if f == nil {
			return 0
		}
		return *f.Count
	}
	r.eventually("three failures", func() bool { return count(bgp.FailedRefused) == 2 && count(bgp.FailedNoRoute) == 1 })
	f := r.readPeer().ConnectFailures.ConnectFailure[gen.MooringTypes_ConnectFailure_refused]
	if at, err := time.Parse(time.RFC3339Nano, *f.LastTime); *f.LastText != "still nobody is there" || err != nil || time.Since(at) > time.Minute {
		t.Errorf("refused: %s at %s", *f.LastText, *f.LastTime)
	}
	if st := r.readPeer(); *st.LastConnectError != "no way" || len(st.ConnectFailures.ConnectFailure) != 2 {
		t.Errorf("state %+v", st)
	}
	if got, err := changes.Next(t.Context()); err != nil || len(got) == 0 || got[0].Key != schema.PeerKey(thePeer) {
		t.Errorf("told %v, %v", got, err)
	}
	r.b.Release()
	r.eventually("up", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	if st := r.readPeer(); st.LastConnectError != nil || count(bgp.FailedRefused) != 2 {
		t.Errorf("state of a session %+v", st)
	}
}

// The words of the model are those of the domain.
func TestConnectFailureNames(t *testing.T) {
	names := gen.MooringTypes_ConnectFailure_refused.ΛMap()["E_MooringTypes_ConnectFailure"]
	for kind := bgp.FailedNoRoute; kind <= bgp.FailedOther; kind++ {
		if got := names[int64(kind)].Name; got != kind.String() {
			t.Errorf("%d is %q in the model and %q in bgp", kind, got, kind)
		}
	}
	if len(names) != int(bgp.FailedOther) {
		t.Errorf("the model has %d kinds", len(names))
	}
}

// What the speaker tells of itself and of changes by others stands in state.
func TestBackendStatus(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	if s := r.readBackend(); s.Degraded != nil || s.Drift.Policy != gen.MooringAgent_Agent_Backend_State_Drift_Policy_none || *s.Drift.Found != 0 {
		t.Errorf("state of a healthy speaker %+v", s)
	}
	r.b.SetStatus(backend.Status{Degraded: "it cannot", Drift: "report", RefusedUnknown: 3, RefusedPeer: 4})
	changes := r.c.Subscribe()
	defer changes.Close()
	told := map[schema.Key]bool{}
	instance := bgp.PeerKey{Instance: "default", VPN: "vpn1"}
	r.b.Drift(thePeer, "neighbor 10.1.1.2 timers 1 3")
	r.b.Drift(instance, "bgp router-id 1.1.1.1")
	r.eventually("drift", func() bool { return *r.readBackend().Drift.Differences == 2 && r.readPeer().Drift != nil })
	r.eventually("told", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := changes.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			old, now := States(&got[i])
			told[got[i].Key] = told[got[i].Key] || !cmp.Equal(old, now)
		}
		return told[schema.AgentKey()] && told[schema.BGPVPNInstanceKey(vpn1)]
	})
	s := r.readBackend()
	if *s.Degraded != "it cannot" || *s.RefusedConnections.UnknownPeer != 3 || *s.RefusedConnections.Peer != 4 ||
		s.Drift.Policy != gen.MooringAgent_Agent_Backend_State_Drift_Policy_report || *s.Drift.Found != 2 || s.Drift.LastFound == nil {
		t.Errorf("state %+v, drift %+v", s, s.Drift)
	}
	if v := r.c.View().State(schema.BGPVPNInstanceKey(vpn1)).(*bgpVPNRec); *v.State.Drift != "bgp router-id 1.1.1.1" || *r.readPeer().Drift != "neighbor 10.1.1.2 timers 1 3" {
		t.Errorf("drift of the instance %v, of the peer %v", v.State.Drift, r.readPeer().Drift)
	}
	r.b.Drift(thePeer, "")
	r.b.Drift(instance, "")
	r.eventually("no drift", func() bool { return *r.readBackend().Drift.Differences == 0 && r.readPeer().Drift == nil })
	if v := r.c.View().State(schema.BGPVPNInstanceKey(vpn1)).(*bgpVPNRec); v.State.Drift != nil || *r.readBackend().Drift.Found != 2 {
		t.Errorf("after all: %+v", v.State)
	}
}

// Nothing is kept of a peer that is deleted, also where the speaker tells of it
// later.
func TestDriftOfDeletedPeer(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	r.b.Drift(thePeer, "neighbor 10.1.1.2 timers 1 3")
	r.eventually("drift", func() bool { return r.readPeer().Drift != nil })
	r.mustEdit(func(tx schema.Tx) { tx.Delete(schema.PeerKey(thePeer)) })
	r.c.event(backend.Event{Kind: backend.PeerGone, Peer: thePeer}, nil)
	r.c.event(backend.Event{Kind: backend.Drifted, Peer: thePeer}, nil)
	if n := r.c.oper.Len(); n != 0 || r.c.drift.total().differences != 0 {
		t.Errorf("%d peers, drift %+v", n, r.c.drift.total())
	}
}
