package frr

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
)

// A change ends the session with one NOTIFICATION, 6/6, whatever a version of bgpd
// does by itself: 10.x sends several for a local AS or a further family, and none for
// another local AS.
func TestOneNotification(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	b := run(t, New(l.options()))
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) { p.TTL = 255 })
	remote := l.dialling(t, p)
	wire := l.net.Capture(l.far[0], "vr", defaultPort)
	b.apply(putInstance(l.instance(0)), createPeer(p))
	wait(t, 15*time.Second, "a session", remote.Established)
	both := []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}
	for _, c := range []struct {
		name string
		do   func(*bgp.PeerSpec)
	}{
		{"local AS", func(p *bgp.PeerSpec) { p.LocalAS = 65055 }},
		{"another local AS", func(p *bgp.PeerSpec) { p.LocalAS = 65056 }},
		{"no local AS", func(p *bgp.PeerSpec) { p.LocalAS = 65001 }},
		{"a further family", func(p *bgp.PeerSpec) { p.Families = both }},
		{"one family", func(p *bgp.PeerSpec) { p.Families = both[:1] }},
		{"hold time", func(p *bgp.PeerSpec) { p.HoldTime = 45 * time.Second }},
		{"graceful restart", func(p *bgp.PeerSpec) { p.GracefulRestart = true }},
		{"restart time", func(p *bgp.PeerSpec) { p.RestartTime = 77 * time.Second }},
		{"no graceful restart", func(p *bgp.PeerSpec) { p.GracefulRestart, p.RestartTime = false, defaultRestartTime }},
		{"much", func(p *bgp.PeerSpec) {
			p.LocalAS, p.Families, p.HoldTime, p.MSS, p.Source = 65057, both, 30*time.Second, 1000, otherSource
		}},
		{"and back", func(p *bgp.PeerSpec) {
			p.LocalAS, p.Families, p.MSS, p.Source = 65001, both[:1], 0, source(0)
		}},
	} {
		q := with(p, c.do)
		remote.Follow(q)
		mark, sessions := wire.Mark(), remote.Sessions()
		b.apply(updatePeer(p, q, bgp.ImpactReset))
		// bgpd goes by the read-back configuration from here on.
		b.Backend.mu.Lock()
		_, err := b.read(t.Context())
		b.Backend.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		wait(t, 20*time.Second, "the next session after "+c.name, func() bool { return remote.Established() && remote.Sessions() > sessions })
		var got []string
		for _, n := range wire.Since(mark).Notifications() {
			got = append(got, fmt.Sprintf("%d/%d to %s", n.Code, n.Subcode, n.To.Addr()))
		}
		if want := []string{fmt.Sprintf("6/6 to %s", p.Key.Address)}; !slices.Equal(got, want) {
			t.Errorf("%s: %v on the wire, want %v", c.name, got, want)
		}
		open := remote.Open()
		slices.Sort(open.Families)
		if open.AS != q.LocalAS || open.HoldTime != q.HoldTime || !slices.Equal(open.Families, q.Families) || open.Graceful != q.GracefulRestart {
			t.Errorf("%s: the OPEN is %+v, want %+v", c.name, open, q)
		}
		// What bgpd shows is what is known of it.
		if got := l.inForce(p.Key); len(bgp.DiffPeers(q, got)) > 0 {
			t.Errorf("%s: in force: %+v", c.name, bgp.DiffPeers(q, got))
		}
		p = q
	}
	if d := b.Drift(); len(d) > 0 {
		t.Errorf("taken for manual changes: %v", d)
	}
}

// Graceful restart can be set while bgpd has no zebra: it answers that with a code as
// if it refused.
func TestWithoutZebra(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	l.zebra.kill()
	b := run(t, New(l.options()))
	p := l.peer(0, 0)
	b.apply(putInstance(l.instance(0)), createPeer(p))
	q := with(p, func(p *bgp.PeerSpec) {
		p.GracefulRestart, p.RestartTime, p.StaleTime = true, 77*time.Second, 99*time.Second
	})
	for _, s := range [][2]*bgp.PeerSpec{{p, q}, {q, p}, {p, q}} {
		b.apply(updatePeer(s[0], s[1], bgp.ImpactReset))
		if got := l.inForce(p.Key); len(bgp.DiffPeers(s[1], got)) > 0 {
			t.Errorf("in force: %+v", bgp.DiffPeers(s[1], got))
		}
	}
}

