package gobgp

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"golang.org/x/sys/unix"

	"mooring/backend"
	"mooring/backend/transport"
	"mooring/bgp"
	"mooring/engine/plan"
)

// wrap puts a layer over the server of an instance.
func (b *Backend) wrap(key bgp.InstanceKey, layer func(bgpServer) bgpServer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	run := b.speakers[key].run
	run.bgpServer = layer(run.bgpServer)
}

// halfUpdate deletes the peer and fails, as UpdatePeer may.
type halfUpdate struct{ bgpServer }

var errHalf = errors.New("half done")

func (s halfUpdate) UpdatePeer(ctx context.Context, r *api.UpdatePeerRequest) (*api.UpdatePeerResponse, error) {
	if err := s.DeletePeer(ctx, &api.DeletePeerRequest{Address: r.Peer.Conf.NeighborAddress}); err != nil {
		return nil, err
	}
	return nil, errHalf
}

// backends.md 1.3: UpdatePeer is not atomic.
func TestUpdateThatFailsHalfwayIsRepaired(t *testing.T) {
	parallel(t)
	r := newRig(t)
	in, p := r.instance(0), r.peer(0, 0)
	remote := r.dialling(t, p)
	r.apply(putInstance(in), create(p))
	r.settled(p.Key)
	r.b.wrap(in.Key, func(s bgpServer) bgpServer { return halfUpdate{s} })
	q := with(p, func(p *bgp.PeerSpec) { p.MSS = 1000 })
	n, err := r.b.Apply(t.Context(), []plan.Step{r.update(p, q, bgp.ImpactReset)})
	var e *backend.Error
	if n != 0 || !errors.Is(err, errHalf) || !errors.As(err, &e) || e.Peer != p.Key {
		t.Fatalf("Apply = %d, %v, want 0 and an Error of %s", n, err, p.Key)
	}
	r.wait("a session by the old settings", func() bool { return remote.Sessions() == 2 && remote.Established() })
	if got := r.b.inForce(p.Key); got != p {
		t.Errorf("in force %+v, want the old settings", got)
	}
}

// deaf takes an update and does nothing about it.
type deaf struct{ bgpServer }

func (deaf) UpdatePeer(context.Context, *api.UpdatePeerRequest) (*api.UpdatePeerResponse, error) {
	return &api.UpdatePeerResponse{}, nil
}

// A reset is reported when the session has ended, not when GoBGP was asked.
func TestNoEndWithoutAnEnd(t *testing.T) {
	parallel(t)
	r := newRig(t)
	in, p := r.instance(0), r.peer(0, 0)
	remote := r.dialling(t, p)
	r.apply(putInstance(in), create(p))
	r.settled(p.Key)
	r.wait("the remote to know of it", remote.Established)
	r.b.wrap(in.Key, func(s bgpServer) bgpServer { return deaf{s} })
	r.apply(r.update(p, with(p, func(p *bgp.PeerSpec) { p.MSS = 1000 }), bgp.ImpactReset))
	r.never("an end", func() bool {
		_, ok := r.last(p.Key, func(e backend.Event) bool { return e.Ended != nil })
		return ok || !remote.Established()
	})
	if e, _ := r.last(p.Key, func(backend.Event) bool { return true }); e.Session != bgp.StateEstablished {
		t.Errorf("the session is %s, the remote's is up", e.Session)
	}
}

// lateReset lets the session end between the look and the reset.
type lateReset struct {
	bgpServer
	end func()
}

func (s lateReset) ResetPeer(ctx context.Context, r *api.ResetPeerRequest) error {
	s.end()
	return s.bgpServer.ResetPeer(ctx, r)
}

// backends.md 1.4: GoBGP keeps a reset of a session that is gone for the next.
func TestResetTooLateIsForgotten(t *testing.T) {
	parallel(t)
	r := newRig(t)
	in, p := r.instance(0), r.peer(0, 0)
	remote := r.dialling(t, p)
	r.apply(putInstance(in), create(p))
	r.settled(p.Key)
	r.wait("the remote to know of it", remote.Established)
	run := r.b.speakers[in.Key].run
	r.b.wrap(in.Key, func(s bgpServer) bgpServer {
		return lateReset{s, func() {
			remote.End(nil)
			r.wait("GoBGP sees the end", func() bool {
				a, err := run.peer(context.Background(), p.Key.Address)
				return err == nil && !isEstablished(a)
			})
		}}
	})
	if err := r.b.Reset(t.Context(), p.Key, backend.ResetRequest{Text: "too late"}); err != nil {
		t.Fatal(err)
	}
	r.wait("the next session", func() bool { return remote.Sessions() == 2 && remote.Established() })
	r.never("the reset of the next session", func() bool { return len(remote.Ceases()) > 0 || remote.Sessions() > 2 })
}

