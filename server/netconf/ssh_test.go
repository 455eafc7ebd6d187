package netconf

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring/engine/plan"
)

// listening is a server that serves on loopback until stop or the end of the
// test.
type listening struct {
	*rig
	addr string
	tls  string       // where TLS is served, "" for nowhere
	stop func() error // ends the server and returns what Serve did
}

func (r *rig) listen() *listening {
	r.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	in := Listeners{SSH: ln}
	l := &listening{rig: r, addr: ln.Addr().String()}
	if r.srv.cfg.TLS != nil {
		if in.TLS, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			r.Fatal(err)
		}
		l.tls = in.TLS.Addr().String()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var result error
	srv := r.srv // a rig may serve twice
	go func() {
		defer close(done)
		result = srv.Serve(ctx, in)
	}()
	l.stop = func() error {
		cancel()
		<-done
		return result
	}
	r.Cleanup(func() {
		if err := l.stop(); err != nil {
			r.Errorf("Serve: %v", err)
		}
	})
	return l
}

// login logs a user in.
func (l *listening) login(user string, auth ...ssh.AuthMethod) (*ssh.Client, error) {
	if len(auth) == 0 {
		auth = []ssh.AuthMethod{ssh.Password(password)}
	}
	return ssh.Dial("tcp", l.addr, &ssh.ClientConfig{
		User: user, Auth: auth, HostKeyCallback: ssh.FixedHostKey(hostKey(l).PublicKey()), Timeout: patience,
	})
}

func (l *listening) mustLogin(user string) *ssh.Client {
	l.Helper()
	conn, err := l.login(user)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = conn.Close() })
	return conn
}

// sshClient is a client in a channel, with what SSH says besides.
type sshClient struct {
	*client
	ch     ssh.Channel
	exit   chan int    // the exit-status, closed when the channel is
	stderr chan string // what came there, when the channel is closed
}

// start opens a channel, with the subsystem not yet asked for.
func (l *listening) start(conn *ssh.Client) *sshClient {
	l.Helper()
	ch, reqs, err := conn.OpenChannel("session", nil)
	if err != nil {
		l.Fatal(err)
	}
	c := &sshClient{client: newClient(l, ch), ch: ch, exit: make(chan int, 1), stderr: make(chan string, 1)}
	c.wg.Go(func() {
		defer close(c.exit)
		for req := range reqs {
			var status struct{ Status uint32 }
			if req.Type == "exit-status" && ssh.Unmarshal(req.Payload, &status) == nil {
				c.exit <- int(status.Status)
			}
		}
	})
	c.wg.Go(func() {
		text, _ := io.ReadAll(ch.Stderr())
		c.stderr <- string(text)
	})
	return c
}

// subsystem asks for one.
func (c *sshClient) subsystem(name string) bool {
	c.Helper()
	ok, err := c.ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{name}))
	if err != nil {
		c.Fatal(err)
	}
	return ok
}

// wantGoodbye waits for the end of the output and exit-status 0.
func (c *sshClient) wantGoodbye() {
	c.Helper()
	c.wantNoMessage()
	select {
	case status, ok := <-c.exit:
		if !ok || status != 0 {
			c.Errorf("exit-status is %d, %v", status, ok)
		}
	case <-time.After(patience):
		c.Error("no exit-status")
	}
}

// dial opens a session of base:1.1 on a connection of its own.
func (l *listening) dial(user string) (*sshClient, *ssh.Client) {
	l.Helper()
	conn := l.mustLogin(user)
	c := l.start(conn)
	if !c.subsystem("netconf") {
		l.Fatal("subsystem refused")
	}
	c.greet(base11)
	return c, conn
}

