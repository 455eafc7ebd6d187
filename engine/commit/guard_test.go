package commit

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"
)

func TestJudge(t *testing.T) {
	const before, after = -time.Second, time.Second // of the deadline
	up := func(transitions, prefixes uint64) *bgp.PeerState {
		return &bgp.PeerState{Session: bgp.StateEstablished, Transitions: transitions, Families: []bgp.FamilyState{
			{Family: bgp.IPv4Unicast, Active: true, Received: prefixes}, {Family: bgp.IPv6Unicast, Received: 1000},
		}}
	}
	at := func(local string) *bgp.PeerState {
		st := up(4, 200)
		st.Socket.Local = netip.AddrPortFrom(netip.MustParseAddr(local), 179)
		return st
	}
	source := netip.MustParseAddr("10.0.0.1")
	tests := []struct {
		name    string
		percent uint8
		at      time.Duration
		state   *bgp.PeerState
		want    verdict
		missing string
	}{
		{"back", 0, before, up(4, 0), guardMet, ""},
		{"back, too late to be asked", 0, after, up(4, 0), guardMet, ""},
		{"down", 0, before, &bgp.PeerState{Session: bgp.StateActive, Transitions: 3}, guardWaits, "is active"},
		{"down for too long", 0, after, &bgp.PeerState{Session: bgp.StateActive, Transitions: 3}, guardUnmet, "is active"},
		{"the old session", 0, before, up(3, 200), guardWaits, "has not been reset yet"},
		{"unknown", 0, before, nil, guardWaits, "is unknown"},
		{"too few prefixes", 80, before, up(4, 159), guardWaits, "has 159 of 200 prefixes"},
		{"too few prefixes for too long", 80, after, up(4, 159), guardUnmet, "has 159 of 200 prefixes"},
		{"just enough prefixes", 80, before, up(4, 160), guardMet, ""},
		{"all of them", 100, before, up(4, 200), guardMet, ""},
		{"at the source", 0, before, at("10.0.0.1"), guardMet, ""},
		{"at another address", 0, before, at("10.0.0.9"), guardWaits, "has a session at 10.0.0.9, not at the source 10.0.0.1"},
		{"at another address for too long", 0, after, at("10.0.0.9"), guardUnmet, "has a session at 10.0.0.9, not at the source 10.0.0.1"},
	}
	now := time.Unix(1e9, 0)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &Guarded{Deadline: now, Percent: tt.percent, Peers: []GuardedPeer{{Peer: thePeer, Transitions: 3, Source: source, Prefixes: 200}}}
			v, missing := g.judge(now.Add(tt.at), func(bgp.PeerKey) *bgp.PeerState { return tt.state })
			want := ""
			if tt.missing != "" {
				want = thePeer.String() + " " + tt.missing
			}
			if v != tt.want || strings.Join(missing, ", ") != want {
				t.Errorf("verdict %d, missing %q", v, missing)
			}
		})
	}
	t.Run("many", func(t *testing.T) {
		g := &Guarded{Deadline: now, Peers: make([]GuardedPeer, 9)}
		v, missing := g.judge(now, func(bgp.PeerKey) *bgp.PeerState { return nil })
		if v != guardUnmet || len(missing) != maxMissing+1 || missing[maxMissing] != "and 4 more" {
			t.Errorf("verdict %d, missing %q", v, missing)
		}
	})
}

// guardedMove moves the peer to LoopBack2 under a guard.
func (r *rig) guardedMove(g Guard, cf *Confirm) error {
	_, err := r.c.Edit(r.Context(), operator, Options{Guard: &g, Confirm: cf}, func(tx schema.Tx) error {
		source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack2")
		return nil
	})
	return err
}

// guardRig has the example with its session up.
func guardRig(t *testing.T) *rig {
	r := newRig(t)
	r.mustEdit(example)
	r.eventually("the session", func() bool { return r.c.established(thePeer) })
	return r
}

