package commit

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mooring/backend/fake"
	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/effective"
	"mooring/engine/plan"
	"mooring/engine/schema"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
)

// TestRandomPairs commits random configurations one after the other and holds
// the planner's promises against an oracle that knows the model's rules in its
// own words: the target is reached; exactly the peers whose effective reset
// settings changed are reset, each once; equal input plans nothing; the
// inverse restores.
func TestRandomPairs(t *testing.T) {
	const rounds = 150
	for _, native := range []struct {
		name string
		fn   func(old, new *bgp.PeerSpec) bgp.Impact
	}{{"ideal speaker", fake.Native}, {"speaker like GoBGP", fake.NativeLikeGoBGP}} {
		t.Run(native.name, func(t *testing.T) {
			r := bootRig(t, t.TempDir(), fake.New(fake.Options{Native: native.fn}), newNetwork())
			rng := rand.New(rand.NewPCG(1, 2))
			var previous map[bgp.PeerKey]string
			for i := range rounds {
				seed := rng.Uint64()
				ceased := ceases(r, previous)
				res, err := r.edit(func(tx schema.Tx) { randomConfig(rand.New(rand.NewPCG(seed, 0)), tx) })
				if err != nil {
					t.Fatalf("round %d: %v", i, err)
				}
				want := signatures(r)
				checkReached(t, r, want)
				for key, was := range previous {
					now, stays := want[key]
					expected := 0
					if hasSession(was) && (!stays || now != was) {
						expected = 1
					}
					if got := len(r.b.Ceases(key)) - ceased[key]; got != expected {
						t.Fatalf("round %d (seed %d): %v: %d ceases, want %d\nwas %s\nnow %s", i, seed, key, got, expected, was, now)
					}
				}
				checkInverse(t, res.Plan)
				again := r.mustEdit(func(tx schema.Tx) { randomConfig(rand.New(rand.NewPCG(seed, 0)), tx) })
				if again.Changed || len(again.Plan.Steps) != 0 {
					t.Fatalf("round %d (seed %d): the same again plans %d steps", i, seed, len(again.Plan.Steps))
				}
				previous = want
			}
		})
	}
}

func ceases(r *rig, peers map[bgp.PeerKey]string) map[bgp.PeerKey]int {
	n := map[bgp.PeerKey]int{}
	for key := range peers {
		n[key] = len(r.b.Ceases(key))
	}
	return n
}

// checkReached compares the backend's peers with the oracle's.
func checkReached(t *testing.T, r *rig, want map[bgp.PeerKey]string) {
	t.Helper()
	snap, err := r.b.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Peers) != len(want) {
		t.Fatalf("%d peers, want %d", len(snap.Peers), len(want))
	}
	for key, sig := range want {
		s := snap.Peers[key]
		if s == nil {
			t.Fatalf("%v is missing", key)
		}
		if up := r.b.Session(key) != nil; up != hasSession(sig) {
			t.Fatalf("%v: session %v, oracle says %s", key, up, sig)
		}
	}
}

// checkInverse applies a plan and its inverse to a map.
func checkInverse(t *testing.T, p plan.Plan) {
	t.Helper()
	peers := map[bgp.PeerKey]*bgp.PeerSpec{}
	for _, s := range p.Steps {
		if s.Old != nil {
			peers[s.Peer] = s.Old
		}
	}
	before := fmt.Sprint(len(peers))
	for _, s := range append(slices.Clone(p.Steps), plan.Inverse(p.Steps)...) {
		if !s.Peer.Address.IsValid() {
			continue
		}
		if peers[s.Peer] != s.Old {
			t.Fatalf("step %v of %v does not follow on what is there", s.Op, s.Peer)
		}
		if s.New == nil {
			delete(peers, s.Peer)
		} else {
			peers[s.Peer] = s.New
		}
	}
	if got := fmt.Sprint(len(peers)); got != before {
		t.Fatalf("inverse leaves %s peers, want %s", got, before)
	}
}

// chance says yes once in n times.
func chance(rng *rand.Rand, n int) bool { return rng.IntN(n) == 0 }

func oneOf[T any](rng *rand.Rand, v ...T) T { return v[rng.IntN(len(v))] }

