package netconf

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"mooring/engine/commit"
)

// netconf.md 64: which endpoint is called when. Each call fails at once unless
// lasts says how long it is served; the clock is not the real one.
func TestCallHomeStrategy(t *testing.T) {
	const forever = 1000 * time.Hour
	two := []Endpoint{{Name: "a"}, {Name: "b"}}
	tests := []struct {
		name   string
		client CallHome
		lasts  []time.Duration // of the first calls, 0: it fails
		until  time.Duration
		want   string // when which endpoint was called
	}{
		{
			"persistent: three attempts each, in turn, ever more slowly",
			CallHome{Endpoints: two},
			nil, 5 * time.Minute,
			"0s a, 1s a, 3s a, 7s b, 15s b, 31s b, 1m3s a, 2m3s a, 3m3s a, 4m3s b",
		},
		{"persistent: one attempt each", CallHome{Endpoints: two, MaxAttempts: 1}, nil, 8 * time.Second, "0s a, 1s b, 3s a, 7s b"},
		{"persistent: a session that lasts is alone", CallHome{Endpoints: two}, []time.Duration{0, forever}, time.Hour, "0s a, 1s a"},
		{
			"persistent: first listed again after a session",
			CallHome{Endpoints: two, MaxAttempts: 1},
			[]time.Duration{0, time.Hour, 0, time.Hour},
			2*time.Hour + 4*time.Minute,
			"0s a, 1s b, 1h0m2s a, 1h0m4s b, 2h0m5s a, 2h0m7s b, 2h0m11s a, 2h0m19s b, 2h0m35s a, 2h1m7s b, 2h2m7s a, 2h3m7s b",
		},
		{
			"persistent: last connected again",
			CallHome{Endpoints: two, MaxAttempts: 1, StartWith: LastConnected},
			[]time.Duration{0, time.Hour, time.Hour, 0, forever},
			9 * time.Hour,
			"0s a, 1s b, 1h0m2s b, 2h0m3s b, 2h0m5s a",
		},
		{
			"persistent: who drops us at once is not called at once",
			CallHome{Endpoints: two[:1]},
			slices.Repeat([]time.Duration{time.Millisecond}, 100), 4 * time.Minute,
			"0s a, 1.001s a, 3.002s a, 7.003s a, 15.004s a, 31.005s a, 1m3.006s a, 2m3.007s a, 3m3.008s a",
		},
		{
			"periodic: every hour, the session ends between",
			CallHome{Endpoints: two, Period: time.Hour},
			slices.Repeat([]time.Duration{time.Minute}, 100), 239 * time.Minute,
			"0s a, 1h0m0s a, 2h0m0s a, 3h0m0s a",
		},
		{
			"periodic: a session longer than a period",
			CallHome{Endpoints: two, Period: time.Hour},
			[]time.Duration{150 * time.Minute, time.Minute},
			239 * time.Minute,
			"0s a, 3h0m0s a",
		},
		{
			"periodic: each endpoint fails",
			CallHome{Endpoints: two, Period: time.Hour, MaxAttempts: 2},
			nil, 119 * time.Minute,
			"0s a, 1s a, 3s b, 7s b, 1h0m0s a, 1h0m1s a, 1h0m3s b, 1h0m7s b",
		},
		{"periodic: no longer than the period", CallHome{Endpoints: two, Period: 4 * time.Second}, nil, 8500 * time.Millisecond, "0s a, 1s a, 3s a, 4s a, 5s a, 7s a, 8s a"},
		{
			"periodic: anchored before",
			CallHome{Endpoints: two[:1], Period: time.Hour, MaxAttempts: 1, Anchor: time.Date(1999, 6, 1, 0, 20, 0, 0, time.UTC)},
			nil, 3 * time.Hour,
			"20m0s a, 1h20m0s a, 2h20m0s a",
		},
		{
			"periodic: anchored ahead",
			CallHome{Endpoints: two[:1], Period: time.Hour, MaxAttempts: 1, Anchor: time.Date(2007, 6, 1, 0, 20, 0, 0, time.UTC)},
			nil, 3 * time.Hour,
			"20m0s a, 1h20m0s a, 2h20m0s a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // whose clock begins at midnight of 2000-01-01
				ctx, cancel := context.WithTimeout(t.Context(), tt.until)
				defer cancel()
				var got []string
				start := time.Now()
				c := &caller{CallHome: tt.client.withDefaults(), log: quiet, tell: func(commit.Call) {}}
				c.call = func(ctx context.Context, e Endpoint) error {
					got = append(got, time.Since(start).String()+" "+e.Name)
					if n := len(got) - 1; n < len(tt.lasts) && tt.lasts[n] > 0 {
						sleep(ctx, tt.lasts[n])
						return nil
					}
					return errors.New("nobody there")
				}
				c.run(ctx)
				if text := strings.Join(got, ", "); text != tt.want {
					t.Errorf("called\n%s, want\n%s", text, tt.want)
				}
			})
		})
	}
}

