package commit

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/backend"
	"mooring/backend/fake"
	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/effective"
	"mooring/engine/plan"
	"mooring/engine/schema"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// ygot brings glog, whose flusher lives as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// network is a Sources whose interfaces the test makes up.
type network struct {
	mu      sync.Mutex
	ifs     map[string][]netip.Addr // by interface name
	changes chan srcaddr.Change
	route   netip.Addr
}

func newNetwork() *network {
	n := &network{ifs: map[string][]netip.Addr{}, changes: make(chan srcaddr.Change, 1)}
	n.set("LoopBack1", "10.1.1.1")
	n.set("LoopBack2", "10.1.1.9")
	n.set("eth0", "10.1.1.3", "10.1.1.4")
	return n
}

func (n *network) set(name string, addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ifs[name] = nil
	for _, a := range addrs {
		n.ifs[name] = append(n.ifs[name], netip.MustParseAddr(a))
	}
}

func (n *network) remove(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.ifs, name)
}

func (n *network) Route(srcaddr.Query) netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.route
}

func (n *network) Changes() <-chan srcaddr.Change { return n.changes }

func (n *network) Resolve(q srcaddr.Query) srcaddr.Answer {
	n.mu.Lock()
	defer n.mu.Unlock()
	if q.Interface == "" {
		if q.Source.IsValid() {
			return srcaddr.Answer{Status: srcaddr.Resolved, Source: q.Source, Interface: "some"}
		}
		return srcaddr.Answer{Status: srcaddr.Unbound}
	}
	addrs := slices.DeleteFunc(slices.Clone(n.ifs[q.Interface]), func(a netip.Addr) bool { return a.Is4() != q.Peer.Is4() })
	switch {
	case n.ifs[q.Interface] == nil:
		return srcaddr.Answer{Status: srcaddr.InterfaceMissing, Detail: "no interface " + q.Interface}
	case q.Source.IsValid() && slices.Contains(addrs, q.Source):
		return srcaddr.Answer{Status: srcaddr.Resolved, Source: q.Source, Interface: q.Interface}
	case q.Source.IsValid():
		return srcaddr.Answer{Status: srcaddr.SourceMissing, Detail: "no such address"}
	case len(addrs) == 0:
		return srcaddr.Answer{Status: srcaddr.NoAddress, Detail: "no address on " + q.Interface}
	case len(addrs) > 1:
		return srcaddr.Answer{Status: srcaddr.Ambiguous, Candidates: addrs, Detail: "several addresses"}
	}
	return srcaddr.Answer{Status: srcaddr.Resolved, Source: addrs[0], Interface: q.Interface}
}

type rig struct {
	*testing.T
	c   *Coordinator
	b   *fake.Backend
	net *network
	dir string
	// stop ends the agent, without its speaker.
	stop func()
}

// newRig boots a coordinator on the fake backend.
func newRig(t *testing.T) *rig {
	t.Helper()
	return bootRig(t, t.TempDir(), fake.New(fake.Options{Native: fake.NativeLikeGoBGP}), newNetwork())
}

func bootRig(t *testing.T, dir string, b *fake.Backend, net *network) *rig {
	t.Helper()
	return runRig(t, quietRig(t, dir, b, net))
}

// runRig makes a rig take the events of its backend.
func runRig(t *testing.T, r *rig) *rig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.c.Run(ctx) }()
	closeStore := r.stop
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		closeStore()
	})
	t.Cleanup(r.stop)
	return r
}

// quietRig boots a coordinator that does not run: no event of the backend
// reaches it.
func quietRig(t *testing.T, dir string, b *fake.Backend, net *network) *rig {
	t.Helper()
	return diskRig(t, dir, datastore.OS(), b, net)
}

