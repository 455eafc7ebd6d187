package frr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
	"mooring/tests/netlab"
)

const (
	zebraPath = "/usr/lib/frr/zebra"
	bgpdPath  = "/usr/lib/frr/bgpd"
)

// requireFRR fails under CI, and elsewhere skips, where FRR is missing.
func requireFRR(t testing.TB) *user.User {
	t.Helper()
	netlab.Require(t)
	_, err := os.Stat(bgpdPath)
	var frr *user.User
	if err == nil {
		frr, err = user.Lookup("frr")
	}
	if err == nil {
		return frr
	}
	reason := fmt.Sprintf("needs FRR: install the Debian package frr (%v)", err)
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return nil
}

// daemonOptions are how a lab's bgpd is started.
type daemonOptions struct {
	noBMP  bool
	mute   bool   // zebra tells bgpd nothing until speak
	config string // of bgpd, at its start
}

// lab is an FRR in a namespace of its own whose VRFs are two more namespaces
// (zebra -n), each joined with one for remotes:
//
//	dut: zebra, bgpd    v0 ── vd 10.9.0.1.. ═══ vr 10.9.0.101.. ── r0
//	                    v1 ── vd 10.9.0.1.. ═══ vr 10.9.0.101.. ── r1
type lab struct {
	t        testing.TB
	opt      daemonOptions
	uid, gid int    // of the daemons
	dir      string // of the vty sockets
	net      *netlab.Lab
	dut      *netlab.Namespace
	vrf, far [2]*netlab.Namespace
	zebra    *daemon
	bgpd     *daemon
}

type daemon struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// labs are made one at a time: iproute2 shares a mount table among them.
var labs sync.Mutex

func newLab(t testing.TB, opt daemonOptions) *lab {
	t.Helper()
	frr := requireFRR(t)
	labs.Lock()
	defer labs.Unlock()
	net := netlab.New(t)
	l := &lab{t: t, opt: opt, net: net, dut: net.Namespace("dut")}
	for i := range l.vrf {
		l.vrf[i], l.far[i] = net.Namespace(fmt.Sprintf("v%d", i)), net.Namespace(fmt.Sprintf("r%d", i))
		net.Link(l.vrf[i], "vd", l.far[i], "vr")
		for n := range 4 {
			l.vrf[i].AddAddr("vd", source(n).String()+"/24")
			l.vrf[i].AddAddr("vd", source6(n).String()+"/64")
			l.far[i].AddAddr("vr", remote(n).String()+"/24")
			l.far[i].AddAddr("vr", remote6(n).String()+"/64")
		}
		l.vrf[i].AddAddr("vd", otherSource.String()+"/24")
	}
	dir, err := os.MkdirTemp("", "frr")
	if err != nil {
		t.Fatal(err)
	}
	l.dir = dir
	t.Cleanup(func() { os.RemoveAll(dir) })
	l.uid, _ = strconv.Atoi(frr.Uid)
	l.gid, _ = strconv.Atoi(frr.Gid)
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(l.path("bgpd.conf"), []byte(opt.config), 0o640),
		os.Chown(l.path("bgpd.conf"), l.uid, l.gid), os.Chown(dir, l.uid, l.gid)); err != nil {
		t.Fatal(err)
	}
	l.startZebra()
	if opt.mute {
		l.signalZebra(unix.SIGSTOP)
	}
	l.startBGPD()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, c := range []string{"show running-config", "show bgp vrf all neighbors"} {
			text, err := l.try(c)
			t.Logf("%s: %v\n%s", c, err, text)
		}
		log, err := os.ReadFile(l.path("bgpd.log"))
		t.Logf("log of bgpd: %v\n%s", err, log)
	})
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

// The addresses of the i-th peer of an instance.
func source(i int) netip.Addr  { return netip.AddrFrom4([4]byte{10, 9, 0, byte(1 + i)}) }
func remote(i int) netip.Addr  { return netip.AddrFrom4([4]byte{10, 9, 0, byte(101 + i)}) }
func source6(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 1+i)) }
func remote6(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 101+i)) }

var otherSource = netip.MustParseAddr("10.9.0.51")

// startZebra starts zebra with a view of the namespaces of this lab only.
func (l *lab) startZebra() {
	l.t.Helper()
	var s strings.Builder
	fmt.Fprintf(&s, "set -e\nmkdir %[1]s\nmount -t tmpfs tmpfs %[1]s\n", l.path("ns"))
	for _, n := range l.vrf {
		fmt.Fprintf(&s, "touch %[1]s/%[2]s\nmount --bind %[3]s %[1]s/%[2]s\n", l.path("ns"), n.Name, n.Path)
	}
	fmt.Fprintf(&s, "mount --rbind %s /run/netns\n", l.path("ns"))
	fmt.Fprintf(&s, "exec %s -n -f /dev/null -i %s -z %s --vty_socket %s -P 0 --log file:%s\n",
		zebraPath, l.path("zebra.pid"), l.path("zserv.api"), l.dir, l.path("zebra.log"))
	l.zebra = l.start(l.dut.Command("unshare", "-m", "--propagation", "private", "sh", "-c", s.String()))
	l.waitFor("zebra.vty")
	l.waitFor("zserv.api")
}

