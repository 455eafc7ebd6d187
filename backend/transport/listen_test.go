package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mooring/bgp"
)

func listenAt(as ...string) func(*bgp.InstanceSpec) {
	return func(in *bgp.InstanceSpec) {
		for _, a := range as {
			in.Listen = append(in.Listen, addr(a))
		}
	}
}

// One listener for two instances: the same neighbour in both, told apart by
// the local address; also beside sockets of single addresses.
func TestInstancesShareListener(t *testing.T) {
	for _, c := range []struct {
		name     string
		one, two func(*bgp.InstanceSpec)
		groups   int
	}{
		{"both everywhere", listenAt(), listenAt(), 2},
		{"one everywhere", listenAt(), listenAt(dut4b), 3},
		{"one everywhere, later", listenAt(dut4), listenAt(), 3},
		{"each at its own", listenAt(dut4), listenAt(dut4b), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			one, two := r.instance("one", c.one), r.instance("two", c.two)
			p := spec(one, far4, modes(bgp.ListenOnly), func(p *bgp.PeerSpec) { p.Source = addr(dut4) })
			q := spec(two, far4, modes(bgp.ListenOnly), func(p *bgp.PeerSpec) { p.Source = addr(dut4b) })
			r.put(p)
			r.put(q)
			groups := 0
			for _, s := range r.spaces {
				groups += len(s.groups)
			}
			if groups != c.groups || len(r.spaces) != 1 {
				t.Errorf("%d groups in %d spaces, want %d in 1", groups, len(r.spaces), c.groups)
			}
			r.Wanted(p.Key)
			r.Wanted(q.Key)
			for _, w := range []*bgp.PeerSpec{q, p} {
				if _, err := r.dial(far4, netip.AddrPortFrom(w.Source, 179).String(), nil); err != nil {
					t.Fatal(err)
				}
				r.take()
				if s, ok := r.Socket(w.Key); !ok || s.Local.Addr() != w.Source {
					t.Errorf("%s: socket %+v, %v", w.Key, s, ok)
				}
			}
			if _, ok := r.Socket(p.Key); !ok {
				t.Error("the first lost its connection")
			}
			r.Remove(p.Key)
			r.RemoveInstance(one.Key)
			mine := *q
			r.put(&mine)
			c, err := r.dial(far4, dut4+":179", nil)
			r.refused(c, err)
			r.Remove(q.Key)
			r.RemoveInstance(two.Key)
			// The listening socket may outlive its Close by a moment.
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
				c, err := r.dial(far4, dut4b+":179", nil)
				if errors.Is(err, unix.ECONNREFUSED) {
					break
				}
				if err == nil {
					c.Close()
				}
				if time.Now().After(deadline) {
					t.Fatalf("dial without an instance = %v", err)
				}
			}
			if len(r.spaces) != 0 {
				t.Errorf("%d spaces stay", len(r.spaces))
			}
		})
	}
}

func TestAmbiguous(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.instance("one"), r.instance("two")
	p := spec(one, far4)
	r.put(p)
	for _, c := range []struct {
		name string
		p    *bgp.PeerSpec
		want string // "": accepted
	}{
		{"same neighbour anywhere", spec(two, far4), "default/one"},
		{"one has a source", spec(two, far4, func(p *bgp.PeerSpec) { p.Source = addr(dut4) }), "default/one"},
		{"takes nothing", spec(two, far4, modes(bgp.ConnectOnly)), ""},
		{"another neighbour", spec(two, "10.1.1.4"), ""},
	} {
		_, err := r.Put(c.p)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Put = %v, want %q", c.name, err, c.want)
		}
		r.Remove(c.p.Key)
	}
	src := spec(one, far4, func(p *bgp.PeerSpec) { p.Source = addr(dut4) })
	r.put(src)
	q := spec(two, far4, func(p *bgp.PeerSpec) { p.Source, p.Auth, p.Password = addr(dut4b), bgp.AuthMD5, "skiff" })
	if _, err := r.Put(q); !errors.Is(err, errSlot) {
		t.Errorf("Put with another key at the shared listener = %v, want errSlot", err)
	}
	if _, err := r.Put(spec(&bgp.InstanceSpec{Key: bgp.InstanceKey{VPN: "none"}}, far4)); !errors.Is(err, ErrUnknownInstance) {
		t.Errorf("Put = %v", err)
	}
}

