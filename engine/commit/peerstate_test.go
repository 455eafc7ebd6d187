package commit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/ygot/ygot"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/operstate"
	"mooring/engine/schema"
)

// manyStates puts peers in, of which one after the other shows more and less,
// and returns their keys.
func manyStates(r *rig) []schema.Key {
	r.Helper()
	r.mustEdit(func(tx schema.Tx) {
		example(tx)
		g := groupAt(tx, vpn1, "core")
		g.GetOrCreateTransport().GetOrCreateConfig().TcpMss = ygot.Uint16(1000)
		for _, a := range []string{"10.1.1.3", "10.1.1.4", "10.1.1.5", "10.1.1.6", "2001:db8::7"} {
			peerAt(tx, peerOf(vpn1, a)).GetOrCreateConfig().As = ygot.Uint32(300)
		}
		p := peerAt(tx, peerOf(vpn1, "10.1.1.3"))
		p.Config.PeerGroup, p.Config.Description = ygot.String("core"), ygot.String("full")
		p.GetOrCreateTimers().GetOrCreateConfig().HoldTime = ygot.Uint16(30)
		p.GetOrCreateTransport().GetOrCreateConfig().PathMtuDiscovery = ygot.Bool(true)
		p.Transport.Config.ValidTtlHops = ygot.Uint8(3)
		p.GetOrCreateAfiSafis().GetOrCreateAfiSafi(enumOf[familyName](bgp.IPv4Unicast))
		p.AfiSafis.GetOrCreateAfiSafi(enumOf[familyName](bgp.VPNv4Unicast))
		auth := p.Transport.GetOrCreateAuthentication().GetOrCreateConfig()
		auth.Method, auth.Password = enumOf[authEnum](bgp.AuthMD5), ygot.String("secret")
		peerAt(tx, peerOf(vpn1, "10.1.1.5")).Config.Enabled = ygot.Bool(false)
	})
	now := time.Now()
	failures := &bgp.ConnectFailures{}
	refused := &failures[bgp.FailedRefused]
	refused.Count, refused.Last, refused.Text = 2, now, "refused"
	r.change("10.1.1.3", func(e *operstate.Entry) {
		e.State = &bgp.PeerState{
			Session: bgp.StateEstablished, LastEstablished: now, Transitions: 3, HoldTime: 9 * time.Second, RemoteRouterID: netip.MustParseAddr("9.9.9.9"),
			Socket: bgp.Socket{
				Local: netip.MustParseAddrPort("10.1.1.1:1000"), Remote: netip.MustParseAddrPort("10.1.1.3:179"), Interface: "eth0", MSS: 900, TTL: 3, PathMTU: 1500,
			},
			Families: []bgp.FamilyState{{Family: bgp.IPv4Unicast, Active: true, Received: 5, Sent: 6}}, Failures: failures, ConnectError: "refused", Drift: "as 5",
			LastReset: &bgp.Reset{Time: now, Cause: bgp.CauseCommit, CommitID: "c1", Text: "why"},
		}
		e.State.Resets[bgp.CauseCommit] = 7
	})
	r.change("10.1.1.4", func(e *operstate.Entry) { e.Applied = nil })
	r.change("10.1.1.6", func(e *operstate.Entry) { *e = operstate.Entry{} })
	var keys []schema.Key
	for _, a := range []string{"10.1.1.2", "10.1.1.3", "10.1.1.4", "10.1.1.5", "10.1.1.6", "2001:db8::7", "192.0.2.99"} {
		keys = append(keys, schema.PeerKey(peerOf(vpn1, a)))
	}
	return append(keys, schema.BGPVPNInstanceKey(vpn1), schema.PeerGroupKey(vpn1, "core"), schema.BGPInstanceKey("default"), schema.AgentKey())
}