// diskRig is quietRig on a disk of the test's.
func diskRig(t *testing.T, dir string, fs datastore.FS, b *fake.Backend, net *network) *rig {
	t.Helper()
	store, err := datastore.Open(datastore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler), FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, b: b, net: net, dir: dir}
	r.c = New(Config{
		Store: store, Backend: b, Sources: net, RouterID: netip.MustParseAddr("192.0.2.1"),
		Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err := r.c.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.stop = sync.OnceFunc(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

var operator = Actor{User: "admin", Protocol: "gnmi", Source: "127.0.0.1"}

func (r *rig) edit(fn func(tx schema.Tx)) (*Result, error) {
	return r.c.Edit(r.Context(), operator, Options{}, func(tx schema.Tx) error {
		fn(tx)
		return nil
	})
}

func (r *rig) mustEdit(fn func(tx schema.Tx)) *Result {
	r.Helper()
	res, err := r.edit(fn)
	if err != nil {
		r.Fatal(err)
	}
	return res
}

// eventually waits for what only the backend's events bring about.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			r.Fatalf("did not happen: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) state(k bgp.PeerKey) bgp.PeerState {
	if st := r.c.oper.Get(k).State; st != nil {
		return *st
	}
	return bgp.PeerState{}
}

var vpn1 = bgp.InstanceKey{Instance: "default", VPN: "vpn1"}

func peerOf(in bgp.InstanceKey, addr string) bgp.PeerKey {
	return bgp.PeerKey{Instance: in.Instance, VPN: in.VPN, Address: netip.MustParseAddr(addr)}
}

var thePeer = peerOf(vpn1, "10.1.1.2")

func instanceAt(tx schema.Tx, name string) *instanceRec {
	return tx.Mutable(schema.BGPInstanceKey(name)).(*instanceRec)
}

func vpnAt(tx schema.Tx, k bgp.InstanceKey) *bgpVPNRec {
	return tx.Mutable(schema.BGPVPNInstanceKey(k)).(*bgpVPNRec)
}

func peerAt(tx schema.Tx, k bgp.PeerKey) *peerRec { return tx.Mutable(schema.PeerKey(k)).(*peerRec) }

func groupAt(tx schema.Tx, k bgp.InstanceKey, name string) *groupRec {
	return tx.Mutable(schema.PeerGroupKey(k, name)).(*groupRec)
}

// example is the command's own: BGP 100, vpn1 with RD 100:1, peer 10.1.1.2 of
// AS 200 from LoopBack1.
func example(tx schema.Tx) {
	v := tx.Mutable(schema.VPNInstanceKey("vpn1")).(*vpnRec)
	v.GetOrCreateIpv4Family().GetOrCreateConfig().RouteDistinguisher = ygot.String("100:1")
	instanceAt(tx, "default").GetOrCreateConfig().As = ygot.Uint32(100)
	vpnAt(tx, vpn1)
	p := peerAt(tx, thePeer)
	p.GetOrCreateConfig().As = ygot.Uint32(200)
	source(p).Interface = ygot.String("LoopBack1")
}

// Short names for generated structs.
type (
	transportConfig = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Config
	sourceConfig    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_ConnectInterface_Config
	authConfig      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Authentication_Config
	timersConfig    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Timers_Config
)

func source(p *peerRec) *sourceConfig {
	return p.GetOrCreateTransport().GetOrCreateConnectInterface().GetOrCreateConfig()
}

func TestPeerLife(t *testing.T) {
	r := newRig(t)
	res := r.mustEdit(example)
	if !res.Changed || res.Revision == 0 || res.CommitID == "" {
		t.Fatalf("result %+v", res)
	}
	r.eventually("established", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	if got := r.b.Session(thePeer).Source; got != netip.MustParseAddr("10.1.1.1") {
		t.Fatalf("source %v", got)
	}

	steps := []struct {
		name   string
		edit   func(p *peerRec)
		ceases int // of this step
		source string
	}{
		{"another interface", func(p *peerRec) { source(p).Interface = ygot.String("LoopBack2") }, 1, "10.1.1.9"},
		{"the same value again", func(p *peerRec) { source(p).Interface = ygot.String("LoopBack2") }, 0, "10.1.1.9"},
		{"a description", func(p *peerRec) { p.Config.Description = ygot.String("x") }, 0, "10.1.1.9"},
		{"type and number", func(p *peerRec) {
			*source(p) = sourceConfig{InterfaceType: ygot.String("LoopBack"), InterfaceNumber: ygot.String("1")}
		}, 1, "10.1.1.1"},
		{"the same source by address", func(p *peerRec) {
			*source(p) = sourceConfig{SourceAddress: ygot.String("10.1.1.1")}
		}, 0, "10.1.1.1"},
		{"interface and address", func(p *peerRec) {
			*source(p) = sourceConfig{Interface: ygot.String("eth0"), SourceAddress: ygot.String("10.1.1.4")}
		}, 1, "10.1.1.4"},
		{"ten leaves", func(p *peerRec) {
			tc := p.GetOrCreateTransport().GetOrCreateConfig()
			tc.TcpMss, tc.RemotePort, tc.LocalPort = ygot.Uint16(1000), ygot.Uint16(1179), ygot.Uint16(2179)
			tc.EbgpMaxHop, tc.Dscp, tc.PathMtuDiscovery = ygot.Uint8(5), ygot.Uint8(10), ygot.Bool(true)
			tm := p.GetOrCreateTimers().GetOrCreateConfig()
			tm.HoldTime, tm.KeepaliveInterval, tm.ConnectRetry = ygot.Uint16(30), ygot.Uint16(10), ygot.Uint16(5)
			p.Config.LocalAs = ygot.Uint32(300)
		}, 1, "10.1.1.4"},
		{"a hold time, which the speaker takes silently", func(p *peerRec) {
			p.Timers.Config.HoldTime = ygot.Uint16(90)
		}, 1, "10.1.1.4"},
		{"a next-session leaf", func(p *peerRec) {
			p.Transport.Config.Dscp = ygot.Uint8(20)
		}, 0, "10.1.1.4"},
		{"undo", func(p *peerRec) { p.Transport.ConnectInterface = nil }, 1, ""},
	}
	for _, step := range steps {
		before, was := r.b.TotalCeases(), r.b.Connections(thePeer)
		res := r.mustEdit(func(tx schema.Tx) { step.edit(peerAt(tx, thePeer)) })
		if got := r.b.TotalCeases() - before; got != step.ceases || res.Plan.Resets() != step.ceases {
			t.Errorf("%s: %d ceases, %d planned, want %d", step.name, got, res.Plan.Resets(), step.ceases)
		}
		if got := r.b.Connections(thePeer) - was; got != step.ceases {
			t.Errorf("%s: %d new connections, want %d", step.name, got, step.ceases)
		}
		want := netip.Addr{}
		if step.source != "" {
			want = netip.MustParseAddr(step.source)
		}
		if got := r.b.Session(thePeer).Source; got != want {
			t.Errorf("%s: source %v, want %v", step.name, got, want)
		}
	}
	r.eventually("six resets by commits, and the session is back", func() bool {
		st := r.state(thePeer)
		return st.Resets[bgp.CauseCommit] == 6 && st.Session == bgp.StateEstablished
	})
	st := r.state(thePeer)
	if st.LastReset.CommitID == "" || len(st.LastReset.Leaves) == 0 || st.LastReset.Notification.Subcode != bgp.CeaseOtherConfiguration {
		t.Errorf("last reset %+v", st.LastReset)
	}
	if st.Transitions != 7 {
		t.Errorf("transitions %d, want 7", st.Transitions)
	}
}

func TestGroupInheritedAndOverridden(t *testing.T) {
	r := newRig(t)
	other := peerOf(vpn1, "10.1.1.20")
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		g := groupAt(tx, vpn1, "core")
		g.GetOrCreateConfig().As = ygot.Uint32(200)
		g.GetOrCreateTransport().GetOrCreateConnectInterface().GetOrCreateConfig().Interface = ygot.String("LoopBack2")
		for _, k := range []bgp.PeerKey{thePeer, other} {
			peerAt(tx, k).GetOrCreateConfig().PeerGroup = ygot.String("core")
		}
	})
	if got := r.b.Session(other).Source; got != netip.MustParseAddr("10.1.1.9") {
		t.Errorf("inherited source %v", got)
	}
	if got := r.b.Session(thePeer).Source; got != netip.MustParseAddr("10.1.1.1") {
		t.Errorf("overridden source %v", got)
	}
	res := r.mustEdit(func(tx schema.Tx) {
		groupAt(tx, vpn1, "core").Transport.ConnectInterface.Config.Interface = ygot.String("LoopBack1")
	})
	if res.Plan.Resets() != 1 || res.Plan.Steps[0].Peer != other {
		t.Errorf("group change: %+v", res.Plan.Steps)
	}
	// Removing the group's AS takes the only AS of one member away.
	_, err := r.edit(func(tx schema.Tx) { groupAt(tx, vpn1, "core").Config.As = nil })
	if err == nil || !strings.Contains(err.Error(), "10.1.1.20") || !strings.Contains(err.Error(), "AS number") {
		t.Errorf("error %v", err)
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name string
		edit func(tx schema.Tx)
		want []string
	}{
		{"no AS", func(tx schema.Tx) { peerAt(tx, peerOf(vpn1, "10.1.1.5")) }, []string{"10.1.1.5", "AS number"}},
		{
			"ambiguous", func(tx schema.Tx) { source(peerAt(tx, thePeer)).Interface = ygot.String("eth0") },
			[]string{"10.1.1.2", "source-address", "10.1.1.3, 10.1.1.4"},
		},
		{"multicast", func(tx schema.Tx) {
			peerAt(tx, peerOf(vpn1, "224.0.0.1")).GetOrCreateConfig().As = ygot.Uint32(1)
		}, []string{"224.0.0.1", "host"}},
		{
			"itself", func(tx schema.Tx) {
				*source(peerAt(tx, thePeer)) = sourceConfig{SourceAddress: ygot.String("10.1.1.2")}
			},
			[]string{"10.1.1.2", "own address"},
		},
		{"inherited source of the other family", func(tx schema.Tx) {
			g := groupAt(tx, vpn1, "g")
			g.GetOrCreateConfig().As = ygot.Uint32(200)
			g.GetOrCreateTransport().GetOrCreateConnectInterface().GetOrCreateConfig().SourceAddress = ygot.String("10.1.1.1")
			peerAt(tx, peerOf(vpn1, "2001:db8::2")).GetOrCreateConfig().PeerGroup = ygot.String("g")
		}, []string{"2001:db8::2", "family"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.mustEdit(example)
			before := r.c.Store().Running()
			_, err := r.edit(tt.edit)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not name %q", err, w)
				}
			}
			if r.c.Store().Running() != before || r.b.TotalCeases() != 0 {
				t.Error("something changed")
			}
		})
	}
}