// speak lets a mute zebra tell bgpd of the VRFs.
func (l *lab) speak() { l.signalZebra(unix.SIGCONT) }

func (l *lab) signalZebra(s unix.Signal) {
	l.t.Helper()
	if err := l.zebra.cmd.Process.Signal(s); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) startBGPD() {
	l.t.Helper()
	args := []string{
		"-t", strconv.Itoa(l.zebra.cmd.Process.Pid), "-m", "-n", bgpdPath,
		"-f", l.path("bgpd.conf"), "-i", l.path("bgpd.pid"), "-z", l.path("zserv.api"),
		"--vty_socket", l.dir, "-P", "0", "--log", "file:" + l.path("bgpd.log"),
	}
	if !l.opt.noBMP {
		args = append(args, "-M", "bmp")
	}
	os.Remove(l.path("bgpd.vty"))
	l.bgpd = l.start(exec.Command("nsenter", args...))
	l.waitFor("bgpd.vty")
	wait(l.t, 20*time.Second, "bgpd's answer", func() bool { _, err := l.try("show version"); return err == nil })
}

func (l *lab) start(cmd *exec.Cmd) *daemon {
	l.t.Helper()
	d := &daemon{cmd: cmd, exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		defer close(d.exited)
		_ = cmd.Wait() // it is killed
	}()
	l.t.Cleanup(d.kill)
	return d
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Signal(unix.SIGKILL) // or it has ended
	<-d.exited
}

func (l *lab) waitFor(file string) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(l.path(file)); err == nil {
			return
		}
	}
	log, _ := os.ReadFile(l.path("bgpd.log"))
	l.t.Fatalf("no %s after 20 s; log of bgpd:\n%s", file, log)
}

// by runs commands in bgpd as an operator would in vtysh, and returns the
// text of the last.
func (l *lab) by(commands ...string) string {
	l.t.Helper()
	text, err := l.try(commands...)
	if err != nil {
		l.t.Fatal(err)
	}
	return text
}

func (l *lab) try(commands ...string) (string, error) {
	v, err := dialVTY(context.Background(), l.dir)
	if err != nil {
		return "", err
	}
	defer v.close()
	text := ""
	for _, c := range commands {
		if text, err = v.run(c); err != nil {
			return "", err
		}
	}
	return text, nil
}

func (l *lab) instance(i int) *bgp.InstanceSpec {
	return &bgp.InstanceSpec{
		Key: bgp.InstanceKey{Instance: "default", VPN: fmt.Sprintf("vpn%d", i)}, AS: 65001,
		RouterID: netip.MustParseAddr("1.1.1.1"), Namespace: l.vrf[i].Name, Port: 179,
	}
}

func (l *lab) peer(i, n int) *bgp.PeerSpec {
	in := l.instance(i)
	return &bgp.PeerSpec{
		Key:      bgp.PeerKey{Instance: in.Key.Instance, VPN: in.Key.VPN, Address: remote(n)},
		RemoteAS: 65100 + uint32(n), LocalAS: in.AS, RouterID: in.RouterID,
		Source: source(n), Interface: "vd", RemotePort: 179, TTL: 1, DSCP: defaultDSCP,
		HoldTime: 90 * time.Second, Keepalive: 30 * time.Second, ConnectRetry: 5 * time.Second,
		RestartTime: defaultRestartTime, StaleTime: defaultStaleTime, Families: []bgp.Family{bgp.IPv4Unicast},
	}
}

// dialling returns a remote that dials, passive one that waits.
func (l *lab) dialling(t *testing.T, p *bgp.PeerSpec) *backendtest.TCPRemote {
	return backendtest.NewTCPRemote(t, backendtest.RemoteConfig{
		Address: p.Key.Address, Do: l.farOf(p).Do,
		Follow: true, // bgpd accepts at every address
		// No real remote is back within milliseconds. A change is several
		// commands: a session that came back between them would end again.
		Redial: 250 * time.Millisecond,
		Dial:   []netip.AddrPort{netip.AddrPortFrom(p.Source, 179), netip.AddrPortFrom(otherSource, 179)},
	}, p)
}

func (l *lab) passive(t *testing.T, p *bgp.PeerSpec) *backendtest.TCPRemote {
	return backendtest.NewTCPRemote(t, l.passiveConfig(p), p)
}

