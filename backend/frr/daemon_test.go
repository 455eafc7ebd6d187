package frr

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Without the BMP module state is polled each second.
func TestWithoutBMP(t *testing.T) {
	l := parallelLab(t, daemonOptions{noBMP: true})
	b := run(t, New(l.options()))
	p, q := l.peer(0, 0), l.peer(0, 1)
	waits, returns := l.passive(t, p), l.dialling(t, q)
	b.apply(putInstance(l.instance(0)), createPeer(p), createPeer(q))
	up := func(p *bgp.PeerSpec) func() bool {
		return func() bool {
			return b.has(func(e backend.Event) bool { return e.Peer == p.Key && e.Session == bgp.StateEstablished })
		}
	}
	wait(t, 15*time.Second, "a session", up(p))
	wait(t, 15*time.Second, "another", up(q))
	wait(t, 15*time.Second, "the remotes to know of them", func() bool { return waits.Established() && returns.Established() })
	end := &bgp.Notification{Code: bgp.CodeCease, Subcode: bgp.CeaseAdminShutdown, Text: "bye"}
	waits.End(end)
	returns.End(end)
	ended := func(p *bgp.PeerSpec, ok func(*backend.Ended) bool) func() bool {
		return func() bool {
			return b.has(func(e backend.Event) bool {
				return e.Peer == p.Key && e.Ended != nil && e.Ended.Cause == bgp.CauseRemote && ok(e.Ended)
			})
		}
	}
	wait(t, 2500*time.Millisecond, "the end with its text", ended(p, func(e *backend.Ended) bool {
		return e.Notification != nil && e.Notification.Subcode == bgp.CeaseAdminShutdown && e.Notification.Text == "bye"
	}))
	// This one was back before bgpd was asked: its reason is lost, its end is not.
	wait(t, 2500*time.Millisecond, "the end between two polls", ended(q, func(e *backend.Ended) bool { return e.Text != "" || e.Notification != nil }))
}

// bgpd dials from the source with all that was asked for, and comes back in
// about a second when the source changes.
func TestDials(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	b := run(t, New(l.options()))
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) {
		p.Auth, p.Password, p.MSS, p.RemotePort, p.TTL, p.MinTTL = bgp.AuthMD5, "hush", 900, 1790, 255, 255
	})
	remote := l.passive(t, p)
	b.apply(putInstance(l.instance(0)), createPeer(p))
	wait(t, 15*time.Second, "a session", remote.Established)
	if remote.Source() != p.Source {
		t.Errorf("from %s, want %s", remote.Source(), p.Source)
	}
	mss := 0
	remote.Conn(func(fd int) { mss, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG) })
	if mss == 0 || mss > 900 {
		t.Errorf("MSS %d, want at most 900", mss)
	}
	q := with(p, func(p *bgp.PeerSpec) { p.Source = otherSource })
	remote.Follow(q)
	start := time.Now()
	b.apply(updatePeer(p, q, bgp.ImpactReset))
	wait(t, 5*time.Second, "a session from the other source", func() bool { return remote.Established() && remote.Source() == q.Source })
	back := time.Since(start)
	t.Logf("back after %v", back.Round(10*time.Millisecond))
	if c := remote.Ceases(); len(c) != 1 || c[0] != bgp.CeaseOtherConfiguration || back > 3*time.Second {
		t.Errorf("ceases %v after %v", c, back)
	}
	wait(t, 2*time.Second, "the socket", func() bool {
		return b.has(func(e backend.Event) bool {
			return e.Socket.Local.Addr() == q.Source && e.Socket.Remote == netip.AddrPortFrom(p.Key.Address, 1790)
		})
	})

	// A peer that is shut down is told why (RFC 9003), whatever the text is.
	off := with(q, func(p *bgp.PeerSpec) { p.Down, p.DownDetail = bgp.DownDisabled, "disabled by configuration" })
	step := updatePeer(q, off, bgp.ImpactReset)
	step.Text = "commit 7 by a | b " + strings.Repeat("x", 300)
	b.apply(step)
	wait(t, 5*time.Second, "the end", func() bool { return !remote.Established() })
	n := remote.LastNotification()
	if n == nil || n.Subcode != bgp.CeaseAdminShutdown || !strings.HasPrefix(n.Text, "commit 7 by a b xxx") {
		t.Errorf("notification %+v", n)
	}
}

