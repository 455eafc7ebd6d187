package commit

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/backend"
	"mooring/backend/fake"
	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// onLoopBack7 configures the peer with the interface and nothing more.
func onLoopBack7(tx schema.Tx) {
	example(tx)
	*source(peerAt(tx, thePeer)) = sourceConfig{Interface: ygot.String("LoopBack7")}
}

// loopBack7 changes the addresses of the interface.
func (r *rig) loopBack7(addrs ...string) {
	r.net.set("LoopBack7", addrs...)
	r.net.changes <- srcaddr.Change{}
}

// told is what the state of a peer says of its source.
func (r *rig) told() *sourceStateRec {
	e := r.c.entry(r.c.Store().Running(), schema.PeerKey(thePeer), time.Time{}, "")
	rec, _ := e.State().(*peerRec)
	return rec.GetTransport().GetConnectInterface().GetState()
}

func (r *rig) warned() bool { return r.told() != nil && r.told().SourceWarning != nil }

func (r *rig) wasUp(source string) bool {
	s := r.b.Session(thePeer)
	return s != nil && s.Source == netip.MustParseAddr(source) && r.state(thePeer).Session == bgp.StateEstablished
}

// The source in force stays in force while the interface has it, however many
// addresses come; what happens is told.
func TestSecondAddressResetsNothing(t *testing.T) {
	r := newRig(t)
	r.net.set("LoopBack7", "10.7.7.7")
	r.mustEdit(onLoopBack7)
	r.eventually("up", func() bool { return r.wasUp("10.7.7.7") })
	changes := r.c.Subscribe()
	defer changes.Close()

	r.loopBack7("10.7.7.7", "10.7.7.8")
	r.eventually("a warning", r.warned)
	if st := r.told(); len(st.Candidate) != 2 || *st.ResolvedSource != "10.7.7.7" || !strings.Contains(*st.SourceWarning, "10.7.7.7 stays in use") {
		t.Errorf("state %+v", st)
	}
	got, err := changes.Next(t.Context())
	if err != nil || len(got) != 1 || got[0].Key != schema.PeerKey(thePeer) {
		t.Errorf("told %v, %v, want the peer", got, err)
	}
	// Neither an unrelated change nor the remote's doing takes it away.
	r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String("still here") })
	if err := r.b.EndByRemote(thePeer, nil); err != nil {
		t.Fatal(err)
	}
	r.eventually("back", func() bool { return r.state(thePeer).Transitions == 2 && r.wasUp("10.7.7.7") })
	r.c.repairNow(t.Context(), true)
	if !r.warned() {
		t.Error("a repair forgets the warning")
	}
	r.loopBack7("10.7.7.6", "10.7.7.7", "10.7.7.8")
	r.eventually("three candidates", func() bool { return len(r.told().Candidate) == 3 })
	// What the operator sets then costs what it changes: nothing.
	r.mustEdit(func(tx schema.Tx) { source(peerAt(tx, thePeer)).SourceAddress = ygot.String("10.7.7.7") })
	if r.warned() || len(r.told().Candidate) > 0 {
		t.Errorf("state %+v", r.told())
	}
	if got := r.b.Ceases(thePeer); len(got) > 0 {
		t.Errorf("ceases %v, want none", got)
	}
}

// Where the source in force goes and several are left, there is none to take.
func TestAmbiguousWithoutTheSourceInForce(t *testing.T) {
	r := newRig(t)
	r.net.set("LoopBack7", "10.7.7.7")
	r.mustEdit(onLoopBack7)
	r.eventually("up", func() bool { return r.wasUp("10.7.7.7") })
	r.loopBack7("10.7.7.7", "10.7.7.8", "10.7.7.9")
	r.eventually("a warning", r.warned)
	r.loopBack7("10.7.7.8", "10.7.7.9")
	r.eventually("down", func() bool {
		return r.c.oper.Get(thePeer).Applied.Down == bgp.DownAmbiguousSource && r.b.Session(thePeer) == nil
	})
	if r.warned() || len(r.told().Candidate) != 2 {
		t.Errorf("state %+v", r.told())
	}
	r.loopBack7("10.7.7.9")
	r.eventually("up from the one that is left", func() bool { return r.wasUp("10.7.7.9") })
	if n := len(r.b.Ceases(thePeer)); n != 1 {
		t.Errorf("%d ceases, want one", n)
	}
}

// An agent that starts anew takes the source that an external speaker has; an
// embedded one has none, and which one it was is not known any more.
func TestAmbiguousAfterRestart(t *testing.T) {
	for _, external := range []bool{true, false} {
		dir, net := t.TempDir(), newNetwork()
		net.set("LoopBack7", "10.7.7.7")
		old := bootRig(t, dir, fake.New(fake.Options{External: external}), net)
		old.mustEdit(onLoopBack7)
		snap, err := old.b.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := old.c.Store().Close(); err != nil {
			t.Fatal(err)
		}
		net.set("LoopBack7", "10.7.7.7", "10.7.7.8")
		b := fake.New(fake.Options{External: external})
		if external {
			b.Seed(backend.Snapshot{Instances: snap.Instances, Peers: snap.Peers})
		}
		r := bootRig(t, dir, b, net)
		applied := r.c.oper.Get(thePeer).Applied
		if external && (applied.Down != bgp.DownNone || !r.warned() || len(b.Ceases(thePeer)) > 0) {
			t.Errorf("external: applied %+v, ceases %v", applied, b.Ceases(thePeer))
		}
		if !external && (applied.Down != bgp.DownAmbiguousSource || applied.DownDetail == "") {
			t.Errorf("embedded: applied %+v", applied)
		}
	}
}

// An interface that vanishes while the commit that names it is applied: the
// commit stands, the peer is held down for the interface, and waits for it.
func TestInterfaceVanishesDuringApply(t *testing.T) {
	r := newRig(t)
	r.net.set("LoopBack7", "10.7.7.7")
	r.b.FailApply(func(plan.Step) error {
		r.net.remove("LoopBack7")
		select {
		case r.net.changes <- srcaddr.Change{}:
		default: // the agent will look anyway
		}
		return nil
	})
	res := r.mustEdit(onLoopBack7)
	r.b.FailApply(nil)
	r.eventually("down", func() bool {
		return r.c.oper.Get(thePeer).Applied.Down == bgp.DownInterfaceMissing && r.b.Session(thePeer) == nil
	})
	if st := r.readPeer(); st.DownDetail == nil || !strings.Contains(*st.DownDetail, "LoopBack7") {
		t.Errorf("state %+v", st)
	}
	if got := r.c.Store().Running().Revision(); got != res.Revision {
		t.Errorf("revision %d, want %d", got, res.Revision)
	}
	r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String("still served") })
	r.loopBack7("10.7.7.7")
	r.eventually("up", func() bool { return r.wasUp("10.7.7.7") })
}