func TestSourceComesAndGoes(t *testing.T) {
	r := newRig(t)
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack7")
	})
	if r.b.Session(thePeer) != nil {
		t.Fatal("a session without a source")
	}
	down := func() bgp.DownReason { return r.c.oper.Get(thePeer).Applied.Down }
	if down() != bgp.DownInterfaceMissing {
		t.Fatalf("down reason %v", down())
	}
	revision := r.c.Store().Running().Revision()
	change := func(addrs ...string) {
		r.net.set("LoopBack7", addrs...)
		r.net.changes <- srcaddr.Change{}
	}
	change("10.7.7.7")
	r.eventually("up", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	change("10.7.7.8")
	r.eventually("moved", func() bool { s := r.b.Session(thePeer); return s != nil && s.Source == netip.MustParseAddr("10.7.7.8") })
	r.eventually("reset by source", func() bool { return r.state(thePeer).Resets[bgp.CauseSource] == 1 })
	change("10.7.7.9", "10.7.7.10")
	r.eventually("ambiguous", func() bool { return down() == bgp.DownAmbiguousSource && r.b.Session(thePeer) == nil })
	// An unrelated change is not refused for what happened behind our back.
	r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String("still here") })
	change("10.7.7.9")
	r.eventually("up again", func() bool { s := r.b.Session(thePeer); return s != nil && s.Source == netip.MustParseAddr("10.7.7.9") })
	if got := r.c.Store().Running().Revision(); got != revision+1 {
		t.Errorf("revision %d, want %d: only the description is a commit", got, revision+1)
	}
	if st := r.state(thePeer); st.LastReset.Cause != bgp.CauseSource || st.LastReset.Text == "" {
		t.Errorf("last reset %+v", st.LastReset)
	}
}

