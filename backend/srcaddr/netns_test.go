package srcaddr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"mooring/internal/netspace"
)

// patience is how long a test waits for the kernel and the debounce.
const patience = 5 * time.Second

// live is a Resolver that runs on the real kernel, and a namespace made for it.
type live struct {
	t  *testing.T
	r  *Resolver
	ns string
}

// newLive needs root, ip(8) and network namespaces: where CI has promised them
// their lack is a failure.
func newLive(t *testing.T) *live {
	t.Helper()
	l := &live{t: t, r: New(quiet(), Options{})}
	l.ns = l.addNamespace(fmt.Sprintf("srcaddr-%d-%s", os.Getpid(), strings.ToLower(t.Name())))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.r.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

func (l *live) addNamespace(name string) string {
	l.t.Helper()
	if out, err := exec.Command("/usr/sbin/ip", "netns", "add", name).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			l.t.Fatalf("a network namespace is needed: %v: %s", err, out)
		}
		l.t.Skipf("cannot make a network namespace (needs root and iproute2): %v: %s", err, out)
	}
	l.t.Cleanup(func() { _ = exec.Command("/usr/sbin/ip", "netns", "del", name).Run() })
	return name
}

// ip runs commands of ip(8) in the namespace, one a line.
func (l *live) ip(lines string) {
	l.t.Helper()
	cmd := exec.Command("/usr/sbin/ip", "-n", l.ns, "-batch", "-")
	cmd.Stdin = strings.NewReader(lines)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("ip -n %s: %s: %v: %s", l.ns, lines, err, out)
	}
}

func (l *live) query(iface, source, peer string) Query {
	q := Query{NetNS: l.ns, Interface: iface, Peer: ip(peer)}
	if source != "" {
		q.Source = ip(source)
	}
	return q
}

// becomes waits, as a consumer does, for a change and asks again, until the
// answer has the status and, if given, the source. It returns the time it took.
func (l *live) becomes(q Query, s Status, source string) time.Duration {
	l.t.Helper()
	start, limit := time.Now(), time.After(patience)
	for {
		got := l.r.Resolve(q)
		if got.Status == s && (source == "" || got.Source == ip(source)) {
			return time.Since(start)
		}
		select {
		case <-l.r.Changes():
		case <-limit:
			l.t.Fatalf("got %v %v (%s), want %v %s", got.Status, got.Source, got.Detail, s, source)
		}
	}
}

const (
	v4Peer = "192.0.2.1"
	v6Peer = "2001:db8:ffff::1"
)

func TestLiveAddresses(t *testing.T) {
	l := newLive(t)
	q := l.query("veA", "", v4Peer)
	l.becomes(q, InterfaceMissing, "")
	l.ip("link add veA type veth peer name veB")
	l.becomes(q, InterfaceDown, "")
	l.ip("link set veA up")
	l.becomes(q, NoAddress, "")
	l.ip("addr add 10.0.0.1/24 dev veA")
	took := l.becomes(q, Resolved, "10.0.0.1")
	t.Logf("address to answer: %v", took)
	l.ip("addr add 10.0.0.2/24 dev veA")
	l.becomes(q, Ambiguous, "")
	if got := l.r.Resolve(q).Candidates; len(got) != 2 || got[0] != ip("10.0.0.1") || got[1] != ip("10.0.0.2") {
		t.Errorf("candidates %v", got)
	}
	l.becomes(l.query("veA", "10.0.0.2", v4Peer), Resolved, "10.0.0.2")

	// Without promote_secondaries the primary takes its secondary with it.
	l.ip("addr del 10.0.0.1/24 dev veA")
	l.becomes(q, NoAddress, "")
	l.becomes(l.query("veA", "10.0.0.2", v4Peer), SourceMissing, "")
	l.ip("addr add 10.0.1.1/24 dev veA\naddr del 10.0.1.1/24 dev veA\naddr add 10.0.2.1/24 dev veA")
	l.becomes(q, Resolved, "10.0.2.1")
	l.ip("addr add 10.0.3.1 peer 10.0.3.2 dev veB\naddr add 10.0.3.1 peer 10.0.3.3 dev veB\nlink set veB up")
	l.becomes(l.query("veB", "", v4Peer), Resolved, "10.0.3.1")
	l.ip("addr del 10.0.3.1 peer 10.0.3.2 dev veB\naddr add 10.0.9.1/24 dev veB")
	l.becomes(l.query("veB", "", v4Peer), Ambiguous, "")
}

