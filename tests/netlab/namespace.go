package netlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netnsDir is where iproute2 keeps its named namespaces.
const netnsDir = "/var/run/netns"

// toolTimeout bounds one call of an external tool.
const toolTimeout = 20 * time.Second

var (
	errGoexit = errors.New("the function ended its goroutine (t.Fatal is not allowed inside Do)")
	labs      atomic.Int64
)

// Lab is a set of namespaces and what runs in them, owned by one test.
type Lab struct {
	t      testing.TB
	prefix string
	dir    string // short, because the path of a unix socket has at most 107 bytes
	veths  int    // for the names of the far ends of AddInterface
}

// New makes an empty laboratory that is taken down in the Cleanup of t. It
// skips or fails the test as Require does.
func New(t testing.TB) *Lab {
	t.Helper()
	Require(t)
	l := &Lab{t: t, prefix: fmt.Sprintf("netlab-%d-%d", os.Getpid(), labs.Add(1))}
	dir, err := os.MkdirTemp("", "netlab")
	if err != nil {
		t.Fatalf("netlab: make a directory: %v", err)
	}
	l.dir = dir
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("netlab: %v", err)
		}
	})
	return l
}

// Namespace is one network namespace of a Lab.
type Namespace struct {
	Name string // as `ip netns` knows it
	Path string // what a process opens to enter it

	lab *Lab
}

// Namespace makes a network namespace with lo up. IPv6 duplicate address
// detection is off in it, so that addresses are usable at once; see
// AddAddr6Tentative for the exception.
func (l *Lab) Namespace(name string) *Namespace {
	l.t.Helper()
	n := &Namespace{Name: l.prefix + "-" + name, lab: l}
	n.Path = filepath.Join(netnsDir, n.Name)
	n.make()
	l.t.Cleanup(func() {
		if pids := n.foreignPids(); len(pids) > 0 {
			l.t.Errorf("netlab: namespace %s: processes %v were left running: the test that started them must stop them", n.Name, pids)
		}
		if err := runIP("netns", "del", n.Name); err != nil {
			l.t.Errorf("netlab: %v", err)
		}
	})
	return n
}

func (n *Namespace) make() {
	n.lab.t.Helper()
	if err := runIP("netns", "add", n.Name); err != nil {
		n.lab.t.Fatalf("netlab: %v", err)
	}
	n.Sysctl("net.ipv6.conf.default.accept_dad", "0")
	n.LinkUp("lo")
}

// Delete takes the name of the namespace away, as an operator would. Sockets
// that are open in it keep the namespace itself alive. Make it Again before the
// test ends.
func (n *Namespace) Delete() {
	n.lab.t.Helper()
	if err := runIP("netns", "del", n.Name); err != nil {
		n.lab.t.Fatalf("netlab: %v", err)
	}
}

// Again makes an empty namespace with the name of the one that was deleted.
func (n *Namespace) Again() {
	n.lab.t.Helper()
	n.make()
}

// Link makes a veth pair, one end devA in a, the other devB in b, both up.
func (l *Lab) Link(a *Namespace, devA string, b *Namespace, devB string) {
	l.t.Helper()
	a.IP("link", "add", devA, "type", "veth", "peer", "name", devB, "netns", b.Name)
	a.LinkUp(devA)
	b.LinkUp(devB)
}

// IP runs `ip -n NAMESPACE args...`, for everything that has no method here.
func (n *Namespace) IP(args ...string) {
	n.lab.t.Helper()
	if err := runIP(append([]string{"-n", n.Name}, args...)...); err != nil {
		n.lab.t.Fatalf("netlab: %v", err)
	}
}

// Sysctl sets a kernel parameter of the namespace, as net.ipv4.ip_forward.
// Components are separated by dots, so it does not reach a device with a dot in its name.
func (n *Namespace) Sysctl(key, value string) {
	n.lab.t.Helper()
	path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
	if err := n.Do(func() error { return os.WriteFile(path, []byte(value), 0o644) }); err != nil {
		n.lab.t.Fatalf("netlab: namespace %s: sysctl %s: %v", n.Name, key, err)
	}
}