func TestUnknownPeer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.instance("a")
	r.put(spec(in, far4, func(p *bgp.PeerSpec) { p.Source = addr(dut4) }))
	c, err := r.dial(far4, dut4b+":179", nil) // not its source
	r.refused(c, err)
	c, err = r.dial(far6, "["+dut6+"]:179", nil)
	r.refused(c, err)
	if n := r.Refused(); n != (Refused{Unknown: 2}) {
		t.Errorf("refused %+v", n)
	}
}

// Far more peers with a key than one socket has room for (backends.md 1.2
// AuthPassword): each gets in with its own key, and only with that.
func TestThousandsOfMD5Keys(t *testing.T) {
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			const peers = 2500
			in := r.instance("a")
			far := func(i int) string {
				if e.name == "IPv4" {
					return fmt.Sprintf("10.2.%d.%d", i>>8, i&255)
				}
				return fmt.Sprintf("fd02::%x", i+1)
			}
			key := func(i int) bgp.Secret { return bgp.Secret(fmt.Sprint("key", i)) }
			began := time.Now()
			for i := range peers {
				r.put(spec(in, far(i), modes(bgp.ListenOnly), func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, key(i) }))
			}
			t.Logf("%d peers in %v", peers, time.Since(began))
			if e.name == "IPv4" {
				r.far.IP("route", "add", "local", "10.2.0.0/16", "dev", "lo")
				r.dut.AddRoute("10.2.0.0/16", "via", far4)
			} else {
				r.far.Sysctl("net.ipv6.ip_nonlocal_bind", "1")
				r.far.IP("-6", "route", "add", "local", "fd02::/64", "dev", "lo")
				r.dut.AddRoute("fd02::/64", "via", far6)
			}
			to := netip.AddrPortFrom(addr(e.near), 179).String()
			for i := 0; i < peers; i += 97 {
				if _, err := r.dial(far(i), to, md5(e.near, string(key(i)))); err != nil {
					t.Fatalf("peer %d: %v", i, err)
				}
			}
			if _, err := r.dial(far(1), to, md5(e.near, string(key(2)))); err == nil {
				t.Error("a connection with the key of another peer came up")
			}
			// Without the keys, they are peers like others.
			for i := range peers {
				r.put(spec(in, far(i), modes(bgp.ListenOnly)))
			}
			if _, err := r.dial(far(1), to, nil); err != nil {
				t.Error(err)
			}
			if n := r.Refused().Unknown; n != 0 {
				t.Errorf("%d refused", n)
			}
		})
	}
}

// full is a kernel whose sockets have room for few keys.
type full struct {
	authSockets
	room int
	keys map[int]map[netip.Addr]bool
}

func (f *full) setMD5(fd int, remote netip.Addr, password string) error {
	if f.keys[fd] == nil {
		f.keys[fd] = map[netip.Addr]bool{}
	}
	if password == "" {
		delete(f.keys[fd], remote)
		return nil
	}
	if len(f.keys[fd]) >= f.room {
		return unix.ENOMEM
	}
	f.keys[fd][remote] = true
	return nil
}

