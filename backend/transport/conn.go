package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mooring/bgp"
)

// conn is a connection as the speaker gets it. Its addresses are TCP
// addresses; its socket options are the transport's, so SyscallConn hands out
// a descriptor on which nothing can be done.
type conn struct {
	*net.TCPConn
	raw           syscall.RawConn
	local, remote netip.AddrPort // with zone
	outgoing      bool           // we dialled
	pmtuDefault   int
	yield         bool          // let the remote close first, so that our port is free at once
	spec          *bgp.PeerSpec // that it was handed over for

	taken atomic.Bool
	once  sync.Once
	// ended is called once, before the connection is closed, so that what the
	// remote does when it sees the end finds it known here; what it returns
	// is called after the close, which a new connection must follow.
	ended func(*conn) (after func())
	err   error
}

// newConn takes tcp over, also when it fails.
func newConn(tcp *net.TCPConn) (*conn, error) {
	c := &conn{TCPConn: tcp, ended: func(*conn) func() { return func() {} }}
	var err error
	if c.raw, err = tcp.SyscallConn(); err != nil {
		tcp.Close()
		return nil, err
	}
	err = c.control(func(fd int) error {
		l, lerr := unix.Getsockname(fd)
		r, rerr := unix.Getpeername(fd)
		c.local, _ = addrPort(l)
		c.remote, _ = addrPort(r)
		f := familyOf(c.remote.Addr())
		var oerr error
		c.pmtuDefault, oerr = unix.GetsockoptInt(fd, f.level, f.pmtu)
		return errors.Join(lerr, rerr, oerr, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0))
	})
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return c, nil
}

// setZone names the interface of link-local addresses.
func (c *conn) setZone(zone string) {
	if zone == "" || !c.remote.Addr().IsLinkLocalUnicast() {
		return
	}
	c.remote = netip.AddrPortFrom(c.remote.Addr().WithZone(zone), c.remote.Port())
	c.local = netip.AddrPortFrom(c.local.Addr().WithZone(zone), c.local.Port())
}

func (c *conn) control(f func(fd int) error) error {
	var err error
	if cerr := c.raw.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// For returns the specification that the connection was made for. A newer one
// may be in force by now.
func (c *conn) For() *bgp.PeerSpec { return c.spec }

// LocalAddr returns a *net.TCPAddr, also after Close.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr returns a *net.TCPAddr, also after Close.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Write marks the connection as taken: the speaker's first message is on it.
func (c *conn) Write(b []byte) (int, error) {
	c.taken.Store(true)
	return c.TCPConn.Write(b)
}

// Close ends the connection.
func (c *conn) Close() error {
	c.once.Do(func() {
		if c.yield && c.taken.Load() {
			c.letRemoteClose()
		}
		after := c.ended(c)
		c.err = c.TCPConn.Close()
		after()
	})
	return c.err
}

// yieldTime is how long a connection with a local port of its own waits for
// the remote to close first.
const yieldTime = 100 * time.Millisecond

// letRemoteClose waits for the remote's FIN. The side that closes first keeps
// its port in TIME_WAIT for a minute, in which the same two ports cannot meet
// again; where the remote is too slow, a RST does without.
func (c *conn) letRemoteClose() {
	if err := c.SetReadDeadline(time.Now().Add(yieldTime)); err != nil {
		return
	}
	b := make([]byte, 4096)
	for {
		if _, err := c.Read(b); err != nil {
			break
		}
	}
	_ = c.SetLinger(0) // without effect where the FIN has come
}

// SyscallConn keeps the speaker from setting options: what it would set is
// set already, and may have changed since it was told.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return sealed{}, nil }

type sealed struct{}

func (sealed) Control(func(uintptr)) error    { return nil }
func (sealed) Read(func(uintptr) bool) error  { return nil }
func (sealed) Write(func(uintptr) bool) error { return nil }

// reset closes the connection with a RST.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	c.Close()
}

// dead says whether the remote has ended a connection that nobody has read.
func (c *conn) dead() bool {
	gone := false
	err := c.control(func(fd int) error {
		var b [1]byte
		n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && !errors.Is(err, unix.EAGAIN)
		return nil
	})
	return gone || err != nil
}

// speaks waits until the remote has sent something, and says what went wrong
// where it has ended the connection instead. A remote that is still busy with
// its end of the last session accepts and closes; handing such a connection
// over would cost the speaker its idle time.
func (c *conn) speaks(patience time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	defer func() { _ = c.SetReadDeadline(time.Time{}) }() // fails only on a closed connection
	var verdict error
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil:
			verdict = fmt.Errorf("the remote ended the connection before it said anything: %w", err)
		case n == 0:
			verdict = errClosedEarly
		}
		return true
	})
	if err != nil && !isTimeout(err) {
		return err
	}
	return verdict
}

var errClosedEarly = errors.New("the remote closed the connection before it said anything: it has no such neighbour, or is not ready")

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// socket returns the truth of the connection.
func (c *conn) socket() (bgp.Socket, error) {
	s := bgp.Socket{Local: c.local, Remote: c.remote}
	err := c.control(func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		f := familyOf(c.remote.Addr())
		ttl, err := unix.GetsockoptInt(fd, f.level, f.ttl)
		if err != nil {
			return err
		}
		s.MSS, s.PathMTU, s.TTL = uint16(min(info.Snd_mss, 0xffff)), info.Pmtu, uint8(ttl)
		return nil
	})
	return s, err
}