// AddAddr gives dev the address cidr (as 10.1.1.1/24), usable at once.
func (n *Namespace) AddAddr(dev, cidr string) {
	n.lab.t.Helper()
	args := []string{"addr", "add", cidr, "dev", dev}
	if strings.Contains(cidr, ":") {
		args = append(args, "nodad") // accepted by the kernel for IPv6 only
	}
	n.IP(args...)
}

// AddAddr6Tentative gives dev an IPv6 address that goes through duplicate
// address detection, so that it is tentative for 1 to 2 s (RFC 4862 5.4).
func (n *Namespace) AddAddr6Tentative(dev, cidr string) {
	n.lab.t.Helper()
	n.Sysctl("net.ipv6.conf."+dev+".accept_dad", "1")
	n.IP("addr", "add", cidr, "dev", dev)
}

// DelAddr takes the address cidr from dev. An IPv4 primary address takes its
// secondaries with it unless the promote_secondaries sysctl is set.
func (n *Namespace) DelAddr(dev, cidr string) {
	n.lab.t.Helper()
	n.IP("addr", "del", cidr, "dev", dev)
}

// LinkUp sets dev administratively up.
func (n *Namespace) LinkUp(dev string) { n.lab.t.Helper(); n.IP("link", "set", dev, "up") }

// LinkDown sets dev administratively down. IPv6 addresses and the routes over dev go with it.
func (n *Namespace) LinkDown(dev string) { n.lab.t.Helper(); n.IP("link", "set", dev, "down") }

// DelLink removes dev and the other end of its veth pair.
func (n *Namespace) DelLink(dev string) { n.lab.t.Helper(); n.IP("link", "del", dev) }

// AddAltname gives dev an alternative name, which may be longer than 15
// characters. It asks the kernel itself, which allows the slash of names like
// GigabitEthernet0/1/0; the ip command does not.
func (n *Namespace) AddAltname(dev, name string) {
	n.lab.t.Helper()
	err := n.Do(func() error {
		link, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		return netlink.LinkAddAltName(link, name)
	})
	if err != nil {
		n.lab.t.Fatalf("netlab: namespace %s: altname %s of %s: %v", n.Name, name, dev, err)
	}
}

// AddInterface makes an interface that is up and has carrier, for use as a
// loopback interface. It is one end of a veth pair whose other end is up in
// the same namespace, because not every kernel has the dummy driver.
func (n *Namespace) AddInterface(name string) {
	n.lab.t.Helper()
	n.lab.veths++
	n.lab.Link(n, name, n, "far"+strconv.Itoa(n.lab.veths))
}

// AddRoute adds a route to dst; more is the rest of `ip route add`, as "via", "10.1.1.2".
func (n *Namespace) AddRoute(dst string, more ...string) {
	n.lab.t.Helper()
	n.IP(append([]string{"route", "add", dst}, more...)...)
}

// Command returns a command that will run in the namespace. The pid of the
// started command is that of the program itself: ip replaces itself by it.
// Who starts it must stop it before the test ends.
func (n *Namespace) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.Name, name}, args...)...)
}

// Do runs f inside the namespace, on an OS thread of its own, and returns its
// error. Sockets that f opens stay in the namespace. Goroutines that f starts
// do not run in it, and f must not call t.Fatal.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }()
		leave, enterErr := enter(n.Path)
		if enterErr != nil {
			err = enterErr
			return
		}
		defer leave()
		err = f()
	}()
	return <-done
}

// enter locks the goroutine to its thread and moves the thread to the
// namespace at path. leave moves it back; where that fails the thread stays
// locked, and the runtime ends it together with the goroutine.
func enter(path string) (leave func(), err error) {
	target, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open namespace %s: %w", path, err)
	}
	defer unix.Close(target)
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("open the thread's own namespace: %w", err)
	}
	if err := unix.Setns(target, unix.CLONE_NEWNET); err != nil {
		unix.Close(home)
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("enter namespace %s: %w", path, err)
	}
	return func() {
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		unix.Close(home)
	}, nil
}

// foreignPids lists the processes in the namespace other than this one, whose
// threads may be in it for the length of a Do.
func (n *Namespace) foreignPids() []string {
	out, err := exec.Command("ip", "netns", "pids", n.Name).Output()
	if err != nil {
		return []string{"unknown: " + err.Error()}
	}
	var pids []string
	for _, pid := range strings.Fields(string(out)) {
		if pid != strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func runIP(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), toolTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
