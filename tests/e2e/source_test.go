package e2e

import (
	"slices"
	"testing"

	"mooring/tests/runner"
)

// The command's own example, with LoopBack1 as the name of an interface and as
// an alternative name of one.
func TestCommandExample(t *testing.T) {
	for _, tc := range []struct{ name, device, altname string }{
		{"interface name", "LoopBack7", ""},
		{"alternative name", "lb7", "LoopBack7"},
		{"alternative name with a slash", "lb7", "LoopBack7/0/1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, runner.Options{})
			b.loopBack(tc.device, "10.9.7.1/32")
			connect := name("LoopBack7")
			if tc.altname != "" {
				b.dut.AddAltname(tc.device, tc.altname)
			}
			if tc.altname == "LoopBack7/0/1" {
				connect = object{"interface-type": "LoopBack", "interface-number": "7/0/1"}
			}
			b.set(example(connect)...)
			p := b.waitUp(peer1, 1)
			b.cameUp(b.begin, p, "10.9.7.1")
			c := b.wire.Connections()[0]
			if c.ClientOpen.AS != 100 || c.ClientOpen.RouterID.String() != "1.1.1.1" || c.Server.String() != remote+":179" {
				t.Errorf("connection %+v, want AS 100 and router ID 1.1.1.1 to %s:179", c, remote)
			}
			if n := b.wire.Notifications(); len(n) != 0 {
				t.Errorf("notifications %v, want none", n)
			}
			if s := p.Transport.ConnectInterface.State; s.ResolvedInterface != tc.device || s.ResolvedSource != "10.9.7.1" {
				t.Errorf("connect-interface/state = %+v, want %s of %s", s, "10.9.7.1", tc.device)
			}
			if p.State.Transitions != 1 || p.State.DownReason != "" {
				t.Errorf("state = %+v, want one transition and no down-reason", p.State)
			}
			var rd string
			b.read("/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/state/route-distinguisher", &rd)
			if rd != "100:1" {
				t.Errorf("route-distinguisher in state = %q", rd)
			}
		})
	}
}

// Every form of the command, each in the place of the one before, and its undo.
// Each costs one reset.
func TestForms(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.loopBack("LoopBack3", "10.9.3.1/32", "10.9.3.2/32")
	b.set(example(nil)...)
	b.cameUp(b.begin, b.waitUp(peer1, 1), direct) // the kernel's choice
	for _, form := range []struct {
		name    string
		connect object
		source  string
		device  string
	}{
		{"address only", from(loopBack1), loopBack1, "LoopBack1"},
		{"interface only", name("LoopBack2"), loopBack2, "LoopBack2"},
		{"interface and address", object{"interface": "LoopBack3", "source-address": "10.9.3.2"}, "10.9.3.2", "LoopBack3"},
		{"type and number", object{"interface-type": "LoopBack", "interface-number": "1"}, loopBack1, "LoopBack1"},
		{"type, number and address", object{"interface-type": "LoopBack", "interface-number": "3", "source-address": "10.9.3.1"}, "10.9.3.1", "LoopBack3"},
	} {
		_, p := b.resetOnce(peer1, form.source, func() {
			b.set(runner.Replace(source1, object{"config": form.connect}))
		})
		if s := p.Transport.ConnectInterface.State; s.ResolvedInterface != form.device || s.ResolvedSource != form.source {
			t.Errorf("%s: connect-interface/state = %+v, want %s of %s", form.name, s, form.source, form.device)
		}
	}
	_, p := b.resetOnce(peer1, direct, func() { b.set(runner.Delete(source1)) })
	if s := p.Transport.ConnectInterface.State; s.ResolvedSource != "" {
		t.Errorf("after undo: connect-interface/state = %+v, want no resolved source", s)
	}
	if want := "transport/connect-interface/config/source-address: 10.9.3.1 -> 10.1.1.1"; !slices.Contains(p.State.LastReset.Leaf, want) {
		t.Errorf("last-reset/leaf = %q, want %q", p.State.LastReset.Leaf, want)
	}
}

// IPv6 peers and sources behave like IPv4 ones.
func TestIPv6(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	const one, two = "2001:db8:9:1::1", "2001:db8:9:2::1"
	b.dut.AddAddr("LoopBack1", one+"/128")
	b.dut.AddAddr("LoopBack2", two+"/128")
	peer6 := peerPath("default", "vpn1", remote6)
	b.set(whole([]object{vpnInstance("vpn1", "100:1")},
		instanceIn("default", 100, "1.1.1.1", vpnIn("vpn1", object{}, peerIn(remote6, name("LoopBack1")))))...)
	b.cameUp(b.begin, b.waitUp(peer6, 1), one)
	// The same address in another spelling: no change, no reset.
	b.resetOnce(peer6, two, func() {
		b.set(runner.Update(peer6+"/transport/connect-interface/config", object{"source-address": "2001:DB8:9:1:0::1"}))
		b.set(runner.Replace(peer6+"/transport/connect-interface", object{"config": name("LoopBack2")}))
	})
	b.resetOnce(peer6, "2001:db8:1::1", func() { b.set(runner.Delete(peer6 + "/transport/connect-interface")) })
}

// A peer without a source of its own has its group's.
func TestPeerGroup(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	group := vpn1 + "/peer-groups/peer-group[name=g]"
	member := object{"address": remote, "config": object{"address": remote, "peer-group": "g"}} // its AS is the group's
	vpn := vpnIn("vpn1", object{}, member)
	vpn["peer-groups"] = object{"peer-group": []object{{
		"name": "g", "config": object{"name": "g", "as": remoteAS},
		"transport": object{"connect-interface": object{"config": name("LoopBack1")}},
	}}}
	b.set(whole([]object{vpnInstance("vpn1", "100:1")}, instanceIn("default", 100, "1.1.1.1", vpn))...)
	b.cameUp(b.begin, b.waitUp(peer1, 1), loopBack1)

	groupSource := group + "/transport/connect-interface"
	b.resetOnce(peer1, loopBack2, func() { b.set(runner.Replace(groupSource, object{"config": name("LoopBack2")})) })
	// Overridden by the peer; what the group does then is nothing to it.
	b.resetOnce(peer1, loopBack1, func() { b.set(runner.Update(source1+"/config", name("LoopBack1"))) })
	_, p := b.resetOnce(peer1, direct, func() {
		b.set(runner.Replace(groupSource, object{"config": from(direct)}))
		b.set(runner.Delete(source1)) // only this may reset
	})
	if got := b.history(); len(got[len(got)-2].Reset) != 0 || len(got[len(got)-1].Reset) != 1 {
		t.Errorf("the resets of the last commits are %+v, want none and then one", got)
	}
	if p.State.LastReset.CommitID == "" || p.State.Resets.Remote != 0 {
		t.Errorf("state = %+v", p.State)
	}
}