func TestLogin(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	tests := []struct {
		name, user string
		auth       ssh.AuthMethod
		ok         bool
	}{
		{"password", "admin", ssh.Password(password), true},
		{"public key", "admin", ssh.PublicKeys(clientKey(t)), true},
		{"wrong password", "admin", ssh.Password("wrong"), false},
		{"unknown user", "nobody", ssh.Password(password), false},
		{"other key", "admin", ssh.PublicKeys(hostKey(t)), false},
		{"nothing", "admin", ssh.KeyboardInteractive(func(_, _ string, asked []string, _ []bool) ([]string, error) { return make([]string, len(asked)), nil }), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := l.login(tt.user, tt.auth)
			if (err == nil) != tt.ok {
				t.Fatalf("login: %v", err)
			}
			if err != nil {
				return
			}
			if got := string(conn.ServerVersion()); got != version {
				t.Errorf("server version is %q", got)
			}
			_ = conn.Close()
		})
	}
}

// The history says who made a commit, and from where.
func TestIdentityReachesTheEngine(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	c, _ := l.dial("guest")
	c.setUp()
	last := l.engine.Store().History()[0]
	if last.User != "guest" || last.SourceHost != "127.0.0.1" || last.Session != c.id {
		t.Errorf("history says %+v", last)
	}
}

// netconf.md 14: only the subsystem netconf, and a hint for who asks for more.
func TestOtherRequestsAreRefused(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	conn := l.mustLogin("admin")
	tests := []struct {
		name string
		ask  func(*ssh.Session) error
		hint bool
	}{
		{"shell", (*ssh.Session).Shell, true},
		{"exec", func(s *ssh.Session) error { return s.Start("ls") }, true},
		{"other subsystem", func(s *ssh.Session) error { return s.RequestSubsystem("sftp") }, true},
		{"empty subsystem", func(s *ssh.Session) error { return s.RequestSubsystem("") }, true},
		{"pty", func(s *ssh.Session) error { return s.RequestPty("xterm", 24, 80, nil) }, false},
		{"environment", func(s *ssh.Session) error { return s.Setenv("LANG", "C") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := conn.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			stderr, err := s.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if tt.ask(s) == nil {
				t.Error("not refused")
			}
			// A client that can do without goes on.
			if err := s.RequestSubsystem("netconf"); err != nil {
				t.Errorf("netconf afterwards: %v", err)
			}
			if tt.hint {
				if line, err := bufio.NewReader(stderr).ReadString('\n'); !strings.Contains(line, "NETCONF subsystem") {
					t.Errorf("hint is %q, %v", line, err)
				}
			}
			if s.RequestSubsystem("netconf") == nil {
				t.Error("a second session in the same channel was not refused")
			}
		})
	}
	if _, err := conn.Dial("tcp", "127.0.0.1:1"); err == nil {
		t.Error("forwarding was not refused")
	}
	if ok, _, err := conn.SendRequest("tcpip-forward", true, nil); ok || err != nil {
		t.Errorf("tcpip-forward: %v, %v", ok, err)
	}
	if ok, _, err := conn.SendRequest("keepalive@openssh.com", true, nil); !ok || err != nil { // netconf.md 14
		t.Errorf("keepalive: %v, %v", ok, err)
	}
}

// netconf.md 14: ok, EOF, exit-status 0, and the client may close first.
func TestCloseSessionOverSSH(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	c, conn := l.dial("admin")
	start := time.Now()
	c.ok("<close-session/>")
	c.wantGoodbye()
	if took := time.Since(start); took > closeGrace/2 {
		t.Errorf("the goodbye took %v", took)
	}
	_ = conn.Close()
}

// netconf.md 14
func TestEndOfInputOverSSH(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	conn := l.mustLogin("admin")
	c := l.start(conn)
	if !c.subsystem("netconf") {
		t.Fatal("subsystem refused")
	}
	msg := fmt.Sprintf(`<rpc xmlns="%s" message-id="1">%s</rpc>]]>]]>`, ncNS, edit(vpn1))
	if _, err := io.WriteString(c.conn, hello(base10)+"]]>]]>"+msg+msg); err != nil {
		t.Fatal(err)
	}
	if err := c.ch.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.readHello()
	for range 2 {
		if got := c.read(); !strings.Contains(got, "<ok/>") {
			t.Errorf("answered %s", got)
		}
	}
	c.wantGoodbye()
}

