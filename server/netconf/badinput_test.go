package netconf

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// doors are the ways into a server.
func (s *secure) doors() map[string]func() *client {
	cert := s.pki.sign("ann", nil)
	return map[string]func() *client{
		"ssh": func() *client {
			c := s.start(s.mustLogin("admin"))
			if !c.subsystem("netconf") {
				s.Fatal("subsystem refused")
			}
			return c.client
		},
		"tls": func() *client {
			conn, err := s.shake(&tls.Config{}, cert)
			if err != nil {
				s.Fatal(err)
			}
			return newClient(s, conn)
		},
	}
}

// withAdmin is a user file with a password for SSH and names for TLS.
func withAdmin(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("users: [{name: admin, password-hash: '%s', groups: [admin]}]\n", cheapHash(tb)) + byCommonName
}

// Bad input over real sockets: the right error or a clean close, other sessions
// notice nothing, and the memory comes back.
func TestBadInput(t *testing.T) {
	s := newSecure(t, Limits{HelloTimeout: 2 * time.Second}, withAdmin(t))
	watcher, _ := s.dial("admin")
	watcher.setUp()
	watcher.ok(lock("running"))
	rpc := func(body string) string { return `<rpc xmlns="` + ncNS + `" message-id="1">` + body + "</rpc>" }
	doctype := func(subset string) string {
		return "<!DOCTYPE rpc [" + subset + "]>" + rpc("<get-config>&x;</get-config>")
	}
	laughs := `<!ENTITY a "ha">`
	for i := 'b'; i < 'm'; i++ {
		laughs += fmt.Sprintf(`<!ENTITY %c "%s">`, i, strings.Repeat(fmt.Sprintf("&%c;", i-1), 10))
	}
	tests := []struct {
		name, want string
		run        func(c *probing) string
	}{
		{"20,000 levels", "rpc too-big, then data", func(c *probing) string {
			return c.raw(c.frame(rpc("<get><filter>"+strings.Repeat("<a>", 20_000)+strings.Repeat("</a>", 20_000)+"</filter></get>"))) + ", then " + c.alive()
		}},
		{"20,000 levels that do not end", "rpc too-big, then data", func(c *probing) string {
			return c.raw(c.frame(`<rpc xmlns="`+ncNS+`" message-id="1"><get><filter>`+strings.Repeat("<a>", 20_000))) + ", then " + c.alive()
		}},
		{"more than 64 MiB", "rpc too-big, then closed", func(c *probing) string {
			chunk := fmt.Sprintf("\n#%d\n", 1<<20) + strings.Repeat(" ", 1<<20)
			c.send("\n#5\n<rpc ")
			for range 65 {
				c.send(chunk)
			}
			return c.outcome() + ", then " + c.outcome()
		}},
		{"a chunk of 4 GiB that is only announced", "closed", func(c *probing) string {
			c.send("\n#4294967295\n<rpc")
			_ = c.conn.Close()
			return "closed"
		}},
		{"entities in entities", "rpc malformed-message, then data", func(c *probing) string { return c.raw(c.frame(doctype(laughs))) + ", then " + c.alive() }},
		{"an entity from a file", "rpc malformed-message, then data", func(c *probing) string {
			return c.raw(c.frame(doctype(`<!ENTITY x SYSTEM "file:///etc/passwd">`))) + ", then " + c.alive()
		}},
		{"an entity that is not known", "rpc malformed-message, then data", func(c *probing) string {
			return c.raw(c.frame(rpc("<get-config>&x;</get-config>"))) + ", then " + c.alive()
		}},
		{"characters that are none", "rpc malformed-message, then data", func(c *probing) string {
			return c.raw(c.frame(rpc("<get-config>&#0;</get-config>"))) + ", then " + c.alive()
		}},
		{"octets that are no UTF-8", "rpc malformed-message, then data", func(c *probing) string {
			return c.raw(c.frame(rpc("<get-config>\xc3\x28</get-config>"))) + ", then " + c.alive()
		}},
		{"gone in the middle of a message", "closed", func(c *probing) string {
			c.send("\n#1000\n<rpc")
			_ = c.conn.Close()
			return "closed"
		}},
	}
	before := heap()
	for how, dial := range s.doors() {
		for _, tt := range tests {
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				c := dial()
				c.greet(base10, base11)
				if got := tt.run(&probing{c}); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				_ = c.conn.Close()
				watcher.ok(edit(peer("", peer2, "<as>200</as>")))
			})
		}
		t.Run(how+"/a hello that never ends", func(t *testing.T) {
			c := dial()
			c.readHello()
			start := time.Now()
			for time.Since(start) < 20*time.Second {
				if _, err := io.WriteString(c.conn, " "); err != nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			c.wantNoMessage()
			watcher.ok(edit(peer("", peer2, "<as>200</as>")))
		})
	}
	within(t, patience, "only the watcher is left", func() bool { return len(s.srv.registry.All()) == 1 })
	within(t, patience, "the memory is back", func() bool { return heap() < before+16<<20 })
}

