package backendtest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Addresses are compared as values, secrets in clear.
var exact = cmp.Options{cmpopts.EquateComparable(bgp.PeerKey{}, bgp.InstanceKey{}), cmpopts.EquateEmpty()}

func testCapabilities(t *testing.T, s *suite) {
	var leaves []string
	for _, c := range s.Backend.Capabilities() {
		leaves = append(leaves, c.Leaf)
		if (c.Note == "") != (c.Support == backend.Full) {
			t.Errorf("%s is %s with note %q: a note is due exactly where support is not full", c.Leaf, c.Support, c.Note)
		}
		if c.Mechanism != "" && c.Support == backend.Refused || c.Mechanism == "" && c.Support == backend.Full {
			t.Errorf("%s is %s by %q: something carries what is supported, and nothing what is refused", c.Leaf, c.Support, c.Mechanism)
		}
	}
	if diff := cmp.Diff(bgp.PeerLeaves(), leaves); diff != "" {
		t.Errorf("leaves (-want +got):\n%s", diff)
	}
	changed := map[string]bool{"router-id": true}
	for _, c := range changes {
		changed[c.leaf] = true
	}
	for _, leaf := range leaves {
		if !changed[leaf] {
			t.Errorf("the suite changes no %s", leaf)
		}
	}
}

func testCreateAndDelete(t *testing.T, s *suite) {
	p, r := s.one()
	if len(r.Ceases()) != 0 || r.Source() != p.Source {
		t.Errorf("ceases %v from source %s, want none from %s", r.Ceases(), r.Source(), p.Source)
	}
	es := s.of(p.Key)
	if last := es[len(es)-1]; last.HoldTime != p.HoldTime || last.Socket.Remote.Addr() != p.Key.Address ||
		last.Socket.Local.Addr() != p.Source || len(last.Families) != len(p.Families) || last.Time.IsZero() {
		t.Errorf("event of the session: %+v", last)
	}
	s.apply(s.steps(target{del: []bgp.PeerKey{p.Key}, delIn: []bgp.InstanceKey{p.Key.InstanceKey()}}))
	s.wait("end at the remote", func() bool { return !r.Established() })
	s.wait("PeerGone", func() bool {
		es := s.of(p.Key)
		return es[len(es)-1].Kind == backend.PeerGone
	})
	if diff := cmp.Diff([]uint8{bgp.CeasePeerDeconfigured}, r.Ceases()); diff != "" {
		t.Errorf("ceases (-want +got):\n%s", diff)
	}
	s.quiet("another session", func() bool { return r.Sessions() > 1 })
	s.endedBy(p.Key, bgp.CauseNone)
}

// endedBy checks that exactly one session of the peer ended, with the cause.
func (s *suite) endedBy(key bgp.PeerKey, cause bgp.Cause) {
	s.t.Helper()
	ended := s.ended(key)
	if len(ended) != 1 || ended[0].Cause != cause {
		s.t.Fatalf("ended %+v, want once with cause %q", ended, cause)
	}
	n := ended[0].Notification
	if n == nil || n.Code != bgp.CodeCease || n.Sent != (cause != bgp.CauseRemote) {
		s.t.Errorf("notification %+v, want a Cease, sent unless by the remote", n)
	}
}

func testChange(t *testing.T, s *suite, c change) {
	base := s.Peer(0, 0)
	if strings.HasPrefix(c.name, "password") { // the key alone changes
		base.Auth, base.Password = bgp.AuthMD5, "skiff"
	}
	if c.name == "restart-time" {
		base.GracefulRestart = true
	}
	p := with(base, func(p *bgp.PeerSpec) { c.do(&s.Harness, p) })
	if s.refused(base, p) {
		return
	}
	r := s.Remote(t, base)
	s.apply(s.steps(target{in: []*bgp.InstanceSpec{s.Instance(0)}, put: []*bgp.PeerSpec{base}}))
	s.up(base, r, 1)

	r.Follow(p)
	steps := s.steps(target{put: []*bgp.PeerSpec{p}})
	if len(steps) == 0 && c.impact != bgp.ImpactNone {
		t.Fatal("no step")
	}
	s.apply(steps)
	switch {
	case p.Down != bgp.DownNone:
		s.wait("end of the session", func() bool { return !r.Established() })
		s.quiet("another session", func() bool { return r.Sessions() > 1 })
	case c.impact == bgp.ImpactReset:
		s.up(p, r, 2)
		s.quiet("another reset", func() bool { return len(r.Ceases()) > 1 || r.Sessions() > 2 })
	default:
		s.quiet("a reset", func() bool { return len(r.Ceases()) > 0 || r.Sessions() > 1 || !r.Established() })
		r.End(&bgp.Notification{Code: bgp.CodeCease, Subcode: bgp.CeaseAdminReset})
		s.up(p, r, 2)
		s.quiet("a reset of the next session", func() bool { return len(r.Ceases()) > 0 || r.Sessions() > 2 })
		if diff := bgp.DiffPeers(s.InForce(p.Key), p); len(diff) > 0 {
			t.Errorf("the next session is not by the new settings: %v", diff)
		}
		return
	}
	got := r.Ceases()
	want := map[string]uint8{"config/enabled": bgp.CeaseAdminShutdown, "config/as": bgp.CeasePeerDeconfigured}[c.leaf]
	if want == 0 {
		want = bgp.CeaseOtherConfiguration
	}
	if len(got) != 1 || got[0] != want && got[0] != bgp.CeaseOtherConfiguration {
		t.Errorf("ceases %v, want one %d", got, want)
	}
	s.endedBy(p.Key, bgp.CauseNone)
	if p.Down == bgp.DownNone {
		s.checkOpen(r, p)
	}
}

