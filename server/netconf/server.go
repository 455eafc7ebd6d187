package netconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mooring/server/netconf/files"
	"mooring/server/netconf/rpc"
)

// Server is the NETCONF front end. Make it with New and call Serve once.
type Server struct {
	cfg      Config
	limits   Limits
	log      *slog.Logger
	registry *registry
	rpc      *rpc.Server

	capabilities []byte // the element of that name in each hello

	connections atomic.Int64 // open, logged in or not
	preAuth     atomic.Int64 // of them, not logged in
	refusing    atomic.Int64 // refused, waiting for the client to notice
}

// New returns a Server. It starts nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	limits := cfg.Limits.withDefaults()
	o := rpc.Options{MaxDepth: limits.MaxDepth, Startup: cfg.Startup}
	if cfg.URLDir != "" {
		var err error
		if o.Files, err = files.Open(cfg.URLDir, limits.MaxMessage); err != nil {
			return nil, fmt.Errorf("netconf: directory for URLs: %w", err)
		}
	}
	r := newRegistry(limits)
	s := &Server{cfg: cfg, limits: limits, log: cfg.Log, registry: r, rpc: rpc.New(cfg.Engine, r, cfg.Log, o)}
	s.capabilities = appendCapabilities(nil, s.rpc.Capabilities())
	return s, nil
}

// Listeners are where sessions come in. A nil one is not served.
type Listeners struct {
	SSH net.Listener // needs Config.HostKeys
	TLS net.Listener // needs Config.TLS
}

// Serve accepts connections and calls home until ctx ends, then ends all sessions and returns
// nil within about two seconds, with no goroutine left. It closes the
// listeners. Any other return is an error of a listener.
func (s *Server) Serve(ctx context.Context, in Listeners) error {
	// Connections outlive ctx by what stop takes.
	connCtx, closeAll := context.WithCancel(context.WithoutCancel(ctx))
	defer closeAll()
	var wg sync.WaitGroup
	changes := s.cfg.Engine.Subscribe()
	defer changes.Close()
	wg.Go(func() { s.rpc.Follow(connCtx, changes) })
	ways, ctx := errgroup.WithContext(ctx)
	ways.Go(func() error { // without a listener too
		<-ctx.Done()
		return nil
	})
	for _, c := range s.cfg.CallHome {
		wg.Go(func() { s.callHome(ctx, connCtx, c.withDefaults()) })
	}
	listen := func(ln net.Listener, serve func(context.Context, net.Conn, terms) error) {
		if ln == nil {
			return
		}
		ways.Go(func() error {
			<-ctx.Done()
			_ = ln.Close() // ends Accept; there is nobody to tell
			return nil
		})
		ways.Go(func() error {
			return s.accept(ctx, ln, func(conn net.Conn) {
				wg.Go(func() { _ = serve(connCtx, conn, s.accepted()) }) // it has logged why
			})
		})
	}
	listen(in.SSH, s.serveSSH)
	listen(in.TLS, s.serveTLS)
	err := ways.Wait()
	s.registry.stop()
	closeAll()
	wg.Wait()
	return err
}

// terms are those of one connection.
type terms struct {
	keepalive Keepalive
	idle      time.Duration // Limits.IdleTimeout
}

// accepted are the terms of connections that clients have opened.
func (s *Server) accepted() terms {
	return terms{keepalive: s.limits.Keepalive, idle: s.limits.IdleTimeout}
}

// acceptRetry is how long to wait where a connection cannot be accepted, as
// when the process has no file descriptors left.
const acceptRetry = 100 * time.Millisecond

func (s *Server) accept(ctx context.Context, ln net.Listener, serve func(net.Conn)) error {
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close() // came too late
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("netconf: accept on %s: %w", ln.Addr(), err)
		case err != nil:
			s.log.Warn("netconf connection not accepted", "err", err)
			select {
			case <-time.After(acceptRetry):
			case <-ctx.Done():
			}
		default:
			serve(conn)
		}
	}
}

// admit counts a connection that has not logged in. Without room for it, it
// says why.
func (s *Server) admit(source net.Addr) (err error) {
	defer func() {
		if err != nil {
			s.log.Warn("netconf connection refused", "source", source.String(), "reason", err.Error())
		}
	}()
	if n := s.connections.Add(1); n > int64(s.limits.MaxSessions+s.limits.MaxPreAuth) {
		s.connections.Add(-1)
		return errors.New("too many connections")
	}
	if n := s.preAuth.Add(1); n > int64(s.limits.MaxPreAuth) {
		s.preAuth.Add(-1)
		s.connections.Add(-1)
		return errors.New("too many connections that have not logged in")
	}
	return nil
}

const (
	// refuseTime is how long a refused client may take to notice.
	refuseTime = time.Second
	// maxRefusing bounds the refused connections that wait for that.
	maxRefusing = 64
)

// refuse closes a connection so that the client reads an end of file and not
// a reset, which a close with its bytes unread would be (RFC 1122 4.2.2.13).
// Only SSH has room for words before the protocol begins.
func (s *Server) refuse(ctx context.Context, conn net.Conn, words string) {
	defer conn.Close()
	defer s.refusing.Add(-1)
	if s.refusing.Add(1) > maxRefusing {
		return
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || conn.SetDeadline(time.Now().Add(refuseTime)) != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, words); err == nil && half.CloseWrite() == nil {
		drain(conn)
	}
}

// setKeepalive lets TCP ask for the peer. An error is that of the connection,
// whose end everybody sees.
func setKeepalive(conn net.Conn, k Keepalive) {
	if tcp, ok := conn.(*net.TCPConn); ok && k.Interval > 0 {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: k.Interval, Interval: k.Interval, Count: k.Attempts})
	}
}
