package commit

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mooring/backend"
	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// What is to be taken back by itself is, also where that fails at first, where
// the speaker is away, and however much was committed since.

func TestRollbackOfAGuardIsTriedAgain(t *testing.T) {
	for name, pending := range map[string]*Confirm{"alone": nil, "of a confirmed commit": {ID: "x", Timeout: time.Hour}} {
		bubble(t, name, func(t *testing.T) {
			p := newPaced(t, 1, 64, 30)
			p.mss(Options{Guard: &Guard{Timeout: time.Minute}, Confirm: pending}, 1000, p.peers...)
			p.b.FailApply(func(plan.Step) error { return errors.New("not now") })
			time.Sleep(61 * time.Second)
			synctest.Wait()
			if p.c.Guarded() == nil {
				t.Fatal("the guard has given up")
			}
			p.b.FailApply(nil)
			time.Sleep(repairInterval)
			synctest.Wait()
			if p.c.Guarded() != nil || p.c.Pending() != nil || p.lastCommit().Protocol != guardProtocol {
				t.Errorf("guarded %+v, pending %+v, last commit %+v", p.c.Guarded(), p.c.Pending(), p.lastCommit())
			}
			p.drain()
			if mss := p.b.Session(p.peers[0]).MSS; mss != 0 {
				t.Errorf("MSS %d", mss)
			}
		})
	}
}

// The speaker goes away while peers wait for their resets, and comes back
// without their sessions: no reset is left that would give the guard its time.
func TestPacedGuardWithoutTheSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t, 3, 1, 10)
		p.mss(Options{Guard: &Guard{Timeout: time.Minute}}, 1000, p.peers...)
		p.b.Down(errors.New("killed"))
		time.Sleep(79 * time.Second) // two more turns of 10 s, and the minute
		synctest.Wait()
		if p.c.Guarded() == nil {
			t.Fatal("the guard has decided before its time")
		}
		p.b.Up()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if p.c.Guarded() != nil || p.lastCommit().Protocol != guardProtocol {
			t.Errorf("guarded %+v, last commit %+v", p.c.Guarded(), p.lastCommit())
		}
		p.drain()
	})
}

func TestConfirmedCommitOutlivesTheHistory(t *testing.T) {
	dir, net := t.TempDir(), newNetwork()
	r := bootRig(t, dir, fake.New(fake.Options{}), net)
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		tx.Mutable(schema.AgentKey()).(*agentRec).GetOrCreateHistory().GetOrCreateConfig().Size = ygot.Uint16(1)
	})
	followUp := func(r *rig) {
		t.Helper()
		for i := range 3 {
			_, err := r.c.Edit(t.Context(), session7, Options{ConfirmID: "x"}, func(tx schema.Tx) error {
				peerAt(tx, thePeer).Config.Description = ygot.String(fmt.Sprint(r.c.Store().Running().Revision(), i))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.trial(session7, Confirm{ID: "x", Timeout: time.Hour}); err != nil {
		t.Fatal(err)
	}
	followUp(r)
	if err := r.c.Store().Close(); err != nil {
		t.Fatal(err)
	}
	r = bootRig(t, dir, fake.New(fake.Options{}), net)
	followUp(r)
	if n := len(r.c.Store().History()); n != 1 {
		t.Errorf("a history of %d commits", n)
	}
	if err := r.c.Cancel(t.Context(), operator, "x"); err != nil {
		t.Fatal(err)
	}
	if p := r.c.Store().Running().Get(schema.PeerKey(thePeer)).(*peerRec); p.Config.Description != nil || r.source() != before {
		t.Errorf("source %v, description %v", r.source(), p.Config.Description)
	}
}

// A commit that fails does not make room for resets: the sessions that an
// earlier one has reset are still down.
func TestFailedCommitMakesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t, 2, 1, 3600)
		p.mss(Options{}, 1000, p.peers[0])
		p.shows(1, 0)
		p.b.FailApply(func(plan.Step) error { return errors.New("no") })
		if _, err := p.edit(func(tx schema.Tx) {
			peerAt(tx, p.peers[0]).Transport.Config.TcpMss = ygot.Uint16(1100)
		}); err == nil {
			t.Fatal("it did not fail")
		}
		p.b.FailApply(nil)
		p.mss(Options{}, 1000, p.peers[1])
		p.shows(1, 1)
		p.drain()
	})
}

// While the speaker is away nothing is tried step by step, and no peer is
// blamed; when it is back it gets the source of then.
func TestSourceChangesWithoutTheSpeaker(t *testing.T) {
	r := newRig(t)
	r.mustEdit(onLoopBack7)
	r.loopBack7("10.7.0.1")
	r.eventually("up", func() bool { return r.wasUp("10.7.0.1") })
	r.b.Down(errors.New("killed"))
	r.eventually("offline", func() bool { return !r.c.online.Load() })
	r.net.set("LoopBack7", "10.7.0.2")
	r.c.sourcesChanged(t.Context(), "")
	if st := r.state(thePeer); st.Down != bgp.DownNone {
		t.Errorf("the peer is blamed: %v, %s", st.Down, st.DownDetail)
	}
	r.b.Up()
	r.eventually("up with the new address", func() bool { return r.wasUp("10.7.0.2") })
}

// What the speaker has lost and does not take again does not count as applied.
func TestLostPeerIsNotApplied(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	r.eventually("up", func() bool { return r.c.established(thePeer) })
	r.b.Down(errors.New("killed"))
	r.b.Seed(backend.Snapshot{})
	r.b.FailApply(func(s plan.Step) error {
		if s.Op == plan.CreatePeer {
			return errors.New("no room")
		}
		return nil
	})
	r.b.Up()
	r.eventually("the failure", func() bool { return r.state(thePeer).Down == bgp.DownBackend })
	if s := r.c.oper.Get(thePeer).Applied; s != nil {
		t.Errorf("applied %+v", s)
	}
	r.b.FailApply(nil)
	r.c.repairNow(t.Context(), false)
	r.eventually("up again", func() bool { return r.c.established(thePeer) && r.state(thePeer).Down == bgp.DownNone })
}
