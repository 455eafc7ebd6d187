package netconf

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"mooring/server"
)

// serveTLS serves one connection to its end (RFC 7589), and returns an error
// when there was no session. When ctx ends, it ends at once.
func (s *Server) serveTLS(ctx context.Context, raw net.Conn, t terms) error {
	if err := s.admit(raw.RemoteAddr()); err != nil {
		s.refuse(ctx, raw, "")
		return err
	}
	defer s.connections.Add(-1)
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	defer raw.Close()
	setKeepalive(raw, t.keepalive)
	conn := tls.Server(raw, s.cfg.TLS)
	defer bid(conn, raw)
	id, err := s.shakeHands(ctx, conn)
	s.preAuth.Add(-1)
	if err != nil {
		s.log.Info("netconf login failed", "source", raw.RemoteAddr().String(), "err", err)
		return err
	}
	st := &tlsStream{conn}
	se, err := s.open(id, st, overTLS)
	if err != nil {
		s.log.Info("netconf session refused", "source", raw.RemoteAddr().String(), "user", id.User, "reason", err.Error())
		return err
	}
	se.idle = t.idle
	why := se.run(ctx)
	if errors.Is(why, errClosed) || errors.Is(why, errEOF) {
		st.goodbye()
	}
	return nil
}

// shakeHands does the TLS handshake, in AuthTimeout at most, and returns whom
// the client's certificate names.
func (s *Server) shakeHands(ctx context.Context, conn *tls.Conn) (*server.Identity, error) {
	// A deadline for the whole of it: a client that sends a byte now and then
	// gains nothing.
	if err := conn.SetDeadline(time.Now().Add(s.limits.AuthTimeout)); err != nil {
		return nil, err
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	id, err := s.cfg.Users.AuthenticateCertificate(conn.ConnectionState().VerifiedChains, server.SourceOf(conn.RemoteAddr()))
	if err != nil {
		return nil, err
	}
	return id, conn.SetDeadline(time.Time{})
}

// tlsStream is the stream of a session in a TLS connection.
type tlsStream struct{ *tls.Conn }

// Close ends what reads and writes. The connection is closed by its owner, who
// can wait for a client that takes nothing any more.
func (s *tlsStream) Close() error { return s.SetDeadline(time.Unix(1, 0)) }

// goodbye ends the output in order (RFC 5246 7.2.1) and leaves the client a
// moment to end its side first.
func (s *tlsStream) goodbye() {
	if s.CloseWrite() != nil || s.SetReadDeadline(time.Now().Add(closeGrace)) != nil {
		return
	}
	drain(s.Conn)
}

// bid says that the connection ends, to a client that takes it within
// closeGrace, and closes it.
func bid(conn *tls.Conn, raw net.Conn) {
	late := time.AfterFunc(closeGrace, func() { _ = raw.Close() })
	defer late.Stop()
	_ = conn.Close() // nobody is left to tell
}
