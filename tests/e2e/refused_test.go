package e2e

import (
	"testing"

	"mooring/tests/runner"
)

// What the command refuses, both front ends refuse, with the path and the
// reason, and nothing changes.
func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.loopBack("LoopBack3", "10.9.3.1/32", "10.9.3.2/32")
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	mark := b.wire.Mark()
	stranger := peerPath("default", "vpn1", "10.1.1.9")
	for _, tc := range []struct {
		name  string
		code  string
		texts []string
		op    runner.Op
	}{
		{
			"peer without AS", "InvalidArgument",
			[]string{"10.1.1.9", "AS number"},
			runner.Update(stranger, object{"config": object{"address": "10.1.1.9"}}),
		},
		{
			"source of a peer without AS", "InvalidArgument",
			[]string{"10.1.1.9", "AS number"},
			runner.Update(stranger+"/transport/connect-interface/config/interface", "LoopBack1"),
		},
		{
			"AS taken away", "InvalidArgument",
			[]string{remote, "AS number"},
			runner.Delete(peer1 + "/config/as"),
		},
		{
			"interface with two addresses", "InvalidArgument",
			[]string{remote, "LoopBack3", "10.9.3.1", "10.9.3.2", "source-address"},
			runner.Update(source1+"/config/interface", "LoopBack3"),
		},
		{
			"source of the other family", "InvalidArgument",
			[]string{remote, "same address family"},
			runner.Replace(source1, object{"config": from("2001:db8:1::1")}),
		},
		{
			"type without number", "InvalidArgument",
			[]string{"interface-type", "interface-number"},
			runner.Replace(source1, object{"config": object{"interface-type": "LoopBack"}}),
		},
		{
			"name with a space", "InvalidArgument",
			[]string{"connect-interface/config/interface"},
			runner.Update(source1+"/config/interface", "Loop Back1"),
		},
		{
			"out of range", "InvalidArgument",
			[]string{"tcp-mss", "176"},
			runner.Update(peer1+"/transport/config/tcp-mss", 100),
		},
		{
			"state", "InvalidArgument",
			[]string{"session-state"},
			runner.Update(peer1+"/state/session-state", "idle"),
		},
		{
			"unknown leaf", "NotFound",
			[]string{"colour"},
			runner.Update(peer1+"/config/colour", "red"),
		},
		{
			"unknown member", "InvalidArgument",
			[]string{"colour"},
			runner.Update(peer1+"/config", object{"colour": "red"}),
		},
		{
			"value that the backend has not", "FailedPrecondition",
			[]string{remote, "hold-time"},
			runner.Update(peer1+"/timers/config/hold-time", 0),
		},
		{
			"unknown VPN instance", "InvalidArgument",
			[]string{"vpn9"},
			runner.Update("/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn9]/config/name", "vpn9"),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inner := *b
			inner.t = t
			inner.refused(tc.code, tc.texts, tc.op)
		})
	}

	n := b.agent.NETCONF(t)
	inPeer := func(xml string) string { return peerXML(remote, xml) }
	for _, tc := range []struct {
		name, tag string
		texts     []string
		config    string
	}{
		{"peer without AS", "operation-failed", []string{"10.1.1.9", "AS number"}, peerXML("10.1.1.9", "")},
		{"interface with two addresses", "invalid-value", []string{remote, "LoopBack3", "10.9.3.1", "10.9.3.2"}, inPeer(sourceXML("<interface>LoopBack3</interface>"))},
		{"unknown element", "unknown-element", []string{"colour"}, inPeer("<config><colour>red</colour></config>")},
		{"out of range", "invalid-value", []string{"tcp-mss"}, inPeer("<transport><config><tcp-mss>100</tcp-mss></config></transport>")},
	} {
		t.Run("NETCONF "+tc.name, func(t *testing.T) {
			before := b.revision()
			refusedRPC(t, n.EditConfig("running", tc.config), tc.tag, tc.texts...)
			if after := b.revision(); after != before {
				t.Errorf("a refused edit changed revision %d to %d", before, after)
			}
		})
	}
	if v := b.wire.Since(mark); len(v.SYNs(nil)) != 0 || len(v.Notifications()) != 0 {
		t.Errorf("a refused change was seen on the wire:\n%s", v)
	}
	if p := b.look(peer1); p.State.Transitions != 1 || p.State.SessionState != "established" {
		t.Errorf("the session noticed: %+v", p.State)
	}
}