// RFC 8538: with the N bit on both sides a change ends the session so that the
// peer keeps forwarding, or with a Hard Reset where reset-mode says so.
func TestResetMode(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) { p.GracefulRestart = true })
	far := l.remoteFRR(p)
	b := run(t, New(l.options()))
	b.apply(putInstance(l.instance(0)), createPeer(p))
	for i, mode := range []bgp.ResetMode{bgp.ResetGraceful, bgp.ResetHard} {
		wait(t, 20*time.Second, "a session with the N bit", func() bool {
			b.Backend.mu.Lock()
			defer b.Backend.mu.Unlock()
			q := b.instances[p.Key.InstanceKey()].peers[addrOf(p.Key)]
			return q.up() && q.nBit
		})
		q := with(p, func(p *bgp.PeerSpec) { p.MSS, p.ResetMode = uint16(900+i), mode })
		step := updatePeer(p, q, bgp.ImpactReset)
		step.AddReset = true
		b.apply(step)
		p = q
		type told struct {
			Last   string `json:"lastResetDueTo"`
			Reason string `json:"lastNotificationReason"`
			Hard   bool   `json:"lastNotificationHardReset"`
		}
		var n told
		wait(t, 5*time.Second, "the end at the remote", func() bool {
			text, err := far("show bgp neighbors " + p.Source.String() + " json")
			if err != nil {
				t.Fatal(err)
			}
			var all map[string]told
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				t.Fatal(err)
			}
			n = all[p.Source.String()]
			return n.Last == "BGP Notification received" && n.Hard == (mode == bgp.ResetHard)
		})
		t.Logf("%s: %+v", mode, n)
	}
	var subcodes []uint8
	wait(t, 5*time.Second, "both ends", func() bool {
		subcodes = nil
		b.has(func(e backend.Event) bool {
			if e.Ended != nil && e.Ended.Notification != nil {
				subcodes = append(subcodes, e.Ended.Notification.Subcode)
			}
			return false
		})
		return len(subcodes) == 2
	})
	if want := []uint8{bgp.CeaseOtherConfiguration, bgp.CeaseHardReset}; !slices.Equal(subcodes, want) {
		t.Errorf("ended with %v, want %v", subcodes, want)
	}
}

// IPv6: a source of the family, and a link-local neighbor with its interface.
func TestIPv6(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	b := run(t, New(l.options()))
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) {
		p.Key.Address, p.Source, p.Families = remote6(0), source6(0), []bgp.Family{bgp.IPv6Unicast}
		p.Auth, p.Password, p.TTL, p.MinTTL = bgp.AuthMD5, "hush", 255, 255
	})
	remote := l.passive(t, p)
	b.apply(putInstance(l.instance(0)), createPeer(p))
	wait(t, 15*time.Second, "a session", remote.Established)
	if remote.Source() != p.Source {
		t.Errorf("from %s, want %s", remote.Source(), p.Source)
	}
	ll := with(p, func(p *bgp.PeerSpec) {
		p.Key.Address, p.Source = netip.MustParseAddr("fe80::2%vd"), netip.Addr{}
	})
	b.apply(createPeer(ll))
	if got := l.inForce(ll.Key); got == nil || got.Key != ll.Key || len(bgp.DiffPeers(ll, got)) > 0 {
		t.Errorf("link-local neighbor: %+v", got)
	}
	second := with(ll, func(p *bgp.PeerSpec) { p.Key.Address = netip.MustParseAddr("fe80::2%other") })
	if err := b.Prepare(context.Background(), []plan.Step{createPeer(second)}); !errors.Is(err, backend.ErrUnsupported) {
		t.Errorf("the same link-local address at another interface: %v", err)
	}
}

