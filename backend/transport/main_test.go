package transport

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"mooring/bgp"
	"mooring/tests/netlab"
)

func TestMain(m *testing.M) {
	// The tests wait for timers more than they work.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const patient = 10 * time.Second

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// rig is a Transport that works in namespace dut, a namespace on the other
// end of a link, and the speaker: it takes what it is handed.
type rig struct {
	*Transport
	t        *testing.T
	lab      *netlab.Lab
	dut, far *netlab.Namespace
	wire     *netlab.Capture
	given    chan net.Conn

	mu     sync.Mutex
	events []Event
}

// The addresses of both ends.
const (
	dut4, dut4b, far4 = "10.1.1.1", "10.1.1.3", "10.1.1.2"
	dut6, far6        = "fd00::1", "fd00::2"
)

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, lab: netlab.New(t), given: make(chan net.Conn, 1000)}
	r.dut, r.far = r.lab.Namespace("dut"), r.lab.Namespace("far")
	r.lab.Link(r.dut, "vd", r.far, "vr")
	for _, a := range []string{dut4 + "/24", dut4b + "/24", dut6 + "/64"} {
		r.dut.AddAddr("vd", a)
	}
	r.far.AddAddr("vr", far4+"/24")
	r.far.AddAddr("vr", far6+"/64")
	r.wire = r.lab.Capture(r.far, "vr", 179)
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.Transport = New(log, func(e Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return r
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

func (r *rig) instance(name string, change ...func(*bgp.InstanceSpec)) *bgp.InstanceSpec {
	r.t.Helper()
	in := &bgp.InstanceSpec{Key: bgp.InstanceKey{Instance: "default", VPN: name}, Namespace: r.dut.Name, Port: 179}
	for _, f := range change {
		f(in)
	}
	if err := r.PutInstance(in, func(c net.Conn) { r.given <- c }); err != nil {
		r.t.Fatal(err)
	}
	return in
}

func spec(in *bgp.InstanceSpec, remote string, change ...func(*bgp.PeerSpec)) *bgp.PeerSpec {
	p := &bgp.PeerSpec{
		Key:        bgp.PeerKey{Instance: in.Key.Instance, VPN: in.Key.VPN, Address: addr(remote)},
		RemotePort: 179, ConnectRetry: time.Second, TTL: 1,
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func (r *rig) put(p *bgp.PeerSpec) []string {
	r.t.Helper()
	live, err := r.Put(p)
	if err != nil {
		r.t.Fatalf("Put = %v", err)
	}
	return live
}

// take waits for a connection that is handed over, and takes it with a write.
func (r *rig) take() net.Conn {
	r.t.Helper()
	c := r.get()
	if _, err := c.Write([]byte("o")); err != nil {
		r.t.Fatalf("write on a new connection: %v", err)
	}
	return c
}

func (r *rig) get() net.Conn {
	r.t.Helper()
	select {
	case c := <-r.given:
		return c
	case <-time.After(patient):
		r.t.Fatal("no connection was handed over")
		return nil
	}
}

// none checks that nothing is handed over for a while.
func (r *rig) none() {
	r.t.Helper()
	select {
	case c := <-r.given:
		r.t.Fatalf("a connection from %s was handed over", c.RemoteAddr())
	case <-time.After(150 * time.Millisecond):
	}
}

// failed waits for a dial error that f accepts.
func (r *rig) failed(f func(Event) bool) Event {
	r.t.Helper()
	var found Event
	r.wait("a dial error", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if f(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func (r *rig) wait(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patient); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Fatalf("waited in vain for %s; dial errors %v", what, r.events)
		}
	}
}

// control makes a Control function of a net.Dialer or ListenConfig.
func control(f func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		if f == nil {
			return nil
		}
		var err error
		if cerr := c.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
			return cerr
		}
		return err
	}
}

// remote is a far end that accepts and says hello.
type remote struct {
	l     net.Listener
	conns chan net.Conn
}

func (r *rig) listen(at string, opt func(fd int) error) *remote {
	r.t.Helper()
	re := &remote{conns: make(chan net.Conn, 1000)}
	err := r.far.Do(func() (err error) {
		lc := net.ListenConfig{Control: control(opt)}
		lc.SetMultipathTCP(false)
		re.l, err = lc.Listen(context.Background(), "tcp", at)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := re.l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("h")) // the test looks at the other side
			re.conns <- c
		}
	}()
	r.t.Cleanup(func() {
		re.l.Close()
		<-done
		close(re.conns)
		for c := range re.conns {
			c.Close()
		}
	})
	return re
}

func (r *rig) dial(from, to string, opt func(fd int) error) (net.Conn, error) {
	r.t.Helper()
	var c net.Conn
	err := r.far.Do(func() (err error) {
		d := net.Dialer{
			LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr(from), 0)), Control: control(opt), Timeout: 1500 * time.Millisecond,
		}
		d.SetMultipathTCP(false)
		c, err = d.Dial("tcp", to)
		return err
	})
	if err == nil {
		r.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// refused checks that a connection is ended by the other side with a RST.
func (r *rig) refused(c net.Conn, err error) {
	r.t.Helper()
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET) {
		return
	}
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patient)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		r.t.Fatalf("read = %v, want a reset", err)
	}
}

func readAll(c net.Conn) error {
	_, err := io.Copy(io.Discard, c)
	return err
}

func setInt(level, opt, v int) func(fd int) error {
	return func(fd int) error { return unix.SetsockoptInt(fd, level, opt, v) }
}

func md5(remote, key string) func(fd int) error {
	return func(fd int) error { return kernelAuth{}.setMD5(fd, addr(remote), key) }
}

var lab = netlab.RemoteConfig{AS: 1, RouterID: netip.MustParseAddr("1.1.1.1")}

func addrPort2(a string, port uint16) netip.AddrPort { return netip.AddrPortFrom(addr(a), port) }

// deleteAndMake removes a namespace's name and makes another of that name.
func (r *rig) deleteAndMake(name string) {
	r.t.Helper()
	for _, verb := range []string{"del", "add"} {
		if out, err := exec.Command("ip", "netns", verb, name).CombinedOutput(); err != nil {
			r.t.Fatalf("ip netns %s: %v: %s", verb, err, out)
		}
	}
}
