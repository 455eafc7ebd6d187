package gnmi

import (
	"net"
	"sync"
)

// tracker is a listener that can close what it has accepted. gRPC's own Stop
// waits for connections that are still shaking hands; with this it need not.
type tracker struct {
	net.Listener

	mu   sync.Mutex // guards open
	open map[net.Conn]struct{}
}

func track(ln net.Listener) *tracker {
	return &tracker{Listener: ln, open: map[net.Conn]struct{}{}}
}

// Accept implements net.Listener.
func (t *tracker) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &trackedConn{Conn: conn, tracker: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[c] = struct{}{}
	return c, nil
}

// closeAll closes all connections that are open.
func (t *tracker) closeAll() {
	t.mu.Lock()
	conns := make([]net.Conn, 0, len(t.open))
	for c := range t.open {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	for _, c := range conns {
		_ = c.Close() // the agent ends: whoever is there is told by this
	}
}

// trackedConn leaves its tracker at its first Close.
type trackedConn struct {
	net.Conn
	tracker *tracker
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.tracker.mu.Lock()
	delete(c.tracker.open, c)
	c.tracker.mu.Unlock()
	return c.Conn.Close()
}
