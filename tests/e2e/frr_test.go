package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/server/gnmi/preview"
	"mooring/tests/netlab"
	"mooring/tests/runner"
)

// frrBed is a bgpd with an agent beside it, and a group of peers that all are up:
// the far side takes every source that it has a way back to.
type frrBed struct {
	*bed
	frr   *netlab.FRR
	peers []string // addresses
}

const (
	publicVPN  = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=_public_]"
	frrGroup   = publicVPN + "/peer-groups/peer-group[name=g]"
	frrSource  = frrGroup + "/transport/connect-interface/config/source-address"
	frrSource1 = "10.1.1.1"
	frrSource2 = "10.1.1.9"
	nowhere    = "172.16.3.1" // a source that the far side does not answer to
)

func newFRRBed(t *testing.T, n int) *frrBed {
	t.Helper()
	lab := netlab.New(t)
	b := &frrBed{bed: &bed{t: t, lab: lab, dut: lab.Namespace("dut"), far: lab.Namespace("far")}}
	lab.Link(b.dut, "vd", b.far, "vr")
	b.dut.AddAddr("vd", frrSource1+"/8")
	b.dut.AddAddr("vd", frrSource2+"/8")
	b.dut.AddAddr("vd", nowhere+"/32")
	members := make([]object, n)
	for i := range members {
		a := fmt.Sprintf("10.3.0.%d", i+1)
		b.far.AddAddr("vr", a+"/8")
		b.peers = append(b.peers, a)
		members[i] = object{"address": a, "config": object{"address": a, "peer-group": "g"}}
	}
	lab.Listener(b.far, netip.MustParseAddrPort("0.0.0.0:179"), netlab.RemoteConfig{
		AS: remoteAS, RouterID: netip.MustParseAddr("2.2.2.2"), HoldTime: 240 * time.Second,
	})
	b.frr = lab.StartFRR(b.dut)
	b.wire = lab.Capture(b.dut, "vd", 179)
	b.startFRR("")
	b.set(
		runner.Update("/agent/reset-control/config/max-concurrent", 1),
		runner.Update("/bgp/instances/instance[name=default]/config", object{"as": 100, "router-id": "1.1.1.1"}),
		runner.Update(frrGroup, object{
			"config":    object{"as": remoteAS},
			"timers":    object{"config": object{"connect-retry": 2}},
			"transport": object{"connect-interface": object{"config": from(frrSource1)}},
		}),
		runner.Update(publicVPN+"/peers", object{"peer": members}),
	)
	b.settled("all up", frrSource1)
	return b
}

// startFRR starts the agent beside bgpd, on the state of an earlier one or none.
func (b *frrBed) startFRR(stateDir string) {
	b.t.Helper()
	b.start(runner.Options{StateDir: stateDir, Backend: "frr", Args: []string{"--frr-vty", b.frr.Dir}})
}

// settled waits until all peers are up from a source, and nobody waits.
func (b *frrBed) settled(what, source string) {
	b.t.Helper()
	for end := time.Now().Add(3 * patience); ; time.Sleep(poll) {
		var ps struct{ Peer []peer }
		var waiting int
		b.read(publicVPN+"/peers", &ps)
		b.read("/agent/reset-control/state/pending-resets", &waiting)
		up := 0
		for _, p := range ps.Peer {
			if p.State.SessionState == "established" && p.Transport.State.LocalAddress == source {
				up++
			}
		}
		if up == len(b.peers) && waiting == 0 {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: %d of %d are up from %s, %d wait\non the wire:\n%s", what, up, len(b.peers), source, waiting, b.wire.View())
		}
	}
}

// oneByOne asserts that since the mark each peer got one Cease 6/6, and no second
// one before the first was established again.
func (b *frrBed) oneByOne(mark netlab.Mark) {
	b.t.Helper()
	v := b.wire.Since(mark)
	for _, m := range v.Notifications() {
		if m.Code != 6 || m.Subcode != 6 || m.To.Port() != 179 {
			b.t.Errorf("%v", m)
		}
	}
	ceases, most := ended(v)
	if len(v.Notifications()) != len(b.peers) || len(ceases) != len(b.peers) || most != 1 {
		b.t.Errorf("%d Ceases to %d of %d peers, %d down at once; want one each, one after the other\n%s",
			len(v.Notifications()), len(ceases), len(b.peers), most, v)
	}
}

