package netconf

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring/server"
	"mooring/server/netconf/rpc"
)

// Users says who may come in. *server.Users is the real one. The methods are
// called by many connections at once.
type Users interface {
	Authenticate(ctx context.Context, name, password string, source netip.AddrPort) (*server.Identity, error)
	AuthenticateKey(name string, key ssh.PublicKey, source netip.AddrPort) (*server.Identity, error)
}

// Config is what a Server needs.
type Config struct {
	Engine  rpc.Engine
	Users   Users
	HostKey ssh.Signer
	Log     *slog.Logger
	Limits  Limits
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
	StrictFraming      bool          // refuse what RFC 6242 does not allow but clients send, see frame.Options
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
	return l
}

func fallBack[T int | int64 | time.Duration](field *T, to T) {
	if *field <= 0 {
		*field = to
	}
}

func (c *Config) check() error {
	if c.Engine == nil || c.Users == nil || c.HostKey == nil || c.Log == nil {
		return errors.New("netconf: Engine, Users, HostKey and Log are required")
	}
	return nil
}
