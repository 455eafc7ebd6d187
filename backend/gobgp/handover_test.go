package gobgp

import (
	"net"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/server"

	"mooring/backend"
	"mooring/bgp"
)

// The guard of docs/adr/0012: the field that the hand-over needs. Where this
// fails after an update of GoBGP, read Serve, passConnToPeer and the states
// again before it is changed.
func TestHandOverField(t *testing.T) {
	f, ok := reflect.TypeFor[server.BgpServer]().FieldByName(acceptField)
	if !ok || f.Type != reflect.TypeFor[chan net.Conn]() || f.Index[0] == 0 && len(f.Index) > 1 {
		t.Fatalf("field %q: %v, type %v", acceptField, ok, f.Type)
	}
	if err := handOverWorks(); err != nil {
		t.Errorf("the hand-over does not work: %v", err)
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, m := range build.Deps {
			if m.Path == "github.com/osrg/gobgp/v4" && m.Version != "v4.8.0" {
				t.Errorf("GoBGP is %s: the hand-over was read and tested in v4.8.0", m.Version)
			}
		}
	}
}

func TestHandOverGuard(t *testing.T) {
	for _, c := range []struct {
		name   string
		server any
		ok     bool
	}{
		{"as in v4.8.0", &struct{ acceptCh chan net.Conn }{}, true},
		{"no field", &struct{ other chan net.Conn }{}, false},
		{"another type", &struct{ acceptCh chan *net.TCPConn }{}, false},
		{"one direction", &struct{ acceptCh <-chan net.Conn }{}, false},
	} {
		ch, err := handOverInto(reflect.ValueOf(c.server).Elem())
		if (err == nil) != c.ok || (ch != nil) != c.ok {
			t.Errorf("%s: %v, %v", c.name, ch, err)
		}
	}
}

// A GoBGP that reads the channel, but does something else with it.
func TestProbeOfTheHandOver(t *testing.T) {
	for _, c := range []struct {
		name string
		read func(<-chan net.Conn)
		want string
	}{
		{"closes", func(ch <-chan net.Conn) { (<-ch).Close() }, ""},
		{"keeps", func(ch <-chan net.Conn) { <-ch }, "does not look"},
		{"does not read", func(<-chan net.Conn) {}, "does not read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ch := make(chan net.Conn)
			go c.read(ch)
			err := probeHandOver(ch, 50*time.Millisecond)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("probe = %v, want %q", err, c.want)
			}
		})
	}
}

// Where the hand-over does not work, GoBGP dials, and the state says so.
func TestFallback(t *testing.T) {
	parallel(t)
	w := newWorld(t, Options{Stock: true})
	w.b.takeSockets(errHalf)
	r := run(t, w)
	if s := r.b.Status(); !strings.Contains(s.Degraded, "itself") || !strings.Contains(s.Degraded, errHalf.Error()) {
		t.Errorf("status %+v does not say it", s)
	}
	for _, c := range r.b.Capabilities() {
		if c.Leaf == "transport/config/path-mtu-discovery" && c.Support != backend.Refused {
			t.Errorf("capability %+v", c)
		}
	}
	p := r.peer(0, 0)
	remote := r.dialling(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.wait("a session", remote.Established)
}

// A connection that GoBGP does not take is closed, and another is offered: the
// server of an instance stops while one is on its way.
func TestHandOverToStoppedServer(t *testing.T) {
	parallel(t)
	r := &running{conns: make(chan net.Conn), served: make(chan struct{})}
	close(r.served)
	p := probeConn{closed: make(chan struct{}, 1)}
	r.handOver(p)
	select {
	case <-p.closed:
	default:
		t.Error("the connection is open")
	}
	w := newWorld(t)
	w.b.handOver(&speaker{}, p)
	select {
	case <-p.closed:
	default:
		t.Error("the connection is open")
	}
}

// What changes on the socket of a session without its end: the state tells.
func TestLiveChange(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	remote := r.passive(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.settled(p.Key)
	r.wait("the event", func() bool { _, ok := r.last(p.Key, isUp); return ok })
	e, _ := r.last(p.Key, isUp)
	if e.Socket.TTL != 1 || e.Socket.MSS == 0 || e.Socket.PathMTU == 0 {
		t.Errorf("socket %+v", e.Socket)
	}
	q := with(p, func(p *bgp.PeerSpec) {
		p.TTL, p.DSCP, p.PathMTU, p.ConnectMode = 9, 10, bgp.ToggleOff, bgp.ConnectOnly
	})
	if got := r.b.Native(p, q); got != bgp.ImpactNone {
		t.Errorf("Native = %v", got)
	}
	r.apply(r.update(p, q, bgp.ImpactNone))
	r.wait("the TTL in state", func() bool { e, ok := r.last(p.Key, isUp); return ok && e.Socket.TTL == 9 })
	r.never("a reset", func() bool { return remote.Sessions() > 1 || len(remote.Ceases()) > 0 })
	if diff := bgp.DiffPeers(r.b.inForce(p.Key), q); len(diff) > 0 {
		t.Errorf("not in force: %v", diff)
	}
	// The next session is by them too, and was not made for them.
	remote.End(nil)
	r.wait("the next session", func() bool { return remote.Sessions() == 2 && remote.Established() })
	r.wait("its TTL", func() bool { s, ok := r.b.own.Socket(p.Key); return ok && s.TTL == 9 })
}
