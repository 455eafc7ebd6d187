package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	unixPrefix = "unix:"
	socketMode = 0o600 // whoever may open the socket may speak in the clear
	// chooseAnother ends every error about an address.
	chooseAnother = "choose another address"
)

// Listen opens a stream listener on host:port (port 0: any) or unix:PATH. Behind
// host:port may stand @vrf:DEVICE, to be reached through that VRF only, or
// @netns:NAME, to listen in that network namespace. Its errors say what to do. A socket file that nobody answers on, as a killed
// agent leaves it, is replaced; a new one is open to the agent's user only.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return listenUnix(ctx, path)
	}
	whole := addr
	addr, where, err := splitPlace(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", whole, err)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want host:port, [ipv6]:port or unix:PATH: %w", addr, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: the port must be a number from 0 to 65535: %w", addr, err)
	}
	network := "tcp"
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		network = "tcp4" // 0.0.0.0 means IPv4 only; Go would listen on IPv6 too
	}
	lc := net.ListenConfig{Control: where.control}
	ln, err := where.in(func() (net.Listener, error) { return lc.Listen(ctx, network, addr) })
	if err != nil {
		why := where.explain(err)
		if why == nil {
			why = explainTCP(err, number)
		}
		return nil, fmt.Errorf("listen on %s: %w", whole, why)
	}
	if err := checkBound(addr, ln.Addr()); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// explainTCP adds what a person can do about it.
func explainTCP(err error, port uint64) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another program has this address (ss -ltnp shows which); stop it or %s", err, chooseAnother)
	case errors.Is(err, syscall.EACCES) && port < 1024:
		return fmt.Errorf("%w: ports below 1024 need the capability CAP_NET_BIND_SERVICE (setcap, or AmbientCapabilities of the systemd unit); grant it or %s", err, chooseAnother)
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%w: no interface of this machine has this address now (ip addr shows them); %s", err, chooseAnother)
	}
	return err
}

// checkBound makes IsLoopback true for what is bound: a resolver that sends
// localhost elsewhere must not open a plaintext listener to the network.
func checkBound(addr string, bound net.Addr) error {
	if IsLoopback(addr) && !IsLoopback(bound.String()) {
		return fmt.Errorf("listen on %s: the name leads to %s, which is not loopback: check the hosts file", addr, bound)
	}
	return nil
}

// IsLoopback reports whether what listens on addr, in the form that Listen
// takes, is reachable from this machine only: a loopback address, localhost
// (RFC 6761 6.3) or a unix socket. Off loopback nothing is served in the clear.
func IsLoopback(addr string) bool {
	if strings.HasPrefix(addr, unixPrefix) {
		return true
	}
	addr, _, _ = splitPlace(addr)
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	// An empty or an @ name would be an abstract socket, which has no mode.
	if path == "" || path[0] == '@' {
		return nil, fmt.Errorf("listen on unix:%s: want the path of a file", path)
	}
	// The kernel gives the new file the mode of the socket (less the umask), so
	// setting it before bind leaves no moment with a wider one.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmodErr error
		err := c.Control(func(fd uintptr) { chmodErr = syscall.Fchmod(int(fd), socketMode) })
		return errors.Join(err, chmodErr)
	}}
	ln, err := lc.Listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(ctx, path) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("listen on unix:%s: remove the abandoned socket: %w", path, err)
		}
		ln, err = lc.Listen(ctx, "unix", path)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on unix:%s: %w", path, explainUnix(err))
	}
	return ln, nil
}

// abandoned reports whether path is a socket that no process listens on.
func abandoned(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// explainUnix adds what a person can do about it.
func explainUnix(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another program listens there, or a file is in its place; remove it or %s", err, chooseAnother)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: the agent's user may not create files in that directory; allow it or %s", err, chooseAnother)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w: the directory does not exist; create it or %s", err, chooseAnother)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: the path is longer than 107 bytes; %s", err, chooseAnother)
	}
	return err
}