// netconf.md 53: a lock does not outlive its TCP connection.
func TestAbortReleasesLocks(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	a, conn := l.dial("admin")
	b, _ := l.dial("admin")
	a.ok(lock("running"))
	b.fails(lock("running"), denied(a.id))
	_ = conn.Close()
	within(t, patience, "the lock is free", func() bool { return b.rpc(lock("running")) == "<ok/>" })
}

// netconf.md 54
func TestKillOverSSH(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	a, _ := l.dial("admin")
	b, _ := l.dial("admin")
	a.ok(lock("running"))
	b.ok(kill(a.id), lock("running"))
	a.wantNoMessage()
}

// within polls until ok.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// Serve ends with all sessions, also with clients that answer nothing, and a
// running operation is finished and answered.
func TestServerStops(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	idle, _ := l.dial("admin")
	busy, _ := l.dial("admin")
	l.mustLogin("admin") // no session
	silent, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	busy.setUp()
	hold := l.hang()
	busy.send(busy.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + edit(peer("", peer2, "<as>201</as>")) + "</rpc>"))
	hold.reached()
	release := time.AfterFunc(100*time.Millisecond, hold.release)
	defer release.Stop()
	start := time.Now()
	if err := l.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	idle.wantNoMessage()
	if got := busy.read(); !strings.Contains(got, "<ok/>") {
		t.Errorf("the running edit was answered with %s", got)
	}
	busy.wantNoMessage()
	if _, err := l.login("admin"); err == nil {
		t.Error("login after the end")
	}
}

// An operation that hangs in the backend does not keep the server from ending.
func TestServerStopsWithoutAHangingOperation(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	first, _ := l.dial("admin")
	waiting, _ := l.dial("admin")
	first.setUp()
	hold := l.hang()
	change := edit(peer("", peer2, "<as>201</as>"))
	first.send(first.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + change + "</rpc>"))
	hold.reached()
	waiting.send(waiting.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + change + "</rpc>"))
	release := time.AfterFunc(stopGrace+200*time.Millisecond, hold.release)
	defer release.Stop()
	if err := l.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	first.wantNoMessage()
	waiting.wantNoMessage()
	if n := l.engine.Store().Running().Revision(); n != 1 {
		t.Errorf("running is at revision %d: an edit was made whose session had been ended", n)
	}
}

// A client that does not read a long reply loses its session and its locks,
// though it keeps the connection open.
func TestClientThatDoesNotReadOverSSH(t *testing.T) {
	l := newRig(t, Limits{WriteTimeout: 100 * time.Millisecond}).listen()
	c, _ := l.dial("admin")
	c.ok(edit(vpn1+manyPeers(9000)), lock("running"))
	other, _ := l.dial("admin")
	getAll := c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get/></rpc>`)
	c.send(getAll)
	c.send(getAll) // more than the 2 MiB that the client's side takes by itself
	within(t, patience, "the lock is free", func() bool { return other.rpc(lock("running")) == "<ok/>" })
}

// A panic in an operation ends its session, and nothing else.
func TestPanicEndsTheSessionOnly(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, Limits{})
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	r.srv = r.newServer(Limits{})
	l := r.listen()
	c, _ := l.dial("admin")
	c.setUp()
	c.ok(lock("candidate"))
	l.speaker.FailPrepare(func(plan.Step) error { panic("a bug") })
	c.send(c.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + edit(peer("", peer2, "<as>1</as>")) + "</rpc>"))
	c.wantNoMessage()
	l.speaker.FailPrepare(nil)
	other, _ := l.dial("admin")
	other.ok(lock("candidate"), edit(peer("", peer2, "<as>2</as>")))
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "a bug") || !strings.Contains(text, "stack=") {
		t.Errorf("log: %s", text)
	}
}

func TestServeReportsItsListener(t *testing.T) {
	r := newRig(t, Limits{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := r.srv.Serve(t.Context(), Listeners{SSH: ln}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}