// refused says whether the backend says that it has not the setting, and
// then checks that Prepare says so too.
func (s *suite) refused(base, p *bgp.PeerSpec) bool {
	s.t.Helper()
	steps := s.steps(target{in: []*bgp.InstanceSpec{s.Instance(0)}, put: []*bgp.PeerSpec{p}})
	err := s.Backend.Prepare(context.Background(), steps)
	if err == nil {
		return false
	}
	var e *backend.Error
	if !errors.Is(err, backend.ErrUnsupported) || !errors.As(err, &e) || e.Peer != p.Key {
		s.t.Fatalf("Prepare = %v, want an Error of %s that wraps ErrUnsupported", err, p.Key)
	}
	for _, c := range s.Backend.Capabilities() {
		if c.Leaf == e.Leaf && c.Support == backend.Full {
			s.t.Errorf("Prepare refuses %s, Capabilities says full", e.Leaf)
		}
	}
	if !slices.ContainsFunc(bgp.DiffPeers(base, p), func(l bgp.LeafChange) bool { return l.Leaf == e.Leaf }) {
		s.t.Errorf("Prepare blames %q, which did not change", e.Leaf)
	}
	return true
}

// checkOpen compares what the remote saw last with the specification.
func (s *suite) checkOpen(r Remote, p *bgp.PeerSpec) {
	s.t.Helper()
	o := r.Open()
	if o == nil {
		return // the remote is not a real one
	}
	want := &Open{AS: p.LocalAS, HoldTime: p.HoldTime, RouterID: p.RouterID, Families: p.Families, Graceful: p.GracefulRestart}
	if p.GracefulRestart {
		want.RestartTime = p.RestartTime
		want.Notify = o.Notify // by the backend
	}
	slices.Sort(o.Families)
	if diff := cmp.Diff(want, o, exact, cmp.Comparer(sameAddr)); diff != "" {
		s.t.Errorf("OPEN (-want +got):\n%s", diff)
	}
	if r.Source() != p.Source {
		s.t.Errorf("source %s, want %s", r.Source(), p.Source)
	}
}

func testSeveralSettings(t *testing.T, s *suite) {
	p, r := s.one()
	q := s.with(p, func(p *bgp.PeerSpec) {
		s.OtherSource(p)
		p.HoldTime, p.Keepalive, p.ConnectRetry = 30*time.Second, 10*time.Second, 5*time.Second
		p.MSS, p.DSCP, p.LocalAS = 900, 16, 4200000003
		p.Families = []bgp.Family{bgp.IPv4Unicast, bgp.IPv6Unicast}
		p.GracefulRestart, p.RestartTime = true, 60*time.Second
	})
	r.Follow(q)
	s.apply(s.steps(target{put: []*bgp.PeerSpec{q}}))
	s.up(q, r, 2)
	s.quiet("another reset", func() bool { return len(r.Ceases()) > 1 || r.Sessions() > 2 })
	if diff := cmp.Diff([]uint8{bgp.CeaseOtherConfiguration}, r.Ceases()); diff != "" {
		t.Errorf("ceases (-want +got):\n%s", diff)
	}
	s.checkOpen(r, q)
}