// backends.md 1.4: the text of a reset (RFC 9003), and 6/4 comes back without
// GoBGP's idle time.
func TestResetCarriesItsText(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	remote := r.passive(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.settled(p.Key)
	start := time.Now()
	if err := r.b.Reset(t.Context(), p.Key, backend.ResetRequest{Text: "line card swap"}); err != nil {
		t.Fatal(err)
	}
	r.wait("the next session", func() bool { return remote.Sessions() == 2 && remote.Established() })
	t.Logf("back after %v", time.Since(start).Round(10*time.Millisecond))
	if n := remote.LastNotification(); n.Subcode != bgp.CeaseAdminReset || n.Text != "line card swap" {
		t.Errorf("notification %+v", n)
	}
	ended := func(e backend.Event) bool { return e.Ended != nil }
	r.wait("the event of its end", func() bool { _, ok := r.last(p.Key, ended); return ok })
	e, _ := r.last(p.Key, ended)
	if e.Ended.Cause != bgp.CauseNone || e.Ended.Notification.Text != "line card swap" {
		t.Errorf("ended %+v", e.Ended)
	}
}

// A remote that falls silent ends the session by the hold timer: code 4.
func TestHoldTimerIsTheRemotesFault(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	p.HoldTime, p.Keepalive = 3*time.Second, time.Second
	remote := r.dialling(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.wait("a session", remote.Established)
	remote.Mute()
	r.wait("the end", func() bool { return !remote.Established() })
	r.wait("the event", func() bool {
		_, ok := r.last(p.Key, func(e backend.Event) bool { return e.Ended != nil })
		return ok
	})
	e, _ := r.last(p.Key, func(e backend.Event) bool { return e.Ended != nil })
	if e.Ended.Cause != bgp.CauseRemote || e.Ended.Notification.Code != bgp.CodeHoldTimerExpired || !e.Ended.Notification.Sent {
		t.Errorf("ended %+v %+v, want by the remote with code 4 sent", e.Ended, e.Ended.Notification)
	}
}

func TestPrepareRefuses(t *testing.T) {
	parallel(t)
	w := newWorld(t, Options{Stock: true})
	in, p := w.instance(0), w.peer(0, 0)
	wild := func(i int, change func(*bgp.InstanceSpec)) plan.Step {
		s := *w.instance(i)
		s.Listen = nil
		change(&s)
		return putInstance(&s)
	}
	none := func(*bgp.InstanceSpec) {}
	peer := func(change func(*bgp.PeerSpec)) []plan.Step {
		return []plan.Step{putInstance(in), create(with(p, change))}
	}
	for _, c := range []struct {
		name  string
		steps []plan.Step
		leaf  string // "": passes
		says  string
	}{
		{"plain", peer(func(*bgp.PeerSpec) {}), "", ""},
		// backends.md 1.2 validation: GoBGP takes AS 0.
		{"no AS", peer(func(p *bgp.PeerSpec) { p.RemoteAS = 0 }), "config/as", "must have an AS"},
		// backends.md 1.2 timers: 0 means default.
		{"hold time 0", peer(func(p *bgp.PeerSpec) { p.HoldTime = 0 }), "timers/config/hold-time", "default"},
		{"keepalive 0", peer(func(p *bgp.PeerSpec) { p.Keepalive = 0 }), "timers/config/keepalive-interval", "third"},
		{"other router ID", peer(func(p *bgp.PeerSpec) { p.RouterID = p.RouterID.Next() }), "router-id", "one for all"},
		{"no family", peer(func(p *bgp.PeerSpec) { p.Families = nil }), "afi-safis", "family"},
		{"connect-only", peer(func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ConnectOnly }), "transport/config/connect-mode", "listen-port"},
		{"path MTU", peer(func(p *bgp.PeerSpec) { p.PathMTU = bgp.ToggleOff }), "transport/config/path-mtu-discovery", "no socket option"},
		{"namespace", []plan.Step{wild(0, func(s *bgp.InstanceSpec) { s.Namespace = "blue" })}, "config/network-namespace", "blue"},
		// backends.md 1.6
		{"two wildcards", []plan.Step{wild(0, none), wild(1, none)}, "config/listen-address", "default/vpn0"},
		{"wildcard and address", []plan.Step{wild(0, none), putInstance(w.instance(1))}, "config/listen-address", "listen-port"},
		{"two addresses", []plan.Step{putInstance(w.instance(0)), putInstance(w.instance(1))}, "", ""},
		{"two ports", []plan.Step{wild(0, none), wild(1, func(s *bgp.InstanceSpec) { s.Port++ })}, "", ""},
		{"two devices", []plan.Step{wild(0, none), wild(1, func(s *bgp.InstanceSpec) { s.Device = "vrf1" })}, "", ""},
		{"no listener", []plan.Step{wild(0, none), wild(1, func(s *bgp.InstanceSpec) { s.Port = 0 })}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := w.b.Prepare(t.Context(), c.steps)
			if c.leaf == "" {
				if err != nil {
					t.Errorf("Prepare = %v, want nil", err)
				}
				return
			}
			var e *backend.Error
			if !errors.As(err, &e) || e.Leaf != c.leaf || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Prepare = %v, want leaf %s and %q", err, c.leaf, c.says)
			}
		})
	}
	err := w.b.Prepare(t.Context(), []plan.Step{create(p)})
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("Prepare of a peer without its instance = %v", err)
	}
}

