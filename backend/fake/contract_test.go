package fake

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
)

func TestContract(t *testing.T) {
	for _, c := range []struct {
		name   string
		native func(old, new *bgp.PeerSpec) bgp.Impact
	}{{"ideal", Native}, {"like gobgp", NativeLikeGoBGP}} {
		t.Run(c.name, func(t *testing.T) {
			backendtest.Run(t, (*testing.T).Parallel, func(*testing.T) backendtest.Harness { return harness(c.native) })
		})
	}
}

func harness(native func(old, new *bgp.PeerSpec) bgp.Impact) backendtest.Harness {
	b := New(Options{Native: native})
	b.Hold() // no session without a remote
	instance := func(i int) *bgp.InstanceSpec {
		return &bgp.InstanceSpec{
			Key: bgp.InstanceKey{Instance: "default", VPN: fmt.Sprintf("vpn%d", i)},
			AS:  100, RouterID: netip.MustParseAddr("1.1.1.1"), Port: 179,
		}
	}
	return backendtest.Harness{
		Backend:  b,
		Instance: instance,
		Peer: func(i, n int) *bgp.PeerSpec {
			p := peerSpec(n)
			in := instance(i)
			p.Key.VPN = in.Key.VPN
			p.RouterID = in.RouterID
			p.Source = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
			return p
		},
		OtherSource: func(p *bgp.PeerSpec) { p.Source = netip.MustParseAddr("192.0.2.99") },
		Remote: func(_ *testing.T, p *bgp.PeerSpec) backendtest.Remote {
			b.Release()
			return &remote{b: b, key: p.Key}
		},
		InForce: b.Session,
		Unsupported: func(p *bgp.PeerSpec) *bgp.PeerSpec {
			b.FailPrepare(func(s plan.Step) error {
				if s.Peer == p.Key {
					return fmt.Errorf("%w: scripted", backend.ErrUnsupported)
				}
				return nil
			})
			return p
		},
		FailingStep: func(*testing.T) plan.Step {
			in := instance(7)
			b.FailApply(func(s plan.Step) error {
				if s.Instance == in.Key {
					return errors.New("scripted")
				}
				return nil
			})
			return plan.Step{Op: plan.PutInstance, Instance: in.Key, NewInstance: in}
		},
		Return: 2 * time.Second,
		Quiet:  5 * time.Millisecond,
	}
}

// remote is the far side that the fake itself plays.
type remote struct {
	b      *Backend
	key    bgp.PeerKey
	source netip.Addr
}

func (r *remote) Follow(*bgp.PeerSpec)    {}
func (r *remote) Established() bool       { return r.b.Session(r.key) != nil }
func (r *remote) Sessions() int           { return r.b.Connections(r.key) }
func (r *remote) Ceases() []uint8         { return r.b.Ceases(r.key) }
func (r *remote) Open() *backendtest.Open { return nil }

func (r *remote) Source() netip.Addr {
	if s := r.b.Session(r.key); s != nil {
		r.source = s.Source
	}
	return r.source
}

func (r *remote) End(n *bgp.Notification) {
	// A case that ends a session which is not there fails by waiting for the
	// next one.
	_ = r.b.EndByRemote(r.key, n)
}
