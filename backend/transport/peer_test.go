package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/bgp"
	"mooring/tests/netlab"
)

func modes(m bgp.ConnectMode) func(*bgp.PeerSpec) {
	return func(p *bgp.PeerSpec) { p.ConnectMode = m }
}

func TestConnectModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode            bgp.ConnectMode
		dials, accepted bool
	}{
		{bgp.ConnectBoth, true, true},
		{bgp.ConnectOnly, true, false},
		{bgp.ListenOnly, false, true},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p := spec(r.instance("a"), far4, modes(c.mode))
			r.put(p)
			r.Wanted(p.Key)
			if c.dials {
				r.failed(func(e Event) bool {
					return e.Kind == bgp.FailedRefused && strings.Contains(e.Text, "connection refused") && e.Count > 1
				})
			} else {
				r.none()
				if n := len(r.wire.SYNs(netlab.From(addr(dut4)))); n != 0 {
					t.Errorf("%d SYNs", n)
				}
			}
			in, err := r.dial(far4, dut4+":179", nil)
			if c.accepted {
				if err != nil || r.take().RemoteAddr().String() != in.LocalAddr().String() {
					t.Fatal(err)
				}
				return
			}
			r.refused(in, err)
			if n := r.Refused().Unknown; n != 1 {
				t.Errorf("refused %d", n)
			}
		})
	}
}

// The mode changes under a session, which stays (backends.md 6, passive).
func TestModeChangesLive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	re := r.listen(far4+":179", nil)
	in := r.instance("a")
	p := spec(in, far4)
	r.put(p)
	r.Wanted(p.Key)
	c := r.take()
	r.Settled(p.Key)
	if live := r.put(spec(in, far4, modes(bgp.ListenOnly))); len(live) != 1 || live[0] != leafMode {
		t.Errorf("live %v", live)
	}
	r.Wanted(p.Key)
	c.Close()
	r.none()
	if len(re.conns) != 1 {
		t.Errorf("%d connections, want the one", len(re.conns))
	}
	r.put(spec(in, far4))
	r.take()
}

// An end that we caused: the next connection is there at once, and the one
// before has ended first.
func TestRedial(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	re := r.listen(far4+":179", nil)
	in := r.instance("a")
	a := spec(in, far4, func(p *bgp.PeerSpec) { p.Source = addr(dut4) })
	b := spec(in, far4, func(p *bgp.PeerSpec) { p.Source = addr(dut4b) })
	r.put(a)
	r.Wanted(a.Key)
	c := r.take()
	r.Settled(a.Key)
	for i := range 20 {
		<-re.conns
		next := []*bgp.PeerSpec{b, a}[i%2]
		r.put(next)
		r.Wanted(a.Key) // the speaker's new state machine waits before the old one has closed
		r.none2(t)
		began := time.Now()
		c.Close()
		c = r.take()
		if took := time.Since(began); took > time.Second {
			t.Errorf("redialled after %v", took)
		}
		if got := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got != next.Source {
			t.Errorf("from %s, want %s", got, next.Source)
		}
		r.Settled(a.Key)
	}
}

func (r *rig) none2(t *testing.T) {
	t.Helper()
	if len(r.given) != 0 {
		t.Fatal("a second connection was handed over")
	}
}

// The speaker does not wait after a connection that it has used has ended,
// until it says so; it still waits after one that it has not used.
func TestWantedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listen(far4+":179", nil)
	p := spec(r.instance("a"), far4)
	r.put(p)
	r.Wanted(p.Key)
	r.get().Close()
	c := r.take() // again, without another Wanted
	c.Close()
	r.none()
	r.Wanted(p.Key)
	r.take()
}