func (r *rig) lastCommit() datastore.Commit {
	h := r.c.Store().History()
	return h[len(h)-1]
}

// timeIsOver makes now the deadline of the guard.
func (r *rig) timeIsOver() {
	r.Helper()
	g := *r.c.Guarded()
	g.Deadline = time.Now()
	if err := r.c.setGuarded(&g); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) decided() {
	r.Helper()
	r.eventually("the guard decides", func() bool { return r.c.Guarded() == nil })
}

func TestGuard(t *testing.T) {
	t.Run("met", func(t *testing.T) {
		r := guardRig(t)
		r.b.Hold()
		if err := r.guardedMove(Guard{Timeout: time.Hour}, nil); err != nil {
			t.Fatal(err)
		}
		_, err := r.edit(func(tx schema.Tx) { tx.Delete(schema.PeerKey(thePeer)) })
		if ge, ok := errors.AsType[*GuardError](err); !ok || len(ge.Peers) != 1 || !strings.Contains(err.Error(), "by admin over gnmi waits for a peer until") {
			t.Errorf("another change while it waits: %v", err)
		}
		var locked *datastore.LockedError
		if err := r.c.Lock(t.Context(), session7, datastore.DatastoreRunning); !errors.As(err, &locked) {
			t.Errorf("a lock while it waits: %v", err)
		}
		r.b.Release()
		r.decided()
		if r.source() != after || r.lastCommit().Revision != 2 {
			t.Errorf("source %v, last commit %+v", r.source(), r.lastCommit())
		}
		r.mustEdit(func(tx schema.Tx) { tx.Delete(schema.PeerKey(thePeer)) })
	})
	t.Run("unmet", func(t *testing.T) {
		r := guardRig(t)
		r.b.Hold()
		if err := r.guardedMove(Guard{Timeout: 30 * time.Millisecond}, nil); err != nil {
			t.Fatal(err)
		}
		r.decided()
		last := r.lastCommit()
		want := datastore.Meta{
			CommitID: "3", User: "admin", Protocol: "guard", Comment: "guard not met in time: " + thePeer.String() + " is idle",
			Changes: last.Changes, Time: last.Time, Restores: ygot.Uint64(1),
		}
		if diff := cmp.Diff(want, last.Meta); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		r.b.Release()
		if r.source() != before {
			t.Errorf("source %v", r.source())
		}
		if got := r.c.results(r.c.Store().History(), r.c.Guarded()); got[0] != "ok" || got[1] != "rolled back by commit 3: "+last.Comment || got[2] != "ok" {
			t.Errorf("results %q", got)
		}
	})
	t.Run("who listens is told what becomes of it", func(t *testing.T) {
		r := guardRig(t)
		sub := r.c.Subscribe()
		defer sub.Close()
		r.b.Hold()
		if err := r.guardedMove(Guard{Timeout: time.Hour}, nil); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for !seen["rolled back"] {
			changes, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range changes {
				if changes[i].Key != schema.AgentKey() {
					continue
				}
				_, after := States(&changes[i])
				if c := after.(*agentRec).Commits.Commit[2]; c != nil {
					result, _, _ := strings.Cut(*c.Result, " by")
					result, _, _ = strings.Cut(result, " until")
					if !seen[result] && len(seen) == 0 {
						r.timeIsOver()
					}
					seen[result] = true
				}
			}
		}
		if diff := cmp.Diff(map[string]bool{"ok, guarded": true, "rolled back": true}, seen); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
	t.Run("while it waits the history says for what", func(t *testing.T) {
		r := guardRig(t)
		r.b.Hold()
		if err := r.guardedMove(Guard{Timeout: time.Hour}, nil); err != nil {
			t.Fatal(err)
		}
		r.eventually("the end of the session", func() bool { return !r.c.established(thePeer) })
		if got := r.c.results(r.c.Store().History(), r.c.Guarded()); !strings.HasPrefix(got[1], "ok, guarded until ") || !strings.HasSuffix(got[1], thePeer.String()+" is idle") {
			t.Errorf("results %q", got)
		}
	})
	t.Run("prefixes that do not come back", func(t *testing.T) {
		r := guardRig(t)
		r.c.observe(thePeer, time.Now(), func(st *bgp.PeerState) { st.Families = []bgp.FamilyState{{Active: true, Received: 10}} })
		percent := uint8(50)
		if err := r.guardedMove(Guard{Timeout: 30 * time.Millisecond, Percent: &percent}, nil); err != nil {
			t.Fatal(err)
		}
		r.decided()
		if got := r.lastCommit().Comment; !strings.HasSuffix(got, "has 0 of 10 prefixes") {
			t.Errorf("comment %q", got)
		}
	})
	t.Run("nothing to guard", func(t *testing.T) {
		r := guardRig(t)
		r.b.Hold()
		for name, fn := range map[string]func(tx schema.Tx){
			"no reset": func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String("x") },
			"disabled": func(tx schema.Tx) { peerAt(tx, thePeer).Config.Enabled = ygot.Bool(false) },
			"deleted":  func(tx schema.Tx) { tx.Delete(schema.PeerKey(thePeer)) },
		} {
			_, err := r.c.Edit(t.Context(), operator, Options{Guard: &Guard{Timeout: time.Hour}}, func(tx schema.Tx) error { fn(tx); return nil })
			if err != nil || r.c.Guarded() != nil {
				t.Errorf("%s: %v, guarded %+v", name, err, r.c.Guarded())
			}
			if _, err := r.c.Rollback(t.Context(), operator, Options{}, "1"); err != nil {
				t.Fatal(err)
			}
			r.b.Establish(thePeer)
			r.eventually("the session", func() bool { return r.c.established(thePeer) })
		}
	})
	t.Run("as configured", func(t *testing.T) {
		r := guardRig(t)
		r.mustEdit(func(tx schema.Tx) {
			cfg := tx.Mutable(schema.AgentKey()).(*agentRec).GetOrCreateResetControl().GetOrCreateConfig()
			cfg.GuardTimeout, cfg.GuardPrefixPercent = ygot.Uint16(1000), ygot.Uint8(7)
		})
		r.b.Hold()
		if err := r.guardedMove(Guard{}, nil); err != nil {
			t.Fatal(err)
		}
		st := r.c.View().State(schema.AgentKey()).(*agentRec).ResetControl.State
		if *st.GuardTimeout != 1000 || *st.GuardPrefixPercent != 7 {
			t.Errorf("state %+v", st)
		}
		if g := r.c.Guarded(); g.Percent != 7 || time.Until(g.Deadline) < 900*time.Second {
			t.Errorf("guarded %+v", g)
		}
	})
	t.Run("a commit that fails is not guarded", func(t *testing.T) {
		r := guardRig(t)
		r.b.FailApply(func(plan.Step) error { return errors.New("no") })
		if err := r.guardedMove(Guard{Timeout: time.Hour}, nil); err == nil || r.c.Guarded() != nil {
			t.Errorf("%v, guarded %+v", err, r.c.Guarded())
		}
	})
}

// A guard and a confirmation are asked for together: the guard takes the whole
// commit back, or leaves it to be confirmed; and goes where the commit goes.
func TestGuardedConfirmedCommit(t *testing.T) {
	tests := []struct {
		name    string
		timeout time.Duration
		release bool
		then    func(r *rig) error
		source  string
		pending bool
	}{
		{"met", time.Hour, true, nil, "10.1.1.9", true},
		{"unmet", 30 * time.Millisecond, false, nil, "10.1.1.1", false},
		{"canceled while it waits", time.Hour, false, func(r *rig) error { return r.c.Cancel(r.Context(), operator, "x") }, "10.1.1.1", false},
		{"confirmed while it waits, then unmet", time.Hour, false, func(r *rig) error {
			if err := r.c.Confirm(operator, "x"); err != nil {
				return err
			}
			r.timeIsOver()
			return nil
		}, "10.1.1.1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := guardRig(t)
			r.b.Hold()
			if err := r.guardedMove(Guard{Timeout: tt.timeout}, &Confirm{ID: "x"}); err != nil {
				t.Fatal(err)
			}
			if tt.release {
				r.b.Release()
			}
			if tt.then != nil {
				if err := tt.then(r); err != nil {
					t.Fatal(err)
				}
			}
			r.decided()
			r.b.Release()
			if r.source().String() != tt.source || (r.c.Pending() != nil) != tt.pending {
				t.Errorf("source %v, pending %+v", r.source(), r.c.Pending())
			}
		})
	}
}

