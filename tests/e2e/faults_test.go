package e2e

import (
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

// A source address that no interface has is accepted: the peer waits for it
// and says so, dials from nowhere else, and comes up when it is there.
func TestSourceOnNoInterface(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	const source = "10.9.99.1"
	b.set(example(from(source))...)
	p := b.wait(peer1, atOnce, "not held down", func(p peer) bool { return p.State.DownReason == "source-missing" })
	if !contains(p.State.DownDetail, source, "add it") {
		t.Errorf("down-detail %q", p.State.DownDetail)
	}
	b.serves()
	if v := b.wire.Since(b.begin); len(v.SYNs(nil)) > 0 {
		t.Errorf("a peer without its source dials:\n%s", v)
	}
	b.dut.AddAddr("LoopBack1", source+"/32")
	b.cameUp(b.begin, b.waitUp(peer1, 1), source)
}

// The network namespace of a VPN instance is deleted under a session: the
// session ends with a Cease, the peer says why, others do not notice, and it
// comes up in the namespace that has the name next.
func TestNamespaceDeletedUnderSession(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	vpn, far := b.lab.Namespace("vpn"), b.lab.Namespace("vpnfar")
	const theirs, ours = "10.2.2.2", "10.2.2.1"
	b.lab.Link(far, "vr", vpn, "vd")
	far.AddAddr("vr", theirs+"/24")
	vpn.AddAddr("vd", ours+"/24")
	bird := b.lab.StartBIRD(far, netlab.BIRDConfig{RouterID: netip.MustParseAddr("3.3.3.3"), Protocols: []netlab.BIRDPeer{{
		Name: "dut", LocalAS: remoteAS, NeighborAddr: netip.MustParseAddr(ours), NeighborAS: 100, Passive: true,
	}}})
	inside := vpnInstance("vpn2", "100:2")
	inside["config"].(object)["network-namespace"] = vpn.Name
	b.set(whole([]object{vpnInstance("vpn1", "100:1"), inside}, instanceIn("default", 100, "1.1.1.1",
		vpnIn("vpn1", object{}, peerIn(remote, name("LoopBack1"))), vpnIn("vpn2", object{}, peerIn(theirs, name("vd")))))...)
	peer2 := peerPath("default", "vpn2", theirs)
	b.waitUp(peer1, 1)
	b.waitUp(peer2, 1)

	vpn.Delete()
	p := b.wait(peer2, patience, "not held down", func(p peer) bool {
		return p.State.DownReason == "namespace-missing" && p.State.SessionState == "idle"
	})
	if p.State.Resets.Source != 1 || !contains(p.State.DownDetail, vpn.Name) {
		t.Errorf("state %+v", p.State)
	}
	b.serves()
	if p := b.look(peer1); p.State.SessionState != "established" || p.State.Transitions != 1 {
		t.Errorf("the peer of the other VPN instance noticed: %+v", p.State)
	}
	if _, err := bird.Ctl("show", "status"); err != nil {
		t.Fatal(err)
	}

	far.DelLink("vr") // the other end lives as long as anything is open in the old namespace
	vpn.Again()
	b.lab.Link(far, "vr", vpn, "vd")
	far.AddAddr("vr", theirs+"/24")
	vpn.AddAddr("vd", ours+"/24")
	b.waitUp(peer2, 2)
}

// Remotes that end every connection at once, for ever: one before a word, one
// with a NOTIFICATION, one that lets the session come up first. The rate is
// bounded, the state says what happens, and neither the agent nor another
// session suffers.
func TestRemoteResetsForEver(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	const mute, flapping = "10.1.1.7", "10.1.1.8"
	b.far.AddAddr("vr", mute+"/24")
	b.far.AddAddr("vr", flapping+"/24")
	closed := closeAtOnce(t, b.far, mute+":1790")
	flaps := b.lab.Listener(b.far, netip.MustParseAddrPort(flapping+":1790"), netlab.RemoteConfig{
		AS: remoteAS, RouterID: netip.MustParseAddr("4.4.4.4"), HoldTime: 90 * time.Second,
	})
	stop := endAtOnce(t, flaps)
	port := func(p object) object {
		p["transport"] = object{"config": object{"remote-port": 1790}, "connect-interface": object{"config": from(direct)}}
		return p
	}
	refused := peerIn(remote, name("LoopBack2")) // BIRD takes it for another AS
	refused["config"].(object)["local-as"] = 65000
	b.set(whole([]object{vpnInstance("vpn1", "100:1"), vpnInstance("vpn2", "100:2")}, instanceIn("default", 100, "1.1.1.1",
		vpnIn("vpn1", object{}, peerIn(remote, name("LoopBack1")), port(peerIn(mute, nil)), port(peerIn(flapping, nil))),
		vpnIn("vpn2", object{"listen-port": 0}, refused)))...)
	b.waitUp(peer1, 1)
	// Whatever the machine, this is how long the storm may blow.
	const storm = 10 * time.Second
	time.Sleep(storm)
	b.serves()
	sessions := len(flaps.Sessions())
	stop()

	// Attempts get rarer exponentially; a session that ends is followed by 5 s of rest.
	p := b.look(peerPath("default", "vpn1", mute))
	if n := closed.Load(); n < 2 || n > 100 {
		t.Errorf("dialled %d times in %v", n, storm)
	}
	if f := p.failures("closed"); f == 0 || !contains(p.State.LastConnectError, "closed the connection") {
		t.Errorf("state %+v", p.State)
	}
	p = b.look(peerPath("default", "vpn2", remote))
	if f := p.failures("rejected"); f == 0 || f > 6 || !contains(p.State.LastConnectError, "refused our OPEN") {
		t.Errorf("%d OPENs were refused: %+v", f, p.State)
	}
	p = b.look(peerPath("default", "vpn1", flapping))
	if sessions < 2 || sessions > 6 || p.State.Resets.Remote == 0 || p.State.LastReset.Cause != "remote" || p.State.LastReset.Subcode != 4 {
		t.Errorf("%d sessions in %v: %+v", sessions, storm, p.State)
	}
	if p := b.look(peer1); p.State.Transitions != 1 || p.State.SessionState != "established" {
		t.Errorf("a session that has nothing to do with it suffers: %+v", p.State)
	}
}

// Addresses come and go while commits change the source: what is up at the end
// is what is configured, from the address that is there, and nothing more
// happens. Every end of a session has a cause that the state counts.
func TestAddressesChangeUnderCommits(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // netlab's methods may end the test, so they are not for other goroutines
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(30 * time.Millisecond):
			}
			verb := []string{"add", "del"}[i%2]
			for _, a := range [][2]string{{"LoopBack1", loopBack1b}, {"LoopBack2", loopBack2}} {
				_ = b.dut.Command("ip", "addr", verb, a[1]+"/32", "dev", a[0]).Run() // the address of LoopBack2 is there at first
			}
		}
	}()
	const commits = 40
	for i := range commits {
		_, err := b.gnmi.Change(b.ctx(), runner.Replace(source1, object{"config": name([]string{"LoopBack2", "LoopBack1"}[i%2])}))
		if err != nil && !strings.Contains(err.Error(), "several addresses") { // what the command asks for then
			t.Fatal(err)
		}
	}
	close(stop)
	<-done
	_ = b.dut.Command("ip", "addr", "del", loopBack1b+"/32", "dev", "LoopBack1").Run() // it may be gone
	_ = b.dut.Command("ip", "addr", "add", loopBack2+"/32", "dev", "LoopBack2").Run()  // it may be there
	b.set(runner.Replace(source1, object{"config": name("LoopBack2")}))
	p := b.wait(peer1, patience, "not up from LoopBack2", func(p peer) bool {
		return p.State.SessionState == "established" && p.Transport.State.LocalAddress == loopBack2
	})
	mark := b.wire.Mark()
	time.Sleep(time.Second)
	if v := b.wire.Since(mark); len(v.Notifications()) > 0 || len(v.SYNs(nil)) > 0 {
		t.Errorf("it is not over:\n%s", v)
	}
	r := p.State.Resets
	if ends := r.Commit + r.Source + r.Remote + r.Operator + r.Backend; ends != p.State.Transitions-1 || r.Operator+r.Backend > 0 {
		t.Errorf("%d sessions and resets %+v: one end of each but the last, and none by the backend", p.State.Transitions, r)
	}
	// What a connection says whose address is gone already does not leave, its FIN neither.
	seen, ended := b.wire.View(), map[netip.AddrPort]bool{}
	for _, s := range append(seen.FINs(nil), seen.RSTs(nil)...) {
		ended[s.From] = true
	}
	silent := uint64(0)
	for _, m := range seen.Opens() {
		if m.To.Port() == 179 && !ended[m.From] {
			silent++
		}
	}
	if n := uint64(len(seen.Notifications())); n+silent-1 < r.Commit+r.Source { // the last one is up
		t.Errorf("%d NOTIFICATIONs and %d connections without an end for %d resets of ours", n, silent-1, r.Commit+r.Source)
	}
}

// closeAtOnce accepts connections and closes them; it counts them.
func closeAtOnce(t *testing.T, n *netlab.Namespace, at string) *atomic.Int64 {
	t.Helper()
	var l net.Listener
	err := n.Do(func() (err error) {
		l, err = net.Listen("tcp", at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_ = c.Close() // the point of it
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return &count
}

// endAtOnce ends each session of a remote as soon as it is established.
func endAtOnce(t *testing.T, r *netlab.Remote) (stop func()) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for ended := 0; ; {
			select {
			case <-quit:
				return
			case <-time.After(poll):
			}
			all := r.Sessions()
			for ; ended < len(all) && all[ended].Established(); ended++ {
				_ = all[ended].Notify(netlab.Notification{Code: 6, Subcode: 4}) // or the agent was faster
			}
		}
	}()
	var once atomic.Bool
	stop = func() {
		if once.CompareAndSwap(false, true) {
			close(quit)
			<-done
		}
	}
	t.Cleanup(stop)
	return stop
}
