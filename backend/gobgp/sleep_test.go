package gobgp

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend"
	"mooring/bgp"
)

// awake says whether GoBGP has the peer.
func (r *rig) awake(key bgp.PeerKey) bool {
	r.t.Helper()
	r.b.mu.Lock()
	run := r.b.speakers[key.InstanceKey()].run
	r.b.mu.Unlock()
	a, err := run.peer(context.Background(), key.Address)
	if err != nil {
		r.t.Fatal(err)
	}
	return a != nil
}

// A peer is in GoBGP only while it has a connection, or had one a moment ago.
func TestPeerSleepsWithoutConnection(t *testing.T) {
	parallel(t)
	r := newRig(t, func(b *Backend) { b.poll = 20 * time.Millisecond })
	p := r.peer(0, 0)
	r.apply(putInstance(r.instance(0)), create(p))
	r.wait("an event of a peer that waits", func() bool {
		_, ok := r.last(p.Key, func(e backend.Event) bool { return e.Session == bgp.StateActive })
		return ok
	})
	// Changes of it are changes of what the next connection is made by.
	q := with(p, func(p *bgp.PeerSpec) { p.Source, p.HoldTime = r.addr(2), 60*time.Second })
	r.apply(r.update(p, q, bgp.ImpactReset))
	r.never("GoBGP has it", func() bool { return r.awake(p.Key) })
	if n, _ := r.last(p.Key, func(e backend.Event) bool { return e.Ended != nil }); n.Ended != nil {
		t.Errorf("a change of a peer without a session ended one: %+v", n)
	}

	remote := r.passive(t, q)
	r.told(p.Key)
	if remote.Source() != q.Source || remote.Open().HoldTime != q.HoldTime || !r.awake(p.Key) {
		t.Errorf("session from %s with %+v, want the new settings", remote.Source(), remote.Open())
	}
	remote.Close()
	r.wait("GoBGP lets go of it", func() bool { return !r.awake(p.Key) })
	again := r.passive(t, q)
	r.wait("the next session", again.Established)
	r.settled(q.Key)
	r.apply(remove(q))
	r.wait("its end", func() bool { return len(again.Ceases()) == 1 })
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.b.speakers[q.Key.InstanceKey()].run.talks.get(q.Key.Address) != nil {
		t.Error("the connection of a deleted peer is kept")
	}
}

// A remote that comes back within its restart time finds its routes: the peer
// stays in GoBGP until then (RFC 4724 4.2).
func TestRestartingPeerStaysAwake(t *testing.T) {
	parallel(t)
	r := newRig(t, func(b *Backend) { b.poll = 20 * time.Millisecond })
	p := r.peer(0, 0)
	p.GracefulRestart = true
	q := &peer{want: p, given: p, shown: backend.Event{Session: bgp.StateActive}}
	a := &api.Peer{
		State:           &api.PeerState{SessionState: api.PeerState_SESSION_STATE_ACTIVE},
		GracefulRestart: &api.GracefulRestart{PeerRestarting: true},
	}
	for range 3 {
		if q.tires(a) {
			t.Fatal("a restarting peer is put to sleep")
		}
	}
	a.GracefulRestart.PeerRestarting = false
	if q.tires(a) || !q.tires(a) {
		t.Error("a peer without a connection goes at the second look")
	}
}

// refusing lets no peer in.
type refusing struct{ bgpServer }

var errRefused = errors.New("not today")

func (refusing) AddPeer(context.Context, *api.AddPeerRequest) error { return errRefused }

// Where GoBGP does not take a peer that has a connection, the state says so,
// and it is tried again.
func TestPeerThatGoBGPRefuses(t *testing.T) {
	parallel(t)
	r := newRig(t)
	in, p := r.instance(0), r.peer(0, 0)
	r.apply(putInstance(in))
	var real bgpServer
	r.b.wrap(in.Key, func(s bgpServer) bgpServer { real = s; return refusing{s} })
	r.apply(create(p))
	remote := r.passive(t, p)
	r.wait("the reason", func() bool {
		_, ok := r.last(p.Key, func(e backend.Event) bool { return e.ConnectError == "GoBGP refuses the peer: "+errRefused.Error() })
		return ok
	})
	r.b.wrap(in.Key, func(bgpServer) bgpServer { return real })
	r.wait("a session", remote.Established)
}

// A connection that was made by settings that are over is not used.
func TestConnectionOfOldSettings(t *testing.T) {
	parallel(t)
	r := newRig(t)
	in, p := r.instance(0), r.peer(0, 0)
	r.apply(putInstance(in), create(p))
	r.b.mu.Lock() // a commit is under way when the connection comes
	remote := r.dialling(t, p)
	r.wait("the connection", func() bool { return !r.b.own.Idle(p.Key) })
	r.b.mu.Unlock()
	q := with(p, func(p *bgp.PeerSpec) { p.LocalAS = 64999 })
	remote.Follow(q)
	r.apply(r.update(p, q, bgp.ImpactReset))
	r.told(p.Key)
	if o := remote.Open(); o.AS != q.LocalAS {
		t.Errorf("OPEN of AS %d, want %d", o.AS, q.LocalAS)
	}
}
