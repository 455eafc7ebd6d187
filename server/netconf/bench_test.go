package netconf

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring/server/netconf/frame"
)

// benchServer serves on loopback without the deadlines of the tests.
func benchServer(b *testing.B) *listening {
	b.Helper()
	return newRig(b, Limits{}).listen()
}

// BenchmarkSessionSetUp is TCP, SSH, login and both hellos, and the close.
func BenchmarkSessionSetUp(b *testing.B) {
	l := benchServer(b)
	for b.Loop() {
		conn, err := l.login("admin")
		if err != nil {
			b.Fatal(err)
		}
		ch, reqs, err := conn.OpenChannel("session", nil)
		if err != nil {
			b.Fatal(err)
		}
		go ssh.DiscardRequests(reqs)
		if ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"netconf"})); err != nil || !ok {
			b.Fatal(ok, err)
		}
		if _, err := io.WriteString(ch, hello(base11)+"]]>]]>"); err != nil {
			b.Fatal(err)
		}
		if _, err := frame.NewReader(ch, frame.Options{}).Next(); err != nil {
			b.Fatal(err)
		}
		_ = conn.Close()
	}
}

// exchanger sends and receives without the checks of the tests.
type exchanger struct {
	*testing.B
	rw io.ReadWriter
	in *frame.Reader
}

func (e *exchanger) exchange(framed string) int {
	if _, err := io.WriteString(e.rw, framed); err != nil {
		e.Fatal(err)
	}
	msg, err := e.in.Next()
	if err != nil {
		e.Fatal(err)
	}
	return len(msg)
}

func (l *listening) exchanger(b *testing.B) (*exchanger, *client) {
	b.Helper()
	c, _ := l.dial("admin")
	c.ok("<commit/>") // now its own writer is idle
	return &exchanger{b, c.conn, c.in}, c.client
}

// BenchmarkEmptyRPC is the round trip that others are compared with: get-config
// with an empty filter, over SSH, and without SSH.
func BenchmarkEmptyRPC(b *testing.B) {
	const msg = `<rpc xmlns="` + ncNS + `" message-id="1"><get-config><source><running/></source><filter/></get-config></rpc>`
	b.Run("ssh", func(b *testing.B) {
		e, c := benchServer(b).exchanger(b)
		framed := c.frame(msg)
		b.ReportAllocs()
		for b.Loop() {
			e.exchange(framed)
		}
	})
	b.Run("pipe", func(b *testing.B) {
		r := newRig(b, Limits{})
		near, far := net.Pipe()
		se, err := r.srv.open(identity("admin"), far, overSSH)
		if err != nil {
			b.Fatal(err)
		}
		c := newClient(b, near)
		c.wg.Go(func() { _ = se.run(context.Background()) })
		c.greet(base11)
		c.ok("<commit/>") // now its own writer is idle
		e, framed := &exchanger{b, near, c.in}, c.frame(msg)
		b.ReportAllocs()
		for b.Loop() {
			e.exchange(framed)
		}
	})
}

// BenchmarkPeers is the work of a configuration of n peers, on the fake
// backend, durable in the test's directory.
func BenchmarkPeers(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, c := benchServer(b).exchanger(b)
			all := c.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + edit(vpn1+benchPeers(n)) + "</rpc>")
			e.exchange(all) // what follows works on it
			b.Run("load", func(b *testing.B) {
				for b.Loop() {
					e.exchange(all)
				}
				b.ReportMetric(float64(len(all))/1e6, "MB")
			})
			b.Run("get-config", func(b *testing.B) {
				msg := c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get-config><source><running/></source></get-config></rpc>`)
				size := 0
				for b.Loop() {
					size = e.exchange(msg)
				}
				b.ReportMetric(float64(size)/1e6, "MB")
			})
			b.Run("get-one", func(b *testing.B) {
				msg := c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get><filter>` + instance("<peers><peer><address>10.1.1.2</address></peer></peers>") + "</filter></get></rpc>")
				for b.Loop() {
					e.exchange(msg)
				}
			})
			// Target at 100,000: at most 1 ms.
			for name, path := range map[string]string{"xpath": peersPath, "xpath-no-keys-above": "/b:bgp/b:instances/b:instance/b:vpn-instances/b:vpn-instance/b:peers/b:peer", "xpath-anywhere": "//b:peer"} {
				b.Run(name, func(b *testing.B) {
					msg := c.frame(`<rpc xmlns="` + ncNS + `" message-id="1"><get>` + xpath(path+"[b:address='10.1.1.2']") + "</get></rpc>")
					for b.Loop() {
						e.exchange(msg)
					}
				})
			}
			b.Run("edit-one", func(b *testing.B) {
				i := 0
				for b.Loop() {
					i++
					e.exchange(c.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + edit(peer("", "10.1.1.2", fmt.Sprintf("<description>%d</description>", i))) + "</rpc>"))
				}
			})
			b.Run("edit-commit-one", func(b *testing.B) {
				i := 0
				for b.Loop() {
					i++
					e.exchange(c.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + editDraft(peer("", "10.1.1.2", fmt.Sprintf("<description>c%d</description>", i))) + "</rpc>"))
					e.exchange(c.frame(`<rpc xmlns="` + ncNS + `" message-id="2"><commit/></rpc>`))
				}
			})
		})
	}
}

func benchPeers(n int) string {
	peers := make([]byte, 0, 200*n)
	for i := range n {
		peers = fmt.Appendf(peers, "<peer><address>10.%d.%d.%d</address><config><as>%d</as><description>peer %d</description></config>"+
			"<transport><config><remote-port>179</remote-port></config></transport></peer>", 1+i>>16, i>>8&255, i&255, 64512+i%1000, i)
	}
	return instance("<peers>" + string(peers) + "</peers>")
}

// TestReplyIsStreamed proves that a reply of everything costs no memory in its
// own size: nothing but the buffers of one chunk is held.
func TestReplyIsStreamed(t *testing.T) {
	r := newRig(t, Limits{})
	c := r.open()
	c.ok(edit(vpn1 + benchPeers(10_000)))
	var before, after runtime.MemStats
	// What the edit set off in the engine allocates too.
	for settled := false; !settled; {
		runtime.ReadMemStats(&before)
		time.Sleep(100 * time.Millisecond)
		runtime.ReadMemStats(&after)
		settled = after.TotalAlloc-before.TotalAlloc < 16<<10
	}
	st := &script{}
	se, err := r.srv.open(identity("admin"), st, overSSH)
	if err != nil {
		t.Fatal(err)
	}
	out := &meter{}
	w := frame.NewWriter(out)
	runtime.GC()
	runtime.ReadMemStats(&before)
	msg := []byte(`<rpc xmlns="` + ncNS + `" message-id="1"><get-config><source><running/></source></get-config></rpc>`)
	if _, err := r.srv.rpc.Handle(t.Context(), &se.peer, msg, w); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	r.srv.registry.remove(se)
	if got := after.TotalAlloc - before.TotalAlloc; out.bytes < 2_000_000 || got > uint64(out.bytes)/4 {
		t.Errorf("a reply of %d bytes allocated %d", out.bytes, got)
	}
	if out.largest > 64<<10+64 {
		t.Errorf("the largest write has %d bytes", out.largest)
	}
}

// meter measures what is written.
type meter struct{ bytes, largest int }

func (m *meter) Write(p []byte) (int, error) {
	m.bytes += len(p)
	m.largest = max(m.largest, len(p))
	return len(p), nil
}
