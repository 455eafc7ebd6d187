package commit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// paced is a rig with n peers, all established, whose sessions come back only
// when the test says so. Its time is that of the bubble.
type paced struct {
	*rig
	peers []bgp.PeerKey
}

func newPaced(t *testing.T, n int, limit, settle uint16) *paced {
	p := &paced{rig: newRig(t)}
	for i := range n {
		p.peers = append(p.peers, peerOf(vpn1, fmt.Sprintf("10.2.0.%d", i+1)))
	}
	p.mustEdit(func(tx schema.Tx) {
		example(tx)
		tx.Delete(schema.PeerKey(thePeer))
		c := tx.Mutable(schema.AgentKey()).(*agentRec).GetOrCreateResetControl().GetOrCreateConfig()
		c.MaxConcurrent, c.SettleTimeout = &limit, &settle
		for _, k := range p.peers {
			peerAt(tx, k).GetOrCreateConfig().As = ygot.Uint32(200)
		}
	})
	synctest.Wait()
	p.b.Hold()
	return p
}

// mss changes a setting that costs a reset; 0 takes it back.
func (p *paced) mss(opt Options, mss uint16, peers ...bgp.PeerKey) *Result {
	p.Helper()
	res, err := p.c.Edit(p.Context(), operator, opt, func(tx schema.Tx) error {
		for _, k := range peers {
			c := peerAt(tx, k).GetOrCreateTransport().GetOrCreateConfig()
			if c.TcpMss = &mss; mss == 0 {
				c.TcpMss = nil
			}
		}
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	synctest.Wait()
	return res
}

// down returns the peers without a session.
func (p *paced) down() (out []bgp.PeerKey) {
	for _, k := range p.peers {
		if p.b.Session(k) == nil {
			out = append(out, k)
		}
	}
	return out
}

// shows checks how many are down and wait, and that the state says so.
func (p *paced) shows(down, waiting int) {
	p.Helper()
	marked := 0
	for _, k := range p.peers {
		if p.state(k).PendingReset {
			marked++
		}
	}
	agent := p.c.View().State(schema.AgentKey()).(*agentRec)
	told := int(*agent.ResetControl.State.PendingResets)
	if got := len(p.down()); got != down || marked != waiting || told != waiting {
		p.Errorf("%d down, %d marked, %d told to wait; want %d down, %d waiting", got, marked, told, down, waiting)
	}
}

func (p *paced) up(k bgp.PeerKey) {
	p.b.Establish(k)
	synctest.Wait()
}

// drain brings sessions up until nobody waits.
func (p *paced) drain() {
	p.Helper()
	for range len(p.peers) + 1 {
		for _, k := range p.down() {
			p.up(k)
		}
	}
	p.shows(0, 0)
}

func bubble(t *testing.T, name string, fn func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, fn) })
}