// A leaf written without a change under reset-policy always.
func testForced(t *testing.T, s *suite) {
	p, r := s.one()
	same := with(p, func(*bgp.PeerSpec) {})
	steps := s.steps(target{put: []*bgp.PeerSpec{same}, forced: []string{"transport/connect-interface/config/source-address"}})
	if len(steps) != 1 || !steps[0].AddReset {
		t.Fatalf("steps %+v, want one with AddReset", steps)
	}
	s.apply(steps)
	s.up(p, r, 2)
	s.quiet("another reset", func() bool { return len(r.Ceases()) > 1 || r.Sessions() > 2 })
	if diff := cmp.Diff([]uint8{bgp.CeaseOtherConfiguration}, r.Ceases()); diff != "" {
		t.Errorf("ceases (-want +got):\n%s", diff)
	}
}

func testIdempotent(t *testing.T, s *suite) {
	p := s.Peer(0, 0)
	r := s.Remote(t, p)
	create := s.steps(target{in: []*bgp.InstanceSpec{s.Instance(0)}, put: []*bgp.PeerSpec{p}})
	s.apply(create)
	s.up(p, r, 1)
	s.apply(create)
	q := with(p, func(p *bgp.PeerSpec) { p.HoldTime, p.MSS = 30*time.Second, 1000 })
	update := s.steps(target{put: []*bgp.PeerSpec{q}})
	s.apply(update)
	s.up(q, r, 2)
	s.apply(update)
	s.quiet("a reset by a repeated step", func() bool { return len(r.Ceases()) > 1 || r.Sessions() > 2 })
	remove := s.steps(target{del: []bgp.PeerKey{p.Key}, delIn: []bgp.InstanceKey{p.Key.InstanceKey()}})
	s.apply(remove)
	s.apply(remove)
	s.quiet("a session of a deleted peer", func() bool { return r.Sessions() > 2 })
}

func testPrepareRefuses(t *testing.T, s *suite) {
	p, r := s.one()
	bad := s.Unsupported(s.Peer(0, 1))
	changed := with(p, func(p *bgp.PeerSpec) { p.MSS = 1000 })
	err := s.Backend.Prepare(context.Background(), s.steps(target{put: []*bgp.PeerSpec{changed, bad}}))
	var e *backend.Error
	if !errors.Is(err, backend.ErrUnsupported) || !errors.As(err, &e) || e.Peer != bad.Key {
		t.Fatalf("Prepare = %v, want an Error of %s that wraps ErrUnsupported", err, bad.Key)
	}
	s.quiet("a reset by Prepare", func() bool { return len(r.Ceases()) > 0 || r.Sessions() > 1 })
	s.checkSnapshot()
}

func testFailureInTheMiddle(t *testing.T, s *suite) {
	p, r := s.one()
	after := s.Peer(0, 1)
	rAfter := s.Remote(t, after)
	first := s.steps(target{put: []*bgp.PeerSpec{with(p, func(p *bgp.PeerSpec) { p.MSS = 1000 })}})
	last := s.steps(target{put: []*bgp.PeerSpec{after}})
	fail := s.FailingStep(t)
	n, err := s.Backend.Apply(context.Background(), slices.Concat(first, []plan.Step{fail}, last))
	var e *backend.Error
	if n != 1 || !errors.As(err, &e) || e.Instance != fail.Instance || e.Peer != fail.Peer {
		t.Fatalf("Apply = %d, %v, want 1 and an Error of %s %s", n, err, fail.Instance, fail.Peer)
	}
	s.remember(first)
	s.up(p, r, 2)
	s.quiet("a step after the failure", func() bool { return rAfter.Sessions() > 0 })
	s.checkSnapshot()
}

// Whatever step of a batch fails, what is done is exactly what came before it,
// and its inverse leads back.
func testFailureAtEachStep(t *testing.T, s *suite) {
	p, r := s.one()
	down := with(s.Peer(0, 2), func(p *bgp.PeerSpec) { p.Down, p.DownDetail = bgp.DownNoAddress, "no address yet" })
	steps := s.steps(target{put: []*bgp.PeerSpec{
		with(p, func(p *bgp.PeerSpec) { p.Keepalive = 7 * time.Second }), // costs the session nothing
		with(s.Peer(0, 1), func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly }),
		down,
	}})
	fail := s.FailingStep(t)
	for i := range len(steps) + 1 {
		batch := slices.Concat(steps[:i], []plan.Step{fail}, steps[i:])
		n, err := s.Backend.Apply(context.Background(), batch)
		var e *backend.Error
		if n != i || !errors.As(err, &e) || e.Instance != fail.Instance {
			t.Fatalf("Apply = %d, %v, want %d and an Error of %s", n, err, i, fail.Instance)
		}
		s.remember(steps[:i])
		s.checkSnapshot()
		s.apply(plan.Inverse(steps[:i]))
		s.checkSnapshot()
	}
	s.quiet("a reset", func() bool { return len(r.Ceases()) > 0 || r.Sessions() > 1 })
}