// netconf.md 64: what is told of a client that is called: an endpoint that is
// not there, one that takes the call and does not log in, a session.
func TestCallHomeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock begins at midnight of 2000-01-01
		var got []string
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		clock := func(at time.Time) string {
			if at.IsZero() {
				return "-"
			}
			return at.UTC().Format("4:05")
		}
		c := &caller{CallHome: CallHome{Name: "nms", MaxAttempts: 1, Endpoints: []Endpoint{
			{Name: "gone", Address: "g:1"}, {Name: "deaf", Address: "d:1"}, {Name: "there", Address: "t:1", TLS: true},
		}}.withDefaults(), log: quiet}
		c.tell = func(n commit.Call) {
			got = append(got, fmt.Sprintf("%s %d %s %s tls=%t since %s, next %s: %d taken, %d failed, %s at %s", n.Client, n.Status, n.Endpoint, n.Address, n.TLS,
				clock(n.Since), clock(n.Next), n.Taken, n.Failed, n.Error, clock(n.ErrorTime)))
		}
		c.call = func(ctx context.Context, e Endpoint) error {
			if e.Name == "gone" {
				if len(got) > 6 {
					cancel()
				}
				return errors.New("refused")
			}
			c.taken()
			sleep(ctx, time.Minute)
			if e.Name == "deaf" {
				return errors.New("no login")
			}
			return nil
		}
		c.run(ctx)
		want := []string{
			"nms 1 gone g:1 tls=false since -, next -: 0 taken, 0 failed,  at -",
			"nms 0 gone g:1 tls=false since -, next 0:01: 0 taken, 1 failed, refused at 0:00",
			"nms 1 deaf d:1 tls=false since -, next -: 0 taken, 1 failed, refused at 0:00",
			"nms 2 deaf d:1 tls=false since 0:01, next -: 1 taken, 1 failed, refused at 0:00",
			"nms 0 deaf d:1 tls=false since -, next 1:03: 1 taken, 2 failed, no login at 1:01",
			"nms 1 there t:1 tls=true since -, next -: 1 taken, 2 failed, no login at 1:01",
			"nms 2 there t:1 tls=true since 1:03, next -: 2 taken, 2 failed, no login at 1:01",
			"nms 0 there t:1 tls=true since -, next 2:04: 2 taken, 0 failed, no login at 1:01",
			"nms 1 gone g:1 tls=false since -, next -: 2 taken, 0 failed, no login at 1:01",
			"nms 0 gone g:1 tls=false since -, next 2:05: 2 taken, 1 failed, refused at 2:04",
		}
		if !slices.Equal(got, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// netconf.md 64: a random start reaches every endpoint.
func TestCallHomeRandomStart(t *testing.T) {
	c := &caller{CallHome: CallHome{Endpoints: make([]Endpoint, 3), StartWith: RandomSelection}}
	seen := map[int]bool{}
	for range 1000 {
		seen[c.first()] = true
	}
	if len(seen) != 3 {
		t.Errorf("starts with %v", seen)
	}
}

// home is where a client waits for the server's call.
type home struct {
	testing.TB
	net.Listener
}

func newHome(t *testing.T) *home {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return &home{t, ln}
}

func (h *home) address() string { return h.Addr().String() }

// called waits for the server.
func (h *home) called() net.Conn {
	h.Helper()
	if err := h.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		h.Fatal(err)
	}
	conn, err := h.Accept()
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = conn.Close() })
	return conn
}

