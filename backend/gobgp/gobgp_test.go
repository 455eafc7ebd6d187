package gobgp

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(downtimeMode); mode != "" {
		if err := downtimeChild(mode); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	// The tests wait for timers more than they work.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		// GoBGP's own leak: a state machine that stops closes its outgoing queue
		// and drains it without waiting (cleanInfiniteChannel), so the queue's
		// goroutine stays now and then with what it could not hand on.
		goleak.IgnoreTopFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"),
	)
}

// world is a block of loopback addresses, 127.x.y.0/24, in which a test has
// its instances (.1, .2 and so on, two each) and its peers (from .100).
type world struct {
	b          *Backend
	x, y       byte
	listenPort uint16
	remotePort uint16
}

var worlds atomic.Uint32

func newWorld(t *testing.T, o ...Options) *world {
	t.Helper()
	// Tests of other processes on this machine have other blocks: most likely.
	n := worlds.Add(1)
	w := &world{x: byte(16 + (os.Getpid()+int(n>>8))%200), y: byte(n), listenPort: 17900, remotePort: 17901}
	for _, o := range append(o, Options{}) {
		o.Log = testLog(t)
		w.b = New(o)
		break
	}
	return w
}

func (w *world) addr(last int) netip.Addr { return netip.AddrFrom4([4]byte{127, w.x, w.y, byte(last)}) }

func (w *world) instance(i int) *bgp.InstanceSpec {
	return &bgp.InstanceSpec{
		Key: bgp.InstanceKey{Instance: "default", VPN: fmt.Sprintf("vpn%d", i)},
		AS:  64500, RouterID: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}),
		Listen: []netip.Addr{w.addr(1 + 2*i), w.addr(2 + 2*i)}, Port: w.listenPort,
	}
}

func (w *world) peer(i, n int) *bgp.PeerSpec {
	in := w.instance(i)
	return &bgp.PeerSpec{
		Key:      bgp.PeerKey{Instance: in.Key.Instance, VPN: in.Key.VPN, Address: w.addr(100 + n)},
		RemoteAS: 64600, LocalAS: in.AS, RouterID: in.RouterID,
		Source: in.Listen[0], RemotePort: w.remotePort, TTL: 1,
		HoldTime: 90 * time.Second, Keepalive: 30 * time.Second, ConnectRetry: 2 * time.Second,
		RestartTime: 120 * time.Second, StaleTime: 300 * time.Second,
		Families: []bgp.Family{bgp.IPv4Unicast},
	}
}

// dialling is a remote that dials the instance at all its addresses, so that
// a session comes back in milliseconds.
func (w *world) dialling(t *testing.T, p *bgp.PeerSpec) *backendtest.TCPRemote {
	var i int
	fmt.Sscanf(p.Key.VPN, "vpn%d", &i)
	return backendtest.NewTCPRemote(t, backendtest.RemoteConfig{Address: p.Key.Address, Dial: w.ports(i)}, p)
}

// ports are where an instance listens.
func (w *world) ports(i int) []netip.AddrPort {
	var at []netip.AddrPort
	for _, a := range w.instance(i).Listen {
		at = append(at, netip.AddrPortFrom(a, w.listenPort))
	}
	return at
}

// passive is a remote that only listens: GoBGP must dial.
func (w *world) passive(t *testing.T, p *bgp.PeerSpec) *backendtest.TCPRemote {
	return backendtest.NewTCPRemote(t, backendtest.RemoteConfig{
		Address: p.Key.Address, Listen: w.remotePort, From: []netip.Addr{w.addr(1), w.addr(2), w.addr(3), w.addr(4)},
	}, p)
}