// Whether the backend told of a peer is not asked of its states.
func TestTold(t *testing.T) {
	r := quietRig(t, t.TempDir(), fake.New(fake.Options{}), newNetwork())
	sub := r.c.Subscribe()
	defer sub.Close()
	edit := func(fn func(*peerRec)) func() {
		return func() { r.mustEdit(func(tx schema.Tx) { fn(peerAt(tx, thePeer)) }) }
	}
	for _, step := range []struct {
		name string
		do   func()
		told bool
	}{
		{"it is new", func() { r.mustEdit(example) }, true},
		{"it comes up", func() {
			r.c.observe(thePeer, time.Now(), func(st *bgp.PeerState) { st.Session = bgp.StateEstablished })
		}, true},
		{"its description changes", edit(func(p *peerRec) { p.Config.Description = ygot.String("told") }), false},
		{"its MSS changes", edit(func(p *peerRec) { p.GetOrCreateTransport().GetOrCreateConfig().TcpMss = ygot.Uint16(1000) }), true},
		{"it is gone", func() { r.mustEdit(func(tx schema.Tx) { tx.Delete(schema.PeerKey(thePeer)) }) }, true},
	} {
		step.do()
		r.collect(sub, step.name, func(ch *Change) bool {
			if ch.Key != schema.PeerKey(thePeer) {
				return false
			}
			if got := Told(ch); got != step.told {
				t.Errorf("%s: told %t, want %t", step.name, got, step.told)
			}
			return true
		})
	}
}

// change changes what is known of a peer of vpn1.
func (r *rig) change(address string, fn func(*operstate.Entry)) {
	r.c.oper.Update(peerOf(vpn1, address), func(e operstate.Entry) operstate.Entry {
		fn(&e)
		return e
	})
}

// A state that is lent is the same as one to be kept, whatever was lent before
// it; and what is kept does not change when another one is lent, nor when it is
// rendered.
func TestLentStateIsState(t *testing.T) {
	r := quietRig(t, t.TempDir(), fake.New(fake.Options{}), newNetwork())
	keys := manyStates(r)
	v := r.c.View()
	kept := map[schema.Key]ygot.GoStruct{}
	for _, k := range keys {
		kept[k] = v.State(k)
	}
	rich := kept[keys[1]].(*peerRec)
	if rich.State.LastReset == nil || len(rich.AfiSafis.AfiSafi) != 2 || len(rich.Effective.Value) < 6 || rich.Transport.State.LocalAddress == nil {
		t.Fatalf("the state does not show much: %+v", rich.State)
	}
	for _, before := range keys {
		for _, k := range keys {
			schema.LendState(v, before)
			if diff := cmp.Diff(kept[k], schema.LendState(v, k)); diff != "" {
				t.Errorf("%s lent after %s (-kept +lent):\n%s", k, before, diff)
			}
		}
	}
	fresh := r.c.View()
	for _, k := range keys {
		if diff := cmp.Diff(fresh.State(k), kept[k]); diff != "" {
			t.Errorf("%s changed after it was rendered (-want +kept):\n%s", k, diff)
		}
	}
}

// The states of a change are its own: neither a walk through everything, nor
// another change of the peer, nor its own other state overwrites them.
func TestStatesOfChangeAreKept(t *testing.T) {
	r := quietRig(t, t.TempDir(), fake.New(fake.Options{}), newNetwork())
	keys := manyStates(r)
	sub := r.c.Subscribe()
	defer sub.Close()
	r.mustEdit(func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String("told") })
	told := func(ch *Change) bool {
		c, _ := ch.New.Config.(*peerRec)
		return ch.Key == schema.PeerKey(thePeer) && c.GetConfig().Description != nil
	}
	r.collect(sub, "the description", func(ch *Change) bool {
		if !told(ch) {
			return false
		}
		old, now := States(ch)
		again, _ := States(ch)
		for _, k := range keys {
			schema.LendState(r.c.View(), k)
			r.c.View().State(k)
		}
		if o, n := old.(*peerRec), now.(*peerRec); o == n || o.State.Description != nil || *n.State.Description != "told" {
			t.Errorf("old %+v, new %+v", o.State, n.State)
		}
		if diff := cmp.Diff(old, again); diff != "" {
			t.Errorf("the old state changed:\n%s", diff)
		}
		return true
	})
}