// calling is a server that calls clients and listens too.
func (r *rig) calling(clients ...CallHome) *listening {
	r.Helper()
	cfg := r.srv.cfg
	cfg.CallHome = clients
	srv, err := New(cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.srv = srv
	return r.listen()
}

// sshOver logs in over a connection that the server has opened.
func (l *listening) sshOver(conn net.Conn, user string) *ssh.Client {
	l.Helper()
	c, chans, reqs, err := ssh.NewClientConn(conn, "", &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.FixedHostKey(hostKey(l).PublicKey()),
	})
	if err != nil {
		l.Fatal(err)
	}
	client := ssh.NewClient(c, chans, reqs)
	l.Cleanup(func() { _ = client.Close() })
	return client
}

// netconf.md 64: the server dials and stays the SSH server; when the session
// has ended, it calls again.
func TestCallHomeSSH(t *testing.T) {
	h := newHome(t)
	l := newRig(t, Limits{}).calling(CallHome{Name: "nms", Endpoints: []Endpoint{{Name: "east", Address: h.address()}}})
	for range 2 {
		conn := l.sshOver(h.called(), "admin")
		c := l.start(conn)
		if !c.subsystem("netconf") {
			t.Fatal("subsystem refused")
		}
		c.greet(base10, base11)
		c.ok(edit(vpn1), "<close-session/>")
		_ = conn.Close()
	}
}