func TestPacing(t *testing.T) {
	bubble(t, "the next one when one is back", func(t *testing.T) {
		p := newPaced(t, 6, 2, 30)
		sub := p.c.Subscribe()
		defer sub.Close()
		res := p.mss(Options{}, 1000, p.peers...)
		if want := (Pacing{MaxConcurrent: 2, AtOnce: 2, Waiting: 4}); res.Pacing != want {
			t.Errorf("pacing %+v, want %+v", res.Pacing, want)
		}
		p.shows(2, 4)
		last := p.peers[5]
		if s := p.c.oper.Get(last).Applied; s.MSS != 0 {
			t.Errorf("a waiting peer has %d applied", s.MSS)
		}
		changes, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told := false
		for i := range changes {
			if changes[i].Key == schema.PeerKey(last) {
				_, now := States(&changes[i])
				told = *now.(*peerRec).State.PendingReset
			}
		}
		if !told {
			t.Error("subscribers are not told that the peer waits")
		}
		p.up(p.peers[1])
		p.shows(2, 3)
		p.drain()
		for _, k := range p.peers {
			st := p.state(k)
			if n := len(p.b.Ceases(k)); n != 1 || st.LastReset.Cause != bgp.CauseCommit || st.LastReset.CommitID != res.CommitID || p.b.Session(k).MSS != 1000 {
				t.Errorf("%v: %d ceases, last reset %+v", k, n, st.LastReset)
			}
		}
	})
	bubble(t, "the next ones when the time is over", func(t *testing.T) {
		p := newPaced(t, 5, 2, 30)
		p.mss(Options{}, 1000, p.peers...)
		time.Sleep(29 * time.Second)
		synctest.Wait()
		p.shows(2, 3)
		time.Sleep(time.Second)
		synctest.Wait()
		p.shows(4, 1)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		p.shows(5, 0)
	})
	bubble(t, "taken back, deleted and disabled", func(t *testing.T) {
		p := newPaced(t, 5, 1, 30)
		p.mss(Options{}, 1000, p.peers...)
		p.mss(Options{}, 0, p.peers[1])
		p.shows(1, 3)
		p.mustEdit(func(tx schema.Tx) {
			tx.Delete(schema.PeerKey(p.peers[2]))
			peerAt(tx, p.peers[3]).GetOrCreateConfig().Enabled = ygot.Bool(false)
		})
		synctest.Wait()
		p.shows(3, 1)
		p.up(p.peers[0])
		if len(p.b.Ceases(p.peers[1])) != 0 || len(p.b.Ceases(p.peers[4])) != 1 {
			t.Error("the one that was taken back was reset, or the last was not")
		}
	})
	bubble(t, "who goes down by itself does not wait", func(t *testing.T) {
		p := newPaced(t, 4, 1, 30)
		p.mss(Options{}, 1000, p.peers...)
		if err := p.b.EndByRemote(p.peers[3], nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.shows(2, 2)
		if p.b.Establish(p.peers[3]); p.b.Session(p.peers[3]).MSS != 1000 || len(p.b.Ceases(p.peers[3])) != 0 {
			t.Error("the peer came back without its change")
		}
	})
	bubble(t, "more at once", func(t *testing.T) {
		p := newPaced(t, 6, 1, 30)
		p.mss(Options{}, 1000, p.peers...)
		p.mustEdit(func(tx schema.Tx) {
			tx.Mutable(schema.AgentKey()).(*agentRec).ResetControl.Config.MaxConcurrent = ygot.Uint16(4)
		})
		synctest.Wait()
		p.shows(4, 2)
	})
	bubble(t, "written without a change", func(t *testing.T) {
		p := newPaced(t, 3, 1, 30)
		p.mustEdit(func(tx schema.Tx) { instanceAt(tx, "default").Config.ResetPolicy = policyAlways })
		p.mustEdit(func(tx schema.Tx) {
			for _, k := range p.peers {
				tx.Touch(schema.PeerKey(k), schema.KindOf(schema.KindPeer).Node.Child("config").Child("as"))
			}
		})
		synctest.Wait()
		p.shows(1, 2)
		p.drain()
		if n := p.b.TotalCeases(); n != 3 {
			t.Errorf("%d ceases, want 3", n)
		}
	})
	bubble(t, "a failed one is tried again", func(t *testing.T) {
		p := newPaced(t, 3, 1, 30)
		p.mss(Options{}, 1000, p.peers...)
		p.b.FailApply(func(s plan.Step) error {
			if s.Peer != p.peers[1] {
				return nil
			}
			return errors.New("not now")
		})
		p.up(p.peers[0])
		p.shows(1, 0) // the third one does not wait for the second
		if st := p.state(p.peers[1]); st.Down != bgp.DownBackend {
			t.Errorf("state %+v", st)
		}
		p.b.FailApply(nil)
		time.Sleep(repairInterval)
		synctest.Wait()
		p.drain()
		if p.b.Session(p.peers[1]).MSS != 1000 || len(p.b.Ceases(p.peers[1])) != 1 {
			t.Error("the failed one was lost")
		}
	})
	bubble(t, "a repair lets them wait", func(t *testing.T) {
		p := newPaced(t, 4, 1, 30)
		p.mss(Options{}, 1000, p.peers...)
		p.c.repairNow(t.Context(), true)
		synctest.Wait()
		p.shows(1, 3)
		p.drain()
	})
}

func TestPacedGuard(t *testing.T) {
	bubble(t, "its time begins with the last reset", func(t *testing.T) {
		p := newPaced(t, 3, 1, 3600)
		p.mss(Options{Guard: &Guard{Timeout: time.Minute}}, 1000, p.peers...)
		for _, k := range p.peers[:2] {
			time.Sleep(50 * time.Second)
			p.up(k)
		}
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if p.c.Guarded() == nil {
			t.Fatal("the guard has decided")
		}
		p.up(p.peers[2])
		if p.c.Guarded() != nil || p.lastCommit().Revision != 2 {
			t.Errorf("guarded %+v, last commit %+v", p.c.Guarded(), p.lastCommit())
		}
	})
	bubble(t, "who still waits at its rollback is never reset", func(t *testing.T) {
		p := newPaced(t, 3, 1, 10)
		p.mss(Options{Guard: &Guard{Timeout: time.Minute}}, 1000, p.peers...)
		time.Sleep(25 * time.Second) // two more turns, the last one at 20 s
		synctest.Wait()
		p.shows(3, 0)
		time.Sleep(54 * time.Second)
		synctest.Wait()
		if p.c.Guarded() == nil {
			t.Fatal("the guard has decided before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		p.drain()
		if p.c.Guarded() != nil || p.lastCommit().Protocol != guardProtocol || p.b.Session(p.peers[0]).MSS != 0 {
			t.Errorf("last commit %+v", p.lastCommit())
		}
	})
}

func TestPacedConfirmed(t *testing.T) {
	bubble(t, "who waits when it is taken back is never reset", func(t *testing.T) {
		p := newPaced(t, 3, 1, 3600)
		p.mss(Options{Confirm: &Confirm{Timeout: time.Minute}}, 1000, p.peers...)
		p.shows(1, 2)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		p.shows(1, 0)
		p.drain()
		for i, want := range []int{1, 0, 0} {
			if n := len(p.b.Ceases(p.peers[i])); n != want || p.b.Session(p.peers[i]).MSS != 0 {
				t.Errorf("peer %d: %d ceases, want %d", i, n, want)
			}
		}
	})
}

// Whatever is committed while others wait and come back: never are more than
// max-concurrent down, and in the end all have what is intended.
func TestPacingProperties(t *testing.T) {
	for seed := range uint64(30) {
		bubble(t, fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			limit := 1 + rng.IntN(4)
			p := newPaced(t, 12, uint16(limit), 3600)
			for range 40 {
				switch k := oneOf(rng, p.peers...); rng.IntN(3) {
				case 0:
					var some []bgp.PeerKey
					for _, k := range p.peers {
						if chance(rng, 2) {
							some = append(some, k)
						}
					}
					p.mss(Options{}, oneOf(rng, uint16(0), 1000, 1200), some...)
				case 1:
					p.up(k)
				default:
					p.mustEdit(func(tx schema.Tx) { peerAt(tx, k).Config.Description = ygot.String(fmt.Sprint(rng.Int())) })
					synctest.Wait()
				}
				if n := len(p.down()); n > limit {
					t.Fatalf("%d are down, at most %d may be", n, limit)
				}
			}
			p.drain()
			snap := p.c.Store().Running()
			for _, k := range p.peers {
				want := uint16(0)
				if c := snap.Get(schema.PeerKey(k)).(*peerRec).GetTransport().GetConfig(); c != nil && c.TcpMss != nil {
					want = *c.TcpMss
				}
				if got := p.b.Session(k).MSS; got != want {
					t.Errorf("%v has %d, want %d", k, got, want)
				}
			}
		})
	}
}

// restart is a rig whose agent starts anew beside the speaker, which keeps its
// sessions. What of it differs from what is intended by then is up to change.
func (p *paced) restart(change func(*bgp.PeerSpec)) *paced {
	p.Helper()
	snap, err := p.b.Snapshot(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	p.stop()
	for k, old := range snap.Peers {
		spec := *old
		change(&spec)
		snap.Peers[k] = &spec
	}
	b := fake.New(fake.Options{Native: fake.NativeLikeGoBGP, External: true})
	b.Seed(*snap) // all are up
	b.Hold()
	next := &paced{rig: bootRig(p.T, p.dir, b, p.net), peers: p.peers}
	synctest.Wait()
	return next
}

func TestPacedRepairAfterRestart(t *testing.T) {
	bubble(t, "what the speaker has already is paced", func(t *testing.T) {
		p := newPaced(t, 5, 2, 30).restart(func(s *bgp.PeerSpec) { s.MSS = 1400 })
		p.shows(2, 3)
		for _, k := range p.peers {
			if st := p.state(k); st.Session == bgp.StateEstablished && (st.Transitions != 1 || st.LastEstablished.IsZero()) {
				t.Errorf("%v was up before the agent: %+v", k, st)
			}
		}
		p.drain()
		for _, k := range p.peers {
			if n := len(p.b.Ceases(k)); n != 1 || p.b.Session(k).MSS != 0 || p.state(k).LastReset.Cause != bgp.CauseBackend {
				t.Errorf("%v: %d ceases, %+v", k, n, p.state(k).LastReset)
			}
		}
	})
	bubble(t, "nothing differs", func(t *testing.T) {
		p := newPaced(t, 3, 1, 30).restart(func(*bgp.PeerSpec) {})
		p.shows(0, 0)
		if n := p.b.TotalCeases(); n != 0 {
			t.Errorf("%d ceases", n)
		}
		p.mss(Options{}, 1000, p.peers...) // at once: the sessions are known
		p.shows(1, 2)
	})
	bubble(t, "the guard of what was left to do waits for it", func(t *testing.T) {
		p := newPaced(t, 3, 1, 30)
		p.mss(Options{Guard: &Guard{Timeout: 10 * time.Minute}}, 1000, p.peers...)
		p.up(p.peers[0])
		p = p.restart(func(s *bgp.PeerSpec) {
			if s.Key != p.peers[0] {
				s.MSS = 0 // as the speaker had them: one was down, one waited
			}
		})
		p.shows(1, 1)
		if p.c.Guarded() == nil {
			t.Fatal("the guard is met by sessions that are to be reset")
		}
		p.up(p.peers[1])
		p.shows(1, 0)
		if p.c.Guarded() == nil {
			t.Fatal("the guard is met while the last one is down")
		}
		p.up(p.peers[2])
		if p.c.Guarded() != nil || p.lastCommit().Protocol == guardProtocol {
			t.Errorf("guarded %+v, last commit %+v", p.c.Guarded(), p.lastCommit())
		}
	})
}