// The first OPEN of a new neighbor has all of it, however slow its commands come.
// Without a family `timers connect` starts a neighbor at once.
func TestFirstOpen(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	px := newProxy(t, l)
	opt := l.options()
	opt.VtyDir = px.dir
	b := run(t, New(opt))
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) { p.Families = []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast} })
	wire := l.net.Capture(l.far[0], "vr", defaultPort)
	remote := l.passive(t, p)
	for range 3 {
		px.set(func(c string) verdict {
			if strings.HasPrefix(c, "address-family ") || strings.HasPrefix(c, "neighbor ") {
				time.Sleep(20 * time.Millisecond)
			}
			return pass
		})
		b.apply(putInstance(l.instance(0)), createPeer(p))
		wait(t, 20*time.Second, "a session", remote.Established)
		b.apply(plan.Step{Op: plan.DeletePeer, Instance: p.Key.InstanceKey(), Peer: p.Key, Old: p, Impact: bgp.ImpactReset})
		wait(t, 20*time.Second, "its end", func() bool { return !remote.Established() })
	}
	for _, o := range wire.View().Opens() {
		if o.From.Addr() == p.Source && len(o.Families) != 2 {
			t.Errorf("OPEN %v with %v", o, o.Families)
		}
	}
}

// What an operator's command ended is put down to bgpd, with what was sent, also where
// the remote is back before bgpd is asked.
func TestEndedByOperator(t *testing.T) {
	l := parallelLab(t, daemonOptions{noBMP: true})
	b := run(t, New(l.options()))
	p := l.peer(0, 0)
	remote := l.dialling(t, p)
	b.apply(putInstance(l.instance(0)), createPeer(p))
	wait(t, 15*time.Second, "a session", remote.Established)
	wait(t, 15*time.Second, "the agent to know", func() bool {
		return b.has(func(e backend.Event) bool { return e.Session == bgp.StateEstablished })
	})
	l.by("configure terminal", l.routerOf(0), "neighbor "+p.Key.Address.String()+" route-server-client", "end")
	var why *backend.Ended
	wait(t, 15*time.Second, "the end", func() bool {
		return b.has(func(e backend.Event) bool { why = e.Ended; return why != nil })
	})
	if why.Cause != bgp.CauseBackend {
		t.Errorf("cause %v: %+v", why.Cause, why)
	}
}

func (l *lab) routerOf(i int) string { return router(l.instance(i).AS, place(l.instance(i))) }

// A router block that is removed by hand is found, a commit to its peers works
// meanwhile, and the others are put right.
func TestBlockRemovedByHand(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	b := run(t, New(l.options()))
	p, q := l.peer(0, 0), l.peer(0, 1)
	b.apply(putInstance(l.instance(0)), createPeer(p), createPeer(q))
	downs := b.count(backend.BackendUp)
	l.by("configure terminal", "no "+l.routerOf(0), "end")
	wait(t, 15*time.Second, "the difference", func() bool { return len(b.Drift()) > 0 })
	wait(t, 15*time.Second, "the request to compare", func() bool { return b.count(backend.BackendUp) > downs })
	r := with(p, func(p *bgp.PeerSpec) { p.ConnectRetry = 7 * time.Second })
	b.apply(updatePeer(p, r, bgp.ImpactNone))
	want := intended{[]*bgp.InstanceSpec{l.instance(0)}, []*bgp.PeerSpec{r, q}}
	want.reconcile(t, b.Backend)
	for _, p := range want.peers {
		if got := l.inForce(p.Key); got == nil || len(bgp.DiffPeers(p, got)) > 0 {
			t.Errorf("%s in force: %+v", p.Key, got)
		}
	}
	if steps := want.reconcile(t, New(l.options())); len(steps) > 0 {
		t.Errorf("still to do: %+v", steps)
	}
}