// Where all sockets are full, Put refuses, and nothing of the others changes.
func TestKeysFull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kernel := &full{room: 2, keys: map[int]map[netip.Addr]bool{}}
	r.auth = kernel
	in := r.instance("a", listenAt(dut4))
	put := func(i int) error {
		_, err := r.Put(spec(in, fmt.Sprintf("10.3.%d.%d", i>>8, i&255), modes(bgp.ListenOnly),
			func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "x" }))
		return err
	}
	n := 0
	var err error
	for ; err == nil && n < 1000; n++ {
		err = put(n)
	}
	if !errors.Is(err, unix.ENOMEM) || !strings.Contains(err.Error(), "net.core.optmem_max") || n < 16 {
		t.Fatalf("after %d keys: %v", n, err)
	}
	keys := 0
	for _, k := range kernel.keys {
		keys += len(k)
	}
	if keys != n-1 {
		t.Errorf("%d keys in the kernel for %d peers", keys, n-1)
	}
	if len(r.peers) != n-1 {
		t.Errorf("%d peers", len(r.peers))
	}
}

// An address that somebody else has, and one that nobody has.
func TestListenErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var other net.Listener
	if err := r.dut.Do(func() (err error) { other, err = net.Listen("tcp", dut4+":179"); return err }); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, c := range []struct {
		name   string
		change func(*bgp.InstanceSpec)
		want   []string
	}{
		{"busy", listenAt(dut4), []string{"10.1.1.1:179", "address already in use", "listen-port"}},
		{"busy, everywhere", listenAt(), []string{"address already in use"}},
		{"not here", listenAt("10.9.9.9"), []string{"cannot assign requested address", "listen-address"}},
		{"no device", func(in *bgp.InstanceSpec) { in.Device = "vrf-none" }, []string{"vrf-none", "no such device", "CONFIG_NET_VRF"}},
	} {
		in := &bgp.InstanceSpec{Key: bgp.InstanceKey{Instance: "default", VPN: "x"}, Namespace: r.dut.Name, Port: 179}
		c.change(in)
		err := r.PutInstance(in, nil)
		if err == nil {
			t.Fatalf("%s: no error", c.name)
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", c.name, err, w)
			}
		}
		if len(r.instances) != 0 || len(r.spaces) != 0 {
			t.Errorf("%s: something stays", c.name)
		}
	}
	// Nobody else can listen beside us either, SO_REUSEPORT or not.
	r.instance("b", listenAt(dut4b))
	err := r.dut.Do(func() error {
		lc := net.ListenConfig{Control: control(setInt(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))}
		l, err := lc.Listen(t.Context(), "tcp", dut4b+":179")
		if err == nil {
			l.Close()
		}
		return err
	})
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("another socket beside ours: %v", err)
	}
}

// An instance that moves to another port keeps its peers; one that cannot
// stays where it is.
func TestInstanceMoves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.instance("a")
	p := spec(in, far4, modes(bgp.ListenOnly), func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "skiff" })
	r.put(p)
	other := r.lab.Listener(r.dut, addrPort2(dut4, 1790), lab)
	bad := *in
	bad.Port = 1790
	if err := r.PutInstance(&bad, nil); !errors.Is(err, unix.EADDRINUSE) {
		t.Fatalf("PutInstance = %v", err)
	}
	other.Stop()
	r.Wanted(p.Key)
	if _, err := r.dial(far4, dut4+":179", md5(dut4, "skiff")); err != nil {
		t.Fatal(err)
	}
	r.take()
	moved := *in
	moved.Port, moved.Listen = 1790, []netip.Addr{addr(dut4)}
	if err := r.PutInstance(&moved, func(c net.Conn) { r.given <- c }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.dial(far4, dut4+":179", md5(dut4, "skiff")); err == nil {
		t.Error("the old port still listens")
	}
	if _, ok := r.Socket(p.Key); !ok {
		t.Error("the connection has gone")
	}
	if _, err := r.dial(far4, dut4+":1790", md5(dut4, "skiff")); err != nil {
		t.Error(err)
	}
}