// A local port of our own is free at once, though we end the session
// (TIME_WAIT), whether the remote closes or not.
func TestLocalPortAtOnce(t *testing.T) {
	for _, polite := range []bool{true, false} {
		t.Run(fmt.Sprintf("remote closes %v", polite), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			re := r.listen(far4+":179", nil)
			p := spec(r.instance("a"), far4, func(p *bgp.PeerSpec) { p.LocalPort = 31790 })
			r.put(p)
			for range 3 {
				r.Wanted(p.Key)
				c := r.take()
				far := <-re.conns
				if polite {
					go func() {
						_, _ = far.Read(make([]byte, 10))
						far.Close()
					}()
				} else {
					t.Cleanup(func() { far.Close() })
				}
				c.Close()
			}
			for _, e := range r.events {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// A remote that is still clearing up accepts and closes: nothing of that
// reaches the speaker, and it is not dialled without end (backends.md 2).
func TestClosedEarly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	busy := r.listenRaw(far4 + ":179")
	closed := 0
	p := spec(r.instance("a"), far4, func(p *bgp.PeerSpec) { p.ConnectRetry = 10 * time.Second })
	r.put(p)
	r.Wanted(p.Key)
	began := time.Now()
	for time.Since(began) < time.Second {
		if err := busy.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		c, err := busy.Accept()
		if err != nil {
			break
		}
		c.Close()
		closed++
	}
	// 20 ms steps for 160 ms, then an eighth of the time: some 25 in a second.
	if closed < 10 || closed > 40 {
		t.Errorf("dialled %d times in a second", closed)
	}
	r.failed(func(e Event) bool {
		return e.Kind == bgp.FailedClosed && strings.Contains(e.Text, "before it said anything")
	})
	r.none2(t)
	busy.Close()
	r.listen(far4+":179", nil)
	r.take()
}

func (r *rig) listenRaw(at string) *net.TCPListener {
	r.t.Helper()
	var l net.Listener
	if err := r.far.Do(func() (err error) { l, err = net.Listen("tcp", at); return err }); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// A remote that waits for our first octet gets it after a while.
func TestSilentRemote(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listenRaw(far4 + ":179")
	p := spec(r.instance("a"), far4)
	r.put(p)
	r.Wanted(p.Key)
	r.take()
}

// What comes in before the speaker waits is kept, unanswered, and the peer is
// not dialled meanwhile; where it has gone by then, it is.
func TestPending(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := spec(r.instance("a"), far4)
	r.put(p)
	first, err := r.dial(far4, dut4+":179", nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.dial(far4, dut4+":179", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.refused(first, nil) // replaced
	r.none()
	r.Wanted(p.Key)
	if got := r.take().RemoteAddr().String(); got != second.LocalAddr().String() {
		t.Errorf("got %s, want %s", got, second.LocalAddr())
	}
	if n := len(r.wire.SYNs(netlab.From(addr(dut4)))); n != 0 {
		t.Errorf("%d SYNs", n)
	}
}

func TestPendingGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := spec(r.instance("a"), far4)
	r.put(p)
	c, err := r.dial(far4, dut4+":179", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.wait("it is pending", func() bool {
		r.Transport.mu.Lock()
		defer r.Transport.mu.Unlock()
		return r.peers[p.Key].pending != nil
	})
	c.Close()
	r.wire.WaitFor(t, patient, func(v netlab.View) bool { return len(v.FINs(nil)) > 0 })
	r.listen(far4+":179", nil)
	r.Wanted(p.Key)
	if got := r.take().RemoteAddr().String(); got != far4+":179" {
		t.Errorf("got %s, want one that was dialled", got)
	}
}

// Connections that collide (RFC 4271 6.8).
func TestCollision(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l := r.listenRaw(far4 + ":179") // accepts in the kernel, and says nothing
	p := spec(r.instance("a"), far4)
	r.put(p)
	r.Wanted(p.Key)
	r.wait("connected", func() bool {
		r.Transport.mu.Lock()
		defer r.Transport.mu.Unlock()
		d := r.peers[p.Key].dialing
		return d != nil && d.connected
	})
	// The remote's address is higher, so its connection is the one.
	c, err := r.dial(far4, dut4+":179", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.take().RemoteAddr().String(); got != c.LocalAddr().String() {
		t.Errorf("got %s, want %s", got, c.LocalAddr())
	}
	out, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := readAll(out); err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the other connection: %v, want its end", err)
	}
	r.Settled(p.Key)
	another, err := r.dial(far4, dut4+":179", nil)
	r.refused(another, err)
	if n := r.Refused(); n != (Refused{Peer: 1}) {
		t.Errorf("refused %+v", n)
	}
	r.none()
}

// Both sides wait on their own connection: the higher address keeps it.
func TestCollisionOfSilents(t *testing.T) {
	for _, c := range []struct{ near, far string }{{"10.1.1.1", "10.1.1.2"}, {"10.1.1.3", "10.1.1.2"}} {
		t.Run(c.near, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.listenRaw(far4 + ":179")
			p := spec(r.instance("a"), far4, func(p *bgp.PeerSpec) { p.Source = addr(c.near) })
			r.put(p)
			r.Wanted(p.Key)
			ours := r.take()
			theirs, err := r.dial(far4, c.near+":179", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.none()
			if addr(c.near).Compare(addr(c.far)) > 0 {
				r.refused2(theirs)
				r.none2(t)
				return
			}
			r.wait("the end of ours", func() bool { return ours.(*conn).dead() })
			r.none() // the speaker has to say that it waits
			r.Wanted(p.Key)
			if got := r.take().RemoteAddr().String(); got != theirs.LocalAddr().String() {
				t.Errorf("got %s, want %s", got, theirs.LocalAddr())
			}
		})
	}
}

func (r *rig) refused2(c net.Conn) {
	r.t.Helper()
	if err := readAll(c); err != nil && !errors.Is(err, unix.ECONNRESET) {
		r.t.Fatalf("read = %v, want its end", err)
	}
}

// Dial errors by their cause (issue: they become telemetry).
func TestDialErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		remote string
		change func(*bgp.PeerSpec)
		far    func(*rig)
		kind   bgp.ConnectFailure
		want   []string
	}{
		{"refused", far4, nil, nil, bgp.FailedRefused, []string{"dial 10.1.1.2:179: connection refused"}},
		{"no route", "192.0.2.9", nil, nil, bgp.FailedNoRoute, []string{"network is unreachable"}},
		{"no answer", "10.1.1.99", nil, func(r *rig) {
			r.dut.IP("neigh", "add", "10.1.1.99", "lladdr", "02:00:00:00:00:99", "dev", "vd")
		}, bgp.FailedTimeout, []string{"timed out: no answer"}},
		{
			"no such source", far4, func(p *bgp.PeerSpec) { p.Source = addr("10.9.9.9") }, nil, bgp.FailedAddress,
			[]string{"from 10.9.9.9", "cannot assign requested address", "this host has no such address"},
		},
		{
			"md5 differs", far4, func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "skiff" },
			func(r *rig) { r.listen(far4+":179", md5(dut4, "wherry")) },
			bgp.FailedUnkeyed,
			[]string{"timed out", "another md5 key or none"},
		},
		{
			"md5 here only", far4, func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "skiff" },
			func(r *rig) { r.listen(far4+":179", nil) },
			bgp.FailedUnkeyed,
			[]string{"timed out", "another md5 key or none"},
		},
		{"no TCP-AO", far4, func(p *bgp.PeerSpec) {
			p.Auth, p.Keys = bgp.AuthTCPAO, []bgp.TCPAOKey{{SendID: 1, ReceiveID: 1, Algorithm: "hmac-sha-1-96", Secret: "x"}}
			p.ConnectMode = bgp.ConnectOnly
		}, nil, bgp.FailedOther, []string{"CONFIG_TCP_AO"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.name == "no TCP-AO" && hasTCPAO() {
				t.Skip("this kernel has TCP-AO")
			}
			r := newRig(t)
			if c.far != nil {
				c.far(r)
			}
			p := spec(r.instance("a"), c.remote)
			if c.change != nil {
				c.change(p)
			}
			r.put(p)
			r.Wanted(p.Key)
			e := r.failed(func(Event) bool { return true })
			for _, w := range c.want {
				if !strings.Contains(e.Text, w) {
					t.Errorf("%q does not say %q", e.Text, w)
				}
			}
			if strings.Contains(e.Text, "skiff") || e.Kind != c.kind || e.Count != 1 || e.Peer != p.Key || time.Since(e.Time) > patient {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// A wrong key at a remote that dials: nothing comes in.
func TestMD5WrongIncoming(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := spec(r.instance("a"), far4, modes(bgp.ListenOnly), func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "skiff" })
	r.put(p)
	r.Wanted(p.Key)
	for _, opt := range []func(int) error{md5(dut4, "wherry"), nil} {
		if _, err := r.dial(far4, dut4+":179", opt); err == nil {
			t.Error("a connection with a wrong key came up")
		}
	}
	// The key changes; then it goes.
	q := *p
	q.Password = "wherry"
	r.put(&q)
	if _, err := r.dial(far4, dut4+":179", md5(dut4, "wherry")); err != nil {
		t.Error(err)
	}
	r.take().Close()
	q2 := *p
	q2.Auth, q2.Password = bgp.AuthNone, ""
	r.put(&q2)
	r.Wanted(p.Key)
	if _, err := r.dial(far4, dut4+":179", nil); err != nil {
		t.Error(err)
	}
	r.take()
}

func TestPause(t *testing.T) {
	for _, c := range []struct{ since, retry, most time.Duration }{
		{0, time.Minute, firstStep},
		{100 * time.Millisecond, time.Minute, firstStep},
		{8 * time.Second, time.Minute, time.Second},
		{time.Hour, 32 * time.Second, 32 * time.Second},
		{time.Hour, 0, firstStep},
	} {
		for range 100 {
			if d := pause(c.since, c.retry); d > c.most || d < c.most*3/4-1 {
				t.Fatalf("pause(%v, %v) = %v, want %v less at most a quarter", c.since, c.retry, d, c.most)
			}
		}
	}
	if got := dialTime(time.Hour); got != maxDialTime {
		t.Errorf("dialTime = %v", got)
	}
	if _, err := netip.ParseAddr(far4); err != nil {
		t.Fatal(err)
	}
}
