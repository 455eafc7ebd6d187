package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mooring/internal/netspace"
	"mooring/tests/netlab"
)

func TestPlaceForms(t *testing.T) {
	for _, tt := range []struct{ addr, hostPort, want string }{
		{"127.0.0.1:1", "127.0.0.1:1", ""},
		{"[fe80::1%eth0]:1@vrf:mgmt", "[fe80::1%eth0]:1", ""},
		{"0.0.0.0:1@netns:mgmt", "0.0.0.0:1", ""},
		{"127.0.0.1:1@", "127.0.0.1:1", "want @vrf:DEVICE or @netns:NAME"},
		{"127.0.0.1:1@mgmt", "127.0.0.1:1", `"@mgmt" is not known`},
		{"127.0.0.1:1@vrf:", "127.0.0.1:1", "names nothing"},
		{"127.0.0.1:1@vrf:a@netns:b", "127.0.0.1:1", ""}, // a device may be called so; it will not be found
		{"127.0.0.1:1@vrf:a-name-of-16-oct", "127.0.0.1:1", "more than 15"},
		{"127.0.0.1:1@netns:../x", "127.0.0.1:1", "no name"},
		{"127.0.0.1:1@netns:..", "127.0.0.1:1", "no name"},
	} {
		hostPort, err := CheckPlace(tt.addr)
		if hostPort != tt.hostPort || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %s, %v, want %q", tt.addr, hostPort, err, tt.want)
		}
		if tt.want != "" {
			if ln, err := Listen(t.Context(), tt.addr); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("listen on %s: %v, %v", tt.addr, ln, err)
			}
		}
	}
	for addr, want := range map[string]bool{"127.0.0.1:1@netns:x": true, "10.1.1.1:1@vrf:x": false, "0.0.0.0:1@netns:x": false} {
		if IsLoopback(addr) != want {
			t.Errorf("%s is loopback: %v", addr, !want)
		}
	}
}

// A socket is bound to its device by the kernel: reached through that one, not
// through another. The loopback stands for a VRF, which not every kernel has.
func TestListenOnDevice(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0@vrf:lo")
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skip("needs CAP_NET_RAW: run the tests with sudo")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dial(t, ln)
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var device string
	var optErr error
	err = raw.Control(func(fd uintptr) {
		device, optErr = unix.GetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	})
	if err != nil || optErr != nil || strings.TrimRight(device, "\x00") != "lo" {
		t.Errorf("bound to %q, %v, %v", device, err, optErr)
	}
	_, err = Listen(t.Context(), "127.0.0.1:0@vrf:mooring-none")
	if err == nil || !errors.Is(err, syscall.ENODEV) || !strings.Contains(err.Error(), "there is no device mooring-none") || !strings.Contains(err.Error(), "kernel without VRFs") {
		t.Errorf("no such device: %v", err)
	}
}

// What listens in a network namespace is reached from there and from nowhere
// else.
func TestListenInNamespace(t *testing.T) {
	lab := netlab.New(t)
	ns := lab.Namespace("mgmt")
	ln, err := Listen(t.Context(), "127.0.0.1:0@netns:"+ns.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "hello")
			conn.Close()
		}
	}()
	var said []byte
	err = ns.Do(func() error {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		said, err = io.ReadAll(conn)
		return err
	})
	if err != nil || string(said) != "hello" {
		t.Errorf("from within: %q, %v", said, err)
	}
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		conn.Close()
		t.Error("it is reached from outside")
	}
	_, err = Listen(t.Context(), "127.0.0.1:0@netns:mooring-none")
	if !errors.Is(err, netspace.ErrNotFound) || !strings.Contains(err.Error(), `"mooring-none"`) || !strings.Contains(err.Error(), "ip netns lists them") {
		t.Errorf("no such namespace: %v", err)
	}
}

// TestExplainPlace covers what depends on rights that the test may have.
func TestExplainPlace(t *testing.T) {
	for want, p := range map[string]place{"CAP_NET_RAW": {device: "mgmt"}, "CAP_SYS_ADMIN": {namespace: "mgmt"}} {
		if err := p.explain(syscall.EPERM); !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", p, err)
		}
		if err := p.explain(syscall.EADDRINUSE); err != nil {
			t.Errorf("%+v explains what it has nothing to do with: %v", p, err)
		}
	}
}