func TestLiveLinks(t *testing.T) {
	l := newLive(t)
	l.ip("link add veA type veth peer name veB\nlink set veA up\naddr add 10.0.0.1/24 dev veA")
	l.becomes(l.query("veA", "", v4Peer), Resolved, "10.0.0.1")
	l.becomes(l.query("LoopBack1", "", v4Peer), InterfaceMissing, "")
	l.ip("link property add dev veA altname LoopBack1")
	l.becomes(l.query("LoopBack1", "", v4Peer), Resolved, "10.0.0.1")
	if got := l.r.Resolve(l.query("LoopBack1", "", v4Peer)); got.Interface != "veA" || got.Index == 0 {
		t.Errorf("interface %q (%d), want veA", got.Interface, got.Index)
	}
	l.ip("link property del dev veA altname LoopBack1")
	l.becomes(l.query("LoopBack1", "", v4Peer), InterfaceMissing, "")
	l.ip("link set veA name LoopBack1")
	l.becomes(l.query("LoopBack1", "", v4Peer), Resolved, "10.0.0.1")
	l.becomes(l.query("veA", "", v4Peer), InterfaceMissing, "")
	l.ip("link set LoopBack1 down")
	l.becomes(l.query("LoopBack1", "", v4Peer), InterfaceDown, "")
	l.becomes(l.query("", "10.0.0.1", v4Peer), SourceMissing, "")

	// The kernel tells of an alternative name only when the interface is up, or
	// gets up; Sync sees it before.
	l.ip("link property add dev LoopBack1 altname Ethernet1")
	if err := l.r.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.becomes(l.query("Ethernet1", "", v4Peer), InterfaceDown, "")
	l.ip("link set LoopBack1 up")
	l.becomes(l.query("Ethernet1", "", v4Peer), Resolved, "10.0.0.1")

	// A port that leaves a bridge is not a link that is gone.
	l.ip("link add bridge1 type bridge\nlink set LoopBack1 master bridge1\nlink set LoopBack1 nomaster\naddr add 10.0.0.2/24 dev LoopBack1")
	l.becomes(l.query("LoopBack1", "", v4Peer), Ambiguous, "")
	vrf := l.query("LoopBack1", "10.0.0.1", v4Peer)
	vrf.VRFDevice = "bridge1"
	l.becomes(vrf, WrongVRF, "")
	l.ip("link del LoopBack1")
	l.becomes(l.query("LoopBack1", "", v4Peer), InterfaceMissing, "")
	l.becomes(l.query("", "10.0.0.1", v4Peer), SourceMissing, "")
}

func TestLiveIPv6(t *testing.T) {
	l := newLive(t)
	q, ll := l.query("veA", "", v6Peer), l.query("veA", "", "fe80::1")
	l.becomes(q, InterfaceMissing, "")
	l.ip("link add veA type veth peer name veB\nlink set veB up\nlink set veA up\naddr add 2001:db8::1/64 dev veA")
	l.becomes(q, Tentative, "")
	// The kernel does not tell of a tentative link-local address that it made
	// itself; until it is ready the answer is no-address or address-tentative.
	if got := l.r.Resolve(ll); got.Usable() {
		t.Errorf("link-local source %v before detection ended", got.Source)
	}
	if err := l.bind("2001:db8::1", ""); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("bind while tentative: %v, want %v", err, unix.EADDRNOTAVAIL)
	}
	t.Logf("duplicate address detection: %v", l.becomes(q, Resolved, "2001:db8::1"))
	if err := l.bind("2001:db8::1", ""); err != nil {
		t.Errorf("bind when resolved: %v", err)
	}
	l.becomes(ll, Resolved, "")
	got := l.r.Resolve(ll).Source
	if got.Zone() != "veA" || !got.IsLinkLocalUnicast() {
		t.Errorf("link-local source %v, want zone veA", got)
	}
	if err := l.bind(got.WithZone("").String(), "veA"); err != nil {
		t.Errorf("bind %v: %v", got, err)
	}

	// The same address on both ends of the cable: the second one fails.
	l.ip("addr add 2001:db8:1::1/64 dev veB nodad\naddr add 2001:db8:1::1/64 dev veA")
	l.becomes(l.query("veA", "2001:db8:1::1", v6Peer), SourceMissing, "")
	l.becomes(q, Resolved, "2001:db8::1") // and is no candidate

	l.ip("addr add 2001:db8::2/64 dev veA nodad preferred_lft 0")
	l.becomes(l.query("veA", "2001:db8::2", v6Peer), Resolved, "")
	l.becomes(q, Resolved, "2001:db8::1")
	l.ip("addr add 2001:db8::3/64 dev veA nodad")
	l.becomes(q, Ambiguous, "")
	l.ip("link set veA down\nlink set veA up")
	l.becomes(q, NoAddress, "")
}

