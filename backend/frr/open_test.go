package frr

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/backend/backendtest"
	"mooring/bgp"
)

// A remote that dials meets a bgpd that is told its settings one by one, slowly:
// whatever OPEN it gets has all of them, when the peer is made and when it is
// changed, and a change ends the session once.
func TestOpenIsWhole(t *testing.T) {
	l := parallelLab(t, daemonOptions{})
	px := newProxy(t, l)
	opt := l.options()
	opt.VtyDir = px.dir
	b := run(t, New(opt))
	p := with(l.peer(0, 0), func(p *bgp.PeerSpec) {
		p.LocalAS, p.HoldTime, p.Families = 65055, 45*time.Second, []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}
	})
	slowly := func(d time.Duration, at string) {
		px.set(func(c string) verdict {
			if strings.Contains(c, at) {
				time.Sleep(d)
			}
			return pass
		})
	}
	remote := func(redial time.Duration) *backendtest.TCPRemote {
		return backendtest.NewTCPRemote(t, backendtest.RemoteConfig{
			Address: p.Key.Address, Do: l.farOf(p).Do, Redial: redial,
			Dial: []netip.AddrPort{netip.AddrPortFrom(p.Source, 179)},
		}, p)
	}
	whole := func(opens []*backendtest.Open, p *bgp.PeerSpec) {
		t.Helper()
		for i, o := range opens {
			slices.Sort(o.Families)
			if !slices.Equal(o.Families, p.Families) || o.AS != p.LocalAS || o.HoldTime != p.HoldTime {
				t.Errorf("OPEN %d of %d is %+v, want families %v, AS %d, hold time %v", i, len(opens), o, p.Families, p.LocalAS, p.HoldTime)
			}
		}
	}

	slowly(20*time.Millisecond, "") // that is some attempts
	eager := remote(time.Millisecond)
	b.apply(putInstance(l.instance(0)), createPeer(p))
	wait(t, 15*time.Second, "a session", eager.Established)
	whole(eager.Opens(), p)
	eager.Close()

	// What comes second of the changes that bgpd ends a session for is late: the
	// remote has dialled again by then.
	const redial = 300 * time.Millisecond
	far := remote(redial)
	wait(t, 15*time.Second, "a session with the other remote", far.Established)
	q := with(p, func(p *bgp.PeerSpec) {
		p.LocalAS, p.HoldTime, p.MSS, p.Families = 65056, 30*time.Second, 1000, p.Families[:1]
	})
	sessions, ceases := far.Sessions(), len(far.Ceases()) // bgpd had not noticed the end of the other one
	for n, late := range []string{" local-as ", " activate"} {
		before := far.Opens()
		slowly(3*redial, late)
		far.Follow(q)
		b.apply(updatePeer(p, q, bgp.ImpactReset))
		wait(t, 15*time.Second, "the next session", func() bool { return far.Established() && far.Sessions() > sessions+n })
		whole(far.Opens()[len(before):], q)
		p, q = q, p
	}
	if c := far.Ceases()[ceases:]; !slices.Equal(c, []uint8{bgp.CeaseOtherConfiguration, bgp.CeaseOtherConfiguration}) {
		t.Errorf("ceases %v, want one 6/6 a change", c)
	}
}