// A thousand peers come, change and go in one batch each, beside a session
// that does not notice.
func testThousandPeers(t *testing.T, s *suite) {
	p, r := s.one()
	var peers, changed []*bgp.PeerSpec
	var keys []bgp.PeerKey
	for i := range 1000 {
		q := with(p, func(q *bgp.PeerSpec) {
			q.Key.Address = netip.AddrFrom4([4]byte{10, 201, byte(i / 250), byte(1 + i%250)})
			q.ConnectMode = bgp.ListenOnly // nobody is there
		})
		peers, keys = append(peers, q), append(keys, q.Key)
		changed = append(changed, with(q, func(q *bgp.PeerSpec) { q.HoldTime, q.Keepalive = 30*time.Second, 10*time.Second }))
	}
	for _, want := range []target{{put: peers}, {put: changed}, {del: keys}} {
		s.apply(s.steps(want))
		s.checkSnapshot()
	}
	s.quiet("a reset", func() bool { return len(r.Ceases()) > 0 || r.Sessions() > 1 })
}

func testDown(t *testing.T, s *suite) {
	p, r := s.one()
	down := with(p, func(p *bgp.PeerSpec) {
		p.Down, p.DownDetail, p.Source = bgp.DownInterfaceDown, "interface LoopBack1 is down: set it up", s.Peer(0, 0).Source
	})
	s.apply(s.steps(target{put: []*bgp.PeerSpec{down}}))
	s.wait("end of the session", func() bool { return !r.Established() })
	s.quiet("a session while down", func() bool { return r.Sessions() > 1 })
	if diff := cmp.Diff([]uint8{bgp.CeaseOtherConfiguration}, r.Ceases()); diff != "" {
		t.Errorf("ceases (-want +got):\n%s", diff)
	}
	s.endedBy(p.Key, bgp.CauseNone)
	s.checkSnapshot()

	s.apply(s.steps(target{put: []*bgp.PeerSpec{p}}))
	s.up(p, r, 2)

	other := with(s.Peer(0, 1), func(p *bgp.PeerSpec) { p.Down, p.DownDetail = bgp.DownNoAddress, "no address yet" })
	rOther := s.Remote(t, other)
	s.apply(s.steps(target{put: []*bgp.PeerSpec{other}}))
	s.quiet("a session of a peer created down", func() bool { return rOther.Sessions() > 0 })
	s.checkSnapshot()
	if len(r.Ceases()) != 1 {
		t.Errorf("ceases %v of the other peer", r.Ceases())
	}
}

func testDisabled(t *testing.T, s *suite) {
	p, r := s.one()
	off := with(p, func(p *bgp.PeerSpec) { p.Down, p.DownDetail = bgp.DownDisabled, "disabled by configuration" })
	s.apply(s.steps(target{put: []*bgp.PeerSpec{off}}))
	s.wait("end of the session", func() bool { return !r.Established() })
	// backends.md 1.4: a later change must not bring a disabled peer back.
	s.apply(s.steps(target{put: []*bgp.PeerSpec{with(off, func(p *bgp.PeerSpec) { p.MSS = 1000 })}}))
	s.quiet("a session while disabled", func() bool { return r.Sessions() > 1 })
	if diff := cmp.Diff([]uint8{bgp.CeaseAdminShutdown}, r.Ceases()); diff != "" {
		t.Errorf("ceases (-want +got):\n%s", diff)
	}
	s.apply(s.steps(target{put: []*bgp.PeerSpec{p}}))
	s.up(p, r, 2)
}