// A guard survives a restart of the agent: its peers have until its time, and
// where that has passed the commit is gone before the backend hears of it.
func TestGuardAndRestart(t *testing.T) {
	tests := []struct {
		name   string
		late   bool
		source string
	}{{"in time", false, "10.1.1.9"}, {"too late", true, "10.1.1.1"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, net := t.TempDir(), newNetwork()
			b := fake.New(fake.Options{})
			old := bootRig(t, dir, b, net)
			old.mustEdit(example)
			old.eventually("the session", func() bool { return old.c.established(thePeer) })
			b.Hold()
			if err := old.guardedMove(Guard{Timeout: time.Hour}, nil); err != nil {
				t.Fatal(err)
			}
			if tt.late {
				g := *old.c.Guarded()
				g.Deadline = time.Now().Add(-time.Second)
				old.c.mu.Lock() // it must not decide before the agent ends
				defer old.c.mu.Unlock()
				if err := old.c.setGuarded(&g); err != nil {
					t.Fatal(err)
				}
			}
			if err := old.c.Store().Close(); err != nil {
				t.Fatal(err)
			}
			next := fake.New(fake.Options{})
			next.Hold()
			r := bootRig(t, dir, next, net)
			if (r.c.Guarded() == nil) != tt.late {
				t.Errorf("guarded %+v", r.c.Guarded())
			}
			next.Release()
			r.decided()
			if r.source().String() != tt.source || next.TotalCeases() != 0 {
				t.Errorf("source %v, %d ceases", r.source(), next.TotalCeases())
			}
			if last := r.lastCommit(); tt.late && (last.Protocol != "guard" || !strings.Contains(last.Comment, "before the restart")) {
				t.Errorf("history %+v", last)
			}
		})
	}
}

