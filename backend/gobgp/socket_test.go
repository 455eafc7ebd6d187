package gobgp

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
)

// backends.md 1.2 LocalAddress, TcpMss, AuthPassword, RemotePort, LocalPort,
// active side: what the remote sees of a connection that GoBGP opened.
func TestDials(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	p.Source, p.LocalPort, p.MSS = r.addr(2), 31795, 900
	p.Auth, p.Password = bgp.AuthMD5, "a key that is right"
	remote := r.passive(t, p)
	start := time.Now()
	r.apply(putInstance(r.instance(0)), create(p))
	r.wait("a session", func() bool { return remote.Established() })
	t.Logf("up after %v", time.Since(start).Round(10*time.Millisecond))
	if got, want := remote.SourcePort(), netip.AddrPortFrom(p.Source, p.LocalPort); got != want {
		t.Errorf("dialled from %s, want %s", got, want)
	}
	mss := 0
	remote.Conn(func(fd int) { mss, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG) })
	if mss == 0 || mss > 900 {
		t.Errorf("MSS %d, want at most 900", mss)
	}
	// backends.md 1.5: the addresses in the event are those of the socket.
	r.wait("the event", func() bool { _, ok := r.last(p.Key, isUp); return ok })
	e, _ := r.last(p.Key, isUp)
	if e.Socket.Local != netip.AddrPortFrom(p.Source, p.LocalPort) || e.Socket.Remote != netip.AddrPortFrom(p.Key.Address, r.remotePort) {
		t.Errorf("socket %+v", e.Socket)
	}
}

// backends.md 2: a change of the source by UpdatePeer, remote passive.
func TestDialsAgainFromTheNewSource(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	remote := r.passive(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.settled(p.Key)
	q := with(p, func(p *bgp.PeerSpec) { p.Source = r.addr(2) })
	start := time.Now()
	r.apply(r.update(p, q, bgp.ImpactReset))
	r.wait("a session from the new source", func() bool { return remote.Sessions() == 2 && remote.Established() })
	back := time.Since(start)
	t.Logf("back after %v", back.Round(10*time.Millisecond))
	if remote.Source() != q.Source || len(remote.Ceases()) != 1 || back > 4*time.Second {
		t.Errorf("from %s after %v with ceases %v, want from %s, one Cease, at most 4 s", remote.Source(), back, remote.Ceases(), q.Source)
	}
}

// backends.md 1.2 LocalAddress, and 1.5: without a source the kernel chooses,
// and the event says which.
func TestNoSource(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	p.Source = netip.Addr{}
	remote := r.passive(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.wait("the event", func() bool { _, ok := r.last(p.Key, isUp); return ok })
	e, _ := r.last(p.Key, isUp)
	if !remote.Source().IsValid() || e.Socket.Local.Addr() != remote.Source() {
		t.Errorf("event says %s, the remote saw %s", e.Socket.Local, remote.Source())
	}
}

// backends.md 1.2 LocalAddress, passive side.
func TestAcceptsOnlyAtTheSource(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	wrong := backendtest.NewTCPRemote(t, backendtest.RemoteConfig{
		Address: p.Key.Address, Dial: []netip.AddrPort{netip.AddrPortFrom(r.addr(2), r.listenPort)},
	}, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.never("an OPEN at an address that is not the source", func() bool { return wrong.Attempts() > 0 })
}

// backends.md 1.2 BindInterface: with a device GoBGP accepts at any address;
// such a session is ended.
func TestDeviceAcceptsOnlyAtTheSource(t *testing.T) {
	parallel(t)
	r := newStockRig(t)
	in := r.instance(0)
	in.Device = "lo"
	p := r.peer(0, 0)
	wrong := backendtest.NewTCPRemote(t, backendtest.RemoteConfig{
		Address: p.Key.Address, Dial: []netip.AddrPort{netip.AddrPortFrom(r.addr(2), r.listenPort)},
	}, p)
	r.apply(putInstance(in), create(p))
	r.wait("the end of a session at the wrong address", func() bool { return len(wrong.Ceases()) > 0 })
	wrong.Close()
	right := backendtest.NewTCPRemote(t, backendtest.RemoteConfig{
		Address: p.Key.Address, Dial: []netip.AddrPort{netip.AddrPortFrom(r.addr(1), r.listenPort)},
	}, p)
	r.wait("a session at the right address", right.Established)
	r.never("its end", func() bool { return len(right.Ceases()) > 0 })
}

// backends.md 1.2: an address that this host has not gives no error and no
// event, only a line in GoBGP's log.
func TestDialErrorIsTold(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	p.Source = netip.MustParseAddr("192.0.2.77")
	r.apply(putInstance(r.instance(0)), create(p))
	failed := func(e backend.Event) bool { return strings.Contains(e.ConnectError, "cannot assign requested address") }
	r.wait("a connect error", func() bool { _, ok := r.last(p.Key, failed); return ok })
}

// backends.md 1.5: DeletePeer would leave the key on the listener, and the
// peer without a password would be shut out.
func TestKeyIsTakenOffTheListener(t *testing.T) {
	parallel(t)
	r := newRig(t)
	in, plain := r.instance(0), r.peer(0, 0)
	keyed := with(plain, func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "to be forgotten" })
	remote := r.dialling(t, keyed)
	r.apply(putInstance(in), create(keyed))
	r.settled(keyed.Key)
	r.apply(remove(keyed))
	r.wait("its end", func() bool { return !remote.Established() })
	if c := remote.Ceases(); len(c) != 1 || c[0] != bgp.CeasePeerDeconfigured {
		t.Errorf("ceases %v, want one 6/3", c)
	}
	remote.Follow(plain)
	r.apply(create(with(plain, func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly })))
	r.wait("a session without a key", remote.Established)

	// The same by a change, and by holding the peer down.
	remote.Follow(keyed)
	listening := with(keyed, func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly })
	r.apply(r.update(plain, listening, bgp.ImpactReset))
	r.wait("a session with the key", func() bool { return remote.Sessions() == 3 && remote.Established() })
	r.settled(keyed.Key)
	down := with(listening, func(p *bgp.PeerSpec) { p.Down = bgp.DownInterfaceDown })
	r.apply(r.update(listening, down, bgp.ImpactReset))
	remote.Follow(plain)
	up := with(plain, func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly })
	r.apply(r.update(down, up, bgp.ImpactReset))
	r.wait("a session without a key", func() bool { return remote.Sessions() == 4 && remote.Established() })
}

// backends.md 1.2 TtlSecurity, both sides: the remote drops what comes with
// less than 255.
func TestGTSM(t *testing.T) {
	parallel(t)
	r := newRig(t)
	p := r.peer(0, 0)
	p.TTL, p.MinTTL = 255, 255
	remote := r.dialling(t, p)
	r.apply(putInstance(r.instance(0)), create(p))
	r.told(p.Key)
	r.wait("the remote to know of it", remote.Established)
	remote.Conn(func(fd int) {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, 255); err != nil {
			t.Error(err)
		}
	})
	end := &bgp.Notification{Code: bgp.CodeCease, Subcode: bgp.CeaseAdminReset}
	remote.End(end)
	r.wait("the end, told through GTSM", func() bool {
		e, ok := r.last(p.Key, func(e backend.Event) bool { return e.Ended != nil })
		return ok && e.Ended.Notification != nil && e.Ended.Notification.Subcode == end.Subcode
	})
}
