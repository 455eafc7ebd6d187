package plan_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/plan"
)

// config is everything that a speaker has.
type config struct {
	instances map[bgp.InstanceKey]*bgp.InstanceSpec
	peers     map[bgp.PeerKey]*bgp.PeerSpec
}

// random draws a configuration with few distinct values, so that two of them
// often agree.
func random(r *rand.Rand) config {
	c := config{map[bgp.InstanceKey]*bgp.InstanceSpec{}, map[bgp.PeerKey]*bgp.PeerSpec{}}
	for _, key := range []bgp.InstanceKey{vpn1, vpn2, {Instance: "other", VPN: "vpn1"}} {
		if r.IntN(4) == 0 {
			continue
		}
		c.instances[key] = instance(key, port(uint16(179+r.IntN(2))), func(s *bgp.InstanceSpec) {
			s.RD4 = []string{"", "1:1"}[r.IntN(2)]
		})
		for i := range 5 {
			if r.IntN(3) == 0 {
				continue
			}
			p := peer(key, netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}).String(),
				mss(uint16(1000*r.IntN(2))), dscp(uint8(r.IntN(2))), func(s *bgp.PeerSpec) {
					s.Keepalive = []time.Duration{20e9, 60e9}[r.IntN(2)]
				})
			if r.IntN(6) == 0 {
				disabled(p)
			}
			c.peers[p.Key] = p
		}
	}
	return c
}

// towards plans the way from one configuration to another, its input shuffled.
func towards(r *rand.Rand, old, new config, native func(old, new *bgp.PeerSpec) bgp.Impact) plan.Plan {
	var instances []plan.Pair[bgp.InstanceSpec]
	for _, key := range []bgp.InstanceKey{vpn1, vpn2, {Instance: "other", VPN: "vpn1"}} {
		instances = append(instances, plan.Pair[bgp.InstanceSpec]{Old: old.instances[key], New: new.instances[key]})
	}
	var peers []plan.PeerPair
	for key, o := range old.peers {
		peers = append(peers, plan.PeerPair{Old: o, New: new.peers[key]})
	}
	for key, n := range new.peers {
		if old.peers[key] == nil {
			peers = append(peers, plan.PeerPair{New: n})
		}
	}
	r.Shuffle(len(instances), func(i, j int) { instances[i], instances[j] = instances[j], instances[i] })
	r.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	return plan.Compute(instances, peers, costs(native))
}

// resets says whether the way from old to new ends an established session, in
// the words of the model: the peer goes, or something of it or of its instance
// changes that the connection or the OPEN depends on.
func resets(old, new config, key bgp.PeerKey) bool {
	o, n := old.peers[key], new.peers[key]
	if n == nil {
		return true
	}
	in := key.InstanceKey()
	return o.MSS != n.MSS || o.Down != n.Down || old.instances[in].Port != new.instances[in].Port
}

// TestRandomPairs applies plans between random configurations to the fake
// speaker: the target is reached; the sessions that end are those whose peers
// changed something that costs it, each once; equal input plans nothing; the
// inverse restores.
func TestRandomPairs(t *testing.T) {
	for _, speaker := range []struct {
		name   string
		native func(old, new *bgp.PeerSpec) bgp.Impact
	}{{"ideal", fake.Native}, {"like GoBGP", fake.NativeLikeGoBGP}, {"silent", silent}} {
		t.Run(speaker.name, func(t *testing.T) {
			for seed := range uint64(300) {
				r := rand.New(rand.NewPCG(seed, 7))
				old, new := random(r), random(r)
				b := fake.New(fake.Options{Native: speaker.native})
				apply(t, b, towards(r, config{}, old, speaker.native).Steps)
				holds(t, seed, b, old)

				before := ceases(b, old)
				p := towards(r, old, new, speaker.native)
				once(t, seed, p)
				apply(t, b, p.Steps)
				holds(t, seed, b, new)
				for key, spec := range old.peers {
					want := 0
					if spec.Down == bgp.DownNone && resets(old, new, key) {
						want = 1
					}
					if got := len(b.Ceases(key)) - before[key]; got != want {
						t.Fatalf("seed %d: %v: %d sessions ended, want %d", seed, key, got, want)
					}
				}
				if again := towards(r, new, new, speaker.native); len(again.Steps) > 0 {
					t.Fatalf("seed %d: equal input plans %v", seed, stepsOf(again))
				}
				apply(t, b, plan.Inverse(p.Steps))
				holds(t, seed, b, old)
			}
		})
	}
}

// A plan that fails half-way is undone by the inverse of what was done.
func TestInverseOfAPart(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 8))
		old, new := random(r), random(r)
		steps := towards(r, old, new, fake.Native).Steps
		for done := range len(steps) + 1 {
			b := fake.New(fake.Options{})
			apply(t, b, towards(r, config{}, old, fake.Native).Steps)
			apply(t, b, steps[:done])
			apply(t, b, plan.Inverse(steps[:done]))
			holds(t, seed, b, old)
		}
	}
}

// once checks that a peer stands in at most one step, and that the order of
// the input does not show.
func once(t *testing.T, seed uint64, p plan.Plan) {
	t.Helper()
	seen := map[bgp.PeerKey]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Peer.Address.IsValid() && seen[s.Peer] {
			t.Fatalf("seed %d: %v stands in two steps", seed, s.Peer)
		}
		seen[s.Peer] = true
	}
	if !slices.IsSortedFunc(p.Steps, func(a, b plan.Step) int {
		return cmp.Or(cmp.Compare(a.Op, b.Op), a.Instance.Compare(b.Instance), a.Peer.Compare(b.Peer))
	}) {
		t.Fatalf("seed %d: the steps have no order: %v", seed, stepsOf(p))
	}
}

func apply(t *testing.T, b *fake.Backend, steps []plan.Step) {
	t.Helper()
	if _, err := b.Apply(context.Background(), steps); err != nil {
		t.Fatal(err)
	}
}

// holds checks that the speaker has a configuration, and a session with each
// peer that may have one.
func holds(t *testing.T, seed uint64, b *fake.Backend, want config) {
	t.Helper()
	snap, err := b.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Instances) != len(want.instances) || len(snap.Peers) != len(want.peers) {
		t.Fatalf("seed %d: %d instances and %d peers, want %d and %d", seed,
			len(snap.Instances), len(snap.Peers), len(want.instances), len(want.peers))
	}
	for key, spec := range want.instances {
		if !snap.Instances[key].Equal(spec) {
			t.Fatalf("seed %d: %v differs", seed, key)
		}
	}
	for key, spec := range want.peers {
		got := snap.Peers[key]
		if got == nil || len(bgp.DiffPeers(got, spec)) > 0 || got.Down != spec.Down {
			t.Fatalf("seed %d: %v differs", seed, key)
		}
		if up := b.Session(key) != nil; up != (spec.Down == bgp.DownNone) {
			t.Fatalf("seed %d: %v has a session: %t", seed, key, up)
		}
	}
}

func ceases(b *fake.Backend, c config) map[bgp.PeerKey]int {
	n := map[bgp.PeerKey]int{}
	for key := range c.peers {
		n[key] = len(b.Ceases(key))
	}
	return n
}
