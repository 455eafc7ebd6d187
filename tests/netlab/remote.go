package netlab

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// RemoteConfig is what a Remote says in its OPEN.
type RemoteConfig struct {
	AS       uint32
	RouterID netip.Addr
	HoldTime time.Duration // 0: no KEEPALIVE timer (RFC 4271 4.2)
	Families []Family      // none: IPv4 unicast without the capability
}

// Remote is a BGP speaker without a will of its own, for the cases in which a
// daemon does too much: it accepts every connection, brings it up, and then
// does only what the test tells it. It keeps no routes, refuses nothing and
// does not watch the hold time of its peers.
type Remote struct {
	cfg      RemoteConfig
	listener net.Listener
	loops    sync.WaitGroup

	mu       sync.Mutex // guards the fields below and those of the sessions
	sessions []*RemoteSession
	changed  chan struct{} // closed and replaced at each change
	closing  bool
}

// RemoteSession is one connection that a Remote accepted.
type RemoteSession struct {
	Local, Peer netip.AddrPort

	remote   *Remote
	conn     *net.TCPConn
	messages []Message
	up, down bool
}

// Listener starts a Remote that listens on addr in the namespace. It ends in
// the Cleanup of the test.
func (l *Lab) Listener(n *Namespace, addr netip.AddrPort, cfg RemoteConfig) *Remote {
	l.t.Helper()
	if !cfg.RouterID.Is4() {
		l.t.Fatalf("netlab: remote in %s: router ID %v is not an IPv4 address", n.Name, cfg.RouterID)
	}
	r := &Remote{cfg: cfg, changed: make(chan struct{})}
	err := n.Do(func() (err error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false) // a router does not speak it
		r.listener, err = lc.Listen(context.Background(), "tcp", addr.String())
		return err
	})
	if err != nil {
		l.t.Fatalf("netlab: remote in %s: %v", n.Name, err)
	}
	r.loops.Add(1)
	go r.accept()
	l.t.Cleanup(r.Stop)
	return r
}

// Stop closes the listener and all connections, and waits until nothing runs.
func (r *Remote) Stop() {
	r.listener.Close()
	r.mu.Lock()
	r.closing = true
	open := slices.Clone(r.sessions)
	r.mu.Unlock()
	for _, s := range open {
		s.conn.Close()
	}
	r.loops.Wait()
}

func (r *Remote) accept() {
	defer r.loops.Done()
	for {
		conn, err := r.listener.Accept()
		if err != nil { // closed
			return
		}
		s := &RemoteSession{remote: r, conn: conn.(*net.TCPConn)}
		s.Local, s.Peer = unmap(conn.LocalAddr()), unmap(conn.RemoteAddr())
		r.mu.Lock()
		closing := r.closing
		if !closing {
			r.sessions = append(r.sessions, s)
			r.loops.Add(1)
		}
		r.mu.Unlock()
		if closing {
			conn.Close()
			return
		}
		go s.run()
	}
}

func unmap(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// run is the life of a connection: OPEN at once, KEEPALIVE in answer to the
// peer's OPEN, then one each third of the agreed hold time (RFC 4271 4.4).
func (s *RemoteSession) run() {
	defer s.remote.loops.Done()
	defer s.remote.update(func() { s.down = true })
	defer s.conn.Close()
	cfg := s.remote.cfg
	open := Open{AS: cfg.AS, HoldTime: cfg.HoldTime, RouterID: cfg.RouterID, Families: cfg.Families}
	if _, err := s.conn.Write(marshalOpen(open)); err != nil {
		return
	}
	var buf []byte
	var keepalive time.Duration
	var next time.Time // of our KEEPALIVE; zero: no timer
	chunk := make([]byte, 4096)
	for {
		if keepalive > 0 && !time.Now().Before(next) {
			if _, err := s.conn.Write(marshalKeepalive()); err != nil {
				return
			}
			next = time.Now().Add(keepalive)
		}
		if err := s.conn.SetReadDeadline(next); err != nil {
			return
		}
		n, err := s.conn.Read(chunk)
		buf = append(buf, chunk[:n]...)
		for {
			m, size, perr := parseMessage(buf)
			if perr != nil {
				s.record(m) // as malformed
				return
			}
			if size == 0 {
				break
			}
			buf = bytes.Clone(buf[size:])
			s.record(m)
			if m.Type == TypeOpen {
				keepalive = min(cfg.HoldTime, m.HoldTime) / 3
				next = time.Now().Add(keepalive)
				if keepalive == 0 {
					next = time.Time{}
				}
				if _, err := s.conn.Write(marshalKeepalive()); err != nil {
					return
				}
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

func (s *RemoteSession) record(m Message) {
	m.Time, m.From, m.To = time.Now(), s.Peer, s.Local
	s.remote.update(func() {
		s.messages = append(s.messages, m)
		s.up = s.up || m.Type == TypeKeepalive
	})
}

// update changes state and wakes who waits for it.
func (r *Remote) update(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Sessions returns all connections so far, in the order of their arrival.
func (r *Remote) Sessions() []*RemoteSession {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sessions)
}

// WaitEstablished waits for a live session from the address (invalid: from
// any) that has been brought up. After the timeout the test fails.
func (r *Remote) WaitEstablished(t testing.TB, from netip.Addr, timeout time.Duration) *RemoteSession {
	t.Helper()
	var found *RemoteSession
	ok := r.WaitFor(timeout, func(all []*RemoteSession) bool {
		i := slices.IndexFunc(all, func(s *RemoteSession) bool {
			return s.Established() && (!from.IsValid() || s.Peer.Addr() == from)
		})
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	if !ok {
		t.Fatalf("netlab: remote %s: no session from %v within %v", r.listener.Addr(), from, timeout)
	}
	return found
}

// WaitFor asks ok at each change until it holds; false means that the time was over.
func (r *Remote) WaitFor(timeout time.Duration, ok func([]*RemoteSession) bool) bool {
	expired := time.NewTimer(timeout)
	defer expired.Stop()
	for {
		r.mu.Lock()
		all, changed := slices.Clone(r.sessions), r.changed
		r.mu.Unlock()
		if ok(all) {
			return true
		}
		select {
		case <-changed:
		case <-expired.C:
			return ok(r.Sessions())
		}
	}
}

// Established says whether the peer has confirmed our OPEN and the connection is alive.
func (s *RemoteSession) Established() bool {
	s.remote.mu.Lock()
	defer s.remote.mu.Unlock()
	return s.up && !s.down
}

// Closed says whether the connection has ended.
func (s *RemoteSession) Closed() bool {
	s.remote.mu.Lock()
	defer s.remote.mu.Unlock()
	return s.down
}

// Messages returns what the peer has sent.
func (s *RemoteSession) Messages() []Message {
	s.remote.mu.Lock()
	defer s.remote.mu.Unlock()
	return slices.Clone(s.messages)
}

// Notify sends a NOTIFICATION and closes our direction of the connection.
func (s *RemoteSession) Notify(n Notification) error {
	if _, err := s.conn.Write(marshalNotification(n)); err != nil {
		return err
	}
	// The peer may have answered with its FIN already, and run closed the connection.
	if err := s.conn.CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, unix.ENOTCONN) {
		return err
	}
	return nil
}

// Drop ends the connection with a TCP reset and no BGP message.
func (s *RemoteSession) Drop() error {
	if err := s.conn.SetLinger(0); err != nil {
		return err
	}
	return s.conn.Close()
}