// backends.md 1.2 AuthPassword: GoBGP logs the failure of the key that is one
// too many, and says nothing.
func TestTooManyKeysAreRefused(t *testing.T) {
	parallel(t)
	r := newStockRig(t, func(b *Backend) { b.optmem = func() (int, error) { return 3 * md5KeySize, nil } })
	keyed := func(n int) *bgp.PeerSpec {
		return with(r.peer(0, n), func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "key" })
	}
	r.apply(putInstance(r.instance(0)), create(keyed(0)))
	if err := r.b.Prepare(t.Context(), []plan.Step{create(keyed(1))}); err != nil {
		t.Errorf("Prepare of the second = %v, want nil", err)
	}
	var e *backend.Error
	err := r.b.Prepare(t.Context(), []plan.Step{create(keyed(1)), create(keyed(2))})
	if !errors.As(err, &e) || !errors.Is(err, backend.ErrUnsupported) || !strings.Contains(err.Error(), "optmem_max") {
		t.Errorf("Prepare of the third = %v, want a refusal that names the sysctl", err)
	}
	if err := r.b.Prepare(t.Context(), []plan.Step{remove(keyed(0)), create(keyed(1)), create(keyed(2))}); err != nil {
		t.Errorf("Prepare of two instead of one = %v, want nil", err)
	}
	quiet := *r.instance(1)
	quiet.Port = 0
	other := func(n int) *bgp.PeerSpec {
		return with(r.peer(1, n), func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "key" })
	}
	if err := r.b.Prepare(t.Context(), []plan.Step{putInstance(&quiet), create(other(0)), create(other(1)), create(other(2))}); err != nil {
		t.Errorf("Prepare without a listener = %v, want nil", err)
	}
}

// md5KeySize is this kernel's.
func TestKeySize(t *testing.T) {
	parallel(t)
	optmem, err := readOptmem()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	n := 0
	for ; n < 100_000; n++ {
		s := unix.TCPMD5Sig{Keylen: 1}
		s.Addr.Family = unix.AF_INET
		copy(s.Addr.Data[2:], []byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		if err = unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &s); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOMEM) || n != (optmem-1)/md5KeySize {
		t.Errorf("%v after %d keys with optmem_max %d, computed %d", err, n, optmem, (optmem-1)/md5KeySize)
	}
}

