package server

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lingerTime is how long a refused client may take to notice.
	lingerTime = time.Second
	// maxLingering bounds the refused connections that wait for that.
	maxLingering = 64
)

// LimitedListener accepts up to a number of connections at a time and closes
// the excess (netconf.md 5). It owns the goroutines that close; Close stops
// them and waits. Accepted connections stay open after Close.
type LimitedListener struct {
	net.Listener
	max     int64
	active  atomic.Int64
	refused atomic.Uint64

	mu        sync.Mutex // guards closed and lingering
	closed    bool
	lingering map[net.Conn]struct{}
	wg        sync.WaitGroup
}

// LimitListener wraps ln so that at most max connections are open. The
// listener owns ln from then on.
func LimitListener(ln net.Listener, max int) *LimitedListener {
	return &LimitedListener{Listener: ln, max: int64(max), lingering: make(map[net.Conn]struct{})}
}

// Accept implements net.Listener. It blocks until a connection within the
// limit arrives.
func (l *LimitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.active.Add(1) <= l.max {
			return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { l.active.Add(-1) })}, nil
		}
		l.active.Add(-1)
		l.refused.Add(1)
		l.refuse(conn)
	}
}

// Active returns the number of open connections.
func (l *LimitedListener) Active() int { return int(l.active.Load()) }

// Refused returns how many connections were closed for being too many.
func (l *LimitedListener) Refused() uint64 { return l.refused.Load() }

// Close closes the listener and the refused connections that still linger,
// and waits for their goroutines.
func (l *LimitedListener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.closed = true
	for conn := range l.lingering {
		_ = conn.SetDeadline(time.Unix(1, 0)) // ends linger's read
	}
	l.mu.Unlock()
	l.wg.Wait()
	return err
}

// refuse closes conn so that the client reads an end of file: a close with
// its bytes unread would reset the connection (RFC 1122 4.2.2.13). Beyond
// maxLingering it is closed at once.
func (l *LimitedListener) refuse(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok || l.closed || len(l.lingering) >= maxLingering || conn.SetDeadline(time.Now().Add(lingerTime)) != nil {
		_ = conn.Close() // refused: nothing to lose
		return
	}
	l.lingering[conn] = struct{}{}
	l.wg.Go(func() {
		if half.CloseWrite() == nil {
			_, _ = io.Copy(io.Discard, conn) // until the client closes or the deadline
		}
		_ = conn.Close()
		l.mu.Lock()
		delete(l.lingering, conn)
		l.mu.Unlock()
	})
}

// limitedConn gives its place back once, at its first Close.
type limitedConn struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