// testLog writes to the test's log until the test is over.
func testLog(t *testing.T) *slog.Logger {
	l := &logWriter{t: t}
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.t = nil
	})
	level := slog.LevelWarn
	if os.Getenv("MOORING_TEST_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

type logWriter struct {
	mu sync.Mutex
	t  *testing.T
}

func (l *logWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t != nil {
		l.t.Log(string(bytes.TrimSpace(b)))
	}
	return len(b), nil
}

// parallel runs a test beside others, unless the race detector would report
// GoBGP's package variables for it (backends.md 1.5).
func parallel(t *testing.T) {
	if !raceEnabled {
		t.Parallel()
	}
}

// The contract with connections handed over, and with GoBGP's own dialer.
func TestContract(t *testing.T)      { contract(t, Options{}) }
func TestStockContract(t *testing.T) { contract(t, Options{Stock: true}) }

func contract(t *testing.T, o Options) {
	backendtest.Run(t, parallel, func(t *testing.T) backendtest.Harness {
		w := newWorld(t, o)
		return backendtest.Harness{
			Backend:     w.b,
			Instance:    w.instance,
			Peer:        w.peer,
			OtherSource: func(p *bgp.PeerSpec) { p.Source = p.Source.Next() },
			Remote: func(t *testing.T, p *bgp.PeerSpec) backendtest.Remote {
				return w.dialling(t, p)
			},
			InForce: w.b.inForce,
			Unsupported: func(p *bgp.PeerSpec) *bgp.PeerSpec {
				p.RemoteAS = 0
				return p
			},
			FailingStep: func(t *testing.T) plan.Step {
				in := w.instance(7)
				busy(t, netip.AddrPortFrom(in.Listen[1], in.Port))
				return plan.Step{Op: plan.PutInstance, Instance: in.Key, NewInstance: in}
			},
			Return: 15 * time.Second,
			Quiet:  300 * time.Millisecond,
		}
	})
}

// inForce returns what GoBGP works by for a peer.
func (b *Backend) inForce(key bgp.PeerKey) *bgp.PeerSpec {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.speakers[key.InstanceKey()].peers[key.Address]
	if p.given == nil && p.want.Down == bgp.DownNone {
		return p.want // it has no session yet
	}
	return p.given
}

// busy listens at an address so that nobody else can.
func busy(t *testing.T, at netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp4", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// rig is a world whose backend runs, for tests of one trap each.
type rig struct {
	*world
	t      *testing.T
	mu     sync.Mutex
	events []backend.Event
}

func newRig(t *testing.T, change ...func(*Backend)) *rig {
	t.Helper()
	return run(t, newWorld(t), change...)
}

// newStockRig is a rig with GoBGP's own dialer and listener.
func newStockRig(t *testing.T, change ...func(*Backend)) *rig {
	t.Helper()
	return run(t, newWorld(t, Options{Stock: true}), change...)
}

func run(t *testing.T, w *world, change ...func(*Backend)) *rig {
	t.Helper()
	r := &rig{world: w, t: t}
	for _, f := range change {
		f(r.b)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.b.Run(ctx, func(e backend.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return r
}

// last returns the last event of a peer that f accepts.
func (r *rig) last(key bgp.PeerKey, f func(backend.Event) bool) (backend.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range slices.Backward(r.events) {
		if e.Peer == key && f(e) {
			return e, true
		}
	}
	return backend.Event{}, false
}

func isUp(e backend.Event) bool { return e.Session == bgp.StateEstablished }

func (r *rig) apply(steps ...plan.Step) {
	r.t.Helper()
	if err := r.b.Prepare(r.t.Context(), steps); err != nil {
		r.t.Fatalf("Prepare: %v", err)
	}
	if n, err := r.b.Apply(r.t.Context(), steps); n != len(steps) || err != nil {
		r.t.Fatalf("Apply = %d, %v, want %d, nil", n, err, len(steps))
	}
}

func (r *rig) wait(what string, cond func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// settled waits until GoBGP itself says that the peer has a session, which is
// a moment after the remote and the event say so.
func (r *rig) settled(key bgp.PeerKey) {
	r.t.Helper()
	r.b.mu.Lock()
	run := r.b.speakers[key.InstanceKey()].run
	r.b.mu.Unlock()
	r.wait("a session", func() bool {
		a, err := run.peer(context.Background(), key.Address)
		return err == nil && isEstablished(a)
	})
}

func (r *rig) never(what string, cond func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(400 * time.Millisecond); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if cond() {
			r.t.Fatalf("this must not happen: %s", what)
		}
	}
}

func putInstance(in *bgp.InstanceSpec) plan.Step {
	return plan.Step{Op: plan.PutInstance, Instance: in.Key, NewInstance: in}
}

func create(p *bgp.PeerSpec) plan.Step {
	return plan.Step{Op: plan.CreatePeer, Instance: p.Key.InstanceKey(), Peer: p.Key, New: p}
}

func remove(p *bgp.PeerSpec) plan.Step {
	return plan.Step{Op: plan.DeletePeer, Instance: p.Key.InstanceKey(), Peer: p.Key, Old: p, Impact: bgp.ImpactReset}
}

func (w *world) update(old, new *bgp.PeerSpec, impact bgp.Impact) plan.Step {
	return plan.Step{
		Op: plan.UpdatePeer, Instance: new.Key.InstanceKey(), Peer: new.Key, Old: old, New: new, Impact: impact,
		AddReset: impact == bgp.ImpactReset && w.b.Native(old, new) < bgp.ImpactReset,
		Leaves:   bgp.DiffPeers(old, new),
	}
}

func with(p *bgp.PeerSpec, change func(*bgp.PeerSpec)) *bgp.PeerSpec {
	q := *p
	change(&q)
	return &q
}