func TestLiveLoopback(t *testing.T) {
	l := newLive(t)
	l.ip("link set lo up\naddr add 10.77.0.1/24 dev lo\naddr add 2001:db8:77::1/64 dev lo")
	tests := []struct {
		source, peer string
		want         Status
		bound        bool
	}{
		{"127.0.0.1", "127.0.0.1", Resolved, true},
		{"127.5.6.7", "127.0.0.1", Resolved, true},
		{"10.77.0.1", v4Peer, Resolved, true},
		{"10.77.0.9", v4Peer, Resolved, true},
		{"10.78.0.1", v4Peer, SourceMissing, false},
		{"::1", "::1", Resolved, true},
		{"2001:db8:77::1", v6Peer, Resolved, true},
		{"2001:db8:77::9", v6Peer, SourceMissing, false},
		{"127.255.255.255", "127.0.0.1", SourceMissing, true}, // binds, but is no source of a connection
	}
	for _, tt := range tests {
		for _, iface := range []string{"", "lo"} {
			l.becomes(l.query(iface, tt.source, tt.peer), tt.want, "")
		}
		if err := l.bind(tt.source, ""); (err == nil) != tt.bound {
			t.Errorf("bind %s: %v, want bound %v", tt.source, err, tt.bound)
		}
	}
	l.ip("link set lo down")
	l.becomes(l.query("", "127.5.6.7", "127.0.0.1"), SourceMissing, "")
}

// bind asks the kernel itself, in the namespace, whether a TCP socket can be
// bound to the address.
func (l *live) bind(addr, zone string) error {
	l.t.Helper()
	return netspace.OnOwnThread(func() error {
		ns, err := netns.GetFromName(l.ns)
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return err
		}
		a := netip.MustParseAddr(addr)
		var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: a.As16()}
		domain := unix.AF_INET6
		if a.Is4() {
			domain, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: a.As4()}
		} else if zone != "" {
			sa.(*unix.SockaddrInet6).ZoneId = uint32(l.r.Resolve(Query{NetNS: l.ns, Interface: zone, Peer: a}).Index)
		}
		fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Bind(fd, sa)
	})
}

func TestLiveNamespaceComesAndGoes(t *testing.T) {
	l := newLive(t) // so that the directory of namespaces exists
	second := l.ns + "-2"
	q := Query{NetNS: second, Interface: "lo", Peer: ip("127.0.0.1")}
	l.becomes(q, NamespaceMissing, "")
	for range 2 { // it may come again under the same name
		l.addNamespace(second)
		t.Logf("namespace to answer: %v", l.becomes(q, InterfaceDown, ""))
		l.ns = second
		l.ip("link set lo up")
		l.becomes(q, Resolved, "127.0.0.1")

		// A veth whose other end is elsewhere shows when the kernel really lets
		// the namespace go: a socket of ours would keep both ends alive.
		l.ip("link add veA type veth peer name " + pin + " netns " + first(second))
		if out, err := exec.Command("/usr/sbin/ip", "netns", "del", second).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("deletion to answer: %v", l.becomes(q, NamespaceMissing, ""))
		l.becomes(Query{NetNS: first(second), Interface: pin, Peer: ip(v4Peer)}, InterfaceMissing, "")
	}
	for _, bad := range []string{"../netns/" + second, "..", "."} {
		l.becomes(Query{NetNS: bad, Interface: "lo", Peer: ip("127.0.0.1")}, NamespaceMissing, "")
	}
}

const pin = "srcaddr-pin"

func first(second string) string { return strings.TrimSuffix(second, "-2") }