func TestFailureChangesNothing(t *testing.T) {
	second := peerOf(vpn1, "10.1.1.3")
	both := func(tx schema.Tx) {
		source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack2")
		peerAt(tx, second).GetOrCreateConfig().As = ygot.Uint32(7)
	}
	tests := []struct {
		name     string
		sabotage func(r *rig)
		check    func(t *testing.T, err error)
	}{
		{"prepare", func(r *rig) {
			r.b.FailPrepare(func(s plan.Step) error {
				if s.Peer == second {
					return &backend.Error{Instance: vpn1, Peer: second, Leaf: "config/as", Err: backend.ErrUnsupported}
				}
				return nil
			})
		}, func(t *testing.T, err error) {
			pe, ok := errors.AsType[*PrepareError](err)
			if !ok || !strings.HasSuffix(pe.Path.String(), "peer[address=10.1.1.3]/config/as") {
				t.Errorf("error %v", err)
			}
		}},
		{"apply", func(r *rig) {
			r.b.FailApply(func(s plan.Step) error {
				if s.Peer == second && s.New != nil {
					return &backend.Error{Instance: vpn1, Peer: second, Err: errors.New("no room")}
				}
				return nil
			})
		}, func(t *testing.T, err error) {
			ae, ok := errors.AsType[*ApplyError](err)
			if !ok || ae.Rollback != nil || !strings.Contains(err.Error(), "10.1.1.3") || !strings.Contains(err.Error(), "no room") {
				t.Errorf("error %v", err)
			}
		}},
		{"persist", func(r *rig) {
			if err := r.c.Store().Close(); err != nil {
				r.Fatal(err)
			}
		}, func(t *testing.T, err error) {
			if _, ok := errors.AsType[*DiskError](err); !ok || !strings.Contains(err.Error(), "nothing has changed") {
				t.Errorf("error %v", err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.mustEdit(example)
			before := r.c.Store().Running()
			tt.sabotage(r)
			_, err := r.edit(both)
			tt.check(t, err)
			if r.c.Store().Running() != before {
				t.Error("the configuration changed")
			}
			snap, err := r.b.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(snap.Peers) != 1 || snap.Peers[thePeer].Source != netip.MustParseAddr("10.1.1.1") {
				t.Errorf("backend has %v", snap.Peers)
			}
			if e := r.c.oper.Get(second); e.Applied != nil {
				t.Error("the second peer counts as applied")
			}
		})
	}
}

func TestClientGoneBeforeCommit(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.c.Edit(ctx, operator, Options{}, func(tx schema.Tx) error {
		example(tx)
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || r.c.Store().Running().Get(schema.PeerKey(thePeer)) != nil {
		t.Errorf("err %v", err)
	}
}

func TestDryRunDoesNothing(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	before := r.c.Store().Running()
	res, err := r.c.Edit(t.Context(), operator, Options{DryRun: true}, func(tx schema.Tx) error {
		source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack2")
		return nil
	})
	if err != nil || res.Plan.Resets() != 1 || res.CommitID != "" {
		t.Errorf("%+v %v", res, err)
	}
	if r.c.Store().Running() != before || r.b.TotalCeases() != 0 {
		t.Error("something happened")
	}
}

func TestResetPolicyAlways(t *testing.T) {
	r := newRig(t)
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		instanceAt(tx, "default").Config.ResetPolicy = policyAlways
	})
	r.eventually("up", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	n := schema.KindOf(schema.KindPeer).Node.Child("transport").Child("connect-interface").Child("config").Child("interface")
	res := r.mustEdit(func(tx schema.Tx) { tx.Touch(schema.PeerKey(thePeer), n) })
	if res.Plan.Resets() != 1 || len(r.b.Ceases(thePeer)) != 1 {
		t.Errorf("%+v, ceases %v", res, r.b.Ceases(thePeer))
	}
	if h := r.c.Store().History(); h[len(h)-1].CommitID != res.CommitID || !slices.Equal(h[len(h)-1].Resets, []string{thePeer.String()}) {
		t.Errorf("history %+v", h)
	}
	r.mustEdit(func(tx schema.Tx) {
		instanceAt(tx, "default").Config.ResetPolicy = gen.MooringBgp_Bgp_Instances_Instance_Config_ResetPolicy_minimal
	})
	r.mustEdit(func(tx schema.Tx) { tx.Touch(schema.PeerKey(thePeer), n) })
	if len(r.b.Ceases(thePeer)) != 1 {
		t.Errorf("minimal: ceases %v", r.b.Ceases(thePeer))
	}
}

func TestResetByRequest(t *testing.T) {
	r := newRig(t)
	if err := r.c.Reset(t.Context(), operator, thePeer, ResetHard, ""); err == nil || !strings.Contains(err.Error(), "no such peer") {
		t.Errorf("unknown peer: %v", err)
	}
	r.b.Hold()
	r.mustEdit(example)
	if err := r.c.Reset(t.Context(), operator, thePeer, ResetHard, ""); !errors.Is(err, ErrNotEstablished) {
		t.Errorf("down: %v", err)
	}
	r.b.Release()
	r.eventually("established", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	if n := len(r.b.Ceases(thePeer)); n != 0 {
		t.Fatalf("the refused reset was kept: %d ceases", n)
	}
	if err := r.c.Reset(t.Context(), operator, thePeer, ResetSoftIn, ""); err != nil {
		t.Fatal(err)
	}
	if err := r.c.Reset(t.Context(), operator, thePeer, ResetHard, "maintenance"); err != nil {
		t.Fatal(err)
	}
	r.eventually("told", func() bool { return r.state(thePeer).Resets[bgp.CauseOperator] == 1 })
	if c := r.b.Ceases(thePeer); !slices.Equal(c, []uint8{bgp.CeaseAdminReset}) {
		t.Errorf("ceases %v", c)
	}
	if _, err := ParseResetMode("softly"); err == nil {
		t.Error("unknown mode accepted")
	}
}

func TestExplain(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	r.eventually("established", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	res, err := r.c.Edit(t.Context(), operator, Options{DryRun: true}, func(tx schema.Tx) error {
		source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack2")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := r.c.Explain(Actor{}, res.Plan)
	if len(got) != 1 || got[0].Impact != bgp.ImpactReset || got[0].Session != bgp.StateEstablished ||
		!slices.Equal(got[0].Families, []bgp.Family{bgp.IPv4Unicast}) || got[0].Source != netip.MustParseAddr("10.1.1.9") ||
		len(got[0].Leaves) != 1 || got[0].Leaves[0].String() != effective.Source+": 10.1.1.1 -> 10.1.1.9" {
		t.Errorf("%+v", got)
	}
}

// A backend names settings as package bgp does; the error shows where they
// stand in the model.
func TestBlame(t *testing.T) {
	tests := []struct {
		err  *backend.Error
		want string
	}{
		{&backend.Error{Instance: vpn1, Leaf: "config/network-namespace"}, "/vpn-instances/vpn-instance[name=vpn1]/config/network-namespace"},
		{&backend.Error{Instance: vpn1, Leaf: "config/listen-port"}, "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]/config/listen-port"},
		{&backend.Error{Instance: vpn1, Leaf: "config/as"}, "/bgp/instances/instance[name=default]/config/as"},
		{&backend.Error{Instance: vpn1}, "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]"},
		{&backend.Error{Instance: vpn1, Peer: thePeer, Leaf: "transport/config/tcp-mss"}, schema.PeerKey(thePeer).String() + "/transport/config/tcp-mss"},
		{&backend.Error{Instance: vpn1, Peer: thePeer, Leaf: effective.RouterID}, schema.PeerKey(thePeer).String()},
	}
	for _, tt := range tests {
		if got := blame(tt.err).String(); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.err, got, tt.want)
		}
	}
	if got := blame(errors.New("disk")); got != nil {
		t.Errorf("blames %s", got)
	}
}

// A text from the remote may be anything; what is read is UTF-8, which
// protobuf and XML insist on.
func TestForeignTextIsCleaned(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	r.eventually("established", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	n := &bgp.Notification{Code: bgp.CodeCease, Subcode: bgp.CeaseAdminShutdown, Text: "bye\xff"}
	if err := r.b.EndByRemote(thePeer, n); err != nil {
		t.Fatal(err)
	}
	r.eventually("told", func() bool { return r.state(thePeer).Resets[bgp.CauseRemote] == 1 })
	last := r.c.View().State(schema.PeerKey(thePeer)).(*peerRec).State.LastReset
	if last.Text == nil || *last.Text != "bye\uFFFD" {
		t.Errorf("last reset %+v", last)
	}
}

// Who shuts a peer down tells its operator so (RFC 9003).
func TestShutdownCommunication(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	res := r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Enabled = ygot.Bool(false) })
	if got := res.Plan.Steps[0].Text; got != "commit 2 by admin" {
		t.Errorf("text %q", got)
	}
	if c := r.b.Ceases(thePeer); !slices.Equal(c, []uint8{bgp.CeaseAdminShutdown}) {
		t.Errorf("ceases %v", c)
	}
	res = r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Enabled = nil })
	if got := res.Plan.Steps[0].Text; got != "" {
		t.Errorf("text %q where nothing is shut down", got)
	}
}

// A password goes with its method (RFC 7950 8.3.2), in running and candidate.
func TestMeaninglessLeavesGo(t *testing.T) {
	r := newRig(t)
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		a := peerAt(tx, thePeer).GetOrCreateTransport().GetOrCreateAuthentication().GetOrCreateConfig()
		a.Method, a.Password = enumOf[authEnum](bgp.AuthMD5), ygot.String("secret")
	})
	off := func(tx schema.Tx) { peerAt(tx, thePeer).Transport.Authentication.Config.Method = 0 }
	cand := r.c.Store().NewCandidate()
	if err := r.c.EditCandidate(t.Context(), operator, cand, func(tx schema.Tx) error { off(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	r.mustEdit(off)
	for name, reader := range map[string]schema.Reader{"running": r.c.Store().Running(), "candidate": cand.View()} {
		p := reader.Get(schema.PeerKey(thePeer)).(*peerRec)
		if c := p.GetTransport().GetAuthentication().GetConfig(); c != nil && c.Password != nil {
			t.Errorf("%s: the password stayed", name)
		}
	}
	if got := r.b.Session(thePeer).Auth; got != bgp.AuthNone {
		t.Errorf("auth %v", got)
	}
}

func TestInstanceChangeReachesItsPeers(t *testing.T) {
	r := newRig(t)
	elsewhere := bgp.InstanceKey{Instance: "default", VPN: "vpn10"} // "vpn1" is a prefix of it
	far := peerOf(elsewhere, "10.1.1.2")
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		tx.Mutable(schema.VPNInstanceKey("vpn10"))
		vpnAt(tx, elsewhere)
		peerAt(tx, far).GetOrCreateConfig().As = ygot.Uint32(200)
	})
	r.mustEdit(func(tx schema.Tx) { vpnAt(tx, vpn1).GetOrCreateConfig().RouterId = ygot.String("1.2.3.4") })
	if len(r.b.Ceases(thePeer)) != 1 || len(r.b.Ceases(far)) != 0 {
		t.Errorf("ceases %v and %v", r.b.Ceases(thePeer), r.b.Ceases(far))
	}
	r.mustEdit(func(tx schema.Tx) {
		tx.Mutable(schema.VPNInstanceKey("vpn1")).(*vpnRec).Ipv4Family.Config.RouteDistinguisher = ygot.String("100:2")
	})
	if len(r.b.Ceases(thePeer)) != 1 {
		t.Error("a route distinguisher cost a session")
	}
	r.mustEdit(func(tx schema.Tx) { instanceAt(tx, "default").Config.As = ygot.Uint32(101) })
	if len(r.b.Ceases(thePeer)) != 2 || len(r.b.Ceases(far)) != 1 {
		t.Errorf("ceases %v and %v", r.b.Ceases(thePeer), r.b.Ceases(far))
	}
}

func TestBootRepairsOnlyTheDifference(t *testing.T) {
	dir, net := t.TempDir(), newNetwork()
	old := bootRig(t, dir, fake.New(fake.Options{External: true}), net)
	stay, change, extra := thePeer, peerOf(vpn1, "10.1.1.20"), peerOf(vpn1, "10.1.1.30")
	old.mustEdit(func(tx schema.Tx) {
		example(tx)
		peerAt(tx, change).GetOrCreateConfig().As = ygot.Uint32(5)
	})
	snap, err := old.b.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := old.c.Store().Close(); err != nil {
		t.Fatal(err)
	}
	drifted, alien := *snap.Peers[change], *snap.Peers[stay]
	drifted.MSS, alien.Key = 700, extra
	snap.Peers[change], snap.Peers[extra] = &drifted, &alien

	b := fake.New(fake.Options{External: true})
	b.Seed(*snap)
	r := bootRig(t, dir, b, net)
	if c := b.Ceases(stay); len(c) != 0 {
		t.Errorf("an unchanged peer was reset: %v", c)
	}
	if len(b.Ceases(change)) != 1 || b.Session(change).MSS != 0 {
		t.Errorf("drift: ceases %v", b.Ceases(change))
	}
	if b.Session(extra) != nil {
		t.Error("a peer that is not configured stayed")
	}
	if got := r.c.oper.Get(stay).Applied; got == nil {
		t.Error("an unchanged peer does not count as applied")
	}
}

func TestFailedRepairIsToldAndTriedAgain(t *testing.T) {
	dir, net := t.TempDir(), newNetwork()
	old := bootRig(t, dir, fake.New(fake.Options{}), net)
	old.mustEdit(example)
	if err := old.c.Store().Close(); err != nil {
		t.Fatal(err)
	}
	b := fake.New(fake.Options{})
	b.FailApply(func(s plan.Step) error {
		if s.Peer == thePeer {
			return &backend.Error{Instance: vpn1, Peer: thePeer, Err: errors.New("port is busy")}
		}
		return nil
	})
	r := bootRig(t, dir, b, net)
	st := r.state(thePeer)
	if st.Down != bgp.DownBackend || st.DownDetail != "port is busy" {
		t.Fatalf("state %+v", st)
	}
	b.FailApply(nil)
	r.c.repairNow(t.Context(), false)
	r.eventually("up", func() bool {
		st := r.state(thePeer)
		return st.Session == bgp.StateEstablished && st.Down == bgp.DownNone
	})
}

func TestStateTellsOriginsAndTruth(t *testing.T) {
	r := newRig(t)
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		g := groupAt(tx, vpn1, "core")
		g.GetOrCreateTransport().GetOrCreateConfig().TcpMss = ygot.Uint16(1000)
		p := peerAt(tx, thePeer)
		p.Config.PeerGroup = ygot.String("core")
		p.GetOrCreateTimers().GetOrCreateConfig().HoldTime = ygot.Uint16(30)
	})
	r.eventually("established", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
	read := func() *peerRec { return r.c.View().State(schema.PeerKey(thePeer)).(*peerRec) }
	p := read()
	want := map[string]string{ // value and origin; defaults are not listed
		"config/as": "200 peer", "config/local-as": "100 instance", "router-id": "",
		"config/enabled": "", "transport/config/tcp-mss": "1000 peer-group", "transport/config/remote-port": "",
		effective.Source: "10.1.1.1 peer", "timers/config/hold-time": "30 peer", "timers/config/keepalive-interval": "",
	}
	for leaf, w := range want {
		got := ""
		if v := p.Effective.Value[leaf]; v != nil {
			got = *v.Value + " " + v.Origin.ΛMap()["E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Effective_Value_Origin"][int64(v.Origin)].Name
		}
		if got != w {
			t.Errorf("effective %s: %q, want %q", leaf, got, w)
		}
	}
	if got := *p.Timers.State.KeepaliveInterval; got != 10 {
		t.Errorf("keepalive %d, want a third of the hold time", got)
	}
	if got := p.Transport.State.LocalAddress; got == nil || *got != "10.1.1.1" {
		t.Errorf("local address %v", got)
	}
	if f := p.AfiSafis.AfiSafi[gen.MooringTypes_AfiSafiName_ipv4_unicast]; f == nil || !*f.State.Active {
		t.Errorf("families %+v", p.AfiSafis.AfiSafi)
	}
	v := r.c.View().State(schema.BGPVPNInstanceKey(vpn1)).(*bgpVPNRec)
	if *v.State.Peers != 1 || *v.State.EstablishedPeers != 1 {
		t.Errorf("peers %d, established %d", *v.State.Peers, *v.State.EstablishedPeers)
	}
	if g := r.c.View().State(schema.PeerGroupKey(vpn1, "core")).(*groupRec); *g.State.Members != 1 {
		t.Errorf("members %d", *g.State.Members)
	}
	if a := r.c.View().State(schema.AgentKey()).(*agentRec); len(a.Commits.Commit) != 1 || *a.Backend.State.Name != "fake" ||
		len(a.Backend.State.Capability) != len(bgp.PeerLeaves()) {
		t.Errorf("agent %+v", a)
	}
	r.mustEdit(func(tx schema.Tx) { source(peerAt(tx, thePeer)).Interface = ygot.String("nowhere") })
	r.eventually("down", func() bool { return r.state(thePeer).Session != bgp.StateEstablished })
	p = read()
	if p.State.DownReason != gen.MooringTypes_DownReason_interface_missing || !strings.Contains(*p.State.DownDetail, "nowhere") {
		t.Errorf("down reason %v", p.State.DownReason)
	}
}