func testReset(t *testing.T, s *suite) {
	p, r := s.one()
	for _, mode := range []backend.ResetMode{backend.ResetSoftIn, backend.ResetSoftOut} {
		if err := s.Backend.Reset(context.Background(), p.Key, backend.ResetRequest{Mode: mode}); err != nil {
			t.Fatalf("Reset(%d): %v", mode, err)
		}
	}
	s.quiet("a reset by a soft one", func() bool { return len(r.Ceases()) > 0 || r.Sessions() > 1 })
	if err := s.Backend.Reset(context.Background(), p.Key, backend.ResetRequest{Text: "maintenance"}); err != nil {
		t.Fatal(err)
	}
	s.up(p, r, 2)
	s.quiet("another reset", func() bool { return len(r.Ceases()) > 1 || r.Sessions() > 2 })
	if diff := cmp.Diff([]uint8{bgp.CeaseAdminReset}, r.Ceases()); diff != "" {
		t.Errorf("ceases (-want +got):\n%s", diff)
	}
	s.endedBy(p.Key, bgp.CauseNone)
	unknown := s.Peer(0, 1).Key
	if err := s.Backend.Reset(context.Background(), unknown, backend.ResetRequest{}); !errors.Is(err, backend.ErrUnknownPeer) {
		t.Errorf("Reset of an unknown peer = %v, want ErrUnknownPeer", err)
	}
}

// backends.md 1.4: a reset asked for while there is no session must not hit
// the next one.
func testResetIsNeverKept(t *testing.T, s *suite) {
	p := s.Peer(0, 0)
	s.apply(s.steps(target{in: []*bgp.InstanceSpec{s.Instance(0)}, put: []*bgp.PeerSpec{
		with(p, func(p *bgp.PeerSpec) { p.Down, p.DownDetail = bgp.DownDisabled, "disabled by configuration" }),
	}}))
	for range 3 {
		if err := s.Backend.Reset(context.Background(), p.Key, backend.ResetRequest{}); err != nil {
			t.Fatalf("Reset of a peer without a session: %v", err)
		}
	}
	s.apply(s.steps(target{put: []*bgp.PeerSpec{p}}))
	if err := s.Backend.Reset(context.Background(), p.Key, backend.ResetRequest{}); err != nil {
		t.Fatal(err)
	}
	r := s.Remote(t, p)
	s.wait("a session", func() bool { return r.Established() })
	s.quiet("a reset that was kept", func() bool { return r.Sessions() > 1 || len(r.Ceases()) > 0 })
}

func testRemoteEnds(t *testing.T, s *suite) {
	p, r := s.one()
	r.End(&bgp.Notification{Code: bgp.CodeCease, Subcode: bgp.CeaseAdminShutdown, Text: "upgrade"})
	s.up(p, r, 2)
	s.endedBy(p.Key, bgp.CauseRemote)
	if n := s.ended(p.Key)[0].Notification; n == nil || n.Subcode != bgp.CeaseAdminShutdown || n.Text != "upgrade" {
		t.Errorf("notification %+v, want 6/2 with the text", n)
	}
	r.End(nil)
	s.up(p, r, 3)
	ended := s.ended(p.Key)
	if len(ended) != 2 || ended[1].Cause != bgp.CauseRemote || ended[1].Notification != nil || ended[1].Text == "" {
		t.Errorf("ended %+v, want a second by the remote, with a text and without a notification", ended)
	}
	if len(r.Ceases()) > 0 {
		t.Errorf("ceases %v, want none", r.Ceases())
	}
	s.alternates(p.Key)
}

// alternates checks the order of events: a session ends once before the next
// is up, and says why.
func (s *suite) alternates(key bgp.PeerKey) {
	s.t.Helper()
	was := bgp.StateIdle
	for i, e := range s.of(key) {
		left := was == bgp.StateEstablished && e.Session != bgp.StateEstablished
		if left != (e.Ended != nil) {
			s.t.Errorf("event %d: %s -> %s with Ended %v", i, was, e.Session, e.Ended)
		}
		was = e.Session
	}
}

func testSnapshot(t *testing.T, s *suite) {
	s.one()
	q := s.Peer(0, 1)
	down := with(s.Peer(0, 2), func(p *bgp.PeerSpec) { p.Down, p.DownDetail = bgp.DownSourceMissing, "gone" })
	s.apply(s.steps(target{put: []*bgp.PeerSpec{q, down}}))
	s.checkSnapshot()
	s.apply(s.steps(target{put: []*bgp.PeerSpec{s.with(q, func(p *bgp.PeerSpec) { p.DSCP = 8 })}, del: []bgp.PeerKey{down.Key}}))
	s.checkSnapshot()
}

func (s *suite) checkSnapshot() {
	s.t.Helper()
	snap, err := s.Backend.Snapshot(context.Background())
	if err != nil {
		s.t.Fatalf("Snapshot: %v", err)
	}
	want := &backend.Snapshot{Instances: s.instances, Peers: s.peers}
	if diff := cmp.Diff(want, snap, exact, cmp.Comparer(sameAddr)); diff != "" {
		s.t.Errorf("Snapshot (-want +got):\n%s", diff)
	}
}

