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
	MaxPreAuth         int           // connections that have not logged in: 512
	AuthTimeout        time.Duration // from accept to logged in: 30 s
	HelloTimeout       time.Duration // from logged in to subsystem, and from there to the client's hello: 30 s
	WriteTimeout       time.Duration // a client that reads nothing of a reply for so long is dropped: 60 s
	MaxMessage         int64         // bytes of a message: 64 MiB
	MaxDepth           int           // nested elements of a message: 1000
	StrictFraming      bool          // refuse what RFC 6242 does not allow but clients send, see frame.Options
}

func (l Limits) withDefaults() Limits {
	number(&l.MaxSessions, 1024)
	number(&l.MaxSessionsPerUser, l.MaxSessions)
	number(&l.MaxPreAuth, 512)
	number(&l.AuthTimeout, 30*time.Second)
	number(&l.HelloTimeout, 30*time.Second)
	number(&l.WriteTimeout, time.Minute)
	number(&l.MaxMessage, 64<<20)
	number(&l.MaxDepth, 1000)
	return l
}

func number[T int | int64 | time.Duration](field *T, fallback T) {
	if *field <= 0 {
		*field = fallback
	}
}

func (c *Config) check() error {
	if c.Engine == nil || c.Users == nil || c.HostKey == nil || c.Log == nil {
		return errors.New("netconf: Engine, Users, HostKey and Log are required")
	}
	return nil
}