func TestHistorySizeIsConfiguration(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	for i := range 4 {
		r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String(strings.Repeat("x", i+1)) })
	}
	r.mustEdit(func(tx schema.Tx) {
		tx.Mutable(schema.AgentKey()).(*agentRec).GetOrCreateHistory().GetOrCreateConfig().Size = ygot.Uint16(2)
	})
	h := r.c.Store().History()
	if len(h) != 2 || h[1].User != "admin" || !strings.Contains(strings.Join(h[1].Changes, "\n"), "/agent/history/config/size: (none) -> 2") {
		t.Errorf("history %+v", h)
	}
}

func TestSubscription(t *testing.T) {
	r := newRig(t)
	sub := r.c.Subscribe()
	defer sub.Close()
	r.mustEdit(example)
	seen := map[schema.Key]Change{}
	established := gen.MooringTypes_SessionState_established
	r.eventually("told", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		changes, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range changes {
			seen[ch.Key] = ch
		}
		ch, ok := seen[schema.PeerKey(thePeer)]
		st, _ := ch.New.State().(*peerRec)
		return ok && st.GetState() != nil && st.State.SessionState == established && *st.Transport.ConnectInterface.State.ResolvedSource == "10.1.1.1"
	})
	if _, ok := seen[schema.VPNInstanceKey("vpn1")]; !ok {
		t.Error("the VPN instance was not told")
	}
}