// netconf.md 64 and 62: over TLS the server is the TLS server.
func TestCallHomeTLS(t *testing.T) {
	h := newHome(t)
	s := newSecure(t, Limits{}, byCommonName)
	s.calling(CallHome{Name: "nms", Endpoints: []Endpoint{{Name: "east", TLS: true, Address: h.address()}}})
	cert := s.pki.sign("ann", nil)
	for range 2 {
		conn := tls.Client(h.called(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
		_ = conn.SetDeadline(time.Now().Add(patience))
		c := newClient(t, conn)
		c.greet(base10, base11)
		c.ok(edit(vpn1), "<close-session/>")
		c.wantNoMessage()
		_ = conn.Close()
	}
}

// netconf.md 64: the next endpoint where the first is not there or does not
// log in.
func TestCallHomeNextEndpoint(t *testing.T) {
	gone, deaf, there := newHome(t), newHome(t), newHome(t)
	_ = gone.Close()
	newRig(t, Limits{AuthTimeout: 50 * time.Millisecond}).calling(CallHome{Name: "nms", MaxAttempts: 1, Endpoints: []Endpoint{
		{Name: "gone", Address: gone.address()}, {Name: "deaf", Address: deaf.address()}, {Name: "there", Address: there.address()},
	}})
	deaf.called()
	there.called()
}

// netconf.md 64: a client that gives no sign of life is called again.
func TestCallHomeKeepalive(t *testing.T) {
	h := newHome(t)
	l := newRig(t, Limits{}).calling(CallHome{
		Name: "nms", Endpoints: []Endpoint{{Name: "east", Address: h.address()}}, Keepalive: Keepalive{Interval: 50 * time.Millisecond},
	})
	conn, _, reqs, err := ssh.NewClientConn(h.called(), "", &ssh.ClientConfig{
		User: "admin", Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.FixedHostKey(hostKey(l).PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // it lives as long as it answers
		req := <-reqs
		if req.Type != keepalive || !req.WantReply {
			t.Fatalf("request %s, wants an answer: %v", req.Type, req.WantReply)
		}
		if err := req.Reply(false, nil); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Wait()
	l.sshOver(h.called(), "admin")
}

// netconf.md 64: a periodic connection that does nothing is ended by the
// server.
func TestCallHomeIdle(t *testing.T) {
	h := newHome(t)
	l := newRig(t, Limits{}).calling(CallHome{
		Name: "nms", Endpoints: []Endpoint{{Name: "east", Address: h.address()}}, Period: time.Hour, IdleTimeout: 200 * time.Millisecond,
	})
	c := l.start(l.sshOver(h.called(), "admin"))
	if !c.subsystem("netconf") {
		t.Fatal("subsystem refused")
	}
	c.greet(base10, base11)
	c.ok("<commit/>")
	c.wantNoMessage()
}

// ncclient waits for the call too.
func TestCallHomeNcclient(t *testing.T) {
	python := needNcclient(t)
	h := newHome(t)
	addr := h.address()
	_ = h.Close() // it listens itself, later: until then calls fail
	host, port, _ := net.SplitHostPort(addr)
	newRig(t, Limits{}).calling(CallHome{Name: "nms", Endpoints: []Endpoint{{Name: "east", Address: addr}}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", fmt.Sprintf(`
from ncclient import manager
with manager.call_home(host=%q, port=%s, username="admin", password=%q, hostkey_verify=False, allow_agent=False, look_for_keys=False) as m:
    print(m.get_config(source="running").data_xml)
`, host, port, password))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "<data") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Serve ends while clients are called, are served, log in, and are waited for.
func TestServerStopsCalling(t *testing.T) {
	gone, busy, silent := newHome(t), newHome(t), newHome(t)
	_ = gone.Close()
	client := func(h *home) CallHome {
		return CallHome{Name: h.address(), Endpoints: []Endpoint{{Name: "east", Address: h.address()}}}
	}
	l := newRig(t, Limits{}).calling(client(gone), client(busy), client(silent), CallHome{
		Name: "later", Endpoints: []Endpoint{{Name: "east", Address: silent.address()}}, Period: time.Hour, Anchor: time.Now().Add(-time.Minute),
	})
	c := l.start(l.sshOver(busy.called(), "admin"))
	silent.called()
	if !c.subsystem("netconf") {
		t.Fatal("subsystem refused")
	}
	c.greet(base10, base11)
	c.ok("<commit/>")
	start := time.Now()
	if err := l.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("stopping took %v", took)
	}
	c.wantNoMessage()
}

func TestCallHomeNeedsItsTransport(t *testing.T) {
	r := newRig(t, Limits{})
	for name, c := range map[string]CallHome{
		"no endpoint": {Name: "nms"},
		"needs TLS":   {Name: "nms", Endpoints: []Endpoint{{Name: "east", TLS: true}}},
	} {
		cfg := r.srv.cfg
		cfg.CallHome = []CallHome{c}
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

// netconf.md 64: TCP asks for the peer of a connection, over TLS where nothing
// else can, and below SSH.
func TestKeepaliveOfTCP(t *testing.T) {
	s := newSecure(t, Limits{}, byCommonName)
	ask := terms{keepalive: Keepalive{Interval: 7 * time.Second, Attempts: 4}}
	for name, serve := range map[string]func(context.Context, net.Conn, terms) error{"ssh": s.srv.serveSSH, "tls": s.srv.serveTLS} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			client, err := net.Dial("tcp", h.address())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithCancel(t.Context())
			conn, done := h.called(), make(chan struct{})
			go func() {
				defer close(done)
				_ = serve(ctx, conn, ask) // nobody logs in
			}()
			defer func() { cancel(); <-done }()
			_ = client.SetDeadline(time.Now().Add(patience))
			if name == "tls" {
				err = tls.Client(client, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{s.pki.sign("ann", nil)}}).Handshake()
			} else {
				_, err = client.Read(make([]byte, 1))
			}
			if err != nil {
				t.Fatal(err)
			}
			raw, err := conn.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []struct {
				name                string
				level, option, want int
			}{
				{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
				{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 7},
				{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 7},
				{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
			} {
				var got int
				var gerr error
				if err := raw.Control(func(fd uintptr) { got, gerr = unix.GetsockoptInt(int(fd), o.level, o.option) }); err != nil || gerr != nil || got != o.want {
					t.Errorf("%s is %d, want %d: %v, %v", o.name, got, o.want, err, gerr)
				}
			}
		})
	}
}