// A port that another process has: the step fails and nothing is left of it.
func TestBusyPort(t *testing.T) {
	parallel(t)
	r := newRig(t)
	in, p := r.instance(0), r.peer(0, 0)
	remote := r.dialling(t, p)
	r.apply(putInstance(in), create(p))
	r.wait("a session", remote.Established)

	taken := netip.AddrPortFrom(r.addr(9), r.listenPort)
	busy(t, taken)
	other := r.instance(1)
	other.Listen = []netip.Addr{taken.Addr()}
	moved := *in
	moved.Listen = append([]netip.Addr{}, in.Listen...)
	moved.Listen = append(moved.Listen, taken.Addr())
	for _, s := range []plan.Step{putInstance(other), {Op: plan.PutInstance, Instance: in.Key, OldInstance: in, NewInstance: &moved, Impact: bgp.ImpactReset}} {
		n, err := r.b.Apply(t.Context(), []plan.Step{s})
		var e *backend.Error
		if n != 0 || !errors.As(err, &e) || e.Instance != s.Instance || !errors.Is(err, syscall.EADDRINUSE) ||
			!strings.Contains(err.Error(), taken.String()) || !strings.Contains(err.Error(), "another process") {
			t.Errorf("Apply = %d, %v, want 0 and what is busy", n, err)
		}
	}
	r.never("a reset", func() bool { return len(remote.Ceases()) > 0 || remote.Sessions() > 1 })
	snap, err := r.b.Snapshot(t.Context())
	if err != nil || len(snap.Instances) != 1 || snap.Instances[in.Key] != in {
		t.Errorf("Snapshot = %+v, %v, want the old instance alone", snap, err)
	}
}

func TestListenErrors(t *testing.T) {
	in := &bgp.InstanceSpec{Port: 179, Device: "vrf-blue"}
	for _, c := range []struct {
		errno syscall.Errno
		says  string
	}{
		{syscall.EADDRINUSE, "another process"},
		{syscall.EACCES, "CAP_NET_BIND_SERVICE"},
		{syscall.EADDRNOTAVAIL, "no such address"},
		{syscall.ENODEV, `no device "vrf-blue"`},
		{syscall.EPERM, "CAP_NET_RAW"},
		{syscall.EIO, "start:"},
	} {
		err := transport.ListenError(in, os.NewSyscallError("bind", c.errno))
		if !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.errno, err, c.says)
		}
	}
}

// backends.md 1.5: ListPeer has passwords in clear. They are in no log record,
// event or snapshot by another type than Secret.
func TestPasswordIsNotTold(t *testing.T) {
	parallel(t)
	const secret = "open sesame"
	var log syncBuffer
	r := newRig(t, func(b *Backend) {
		b.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	p := r.peer(0, 0)
	p.Auth, p.Password = bgp.AuthMD5, secret
	remote := r.dialling(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.wait("a session", remote.Established)
	q := with(p, func(p *bgp.PeerSpec) { p.Password = secret + "2" })
	remote.Follow(q)
	r.apply(r.update(p, q, bgp.ImpactReset))
	r.wait("a session", func() bool { return remote.Sessions() == 2 })
	r.apply(remove(q))
	if text := log.String(); strings.Contains(text, secret) || !strings.Contains(text, "Peer Up") {
		t.Errorf("the log has the password, or not GoBGP's records:\n%s", text)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// The counters of prefixes, by the poll. Not parallel: routes are read against
// variables that StartBgp of other tests' instances writes (backends.md 1.5).
func TestPrefixesAreCounted(t *testing.T) {
	r := newRig(t, func(b *Backend) { b.poll = 50 * time.Millisecond })
	p := r.peer(0, 0)
	remote := r.dialling(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.wait("a session", remote.Established)
	remote.Announce(netip.MustParsePrefix("203.0.113.0/24"))
	r.wait("one prefix", func() bool {
		e, ok := r.last(p.Key, isUp)
		return ok && len(e.Families) == 1 && e.Families[0].Received == 1 && e.Families[0].Active
	})
}

func TestParseNotification(t *testing.T) {
	for _, c := range []struct {
		in   string
		want *bgp.Notification
	}{
		{"notification-received code 6(cease) subcode 2(administrative shutdown)", &bgp.Notification{Code: 6, Subcode: 2}},
		{"notification-sent code 255(undefined) subcode 255(undefined)", &bgp.Notification{Code: 255, Subcode: 255}},
		{"hard-reset", nil},
		{"", nil},
		{"code 300(x) subcode 1(y)", nil},
	} {
		got := parseNotification(c.in)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("parseNotification(%q) = %+v, want %+v", c.in, got, c.want)
		}
	}
}
