package backendtest

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/bgp"
)

// Remote is the far side of a peer, as a test sees it. All counts are since
// it was made.
type Remote interface {
	// Follow configures it for a specification, from its next connection on.
	Follow(*bgp.PeerSpec)
	// Established says whether it has a session now, Sessions how many it had.
	Established() bool
	Sessions() int
	// Ceases returns the subcodes of the Cease notifications received.
	Ceases() []uint8
	// Source returns the address at which it met the speaker last.
	Source() netip.Addr
	// Open returns the OPEN that the speaker sent last, nil before the first.
	Open() *Open
	// End ends the session with a notification, or silently where n is nil.
	End(n *bgp.Notification)
}

// RemoteConfig says where a TCPRemote lives and what it may do.
type RemoteConfig struct {
	Address netip.Addr       // its own
	Dial    []netip.AddrPort // what it dials, in turn, until one answers; none: it is passive
	Follow  bool             // dial only those of Dial that are the source of what it follows
	Listen  uint16           // port that it accepts on; 0: it does not listen
	From    []netip.Addr     // addresses that the speaker may come from, for MD5 keys
	// Notify announces graceful restart with the N bit (RFC 8538).
	Notify bool
	// Refuse is sent instead of the answer to an OPEN, where it is not nil.
	Refuse *bgp.Notification
	// Redial is how long it waits after whatever went wrong; 0: 20 ms.
	Redial time.Duration
	// Do runs what opens a socket where the remote lives, such as in a network
	// namespace; nil: here.
	Do func(func() error) error
}

// TCPRemote is a small BGP speaker on a real socket: it answers the OPEN, sends
// keepalives, and counts. It dials again 20 ms after whatever went wrong, so
// that tests need not wait for the timers of a grown-up remote.
type TCPRemote struct {
	cfg    RemoteConfig
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex // guards all below
	spec     *bgp.PeerSpec
	listener net.Listener
	conn     net.Conn // of the session
	sessions int
	mute     bool // sends no more keepalives
	ceases   []uint8
	last     *bgp.Notification
	source   netip.AddrPort
	opens    []*Open
}

var _ Remote = (*TCPRemote)(nil)

const redial = 20 * time.Millisecond

// NewTCPRemote starts a remote for a peer; it is stopped when the test ends.
func NewTCPRemote(t testing.TB, cfg RemoteConfig, spec *bgp.PeerSpec) *TCPRemote {
	t.Helper()
	if cfg.Redial == 0 {
		cfg.Redial = redial
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &TCPRemote{cfg: cfg, cancel: cancel, spec: spec}
	if cfg.Listen != 0 {
		lc := net.ListenConfig{Control: r.control(cfg.From)}
		lc.SetMultipathTCP(false) // no MD5 over MPTCP
		var l net.Listener
		err := r.do(func() (err error) {
			l, err = lc.Listen(ctx, "tcp", netip.AddrPortFrom(cfg.Address, cfg.Listen).String())
			return err
		})
		if err != nil {
			cancel()
			t.Fatalf("remote %s: %v", cfg.Address, err)
		}
		r.listener = l
		r.wg.Go(func() { r.accept(ctx, l) })
	}
	if len(cfg.Dial) > 0 {
		r.wg.Go(func() { r.dial(ctx) })
	}
	t.Cleanup(r.Close)
	return r
}

// Close ends the remote and waits for it.
func (r *TCPRemote) Close() {
	r.cancel()
	r.mu.Lock()
	if r.listener != nil {
		r.listener.Close()
	}
	if r.conn != nil {
		r.conn.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *TCPRemote) do(f func() error) error {
	if r.cfg.Do == nil {
		return f()
	}
	return r.cfg.Do(f)
}

// control sets what GTSM and MD5 need before the first segment. It is called
// without mu held.
func (r *TCPRemote) control(peers []netip.Addr) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		r.mu.Lock()
		spec := r.spec
		r.mu.Unlock()
		var err error
		cerr := c.Control(func(fd uintptr) {
			if r.cfg.Address.Is4() {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, 255)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255)
			}
			for _, a := range peers {
				if err == nil && spec.Auth == bgp.AuthMD5 {
					err = setMD5(int(fd), a, spec.Password)
				}
			}
		})
		if cerr != nil {
			return cerr
		}
		return err
	}
}

func setMD5(fd int, peer netip.Addr, key bgp.Secret) error {
	s := unix.TCPMD5Sig{Keylen: uint16(len(key))}
	copy(s.Key[:], string(key))
	if peer.Is4() {
		s.Addr.Family = unix.AF_INET
		copy(s.Addr.Data[2:], peer.AsSlice())
	} else {
		s.Addr.Family = unix.AF_INET6
		copy(s.Addr.Data[6:], peer.AsSlice())
	}
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &s)
}

