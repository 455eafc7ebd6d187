package frr

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// What was changed by hand and ended no session is put right without ending one: the
// session has the right value all along. What needs a reset waits for the end of the
// session, or is reset where the policy says so.
func TestDriftWithoutReset(t *testing.T) {
	for _, policy := range []DriftPolicy{Repair, RepairReset} {
		t.Run(policy.String(), func(t *testing.T) {
			l := parallelLab(t, daemonOptions{})
			opt := l.options()
			opt.Drift = policy
			b := run(t, New(opt))
			p := l.peer(0, 0)
			remote := l.dialling(t, p)
			b.apply(putInstance(l.instance(0)), createPeer(p))
			wait(t, 15*time.Second, "a session", remote.Established)
			name := "neighbor " + p.Key.Address.String() + " "
			has := func(line string) func() bool {
				return func() bool { return strings.Contains(l.by("show running-config"), name+line+"\n") }
			}
			l.by("configure terminal", l.routerOf(0), name+"timers 5 15", name+"tcp-mss 900", name+"timers connect 99", "end")
			wait(t, 15*time.Second, "the difference", func() bool { return len(b.Drift()) == 1 })
			wait(t, 15*time.Second, "the right timers", has("timers 30 90"))
			wait(t, 15*time.Second, "and no difference", func() bool { return len(b.Drift()) == 0 })
			if n := b.count(backend.BackendUp); n > 0 || remote.Sessions() != 1 || len(remote.Ceases()) > 0 {
				t.Errorf("%d calls for repair, %d sessions, Ceases %v", n, remote.Sessions(), remote.Ceases())
			}

			// bgpd ends the session for this one, and again if it were put right.
			l.by("configure terminal", l.routerOf(0), name+"local-as 65055 no-prepend replace-as", "end")
			wait(t, 15*time.Second, "the session with the other AS", func() bool { return remote.Established() && remote.Sessions() == 2 })
			if policy == RepairReset {
				wait(t, 15*time.Second, "the call for repair", func() bool { return b.count(backend.BackendUp) > 0 })
				return
			}
			wait(t, 15*time.Second, "the difference", func() bool { return len(b.Drift()) == 1 })
			if snap, err := b.Snapshot(t.Context()); err != nil || snap.Peers[p.Key].LocalAS != p.LocalAS {
				t.Errorf("the engine would reset it: %+v, %v", snap.Peers[p.Key], err)
			}
			wait(t, 15*time.Second, "the agent to know of the session", func() bool {
				ups := 0
				b.has(func(e backend.Event) bool {
					if e.Session == bgp.StateEstablished {
						ups++
					}
					return false
				})
				return ups >= 2
			})
			if n := b.count(backend.BackendUp); n > 0 || remote.Sessions() != 2 {
				t.Errorf("%d calls for repair, %d sessions", n, remote.Sessions())
			}
			remote.End(&bgp.Notification{Code: bgp.CodeCease, Subcode: bgp.CeaseAdminReset})
			wait(t, 15*time.Second, "no difference after the end of the session", func() bool { return len(b.Drift()) == 0 })
			wait(t, 15*time.Second, "a session with the right AS", func() bool {
				return remote.Established() && remote.Open().AS == p.LocalAS
			})
		})
	}
}

// refusesBoth asserts that Prepare, which a preview asks, refuses what Apply does, in
// the same words.
func (l *lab) refusesBoth(b *Backend, s plan.Step, because string) {
	l.t.Helper()
	perr := b.Prepare(context.Background(), []plan.Step{s})
	_, aerr := b.Apply(context.Background(), []plan.Step{s})
	if perr == nil || aerr == nil || !strings.Contains(perr.Error(), because) {
		l.t.Fatalf("Prepare: %v, Apply: %v, want refusals for %q", perr, aerr, because)
	}
	if perr.Error() != aerr.Error() {
		l.t.Errorf("Prepare says %q, Apply %q", perr, aerr)
	}
}
