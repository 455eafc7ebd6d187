package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"mooring/bgp"
)

// How a peer is dialled. Between two attempts goes an eighth of the time since
// the first: steps of 20 ms at first, because a remote that has just seen a
// Cease is ready within milliseconds or is still clearing up, then
// exponentially more up to connect-retry. Each is shortened by up to a
// quarter (RFC 4271 10).
const (
	firstStep    = 20 * time.Millisecond
	stepFraction = 8

	maxDialTime = 8 * time.Second // the kernel repeats a SYN after 1, 3 and 7 s
	minDialTime = time.Second

	// patience is how long a connection that we opened waits for the first
	// octet of the remote (conn.speaks). A remote that waits for ours first
	// (DelayOpen, RFC 4271 8.1.1) costs this much.
	patience = 250 * time.Millisecond
)

func pause(since, retry time.Duration) time.Duration {
	d := min(max(since/stepFraction, firstStep), max(retry, firstStep))
	return d - rand.N(d/4+1)
}

func dialTime(retry time.Duration) time.Duration { return min(max(retry, minDialTime), maxDialTime) }

// dialSocket opens a connection to the peer.
func dialSocket(ctx context.Context, a authSockets, in *bgp.InstanceSpec, p *bgp.PeerSpec) (*conn, error) {
	var s outgoing
	err := inNamespace(in.Namespace, func(nsID) (err error) {
		s, err = prepareDial(a, in, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = unix.Connect(s.fd, s.remote)
	file := os.NewFile(uintptr(s.fd), "connection") // FileConn makes a copy
	defer file.Close()
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return nil, err
	}
	if err := waitConnected(ctx, file, dialTime(p.ConnectRetry)); err != nil {
		return nil, err
	}
	tcp, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	c, err := newConn(tcp.(*net.TCPConn))
	if err != nil {
		return nil, err
	}
	c.setZone(p.Key.Address.Zone())
	c.outgoing, c.pmtuDefault, c.yield = true, s.pmtu, p.LocalPort != 0
	return c, nil
}

// outgoing is a socket that is ready to connect.
type outgoing struct {
	fd     int
	remote unix.Sockaddr
	pmtu   int // its path MTU discovery before it was set
}

// prepareDial makes the socket with all its options; the thread is in the
// instance's namespace.
func prepareDial(a authSockets, in *bgp.InstanceSpec, p *bgp.PeerSpec) (outgoing, error) {
	remote, err := sockaddr(netip.AddrPortFrom(p.Remote(), p.RemotePort), zoneIndex)
	if err != nil {
		return outgoing{}, err
	}
	f := familyOf(p.Key.Address)
	fd, err := newSocket(f, in.Device)
	if err != nil {
		return outgoing{}, err
	}
	s := outgoing{fd: fd, remote: remote}
	err = func() error {
		if s.pmtu, err = unix.GetsockoptInt(fd, f.level, f.pmtu); err != nil {
			return err
		}
		if err := setLive(fd, p, s.pmtu); err != nil {
			return err
		}
		if p.MSS != 0 {
			if err := option("MSS", int(p.MSS), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, int(p.MSS))); err != nil {
				return err
			}
		}
		if err := authOf(p).set(a, fd, p.Key.Address); err != nil {
			return err
		}
		return bindSource(fd, f, p)
	}()
	if err != nil {
		unix.Close(fd)
		return outgoing{}, err
	}
	return s, nil
}

func bindSource(fd int, f family, p *bgp.PeerSpec) error {
	if !p.Source.IsValid() && p.LocalPort == 0 {
		return nil
	}
	source := p.Source
	switch {
	case source.IsValid() && source.Is6() && source.IsLinkLocalUnicast():
		source = source.WithZone(p.Remote().Zone())
	case !source.IsValid() && f.domain == unix.AF_INET6:
		source = netip.IPv6Unspecified()
	case !source.IsValid():
		source = netip.IPv4Unspecified()
	}
	sa, err := sockaddr(netip.AddrPortFrom(source, p.LocalPort), zoneIndex)
	if err != nil {
		return err
	}
	if p.LocalPort != 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) // beside the last connection's TIME_WAIT
	} else {
		// One port may serve connections to many remotes.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}
	if err != nil {
		return err
	}
	return unix.Bind(fd, sa)
}

// waitConnected waits for the handshake.
func waitConnected(ctx context.Context, file *os.File, limit time.Duration) error {
	if err := file.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = file.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Write(func(fd uintptr) bool {
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			result = err
		case code != 0:
			result = unix.Errno(code)
		default:
			_, err := unix.Getpeername(int(fd))
			return !errors.Is(err, unix.ENOTCONN)
		}
		return true
	})
	if err != nil {
		return err
	}
	return result
}

// failure is the kind of an error of dialSocket.
func failure(p *bgp.PeerSpec, err error) bgp.ConnectFailure {
	switch {
	case errors.Is(err, errNoNamespace):
		return bgp.FailedNamespace
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ETIMEDOUT):
		if p.Auth != bgp.AuthNone {
			return bgp.FailedUnkeyed
		}
		return bgp.FailedTimeout
	case errors.Is(err, unix.ECONNREFUSED):
		return bgp.FailedRefused
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return bgp.FailedNoRoute
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EADDRINUSE):
		return bgp.FailedAddress
	}
	return bgp.FailedOther
}

// dialError words why a peer could not be dialled. The words stay the same
// while the cause does.
func dialError(p *bgp.PeerSpec, err error) error {
	to := fmt.Sprintf("dial %s", netip.AddrPortFrom(p.Remote(), p.RemotePort))
	if p.Source.IsValid() {
		to += " from " + p.Source.String()
	}
	advice := ""
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ETIMEDOUT):
		err, advice = unix.ETIMEDOUT, ": no answer"
		switch {
		case p.Auth != bgp.AuthNone:
			advice = fmt.Sprintf(": no answer, as from a remote that has another %s key or none", p.Auth)
		case p.MinTTL != 0:
			advice = ": no answer, as from a remote that is farther away than valid-ttl-hops or does not send with TTL 255"
		}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		advice = ": this host has no such address"
		if p.LocalPort != 0 {
			advice += ", or the last connection keeps the local port"
		}
	case errors.Is(err, unix.EADDRINUSE):
		advice = fmt.Sprintf(": another socket has local port %d", p.LocalPort)
	}
	return fmt.Errorf("%s: %w%s", to, err, advice)
}