// heap is what is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// netconf.md 5: a flood of connections that do not log in keeps nobody from
// working, and when it is over everybody can come in.
func TestPreAuthFlood(t *testing.T) {
	s := newSecure(t, Limits{MaxPreAuth: 20, AuthTimeout: time.Second}, withAdmin(t))
	watcher, _ := s.dial("admin")
	watcher.setUp()
	for _, addr := range []string{s.addr, s.tls} {
		for i := range 300 {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if i%3 == 1 {
				_, _ = io.WriteString(conn, "\x16\x03\x01garbage\r\n") // it may be closed
			}
		}
		watcher.ok(edit(peer("", peer2, "<as>201</as>")), edit(peer("", peer2, "<as>200</as>")))
	}
	for how, dial := range s.doors() {
		within(t, patience, how+": there is room", func() bool { return s.srv.preAuth.Load() == 0 })
		c := dial()
		c.greet(base11)
		c.ok("<commit/>")
	}
}

// A client that is gone without a word loses its locks after three intervals;
// one that answers stays.
func TestKeepalive(t *testing.T) {
	l := newRig(t, Limits{Keepalive: Keepalive{Interval: 50 * time.Millisecond}}).listen()
	alive, _ := l.dial("admin")
	raw, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn, chans, reqs, err := ssh.NewClientConn(raw, "", &ssh.ClientConfig{
		User: "admin", Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.FixedHostKey(hostKey(l).PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	deaf := make(chan *ssh.Request) // nobody answers these
	go func() {
		for range reqs {
		}
		close(deaf)
	}()
	gone := l.start(ssh.NewClient(conn, chans, deaf))
	if !gone.subsystem("netconf") {
		t.Fatal("subsystem refused")
	}
	gone.greet(base10, base11)
	gone.ok(lock("running"))
	within(t, patience, "the lock is free", func() bool { return alive.rpc(lock("running")) == "<ok/>" })
	time.Sleep(300 * time.Millisecond) // several intervals
	alive.ok(unlock("running"))
}

// An idle session is ended when that is asked for, but not one that waits for
// notifications, or that works.
func TestIdleTimeout(t *testing.T) {
	l := newRig(t, Limits{IdleTimeout: 2 * time.Second}).listen()
	idle, _ := l.dial("admin")
	watcher, _ := l.dial("admin")
	worker, _ := l.dial("admin")
	watcher.ok(subscribe(""))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = idle.in.Next() // its end
	}()
	for working := true; working; {
		worker.ok("<commit/>")
		select {
		case <-ended:
			working = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	worker.ok(edit(vpn1))
	watcher.await("netconf-session-end", "<termination-reason>timeout</termination-reason>")
	watcher.await("netconf-config-change")
}
