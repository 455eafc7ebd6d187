// Package remotes is the part of the backends' contract that needs grown-up
// remotes: BIRD, FRR and GoBGP in a namespace of their own. It changes the
// settings of a peer, and what the plan promised must be what the wire shows:
//
//	namespace "dut"                       namespace "far"
//	backend under test ── dev ── veth ── BIRD, FRR or GoBGP
//	                       └── capture: Ceases, SYNs, OPENs
//
// The witness is a packet capture, which knows nothing of Mooring. BIRD sees all
// changes of the contract suite (backend/backendtest), the others those that have
// something to do with what a remote is.
//
// It must never know a particular backend: what differs comes in a Harness.
package remotes

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/tests/netlab"
)

// Harness is a backend with nothing in it, and two namespaces that a link joins.
type Harness struct {
	Backend  backend.Backend
	Lab      *netlab.Lab
	DUT, Far *netlab.Namespace
	Device   string // of DUT, towards Far
	Instance *bgp.InstanceSpec
	// Peer is at an address of Far, with a source of DUT, remote port 179 and
	// TTL 1. OtherSource is one more address of DUT.
	Peer        *bgp.PeerSpec
	OtherSource netip.Addr
	// Return is how long a session may take to come back, Quiet how long to
	// look before nothing counts as having happened.
	Return, Quiet time.Duration
}

// some are the changes that all kinds of remotes see.
var some = []string{"source-address", "tcp-mss", "hold-time", "valid-ttl-hops", "method", "graceful-restart", "reset-mode"}

// undone are the changes after which these remotes have no session, or cannot
// be dialled for long: they are taken back.
var undone = []string{"enabled", "as", "local-as", "remote-port", "method", "connect-mode", "local-port"}

// stays are those of undone after which there is a session all the same.
var stays = []string{"connect-mode", "local-port"}

// Run plays the cases. newHarness is called once for each kind of remote and
// part, after parallel, which marks a test as parallel where the backend allows
// that.
func Run(t *testing.T, parallel func(*testing.T), newHarness func(t *testing.T) Harness) {
	for _, kind := range []netlab.SpeakerKind{netlab.BIRDSpeaker, netlab.FRRSpeaker, netlab.GoBGPSpeaker} {
		t.Run(string(kind)+"/changes", func(t *testing.T) {
			parallel(t)
			testChanges(t, newBed(t, newHarness(t), kind, ""), kind)
		})
		t.Run(string(kind)+"/key", func(t *testing.T) {
			parallel(t)
			testKey(t, newBed(t, newHarness(t), kind, "skiff"))
		})
	}
}

// testChanges makes one change after the other, each on top of the others.
func testChanges(t *testing.T, b *bed, kind netlab.SpeakerKind) {
	p := b.Peer
	b.create(p)
	for _, c := range backendtest.Changes() {
		if kind != netlab.BIRDSpeaker && !slices.Contains(some, c.Name) || c.Name == "password" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			at := *b
			at.t = t
			p = at.change(p, c)
		})
		if t.Failed() {
			return // what follows stands on it
		}
	}
	// RFC 8538: reset-mode is hard by now.
	t.Run("hard reset", func(t *testing.T) {
		at := *b
		at.t = t
		q := with(p, func(p *bgp.PeerSpec) { p.MSS = 1200 })
		want := uint8(bgp.CeaseHardReset)
		if kind == netlab.BIRDSpeaker { // BIRD 2.0 has no N bit
			want = bgp.CeaseOtherConfiguration
		}
		at.resets(p, q, want)
	})
}

// change makes one change and checks the wire; it returns what is in force
// then.
func (b *bed) change(p *bgp.PeerSpec, c backendtest.Change) *bgp.PeerSpec {
	b.t.Helper()
	q := with(p, func(p *bgp.PeerSpec) { c.Do(p, func(p *bgp.PeerSpec) { p.Source = b.OtherSource }) })
	if b.refused(p, q) {
		return p
	}
	subcode := uint8(bgp.CeaseOtherConfiguration)
	if c.Name == "enabled" {
		subcode = bgp.CeaseAdminShutdown
	}
	returns := !slices.Contains(undone, c.Name) || slices.Contains(stays, c.Name)
	switch {
	case c.Impact != bgp.ImpactReset:
		b.quiet(p, q)
	case returns:
		b.resets(p, q, subcode)
	default:
		b.ends(p, q, subcode)
	}
	if !slices.Contains(undone, c.Name) {
		return q
	}
	mark := b.wire.Mark()
	b.apply(q, p)
	if c.Impact == bgp.ImpactReset {
		b.backAgain(p, mark)
	}
	return p
}