// randomConfig replaces everything by a small random configuration with few
// distinct values, so that two of them often agree.
func randomConfig(rng *rand.Rand, tx schema.Tx) {
	var keys []schema.Key
	tx.Scan("", func(k schema.Key, _ ygot.GoStruct) bool {
		if !slices.Contains(schema.Permanent(), k) {
			keys = append(keys, k)
		}
		return true
	})
	for _, k := range keys {
		tx.Delete(k)
	}
	// Looked at is what was done with the commit: nobody waits.
	tx.Mutable(schema.AgentKey()).(*agentRec).GetOrCreateResetControl().GetOrCreateConfig().MaxConcurrent = ygot.Uint16(65535)
	for _, name := range []string{"vpn1", "vpn2"} {
		v := tx.Mutable(schema.VPNInstanceKey(name)).(*vpnRec)
		if chance(rng, 4) {
			v.GetOrCreateConfig().VrfDevice = ygot.String("vrf-" + name)
		}
	}
	for _, name := range []string{"default", "other"} {
		if chance(rng, 4) {
			continue
		}
		in := instanceAt(tx, name)
		in.GetOrCreateConfig().As = ygot.Uint32(oneOf(rng, uint32(100), 200))
		for _, vpn := range []string{bgp.PublicVPN, "vpn1", "vpn2"} {
			if chance(rng, 3) {
				continue
			}
			randomVPN(rng, tx, bgp.InstanceKey{Instance: name, VPN: vpn})
		}
	}
}

func randomVPN(rng *rand.Rand, tx schema.Tx, key bgp.InstanceKey) {
	v := vpnAt(tx, key)
	if chance(rng, 4) {
		v.GetOrCreateConfig().RouterId = ygot.String(oneOf(rng, "1.1.1.1", "2.2.2.2"))
	}
	if chance(rng, 6) {
		v.GetOrCreateConfig().ListenPort = ygot.Uint16(1179)
	}
	groups := []string{"a", "b"}
	for _, g := range groups {
		rec := groupAt(tx, key, g)
		rec.GetOrCreateConfig().As = ygot.Uint32(200) // so that members never lack one
		randomSettings(rng, (*transportConfig)(rec.GetOrCreateTransport().GetOrCreateConfig()),
			(*sourceConfig)(rec.GetOrCreateTransport().GetOrCreateConnectInterface().GetOrCreateConfig()),
			(*authConfig)(rec.GetOrCreateTransport().GetOrCreateAuthentication().GetOrCreateConfig()),
			(*timersConfig)(rec.GetOrCreateTimers().GetOrCreateConfig()))
	}
	for i := range 4 {
		if chance(rng, 3) {
			continue
		}
		k := bgp.PeerKey{Instance: key.Instance, VPN: key.VPN, Address: netip.AddrFrom4([4]byte{10, 2, 0, byte(i + 1)})}
		p := peerAt(tx, k)
		c := p.GetOrCreateConfig()
		if chance(rng, 2) {
			c.PeerGroup = ygot.String(oneOf(rng, groups...))
		} else {
			c.As = ygot.Uint32(oneOf(rng, uint32(100), 200, 300))
		}
		if chance(rng, 6) {
			c.Enabled = ygot.Bool(false)
		}
		c.Description = ygot.String(fmt.Sprint(rng.IntN(1000)))
		if chance(rng, 4) {
			n := gen.MooringTypes_AfiSafiName_ipv6_unicast
			p.GetOrCreateAfiSafis().GetOrCreateAfiSafi(n).GetOrCreateConfig().Name = n
		}
		randomSettings(rng, p.GetOrCreateTransport().GetOrCreateConfig(), source(p),
			p.Transport.GetOrCreateAuthentication().GetOrCreateConfig(), p.GetOrCreateTimers().GetOrCreateConfig())
	}
}

func randomSettings(rng *rand.Rand, tc *transportConfig, sc *sourceConfig, ac *authConfig, tm *timersConfig) {
	if chance(rng, 3) {
		tc.TcpMss = ygot.Uint16(oneOf(rng, uint16(1000), 1200))
	}
	switch rng.IntN(4) {
	case 0:
		tc.EbgpMaxHop = ygot.Uint8(oneOf(rng, uint8(1), 5))
	case 1:
		tc.ValidTtlHops = ygot.Uint8(oneOf(rng, uint8(1), 2))
	}
	if chance(rng, 4) {
		tc.Dscp = ygot.Uint8(oneOf(rng, uint8(10), 48))
	}
	if chance(rng, 4) {
		tc.ConnectMode = enumOf[connectModeEnum](oneOf(rng, bgp.ConnectBoth, bgp.ListenOnly))
	}
	switch rng.IntN(6) {
	case 0:
		sc.Interface = ygot.String(oneOf(rng, "LoopBack1", "LoopBack2", "missing"))
	case 1:
		sc.SourceAddress = ygot.String(oneOf(rng, "10.1.1.1", "10.1.1.9"))
	case 2:
		sc.InterfaceType, sc.InterfaceNumber = ygot.String("LoopBack"), ygot.String("1")
	}
	switch rng.IntN(5) {
	case 0:
		ac.Method, ac.Password = enumOf[authEnum](bgp.AuthMD5), ygot.String(oneOf(rng, "one", "two"))
	case 1:
		ac.Method = enumOf[authEnum](bgp.AuthNone)
	}
	if chance(rng, 3) {
		tm.HoldTime = ygot.Uint16(oneOf(rng, uint16(180), 90))
	}
	if chance(rng, 3) {
		tm.KeepaliveInterval = ygot.Uint16(oneOf(rng, uint16(10), 20))
	}
}