func (l *lab) passiveConfig(p *bgp.PeerSpec) backendtest.RemoteConfig {
	from := []netip.Addr{p.Source}
	if p.Source.Is4() {
		from = append(from, otherSource)
	}
	return backendtest.RemoteConfig{Address: p.Key.Address, Do: l.farOf(p).Do, Listen: p.RemotePort, From: from}
}

func (l *lab) farOf(p *bgp.PeerSpec) *netlab.Namespace {
	if p.Key.VPN == l.instance(1).Key.VPN {
		return l.far[1]
	}
	return l.far[0]
}

// remoteFRR starts a bgpd as the far side of a peer of instance 0, with
// graceful restart, and returns how to ask it.
func (l *lab) remoteFRR(p *bgp.PeerSpec) func(command string) (string, error) {
	l.t.Helper()
	dir := l.path("far")
	text := fmt.Sprintf("router bgp %d\n bgp router-id 2.2.2.2\n no bgp ebgp-requires-policy\n"+
		" neighbor %[2]s remote-as %d\n neighbor %[2]s timers connect 1\n neighbor %[2]s graceful-restart\n", p.RemoteAS, p.Source, p.LocalAS)
	conf := filepath.Join(dir, "bgpd.conf")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(conf, []byte(text), 0o644), os.Chown(dir, l.uid, l.gid)); err != nil {
		l.t.Fatal(err)
	}
	l.start(l.far[0].Command(bgpdPath, "-Z", "-f", conf, "-i", filepath.Join(dir, "pid"), "-z", filepath.Join(dir, "z"),
		"--vty_socket", dir, "-P", "0", "--log", "file:"+filepath.Join(dir, "log")))
	ask := func(command string) (string, error) {
		v, err := dialVTY(context.Background(), dir)
		if err != nil {
			return "", err
		}
		defer v.close()
		return v.run(command)
	}
	wait(l.t, 20*time.Second, "the remote bgpd", func() bool { _, err := ask("show version"); return err == nil })
	return ask
}

// inForce reads what bgpd itself has for a peer.
func (l *lab) inForce(key bgp.PeerKey) *bgp.PeerSpec {
	l.t.Helper()
	for _, b := range parseConfig(l.by("show running-config")).blocks {
		in, _, ok := parseInstance(b)
		if !ok || in.Key != key.InstanceKey() {
			continue
		}
		n := b.neighbors[addrOf(key)]
		if n == nil {
			return nil
		}
		p, _, err := parsePeer(in, b, addrOf(key), n.conf)
		if err != nil {
			l.t.Fatal(err)
		}
		return p
	}
	return nil
}

func (l *lab) options() Options {
	return Options{VtyDir: l.dir, Namespace: l.dut.Name}
}

func with(p *bgp.PeerSpec, change func(*bgp.PeerSpec)) *bgp.PeerSpec {
	q := *p
	change(&q)
	return &q
}

func putInstance(in *bgp.InstanceSpec) plan.Step {
	return plan.Step{Op: plan.PutInstance, Instance: in.Key, NewInstance: in}
}

func createPeer(p *bgp.PeerSpec) plan.Step {
	return plan.Step{Op: plan.CreatePeer, Instance: p.Key.InstanceKey(), Peer: p.Key, New: p}
}

func updatePeer(old, new *bgp.PeerSpec, impact bgp.Impact) plan.Step {
	return plan.Step{
		Op: plan.UpdatePeer, Instance: new.Key.InstanceKey(), Peer: new.Key, Old: old, New: new,
		Impact: impact, Leaves: bgp.DiffPeers(old, new),
	}
}

// ran is a Backend whose Run is under way, with its events.
type ran struct {
	*Backend
	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex // guards events
	events []backend.Event
}

func run(t testing.TB, b *Backend) *ran {
	ctx, cancel := context.WithCancel(context.Background())
	r := &ran{Backend: b, t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if err := b.Run(ctx, r.record); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(r.stop)
	return r
}

func (r *ran) stop() {
	r.cancel()
	<-r.done
}

func (r *ran) record(e backend.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *ran) has(ok func(backend.Event) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if ok(e) {
			return true
		}
	}
	return false
}

func (r *ran) count(kind backend.EventKind) int {
	n := 0
	r.has(func(e backend.Event) bool {
		if e.Kind == kind {
			n++
		}
		return false
	})
	return n
}

func (r *ran) apply(steps ...plan.Step) {
	r.t.Helper()
	if err := r.Prepare(context.Background(), steps); err != nil {
		r.t.Fatalf("Prepare: %v", err)
	}
	if n, err := r.Apply(context.Background(), steps); n != len(steps) || err != nil {
		r.t.Fatalf("Apply = %d, %v, want %d", n, err, len(steps))
	}
}

func wait(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for: %s", within, what)
		}
	}
}

func never(t testing.TB, within time.Duration, what string, bad func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if bad() {
			t.Fatalf("this must not happen: %s", what)
		}
	}
}