// The default VRF has one instance, and the VPN families.
func TestDefaultVRF(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	in := l.instance(0)
	in.Key.VPN, in.Namespace = bgp.PublicVPN, ""
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) {
		p.Key.VPN = bgp.PublicVPN
		p.Families = []bgp.Family{bgp.IPv4Unicast, bgp.VPNv4Unicast, bgp.VPNv6Unicast}
	})
	want := intended{[]*bgp.InstanceSpec{in, l.instance(1)}, []*bgp.PeerSpec{p}}
	b := New(l.options())
	want.reconcile(t, b)
	if again := want.reconcile(t, New(l.options())); len(again) > 0 {
		t.Errorf("a second agent has to do: %+v", again)
	}
	second := *in
	second.Key.Instance = "other"
	var e *backend.Error
	err := b.Prepare(context.Background(), []plan.Step{putInstance(&second)})
	if !errors.Is(err, backend.ErrUnsupported) || !errors.As(err, &e) ||
		!strings.Contains(err.Error(), "default/_public_") || !strings.Contains(err.Error(), "other/_public_") {
		t.Errorf("a second instance in the default VRF: %v, want both named", err)
	}
}

// What the goldens say is what a real bgpd takes, and then shows.
func TestGoldensInBGPD(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	in := plainInstance()
	in.Namespace = l.vrf[0].Name
	v, err := dialVTY(context.Background(), l.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	s := &shell{vty: v, log: New(Options{}).log}
	ctx := context.Background()
	do := func(cs []command) {
		t.Helper()
		if err := s.configure(ctx, router(in.AS, place(in)), cs); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *block {
		t.Helper()
		if err := s.leave(); err != nil {
			t.Fatal(err)
		}
		text, err := s.run(ctx, "show running-config")
		if err != nil {
			t.Fatal(err)
		}
		return parseConfig(text).blocks[place(in)]
	}
	lines := instanceConf(in, false, restart{77 * time.Second, 99 * time.Second})
	vpn := vpnInstance()
	do(slices.Concat(changeInstance(nil, lines), vpnCommands(nil, vpn), vpnCommands(vpn, in), vpnCommands(in, vpn)))
	if cs := changeInstance(read().ours(false), lines); len(cs) > 0 {
		t.Errorf("the block differs: %v", cs)
	}
	for _, variant := range variants {
		p := with(plainPeer(), variant.do)
		addr := addrOf(p.Key)
		base := render(in, with(plainPeer(), func(q *bgp.PeerSpec) { q.Key = p.Key }))
		check := func(what string, want conf) {
			t.Helper()
			n := read().neighbors[addr]
			if n == nil || !slices.Equal(n.conf, want) {
				t.Errorf("%s: %s: bgpd shows %+v, want %v", variant.name, what, n, want)
			}
		}
		made := render(in, p)
		do(slices.Concat(create(addr, nil, made, false)...))
		check("created", made)
		do(commands(change(addr, made, base)))
		check("to plain", base)
		do(commands(change(addr, base, made)))
		check("from plain", made)
		do(nudge(addr, made, nil))
		check("nudged", made)
		do(remove(addr))
		if read().neighbors[addr] != nil {
			t.Errorf("%s: not removed", variant.name)
		}
	}
	plain := instanceConf(in, false, restart{})
	do(changeInstance(lines, plain))
	if cs := changeInstance(read().ours(false), plain); len(cs) > 0 {
		t.Errorf("the block differs: %v", cs)
	}
}

// A change of how far a neighbor may be is another next hop to bgpd, which
// would wait for `timers connect` with it.
func TestReachesAgain(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	b := run(t, New(l.options()))
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) { p.ConnectRetry = 120 * time.Second })
	remote := l.passive(t, p)
	b.apply(putInstance(l.instance(0)), createPeer(p))
	wait(t, 15*time.Second, "a session", remote.Established)
	q := with(p, func(p *bgp.PeerSpec) { p.TTL, p.MinTTL, p.MSS = 255, 254, 1000 })
	start := time.Now()
	b.apply(updatePeer(p, q, bgp.ImpactReset))
	wait(t, 20*time.Second, "the next session", func() bool { return remote.Sessions() == 2 && remote.Established() })
	t.Logf("back after %v", time.Since(start).Round(10*time.Millisecond))
	if c := remote.Ceases(); len(c) != 1 {
		t.Errorf("ceases %v, want one", c)
	}
}
