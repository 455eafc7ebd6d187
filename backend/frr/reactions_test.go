package frr

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/tests/netlab"
)

// reactionsCase is a setting in the states between which it goes.
type reactionsCase struct {
	key  string
	from []func(*bgp.PeerSpec) // nil: without it
}

var reactionsCases = func() []reactionsCase {
	one := func(f func(*bgp.PeerSpec)) []func(*bgp.PeerSpec) { return []func(*bgp.PeerSpec){nil, f} }
	three := func(f func(p *bgp.PeerSpec, second bool)) []func(*bgp.PeerSpec) {
		return []func(*bgp.PeerSpec){nil, func(p *bgp.PeerSpec) { f(p, false) }, func(p *bgp.PeerSpec) { f(p, true) }}
	}
	pick := func(second bool) int { return map[bool]int{true: 1}[second] }
	families := []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}
	return []reactionsCase{
		{"remote-as", one(func(p *bgp.PeerSpec) { p.RemoteAS = 65333 })},
		{"description", one(func(p *bgp.PeerSpec) { p.Interface = "x" })},
		{"shutdown", one(func(p *bgp.PeerSpec) { p.Down = bgp.DownDisabled })},
		{"local-as", three(func(p *bgp.PeerSpec, second bool) { p.LocalAS = uint32(65055 + pick(second)) })},
		{"passive", one(func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly })},
		{"port", three(func(p *bgp.PeerSpec, second bool) { p.RemotePort = uint16(1790 + pick(second)) })},
		{"ebgp-multihop", three(func(p *bgp.PeerSpec, second bool) { p.TTL = uint8(5 + pick(second)) })},
		{"ttl-security", three(func(p *bgp.PeerSpec, second bool) { p.TTL, p.MinTTL = 255, uint8(255-pick(second)) })},
		{"update-source", three(func(p *bgp.PeerSpec, second bool) {
			p.Source = [...]netip.Addr{source(0), otherSource}[pick(second)]
		})},
		{"password", three(func(p *bgp.PeerSpec, second bool) {
			p.Auth, p.Password = bgp.AuthMD5, bgp.Secret([...]string{"a", "b"}[pick(second)])
		})},
		{"tcp-mss", three(func(p *bgp.PeerSpec, second bool) { p.MSS = uint16(900 + pick(second)) })},
		{"timers", one(func(p *bgp.PeerSpec) { p.HoldTime, p.Keepalive = 30*time.Second, 10*time.Second })},
		{"timers connect", one(func(p *bgp.PeerSpec) { p.ConnectRetry = 7 * time.Second })},
		{"graceful-restart", one(func(p *bgp.PeerSpec) { p.GracefulRestart = true })},
		{"activate", one(func(p *bgp.PeerSpec) { p.Families = families })},
	}
}()

// reactionsLab measures what bgpd does when it is given one command.
type reactionsLab struct {
	*lab
	t       *testing.T
	capture *netlab.Capture
	shell   *shell
	v       *behaviour
}

func (l *reactionsLab) do(cs ...command) {
	l.t.Helper()
	if err := l.shell.configure(l.t.Context(), router(l.instance(0).AS, place(l.instance(0))), cs); err != nil {
		l.t.Fatal(err)
	}
}

// ask returns what bgpd knows of the session with a peer.
func (l *reactionsLab) ask(p *bgp.PeerSpec) *neighborJSON {
	l.t.Helper()
	name := addrOf(p.Key).String()
	raw, err := l.shell.exec(l.t.Context(), "show bgp "+within(place(l.instance(0)))+"neighbors "+name+" json")
	if err != nil {
		l.t.Fatal(err)
	}
	n, err := decodeNeighbor([]byte(raw), name)
	if err != nil || n == nil {
		l.t.Fatalf("%v, %v", n, err)
	}
	return n
}

// try has a session with p, and compares what the commands do to it.
func (l *reactionsLab) try(p *bgp.PeerSpec, want reaction, cs ...command) {
	l.t.Helper()
	addr := addrOf(p.Key)
	r := backendtest.NewTCPRemote(l.t, backendtest.RemoteConfig{
		Address: p.Key.Address, Do: l.far[0].Do, Notify: true, From: []netip.Addr{source(0), otherSource},
		Dial: []netip.AddrPort{netip.AddrPortFrom(source(0), defaultPort)},
	}, p)
	defer r.Close()
	for _, g := range create(addr, nil, render(l.instance(0), p), false) {
		l.do(g...)
	}
	down := p.Down != bgp.DownNone
	wait(l.t, 20*time.Second, "a session", func() bool { return down || l.ask(p).State == "Established" })
	before, mark := l.ask(p), l.capture.Mark()
	l.do(cs...)
	// bgpd sends a NOTIFICATION before it answers.
	got := 0
	for _, n := range l.capture.Since(mark).Notifications() {
		if n.To.Addr() == p.Key.Address {
			got++
		}
	}
	if after := l.ask(p); want == quiet && !down && (after.State != before.State || after.Ups != before.Ups) {
		l.t.Errorf("%v: the session is %s, %d times up, was %s, %d", cs, after.State, after.Ups, before.State, before.Ups)
	}
	if reaction(min(got, 2)) != want {
		l.t.Errorf("%v: %d NOTIFICATIONs, the table of %d.%d has %d", cs, got, l.v.since[0], l.v.since[1], want)
	}
	l.do(remove(addr)...)
}

// What bgpd does to a session when a setting comes, changes and goes is what the
// table of its version says, on the wire. Where this fails with a new version, that
// has a table of its own.
func TestReactions(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	v, err := dialVTY(t.Context(), l.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	m := &reactionsLab{lab: l, t: t, capture: l.net.Capture(l.far[0], "vr", defaultPort), shell: &shell{vty: v, log: New(Options{}).log}}
	version, err := m.shell.version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	note := ""
	m.v, note = behaviourOf(version)
	t.Logf("FRR %s, table of %d.%d %s", version, m.v.since[0], m.v.since[1], note)
	in := l.instance(0)
	m.do(changeInstance(nil, instanceConf(in, false, restart{}))...)
	plain := with(l.peer(0, 0), func(p *bgp.PeerSpec) { p.Source = netip.Addr{} })
	for _, c := range reactionsCases {
		var states []*bgp.PeerSpec
		for _, f := range c.from {
			p := *plain
			if f != nil {
				f(&p)
			}
			states = append(states, &p)
		}
		for i, from := range states {
			to := states[(i+1)%len(states)]
			m.t.Run(strings.ReplaceAll(c.key, " ", "-"), func(t *testing.T) {
				m := *m
				m.t = t
				for _, s := range change(addrOf(from.Key), render(in, from), render(in, to)) {
					if s.key == c.key {
						m.try(from, m.v.of(s), s.command)
					}
				}
			})
		}
	}
	t.Run("restart-time", func(t *testing.T) {
		m := *m
		m.t = t
		restarting := with(plain, func(p *bgp.PeerSpec) { p.GracefulRestart = true })
		all := quiet
		if m.v.restartTime {
			all = ends
		}
		m.try(plain, quiet, command{"", "bgp graceful-restart restart-time 77"})
		m.try(restarting, all, command{"", "bgp graceful-restart restart-time 78"})
		m.try(restarting, all, command{"", "no bgp graceful-restart restart-time"})
		m.try(restarting, quiet, command{"", "bgp graceful-restart stalepath-time 99"})
		m.try(restarting, quiet, command{"", "no bgp graceful-restart stalepath-time"})
	})
}