func testSameAddressInTwoVPNs(t *testing.T, s *suite) {
	p, q := s.Peer(0, 0), s.Peer(1, 0)
	if p.Key.Address != q.Key.Address {
		t.Fatalf("the harness has %s and %s for the same peer", p.Key, q.Key)
	}
	rp, rq := s.Remote(t, p), s.Remote(t, q)
	s.apply(s.steps(target{in: []*bgp.InstanceSpec{s.Instance(0), s.Instance(1)}, put: []*bgp.PeerSpec{p, q}}))
	s.up(p, rp, 1)
	s.up(q, rq, 1)
	s.apply(s.steps(target{put: []*bgp.PeerSpec{with(p, func(p *bgp.PeerSpec) { p.MSS = 1000 })}}))
	s.up(p, rp, 2)
	s.quiet("a reset of the other VPN's peer", func() bool { return len(rq.Ceases()) > 0 || rq.Sessions() > 1 })
	s.checkSnapshot()
}

// A change of the instance that ends all its sessions ends each once, also
// where the peers' own steps follow.
func testInstanceChange(t *testing.T, s *suite) {
	p, q := s.Peer(0, 0), s.Peer(0, 1)
	rp, rq := s.Remote(t, p), s.Remote(t, q)
	in := s.Instance(0)
	s.apply(s.steps(target{in: []*bgp.InstanceSpec{in}, put: []*bgp.PeerSpec{p, q}}))
	s.up(p, rp, 1)
	s.up(q, rq, 1)
	in2 := *in
	in2.AS, in2.RouterID = 64999, in.RouterID.Next()
	change := func(p *bgp.PeerSpec) { p.LocalAS, p.RouterID = in2.AS, in2.RouterID }
	p2, q2 := with(p, change), with(q, change)
	rp.Follow(p2)
	rq.Follow(q2)
	s.apply(s.steps(target{in: []*bgp.InstanceSpec{&in2}, put: []*bgp.PeerSpec{p2, q2}}))
	s.up(p2, rp, 2)
	s.up(q2, rq, 2)
	s.quiet("another reset", func() bool {
		return len(rp.Ceases()) > 1 || len(rq.Ceases()) > 1 || rp.Sessions() > 2 || rq.Sessions() > 2
	})
	if len(rp.Ceases()) != 1 || len(rq.Ceases()) != 1 {
		t.Errorf("ceases %v and %v, want one each", rp.Ceases(), rq.Ceases())
	}
	s.checkOpen(rp, p2)
	s.endedBy(p.Key, bgp.CauseNone)
	s.checkSnapshot()
}

func testInstanceChangeWithoutReset(t *testing.T, s *suite) {
	_, r := s.one()
	in := *s.Instance(0)
	in.RD4, in.Import4, in.Export4 = "100:1", []string{"100:1"}, []string{"100:1", "100:2"}
	s.apply(s.steps(target{in: []*bgp.InstanceSpec{&in}}))
	s.quiet("a reset by the VPN's own settings", func() bool { return len(r.Ceases()) > 0 || r.Sessions() > 1 })
	s.checkSnapshot()
}

func testInverseRestores(t *testing.T, s *suite) {
	p, r := s.one()
	q := s.Peer(0, 1)
	steps := s.steps(target{put: []*bgp.PeerSpec{s.with(p, func(p *bgp.PeerSpec) { p.MSS, p.DSCP = 1000, 8 }), q}})
	s.apply(steps)
	s.up(p, r, 2)
	s.apply(plan.Inverse(steps))
	s.up(p, r, 3)
	s.quiet("another reset", func() bool { return len(r.Ceases()) > 2 || r.Sessions() > 3 })
	s.checkSnapshot()
	if diff := bgp.DiffPeers(s.InForce(p.Key), p); len(diff) > 0 {
		t.Errorf("in force: %v", diff)
	}
}

// That no goroutine is left is checked by the package that calls Run, with
// goleak in TestMain.
func testRunEnds(t *testing.T, s *suite) {
	p, r := s.one()
	s.cancel()
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(s.Return):
		t.Fatal("Run does not end")
	}
	if !s.Backend.Info().External {
		s.wait("end of the session", func() bool { return !r.Established() })
		if len(r.Ceases()) != 1 {
			t.Errorf("ceases %v, want one", r.Ceases())
		}
	}
	n := len(s.of(p.Key))
	s.quiet("an event after Run", func() bool { return len(s.of(p.Key)) > n })
}