func TestResults(t *testing.T) {
	r := newRig(t)
	commits := func(restores ...int) (out []datastore.Commit) {
		for i, base := range restores { // of the revisions 5, 6, ...; 0 for no rollback
			h := datastore.Commit{Revision: uint64(5 + i), Meta: datastore.Meta{CommitID: commitID(uint64(5 + i))}}
			if base > 0 {
				h.Restores = ygot.Uint64(uint64(base))
			}
			out = append(out, h)
		}
		return out
	}
	for _, tt := range []struct {
		name    string
		commits []datastore.Commit
		want    []string // the rollback of each, "" for none
	}{
		{"none", commits(0, 0), []string{"", ""}},
		{"one", commits(0, 0, 0, 5), []string{"", "8", "8", ""}},
		{"to nothing that is kept", commits(0, 0, 2), []string{"7", "7", ""}},
		{"to where it is", commits(0, 5, 0), []string{"", "", ""}},
		{"of a rollback", commits(0, 0, 5, 6), []string{"", "7", "8", ""}},
		{"over a rollback", commits(0, 0, 5, 0, 5), []string{"", "7", "9", "9", ""}},
		{"over two", commits(0, 0, 5, 0, 7, 3), []string{"10", "7", "10", "9", "10", ""}},
	} {
		for i, got := range r.c.results(tt.commits, nil) {
			want := "ok"
			if tt.want[i] != "" {
				want = "rolled back by commit " + tt.want[i]
			}
			if got != want {
				t.Errorf("%s: result of %s is %q, want %q", tt.name, tt.commits[i].CommitID, got, want)
			}
		}
	}
}