// A reader that comes late still learns which commit it was, though the session
// has ended since.
func TestMergedChangeTellsItsCommit(t *testing.T) {
	r := newRig(t)
	sub := r.c.Subscribe()
	defer sub.Close()
	res := r.mustEdit(example)
	r.eventually("established", func() bool { return r.c.established(thePeer) })
	r.b.Hold()
	if err := r.b.EndByRemote(thePeer, &bgp.Notification{Code: 6, Subcode: 4}); err != nil {
		t.Fatal(err)
	}
	r.eventually("ended", func() bool { return !r.c.established(thePeer) })
	changes, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(changes, func(c Change) bool { return c.Key == schema.PeerKey(thePeer) })
	if i < 0 || changes[i].Duplicates == 0 || changes[i].New.CommitID != res.CommitID {
		t.Fatalf("no merged change of commit %s of the peer in %d changes", res.CommitID, len(changes))
	}
}

// An external speaker that is away at boot gets everything when it comes.
func TestBootWithoutTheSpeaker(t *testing.T) {
	dir, net := t.TempDir(), newNetwork()
	old := bootRig(t, dir, fake.New(fake.Options{}), net)
	old.mustEdit(example)
	if err := old.c.Store().Close(); err != nil {
		t.Fatal(err)
	}
	b := fake.New(fake.Options{External: true})
	b.Down(errors.New("no socket"))
	r := bootRig(t, dir, b, net)
	if a := r.c.View().State(schema.AgentKey()).(*agentRec); *a.Backend.State.Connected {
		t.Error("counts as connected")
	}
	b.Up()
	r.eventually("replayed", func() bool { return r.state(thePeer).Session == bgp.StateEstablished })
}