// A key of its own: with another one the remote does not answer, and the state
// says what that looks like.
func testKey(t *testing.T, b *bed) {
	p := with(b.Peer, func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "skiff" })
	b.create(p)
	wrong := with(p, func(p *bgp.PeerSpec) { p.Password = "wherry" })
	b.ends(p, wrong, bgp.CeaseOtherConfiguration)
	mark := b.wire.Mark()
	b.apply(wrong, p)
	b.backAgain(p, mark)
}

// resets makes a change after which the session must end with one Cease, come
// back by the new settings, and stay.
func (b *bed) resets(old, new *bgp.PeerSpec, subcode uint8) {
	b.t.Helper()
	mark := b.wire.Mark()
	b.apply(old, new)
	b.backAgain(new, mark)
	b.settle()
	b.ceases(mark, new, subcode)
}

// ends makes a change after which the session must end with one Cease and not
// come back.
func (b *bed) ends(old, new *bgp.PeerSpec, subcode uint8) {
	b.t.Helper()
	before := b.ups()
	mark := b.wire.Mark()
	b.apply(old, new)
	b.wait("the Cease", func() bool { return len(b.fromDUT(mark)) > 0 })
	b.settle()
	b.ceases(mark, new, subcode)
	if n := b.ups(); n != before {
		b.t.Errorf("established %d times more, want none\n%s", n-before, b.wire.Since(mark))
	}
}

// quiet makes a change that must not be seen on the wire.
func (b *bed) quiet(old, new *bgp.PeerSpec) {
	b.t.Helper()
	all := b.wire.Connections()
	client := all[len(all)-1].Client
	mark := b.wire.Mark()
	b.apply(old, new)
	b.settle()
	v := b.wire.Since(mark)
	ours := func(s netlab.Segment) bool { return s.From == client || s.To == client } // older ones have late last words
	if len(v.Notifications()) > 0 || len(v.SYNs(nil)) > 0 || len(v.FINs(ours)) > 0 || len(v.RSTs(ours)) > 0 {
		b.t.Errorf("the wire shows a change without impact:\n%s", v)
	}
}

// backAgain waits for a session since the mark, and compares what the wire
// shows of its connection with the settings.
func (b *bed) backAgain(p *bgp.PeerSpec, mark netlab.Mark) {
	b.t.Helper()
	var last netlab.Connection
	b.wait("a session by the new settings", func() bool {
		cs := b.wire.Since(mark).Connections()
		if len(cs) == 0 || !b.isUp() {
			return false
		}
		last = cs[len(cs)-1]
		return last.ServerOpen != nil
	})
	o := last.ClientOpen
	wrong := map[string]bool{
		"source":         last.Client.Addr() != p.Source,
		"port":           p.LocalPort != 0 && last.Client.Port() != p.LocalPort,
		"MSS":            p.MSS != 0 && last.MSS != p.MSS,
		"TTL":            last.TTL != p.TTL,
		"AS":             o.AS != p.LocalAS,
		"router ID":      o.RouterID != p.RouterID,
		"hold time":      o.HoldTime != p.HoldTime,
		"address family": len(o.Families) != len(p.Families),
	}
	for what, is := range wrong {
		if is {
			b.t.Errorf("%s of %+v is not that of the settings", what, last)
		}
	}
}

func (b *bed) ceases(mark netlab.Mark, p *bgp.PeerSpec, subcode uint8) {
	b.t.Helper()
	got := b.fromDUT(mark)
	if len(got) == 1 && b.Peer.RemoteAS != p.RemoteAS && got[0].Subcode == bgp.CeasePeerDeconfigured {
		return // how some backends say that it is another peer now
	}
	if len(got) != 1 || got[0].Subcode != subcode {
		b.t.Errorf("sent %v, want one Cease %d\n%s", got, subcode, b.wire.Since(mark))
	}
}

// fromDUT are the Ceases that the backend sent. What refuses an OPEN later is
// none.
func (b *bed) fromDUT(mark netlab.Mark) []netlab.Notification {
	var out []netlab.Notification
	for _, m := range b.wire.Since(mark).Notifications() {
		if m.To.Addr() == b.Peer.Key.Address && m.Notification.Code == bgp.CodeCease {
			out = append(out, m.Notification)
		}
	}
	return out
}

func with(p *bgp.PeerSpec, change func(*bgp.PeerSpec)) *bgp.PeerSpec {
	q := *p
	q.Families = slices.Clone(p.Families)
	change(&q)
	return &q
}