// An operator's block with as-notation is his, and peers can live in it.
func TestASNotation(t *testing.T) {
	for _, notation := range []string{"dot", "dot+"} {
		text := "router bgp 0.65001 vrf red as-notation " + notation + "\n bgp router-id 9.9.9.9\n" +
			" neighbor 10.0.0.1 remote-as 1.20\n neighbor 10.0.0.1 description mooring:default/red\n" +
			" neighbor 10.0.0.1 local-as 1.10 no-prepend replace-as\n neighbor 10.0.0.2 remote-as external\nexit\n"
		blk := parseConfig(text).blocks["vrf red"]
		if blk == nil || blk.as != 65001 {
			t.Fatalf("%s: %+v", notation, blk)
		}
		in := &bgp.InstanceSpec{Key: bgp.InstanceKey{Instance: "default", VPN: "red"}, AS: 65001}
		addr := netip.MustParseAddr("10.0.0.1")
		p, ours, err := parsePeer(in, blk, addr, blk.neighbors[addr].conf)
		if err != nil || !ours || p.RemoteAS != 1<<16+20 || p.LocalAS != 1<<16+10 {
			t.Errorf("%s: %+v, %v, %v", notation, p, ours, err)
		}
	}
	l := parallelLab(t, daemonOptions{})
	in := l.instance(0)
	in.AS = 1<<16 + 10
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) { p.LocalAS, p.RemoteAS = in.AS, 1<<16+20 })
	own := "router bgp 1.10 " + place(in)
	if _, err := l.try("configure terminal", own+" as-notation dot", "bgp router-id 9.9.9.9", "neighbor 10.9.0.200 remote-as 65200"); err != nil {
		if v := New(l.options()); v.connect(t.Context()) == nil && v.behaviour.since[0] > 8 {
			t.Fatal(err)
		}
		t.Logf("this bgpd has no as-notation: %v", err)
		return
	}
	routers := func() string {
		_, after, _ := strings.Cut(l.by("show running-config"), "router bgp")
		return after
	}
	before := routers()
	b := run(t, New(l.options()))
	// It is his: another router ID is refused, and nothing changes.
	if _, err := b.Apply(context.Background(), []plan.Step{putInstance(in)}); err == nil {
		t.Error("the router ID of an operator's block would be changed")
	}
	if after := routers(); after != before {
		t.Errorf("changed from\n%s\nto\n%s", before, after)
	}
	in.RouterID = netip.MustParseAddr("9.9.9.9")
	p.RouterID = in.RouterID
	b.apply(putInstance(in), createPeer(p))
	remote := backendtest.NewTCPRemote(t, l.passiveConfig(p), p)
	wait(t, 20*time.Second, "a session", remote.Established)
	if got := l.inForce(p.Key); got == nil || len(bgp.DiffPeers(p, got)) > 0 {
		t.Errorf("in force: %+v", got)
	}
	b.Backend.mu.Lock()
	defer b.Backend.mu.Unlock()
	if c, err := b.read(t.Context()); err != nil || len(b.compare(c)) > 0 {
		t.Errorf("a manual change where none was made: %v, %v", b.compare(c), err)
	}
}

// An unknown version is taken for the next newer one that has been measured, and
// state says so.
func TestUnknownVersion(t *testing.T) {
	for _, c := range []struct {
		version string
		since   [2]int
		known   bool
	}{
		{"8.4.4", [2]int{8, 4}, true},
		{"10.3", [2]int{10, 3}, true},
		{"10.7.1-dev", [2]int{10, 7}, true},
		{"7.5", [2]int{8, 4}, false},
		{"9.1", [2]int{10, 3}, false},
		{"10.5.1", [2]int{10, 7}, false},
		{"10.8", [2]int{10, 7}, false},
		{"99999999999999999999", [2]int{10, 7}, false},
		{"", [2]int{8, 4}, false},
	} {
		b, note := behaviourOf(c.version)
		if b.since != c.since || (note == "") != c.known {
			t.Errorf("%s: %v, %q", c.version, b.since, note)
		}
	}
	dir := scripted(t, func(cmd string) string {
		if cmd == "show version" {
			return ok("FRRouting 11.2 (r).\n")
		}
		return ok("")
	})
	b := New(Options{VtyDir: dir})
	if _, err := b.Snapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := b.Status(); !strings.Contains(s.Degraded, "11.2") || b.behaviour != &behaviours[len(behaviours)-1] {
		t.Errorf("%+v", s)
	}
	b.stop()
}