// backends.md 5: a real overflow of the socket, not only the injected one.
func TestLiveOverflow(t *testing.T) {
	l := newLive(t)
	l.ip("link set lo up")
	k := linux{}
	c, err := k.open(l.ns, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.(*netlinkConn).events.SetReceiveBufferSize(1, true); err != nil { // the kernel's minimum
		t.Fatal(err)
	}
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, "addr add 10.0.0.%d/32 dev lo\n", i+1)
	}
	l.ip(lines.String())
	for {
		if _, err = c.receive(); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.ENOBUFS) {
		t.Errorf("got %v, want %v", err, unix.ENOBUFS)
	}
	events, err := c.list()
	if err != nil {
		t.Fatal(err)
	}
	got := classify(newMirror(events), Query{Interface: "lo", Peer: ip(v4Peer)})
	if len(got.Candidates) != 200 { // 127.0.0.1 is none
		t.Errorf("%d candidates after the list, want 200", len(got.Candidates))
	}
}

// The agent's own namespace needs neither root nor a name.
func TestLiveOwnNamespace(t *testing.T) {
	r := New(quiet(), Options{})
	got := r.Resolve(Query{Interface: "lo", Source: ip("127.0.0.1"), Peer: ip("127.0.0.1")})
	if got.Status != Resolved || got.Interface != "lo" {
		t.Errorf("got %v (%s), want %v on lo", got.Status, got.Detail, Resolved)
	}
	if _, err := (linux{}).identify(""); err != nil {
		t.Error(err)
	}
}

// No thread of the process may stay in another namespace.
func TestLiveThreadsStayAtHome(t *testing.T) {
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	l := newLive(t)
	// A thread that is left behind by a call that has no way back must be gone.
	foreign := errors.New("left in the namespace")
	for range 50 {
		err := netspace.OnOwnThread(func() error {
			if unix.Gettid() == unix.Getpid() {
				t.Error("runs on the main thread, which cannot end")
			}
			ns, err := netns.GetFromName(l.ns)
			if err != nil {
				return err
			}
			defer ns.Close()
			return errors.Join(netns.Set(ns), foreign)
		})
		if !errors.Is(err, foreign) {
			t.Fatal(err)
		}
	}
	for range 50 {
		c, err := linux{}.open(l.ns, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.list(); err != nil {
			t.Fatal(err)
		}
		c.close()
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		path := "/proc/self/task/" + task.Name() + "/ns/net"
		at, err := os.Readlink(path)
		for limit := time.Now().Add(patience); err == nil && at != home && time.Now().Before(limit); {
			time.Sleep(time.Millisecond) // the last thread is about to end
			at, err = os.Readlink(path)
		}
		if err == nil && at != home {
			t.Errorf("thread %s is in %s, not in %s", task.Name(), at, home)
		}
	}
}

func BenchmarkLiveList(b *testing.B) {
	c, err := linux{}.open("", false)
	if err != nil {
		b.Fatal(err)
	}
	defer c.close()
	for b.Loop() {
		if _, err := c.list(); err != nil {
			b.Fatal(err)
		}
	}
}

// What the route lookup gives is asked of the kernel, in the namespace.
func TestRoute(t *testing.T) {
	l := newLive(t)
	ns := l.ns
	l.ip(`link set lo up
link add name va type veth peer name vb
link set va up
link set vb up
addr add 10.77.1.1/24 dev va
addr add 10.77.1.9/24 dev va
addr add fe80::77/64 dev va nodad
route add 10.78.0.0/16 dev va src 10.77.1.9
`)
	for peer, want := range map[string]string{
		"10.77.1.2": "10.77.1.1", "10.78.0.1": "10.77.1.9", "10.79.0.1": "", "10.77.1.1": "10.77.1.1", "fe80::1%no": "",
	} {
		var w netip.Addr
		if want != "" {
			w = netip.MustParseAddr(want)
		}
		if got := l.r.Route(Query{NetNS: ns, Peer: netip.MustParseAddr(peer)}); got != w {
			t.Errorf("to %s: %v, want %v", peer, got, w)
		}
	}
	if got := l.r.Route(Query{NetNS: ns, Peer: netip.MustParseAddr("fe80::1%va")}); got.Zone() != "va" || !got.IsLinkLocalUnicast() {
		t.Errorf("to a link-local peer: %v", got)
	}
	if got := l.r.Route(Query{NetNS: "no-such", Peer: netip.MustParseAddr("10.77.1.2")}); got.IsValid() {
		t.Errorf("without a namespace: %v", got)
	}
}
