package netconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring/engine/commit"
	"mooring/server"
	"mooring/server/netconf/rpc"
)

// Users says who may come in. *server.Users is the real one. The methods are
// called by many connections at once.
type Users interface {
	Authenticate(ctx context.Context, name, password string, source netip.AddrPort) (*server.Identity, error)
	AuthenticateKey(name string, key ssh.PublicKey, source netip.AddrPort) (*server.Identity, error)
	AuthenticateCertificate(chains [][]*x509.Certificate, source netip.AddrPort) (*server.Identity, error)
}

// Engine is what the server needs of the commit engine.
type Engine interface {
	rpc.Engine
	// CallsHome makes the state of the agent show what is done about a client
	// that is called.
	CallsHome(commit.Call)
}

// Config is what a Server needs.
type Config struct {
	Engine Engine
	Users  Users
	// HostKeys are needed for SSH, one of a type at most. An RSA key must be
	// limited to the signatures of RFC 8332 (server.LoadOrCreateHostKeys does it).
	HostKeys []ssh.Signer
	TLS      *tls.Config // needed for TLS; must require and verify client certificates (server.TLSConfig)
	Log      *slog.Logger
	Limits   Limits

	// Startup serves the startup datastore (RFC 6241 8.7). The engine must begin
	// with it.
	Startup bool
	// URLDir is the directory of the files that clients may name by URL (RFC
	// 6241 8.8); it is made where it is missing. Empty: URLs are not served.
	URLDir string

	CallHome []CallHome // clients that the server connects to
}

// Limits bound what clients can make the server hold. Zero fields get the
// defaults named.
type Limits struct {
	MaxSessions        int           // NETCONF sessions at a time: 1024
	MaxSessionsPerUser int           // of them of one user: MaxSessions
	MaxPreAuth         int           // connections that have not logged in: 1024, so that all sessions may come at once
	AuthTimeout        time.Duration // from accept to logged in: 30 s
	HelloTimeout       time.Duration // from logged in to subsystem, and from there to the client's hello: 30 s
	WriteTimeout       time.Duration // a client that reads nothing of a reply for so long is dropped: 60 s
	MaxMessage         int64         // bytes of a message: 64 MiB
	MaxDepth           int           // nested elements of a message: 1000
	IdleTimeout        time.Duration // a session without an rpc for so long, and without a subscription, is ended: never
	Keepalive          Keepalive     // of accepted connections: none
	StrictFraming      bool          // refuse what RFC 6242 does not allow but clients send, see frame.Options
}

// Keepalive finds clients that are gone without a word. SSH clients are asked
// in the channel of the protocol, as OpenSSH does it; for TLS, whose heartbeat
// (RFC 6520) no library of today has, TCP asks.
type Keepalive struct {
	Interval time.Duration // between two questions; 0: only the TCP keepalive of the system
	Attempts int           // so many intervals without an answer end the connection; 0: 3
}

func (k Keepalive) withDefaults() Keepalive {
	fallBack(&k.Attempts, 3)
	return k
}

func (l Limits) withDefaults() Limits {
	fallBack(&l.MaxSessions, 1024)
	fallBack(&l.MaxSessionsPerUser, l.MaxSessions)
	fallBack(&l.MaxPreAuth, 1024)
	fallBack(&l.AuthTimeout, 30*time.Second)
	fallBack(&l.HelloTimeout, 30*time.Second)
	fallBack(&l.WriteTimeout, time.Minute)
	fallBack(&l.MaxMessage, 64<<20)
	fallBack(&l.MaxDepth, 1000)
	l.Keepalive = l.Keepalive.withDefaults()
	return l
}

func fallBack[T int | int64 | time.Duration](field *T, to T) {
	if *field <= 0 {
		*field = to
	}
}

func (c *Config) check() error {
	switch {
	case c.Engine == nil, c.Users == nil, c.Log == nil:
		return errors.New("netconf: Engine, Users and Log are required")
	case len(c.HostKeys) == 0 && c.TLS == nil:
		return errors.New("netconf: HostKeys are required for SSH, and TLS for TLS: neither is given")
	case c.TLS != nil && c.TLS.ClientAuth != tls.RequireAndVerifyClientCert:
		return errors.New("netconf: TLS must require client certificates and verify them")
	}
	for i := range c.CallHome {
		if err := c.CallHome[i].check(c); err != nil {
			return err
		}
	}
	return nil
}