// A namespace that is deleted under a session, and made again.
func TestNamespaceDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	re := r.listen(far4+":179", nil)
	missing := r.instance("later", func(in *bgp.InstanceSpec) { in.Namespace = r.dut.Name + "-not-yet" })
	if _, err := r.Put(spec(missing, far4)); !errors.Is(err, errNoNamespace) {
		t.Errorf("Put = %v, want errNoNamespace", err)
	}
	in := r.instance("a")
	p := spec(in, far4)
	r.put(p)
	r.Wanted(p.Key)
	c := r.take()
	far := <-re.conns
	defer far.Close()

	name := r.dut.Name
	r.deleteAndMake(name)
	if _, err := c.Write([]byte("still")); err != nil {
		t.Errorf("the session of the deleted namespace: %v", err)
	}
	r.Wanted(p.Key)
	c.Close()
	e := r.failed(func(Event) bool { return true }) // the new one has no link
	if !strings.Contains(e.Text, "unreachable") {
		t.Errorf("event %+v", e)
	}
	q := *p
	q.DSCP = 1
	r.put(&q)
	listens := func() error {
		l, err := net.Listen("tcp", ":179")
		if err == nil {
			l.Close()
		}
		return err
	}
	if err := r.dut.Do(listens); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("listen beside the transport in the new namespace = %v", err)
	}
}

// Removing everything leaves nothing in the tables.
func TestRemove(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := r.instance("a")
	p := spec(in, far4, func(p *bgp.PeerSpec) { p.MSS = 900 })
	r.put(p)
	r.Wanted(p.Key)
	c, err := r.dial(far4, dut4+":179", nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := r.take()
	r.Remove(p.Key)
	r.Remove(p.Key)
	if _, err := kept.Write([]byte("x")); err != nil {
		t.Errorf("the speaker's connection: %v", err)
	}
	other, err := r.dial(far4, dut4+":179", nil)
	r.refused(other, err)
	kept.Close()
	if err := readAll(c); err != nil {
		t.Errorf("read = %v, want the end", err)
	}
	r.none()
	for _, s := range r.spaces {
		for _, g := range s.groups {
			if len(g.slots) != 0 {
				t.Errorf("%s: %v", g.at, g.slots)
			}
		}
	}
	r.Settled(p.Key)
	r.Wanted(p.Key)
	if diff := cmp.Diff(0, len(r.peers)); diff != "" {
		t.Error(diff)
	}
}

// An instance in a device beside one that is in none: the device's listening
// socket gets what comes in there, and its connections leave there.
func TestDevice(t *testing.T) {
	for _, deviceFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("device first %v", deviceFirst), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.lab.Link(r.dut, "vd2", r.far, "vr2")
			r.dut.AddAddr("vd2", "10.2.2.1/24")
			r.far.AddAddr("vr2", "10.2.2.2/24")
			device := func(in *bgp.InstanceSpec) { in.Device = "vd2" }
			var red, public *bgp.InstanceSpec
			if deviceFirst {
				red = r.instance("red", device)
				public = r.instance(bgp.PublicVPN)
			} else {
				public = r.instance(bgp.PublicVPN)
				red = r.instance("red", device)
			}
			p := spec(red, "10.2.2.2", modes(bgp.ListenOnly))
			q := spec(public, "10.1.1.2", modes(bgp.ListenOnly))
			for _, s := range []*bgp.PeerSpec{p, q} {
				r.put(s)
				r.Wanted(s.Key)
			}
			for _, c := range []struct {
				from, to string
				peer     *bgp.PeerSpec
			}{{"10.2.2.2", "10.2.2.1", p}, {far4, dut4, q}} {
				if _, err := r.dial(c.from, c.to+":179", nil); err != nil {
					t.Fatal(err)
				}
				r.take()
				if _, ok := r.Socket(c.peer.Key); !ok {
					t.Errorf("%s has no connection", c.peer.Key)
				}
			}
			// A peer of the other instance is none here.
			c, err := r.dial("10.2.2.2", dut4+":179", nil)
			r.refused(c, err)

			d := spec(red, far4, modes(bgp.ConnectOnly)) // on the other link
			r.put(d)
			r.Wanted(d.Key)
			r.failed(func(Event) bool { return true })
			for _, s := range r.wire.SYNs(nil) {
				if s.To == netip.AddrPortFrom(addr(far4), 179) {
					t.Errorf("a SYN left by another device: %v", s)
				}
			}
		})
	}
}
