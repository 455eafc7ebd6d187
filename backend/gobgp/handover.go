package gobgp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/osrg/gobgp/v4/pkg/server"

	"mooring/bgp"
)

// This file is the one place that reaches into GoBGP (docs/adr/0012). A
// BgpServer reads accepted connections from its private field acceptCh, which
// StartBgp makes only where GoBGP listens. With ListenPort -1 the field stays
// what it is, so a channel of ours in it is all that a dialer and listener of
// our own need: the peers are passive, and every connection, whoever opened
// it, comes to them this way.
//
// Read in v4.8.0, pkg/server/server.go and fsm.go:
//
//   - Serve selects on the field in its loop, so it is set before Serve starts.
//   - passConnToPeer takes the peer by RemoteAddr, which must be a
//     *net.TCPAddr, and closes connections of peers that it has not, and those
//     whose LocalAddr is not the peer's local address.
//   - Only the state ACTIVE takes a connection: it writes its OPEN on it. All
//     others close it. An idle peer stays so for 5 s after a loss.
//   - initializeConn sets TTL, MSS and TOS through SyscallConn; it must not.
const acceptField = "acceptCh"

// handOver puts a channel into a BgpServer that does not serve yet. It has no
// room, so that what was sent has been received.
func handOver(s *server.BgpServer) (chan<- net.Conn, error) {
	return handOverInto(reflect.ValueOf(s).Elem())
}

func handOverInto(s reflect.Value) (chan<- net.Conn, error) {
	f := s.FieldByName(acceptField)
	if !f.IsValid() || f.Type() != reflect.TypeFor[chan net.Conn]() {
		return nil, fmt.Errorf("this GoBGP has no field %s of type chan net.Conn in %s", acceptField, s.Type())
	}
	ch := make(chan net.Conn)
	*(*chan net.Conn)(unsafe.Pointer(f.UnsafeAddr())) = ch
	return ch, nil
}

// handOverWorks tries once whether a BgpServer takes what is handed over: it
// closes a connection that is none of TCP.
var handOverWorks = sync.OnceValue(func() error {
	s := server.NewBgpServer(server.LoggerOption(slog.New(slog.DiscardHandler), &slog.LevelVar{}))
	ch, err := handOver(s)
	if err != nil {
		return err
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve()
	}()
	err = probeHandOver(ch, probeTime)
	s.Stop()
	<-served
	return err
})

// probeTime is for a machine that is very busy: it takes microseconds.
const probeTime = 5 * time.Second

func probeHandOver(ch chan<- net.Conn, patience time.Duration) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	p := probeConn{closed: make(chan struct{}, 1)}
	select {
	case ch <- p:
	case <-limit.C:
		return errors.New("this GoBGP does not read the connections handed over")
	}
	select {
	case <-p.closed:
		return nil
	case <-limit.C:
		return errors.New("this GoBGP does not look at the address of a connection handed over")
	}
}

// probeConn is a connection that is none.
type probeConn struct {
	net.Conn
	closed chan struct{}
}

func (probeConn) RemoteAddr() net.Addr { return &net.UnixAddr{} }

func (probeConn) Read([]byte) (int, error) { return 0, io.EOF }

func (p probeConn) Close() error {
	p.closed <- struct{}{}
	return nil
}

// handOver gives a connection to the server. It blocks until the server has
// taken it over; where the server has stopped, the connection is closed.
func (r *running) handOver(c net.Conn) {
	c = r.listenTo(c)
	select {
	case r.conns <- c:
	case <-r.served:
		c.Close()
	}
}

// listenTo wraps a connection of the transport.
func (r *running) listenTo(c net.Conn) net.Conn {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	sys, ok2 := c.(syscall.Conn)
	if !ok || !ok2 || r.refused == nil {
		return c
	}
	peer := tcp.AddrPort().Addr().Unmap()
	s := &spoken{
		Conn: c, sys: sys,
		refused: func(n *bgp.Notification, remote *openSaid) { r.refused(peer, n, remote) },
		closed:  func(s *spoken) { r.closed(peer, s) },
		opened:  func(s *spoken, o *openSaid) { r.talks.opened(peer, s, o) },
	}
	r.talks.put(peer, s)
	r.talks.watch(peer, s)
	return s
}