// A change of the source of a group resets its peers one by one, with bgpd as
// the speaker. So does the repair of what was changed in bgpd while there was no
// agent.
func TestFRRPacing(t *testing.T) {
	t.Parallel()
	b := newFRRBed(t, 4)
	mark := b.wire.Mark()
	b.set(runner.Update(frrSource, frrSource2))
	b.settled("all up from the other source", frrSource2)
	b.oneByOne(mark)

	mark = b.wire.Mark()
	b.agent.Stop(t)
	commands := []string{"configure terminal", "router bgp 100"}
	for _, p := range b.peers {
		commands = append(commands, fmt.Sprintf("neighbor %s update-source %s", p, frrSource1))
	}
	b.frr.Vtysh(commands...)
	b.wire.WaitFor(t, patience, func(v netlab.View) bool {
		up := map[netip.AddrPort]bool{}
		for _, m := range v.Since(mark).Messages(nil) {
			if m.Type == netlab.TypeKeepalive && m.To.Addr().String() == frrSource1 {
				up[m.From] = true
			}
		}
		return len(up) == len(b.peers)
	})
	mark = b.wire.Mark()
	b.startFRR(b.agent.StateDir)
	b.settled("all up from the source that is configured", frrSource2)
	b.oneByOne(mark)
	for _, a := range b.peers {
		p := b.look(publicVPN + "/peers/peer[address=" + a + "]")
		if p.State.Resets.Backend != 1 || p.State.Transitions != 2 {
			t.Errorf("%s: %+v, want the session that was there and the one after the repair", a, p.State)
		}
	}
}

// A guarded change to a source from which no peer comes back is taken back by
// itself: bgpd has the old one again, and the sessions are up from it.
func TestFRRGuard(t *testing.T) {
	t.Parallel()
	b := newFRRBed(t, 2)
	b.set(runner.Update("/agent/reset-control/config/settle-timeout", 1))
	mark := b.wire.Mark()
	b.set(runner.Update(frrSource, nowhere), asking(&preview.Preview{Guard: &preview.Guard{TimeoutSeconds: 5}}))
	bgpd := func(source string) int {
		return strings.Count(b.frr.Vtysh("show running-config"), " update-source "+source+"\n")
	}
	for end := time.Now().Add(patience); bgpd(nowhere) != len(b.peers); time.Sleep(poll) {
		if time.Now().After(end) {
			t.Fatalf("bgpd does not have the new source for all peers:\n%s", b.frr.Vtysh("show running-config"))
		}
	}
	var h []commit
	for end := time.Now().Add(patience); ; time.Sleep(poll) {
		if h = b.history(); h[len(h)-1].Protocol == "guard" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("not rolled back: history %+v", h)
		}
	}
	if old, new := bgpd(frrSource1), bgpd(nowhere); old != len(b.peers) || new != 0 {
		t.Errorf("bgpd has the old source for %d peers and the new one for %d, of %d", old, new, len(b.peers))
	}
	b.settled("all up from the old source", frrSource1)
	if r := h[len(h)-2].Result; !strings.HasPrefix(r, "rolled back by commit "+h[len(h)-1].ID+": guard not met") {
		t.Errorf("result %q", r)
	}
	if n := b.wire.Since(mark).Notifications(); len(n) != len(b.peers) {
		t.Errorf("%d sessions ended, want each once: %v", len(n), n)
	}
}

// A session at another address than the source, which a remote that dials the old one
// gets from bgpd, does not meet a guard.
func TestFRRGuardElsewhere(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	b := &frrBed{bed: &bed{t: t, lab: lab, dut: lab.Namespace("dut"), far: lab.Namespace("far")}, peers: []string{"10.3.0.1"}}
	lab.Link(b.dut, "vd", b.far, "vr")
	b.dut.AddAddr("vd", frrSource1+"/8")
	b.dut.AddAddr("vd", nowhere+"/32")
	b.far.AddAddr("vr", b.peers[0]+"/8")
	lab.StartBIRD(b.far, netlab.BIRDConfig{RouterID: netip.MustParseAddr("2.2.2.2"), Protocols: []netlab.BIRDPeer{{
		Name: "dut", LocalAddr: netip.MustParseAddr(b.peers[0]), LocalAS: remoteAS,
		NeighborAddr: netip.MustParseAddr(frrSource1), NeighborAS: 100,
	}}})
	b.frr = lab.StartFRR(b.dut)
	b.wire = lab.Capture(b.dut, "vd", 179)
	b.startFRR("")
	b.set(
		runner.Update("/bgp/instances/instance[name=default]/config", object{"as": 100, "router-id": "1.1.1.1"}),
		runner.Update(frrGroup, object{
			"config": object{"as": remoteAS}, "transport": object{"connect-interface": object{"config": from(frrSource1)}},
		}),
		runner.Update(publicVPN+"/peers", object{"peer": []object{
			{"address": b.peers[0], "config": object{"address": b.peers[0], "peer-group": "g"}},
		}}),
	)
	b.settled("up", frrSource1)
	b.set(runner.Update(frrSource, nowhere), asking(&preview.Preview{Guard: &preview.Guard{TimeoutSeconds: 8}}))
	var h []commit
	for end := time.Now().Add(patience); ; time.Sleep(poll) {
		h = b.history()
		if last := h[len(h)-1]; last.Protocol == "guard" {
			break
		} else if last.Result == "ok" {
			t.Fatalf("the guard is met by a session at %s: %+v", frrSource1, last)
		}
		if time.Now().After(end) {
			t.Fatalf("not rolled back: history %+v", h)
		}
	}
	if r := h[len(h)-2].Result; !strings.Contains(r, "not at the source "+nowhere) {
		t.Errorf("result %q", r)
	}
	b.settled("up from the old source", frrSource1)
}