func (r *TCPRemote) dial(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		target := r.cfg.Dial[i%len(r.cfg.Dial)]
		if r.cfg.Follow && target.Addr() != r.followed().Source {
			select {
			case <-ctx.Done():
			case <-time.After(r.cfg.Redial):
			}
			continue
		}
		d := net.Dialer{
			LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(r.cfg.Address, 0)),
			Timeout:   200 * time.Millisecond, // a listener with another MD5 key is silent
			Control:   r.control([]netip.Addr{target.Addr()}),
		}
		d.SetMultipathTCP(false)
		var conn net.Conn
		err := r.do(func() (err error) {
			conn, err = d.DialContext(ctx, "tcp", target.String())
			return err
		})
		if err == nil {
			r.session(ctx, conn)
		}
		select {
		case <-ctx.Done():
		case <-time.After(r.cfg.Redial):
		}
	}
}

func (r *TCPRemote) accept(ctx context.Context, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		r.session(ctx, conn)
	}
}

// session plays one connection to its end.
func (r *TCPRemote) session(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	r.mu.Lock()
	spec := r.spec
	r.mu.Unlock()
	mine := Open{
		AS: spec.RemoteAS, HoldTime: 240 * time.Second,
		RouterID: routerID(r.cfg.Address), Families: spec.Families, Notify: r.cfg.Notify,
	}
	if _, err := conn.Write(mine.encode()); err != nil {
		return
	}
	done := make(chan struct{})
	defer close(done)
	established := false
	for {
		kind, body, err := readMessage(conn)
		if err != nil {
			r.down(conn, nil)
			return
		}
		switch kind {
		case typeOpen:
			o, err := decodeOpen(body)
			if err != nil {
				return
			}
			r.mu.Lock()
			r.opens = append(r.opens, o)
			r.source = conn.RemoteAddr().(*net.TCPAddr).AddrPort()
			r.mu.Unlock()
			if r.cfg.Refuse != nil {
				conn.Write(encodeNotification(r.cfg.Refuse)) // a lost one looks like silence to the test
				return
			}
			if _, err := conn.Write(message(typeKeepalive, nil)); err != nil {
				return
			}
		case typeKeepalive:
			if !established {
				established = true
				r.up(conn)
				r.wg.Go(func() { r.keepalives(conn, done) })
			}
		case typeNotification:
			r.down(conn, decodeNotification(body))
			return
		}
	}
}

func (r *TCPRemote) keepalives(conn net.Conn, done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			r.mu.Lock()
			mute := r.mute
			r.mu.Unlock()
			if mute {
				return
			}
			if _, err := conn.Write(message(typeKeepalive, nil)); err != nil {
				return
			}
		}
	}
}

func routerID(a netip.Addr) netip.Addr {
	s := a.AsSlice()
	id, _ := netip.AddrFromSlice(s[len(s)-4:])
	return id
}

func (r *TCPRemote) up(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conn = conn
	r.sessions++
}

func (r *TCPRemote) down(conn net.Conn, n *bgp.Notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == conn {
		r.conn = nil
	}
	if n != nil {
		r.last = n
		if n.Code == bgp.CodeCease {
			r.ceases = append(r.ceases, n.Subcode)
		}
	}
}

// Follow implements Remote.
func (r *TCPRemote) Follow(spec *bgp.PeerSpec) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spec = spec
}

func (r *TCPRemote) followed() *bgp.PeerSpec {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spec
}

// Established implements Remote.
func (r *TCPRemote) Established() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn != nil
}

// Sessions implements Remote.
func (r *TCPRemote) Sessions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions
}

// Attempts returns how many connections the speaker sent an OPEN on.
func (r *TCPRemote) Attempts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.opens)
}

// Ceases implements Remote.
func (r *TCPRemote) Ceases() []uint8 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ceases)
}

// LastNotification returns the last notification received, nil for none.
func (r *TCPRemote) LastNotification() *bgp.Notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Source implements Remote.
func (r *TCPRemote) Source() netip.Addr { return r.SourcePort().Addr() }

// SourcePort is Source with the port.
func (r *TCPRemote) SourcePort() netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source
}

// Open implements Remote.
func (r *TCPRemote) Open() *Open {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.opens) == 0 {
		return nil
	}
	return r.opens[len(r.opens)-1]
}

// Opens returns all OPENs that the speaker sent, also those of connections that
// came to nothing.
func (r *TCPRemote) Opens() []*Open {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.opens)
}

// Conn calls f with the socket of the session and says whether there is one.
func (r *TCPRemote) Conn(f func(fd int)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	tcp, ok := r.conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { f(int(fd)) }) == nil
}

// Mute stops the keepalives, now and in all sessions to come.
func (r *TCPRemote) Mute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = true
}

// Announce sends an IPv4 route in the session, if there is one.
func (r *TCPRemote) Announce(p netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		r.conn.Write(encodeUpdate(r.spec.RemoteAS, r.cfg.Address, p)) // a lost one is a route that the test misses
	}
}

// End implements Remote.
func (r *TCPRemote) End(n *bgp.Notification) {
	r.mu.Lock()
	conn := r.conn
	r.conn = nil
	r.mu.Unlock()
	if conn == nil {
		return
	}
	if n != nil {
		conn.Write(encodeNotification(n)) // a lost one looks like silence to the test
	}
	conn.Close()
}