// A peer whose instance cannot start says why.
func TestFailedInstanceHoldsItsPeersDown(t *testing.T) {
	dir, net := t.TempDir(), newNetwork()
	old := bootRig(t, dir, fake.New(fake.Options{}), net)
	public := bgp.InstanceKey{Instance: "default", VPN: bgp.PublicVPN}
	other := peerOf(public, "10.1.1.2")
	old.mustEdit(func(tx schema.Tx) {
		example(tx)
		vpnAt(tx, public)
		peerAt(tx, other).GetOrCreateConfig().As = ygot.Uint32(200)
	})
	if err := old.c.Store().Close(); err != nil {
		t.Fatal(err)
	}
	for name, fail := range map[string]func(*fake.Backend, func(plan.Step) error){
		"prepare": (*fake.Backend).FailPrepare, "apply": (*fake.Backend).FailApply,
	} {
		t.Run(name, func(t *testing.T) {
			b := fake.New(fake.Options{})
			fail(b, func(s plan.Step) error {
				if s.Op == plan.PutInstance && s.Instance == vpn1 {
					return &backend.Error{Instance: vpn1, Err: errors.New("port 179 is busy")}
				}
				return nil
			})
			r := bootRig(t, dir, b, net)
			if st := r.state(thePeer); st.Down != bgp.DownBackend || st.DownDetail != "port 179 is busy" {
				t.Errorf("state %+v", st)
			}
			r.eventually("the other instance is up", func() bool { return r.state(other).Session == bgp.StateEstablished })
			if err := r.c.Store().Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The enums of the model and of package bgp stand in the same order.
func TestEnumsAgree(t *testing.T) {
	check := func(name string, e ygot.GoEnum, i int64, want string) {
		t.Helper()
		defs := e.ΛMap()[name]
		if got := defs[i].Name; got != want {
			t.Errorf("%s %d is %q, package bgp says %q", name, i, got, want)
		}
	}
	for f := bgp.IPv4Unicast; f <= bgp.VPNv6Unicast; f++ {
		check("E_MooringTypes_AfiSafiName", familyName(0), int64(enumOf[familyName](f)), f.String())
	}
	for s := bgp.StateIdle; s <= bgp.StateEstablished; s++ {
		check("E_MooringTypes_SessionState", gen.E_MooringTypes_SessionState(0), int64(s)+1, s.String())
	}
	for d := bgp.DownDisabled; d <= bgp.DownBackend; d++ {
		check("E_MooringTypes_DownReason", gen.E_MooringTypes_DownReason(0), int64(d), d.String())
	}
	for _, c := range bgp.Causes {
		check("E_MooringTypes_ResetCause", gen.E_MooringTypes_ResetCause(0), int64(c), c.String())
	}
	for m := bgp.ConnectBoth; m <= bgp.ListenOnly; m++ {
		check("E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_Transport_Config_ConnectMode",
			connectModeEnum(0), int64(m)+1, m.String())
	}
	for m := bgp.ResetGraceful; m <= bgp.ResetHard; m++ {
		check("E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_GracefulRestart_Config_ResetMode",
			resetModeEnum(0), int64(m)+1, m.String())
	}
	for a := bgp.AuthNone; a <= bgp.AuthTCPAO; a++ {
		check("E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_Transport_Authentication_Config_Method",
			authConfig{}.Method, int64(a)+1, a.String())
	}
	for i, want := range []string{"peer", "peer-group", "instance", "default", "route"} {
		check("E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Effective_Value_Origin",
			originEnum(0), int64(i)+1, want)
	}
	for s := backend.Full; s <= backend.Refused; s++ {
		check("E_MooringAgent_Agent_Backend_State_Capability_Support",
			gen.E_MooringAgent_Agent_Backend_State_Capability_Support(0), int64(s)+1, s.String())
	}
}