type authEnum = gen.E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_Transport_Authentication_Config_Method

// signatures is the oracle: everything of each peer whose change costs a
// reset, read leaf by leaf from the running records.
func signatures(r *rig) map[bgp.PeerKey]string {
	out := map[bgp.PeerKey]string{}
	snap := r.c.Store().Running()
	snap.Scan("", func(k schema.Key, rec ygot.GoStruct) bool {
		if k.Kind().Letter == schema.KindPeer {
			out[k.PeerKey()] = signature(r, snap, k, rec)
		}
		return true
	})
	return out
}

func hasSession(signature string) bool { return !strings.HasPrefix(signature, "down") }

func signature(r *rig, snap schema.Reader, k schema.Key, rec ygot.GoStruct) string {
	key := k.PeerKey()
	var group ygot.GoStruct
	if g := leafOf(rec, "config/peer-group"); g != "" {
		group = snap.Get(schema.PeerGroupKey(key.InstanceKey(), g))
	}
	inst, bv, vpn := snap.Get(schema.BGPInstanceKey(key.Instance)), snap.Get(schema.BGPVPNInstanceKey(key.InstanceKey())), snap.Get(schema.VPNInstanceKey(key.VPN))
	eff := func(leaf, def string) string { return first(leafOf(rec, leaf), leafOf(group, leaf), def) }
	either := func(leaves ...string) ygot.GoStruct { // whoever has one of them decides all
		for _, l := range leaves {
			if leafOf(rec, l) != "" {
				return rec
			}
		}
		return group
	}
	as, local := eff("config/as", ""), eff("config/local-as", leafOf(inst, "config/as"))
	hops := either("transport/config/ebgp-max-hop", "transport/config/valid-ttl-hops")
	ttl := first(leafOf(hops, "transport/config/ebgp-max-hop"), "1")
	if as == local {
		ttl = "kernel"
	}
	if v := leafOf(hops, "transport/config/valid-ttl-hops"); v != "" {
		ttl = "gtsm " + v
	}
	if effective.Impact("transport/config/valid-ttl-hops") != bgp.ImpactReset {
		ttl = "" // the kernel changes it on the live socket
	}
	auth := either("transport/authentication/config/method")
	const ci = "transport/connect-interface/config/"
	src := either(ci+"interface", ci+"interface-type", ci+"source-address")
	q := srcaddr.Query{Peer: key.Address, Interface: leafOf(src, ci+"interface") + leafOf(src, ci+"interface-type") + leafOf(src, ci+"interface-number")}
	if a := leafOf(src, ci+"source-address"); a != "" {
		q.Source = netip.MustParseAddr(a)
	}
	answer := r.net.Resolve(q)
	up := "up"
	switch {
	case leafOf(rec, "config/enabled") == "false":
		up = "down disabled"
	case !answer.Usable():
		up = "down unresolved"
	}
	fams := ""
	if leafOf(rec, "afi-safis/afi-safi[name=ipv6-unicast]/config/name") != "" {
		fams = "ipv6"
	}
	method := first(leafOf(auth, "transport/authentication/config/method"), "none")
	return strings.Join([]string{
		up, as, local, first(leafOf(bv, "config/router-id"), "default"), eff("transport/config/tcp-mss", ""), ttl,
		method, leafOf(auth, "transport/authentication/config/password"), answer.Source.String(),
		eff("timers/config/hold-time", "180"), fams, leafOf(vpn, "config/vrf-device"), first(leafOf(bv, "config/listen-port"), "179"),
	}, "|")
}

func first(vs ...string) string {
	for _, v := range vs {
		if v != "" {
			return v
		}
	}
	return ""
}

// leafOf reads one leaf by its path below the record, "" for none.
func leafOf(rec ygot.GoStruct, leaf string) string {
	if rec == nil {
		return ""
	}
	n := kindOf(rec)
	var p schema.Path
	for elem := range strings.SplitSeq(leaf, "/") {
		name, key, keyed := strings.Cut(strings.TrimSuffix(elem, "]"), "[name=")
		n = n.Child(name)
		if keyed {
			p = p.Append(n, key)
		} else {
			p = p.Append(n)
		}
	}
	if v, ok := schema.GetLeaf(rec, p); ok {
		return v.String()
	}
	return ""
}

func kindOf(rec ygot.GoStruct) *schema.Node {
	letter := map[string]byte{
		fmt.Sprintf("%T", &peerRec{}): schema.KindPeer, fmt.Sprintf("%T", &groupRec{}): schema.KindPeerGroup,
		fmt.Sprintf("%T", &instanceRec{}): schema.KindInstance, fmt.Sprintf("%T", &bgpVPNRec{}): schema.KindBGPVPNInstance,
		fmt.Sprintf("%T", &vpnRec{}): schema.KindVPNInstance,
	}[fmt.Sprintf("%T", rec)]
	return schema.KindOf(letter).Node
}
