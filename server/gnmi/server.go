package gnmi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress (gnmi.md 105)
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/server"
)

// Engine is what the front end needs of the agent; *commit.Coordinator is the
// real one. Its methods are called by any goroutine.
type Engine interface {
	// View returns the running configuration and the state to read: one
	// instant of the configuration, however long it is read.
	View() schema.View
	// Instant is View with its time: what is published later has a later one.
	Instant() (schema.View, time.Time)
	// Edit lets fn change a private copy of the running configuration and
	// commits it; it blocks until the change is durable or refused. An error
	// of fn is returned as it is.
	Edit(ctx context.Context, actor commit.Actor, opt commit.Options, fn func(schema.Tx) error) (*commit.Result, error)
	// Confirm makes the pending confirmed commit permanent, Extend gives it a
	// new time to wait, Cancel rolls it back. The error is or wraps
	// commit.ErrNotPending or commit.ErrConfirmID.
	Confirm(actor commit.Actor, id string) error
	Extend(actor commit.Actor, id string, timeout time.Duration) error
	Cancel(ctx context.Context, actor commit.Actor, id string) error
	// Rollback makes the configuration what it was after a commit of the
	// history. It is a commit like that of Edit; the error may also wrap
	// commit.ErrUnknownCommit or datastore.ErrNoUndo.
	Rollback(ctx context.Context, actor commit.Actor, opt commit.Options, commitID string) (*commit.Result, error)
	// Peer tells what hangs on a peer's session now. The error is a
	// *schema.Error for a peer that is not configured.
	Peer(actor commit.Actor, key bgp.PeerKey) (commit.PeerImpact, error)
	// Reset resets the session of a peer, which must be established: the error
	// is that of Peer, or wraps commit.ErrNotEstablished.
	Reset(ctx context.Context, actor commit.Actor, key bgp.PeerKey, mode commit.ResetMode, text string) error
	// Explain tells what the plan of a Result does to each peer, with the
	// sessions as they are now.
	Explain(actor commit.Actor, p commit.Plan) []commit.PeerImpact
	// Past returns what was at a time and what has happened since. The error is a
	// *commit.TooOldError where that is not kept.
	Past(at time.Time, content commit.Content) (*commit.Past, error)
	// Access says what each user may do; nil: everything.
	Access() *nacm.Control
	// Subscribe starts a feed of all changes from now on. The caller closes it.
	Subscribe() *commit.Subscription
	// Listen makes the state of the agent show a subscription.
	Listen(commit.Listener) *commit.Listening
}

// Authenticator says who a caller is; *server.Users is the real one.
type Authenticator interface {
	// Authenticate checks a password. It may block for the time of a password
	// hash, and ends with ctx.
	Authenticate(ctx context.Context, name, password string, source netip.AddrPort) (*server.Identity, error)
	// AuthenticateCertificate maps a verified client certificate, with
	// ErrNoCertToName where no mapping is configured.
	AuthenticateCertificate(chains [][]*x509.Certificate, source netip.AddrPort) (*server.Identity, error)
	// Identify returns a caller who was authenticated otherwise.
	Identify(user string, source netip.AddrPort) *server.Identity
}

// Config is what a Server needs. Engine, Users and Log are required.
type Config struct {
	Engine Engine
	Users  Authenticator
	Log    *slog.Logger
	// TLS is the listener's configuration (server.TLSConfig). Nil serves in
	// the clear, which Serve refuses off loopback.
	TLS *tls.Config

	// LeafLists is what an update does to a leaf-list that has entries.
	LeafLists LeafLists
	// Strict refuses what the specification wants refused and clients send all
	// the same: a sample_interval with the mode TARGET_DEFINED (gnmi.md 75).
	Strict bool

	MaxMessage       int // octets of a request; 0: 64 MiB
	MaxConnections   int // 0: 1024
	MaxSubscriptions int // open Subscribe RPCs; 0: 1024
}

// LeafLists says what an update does to a leaf-list; the specification leaves it
// open (gnmi.md 38).
type LeafLists uint8

// What an update may do.
const (
	ReplaceLeafLists LeafLists = iota // the leaf-list has the entries of the update
	MergeLeafLists                    // it has them beside those that were there
)

const (
	defaultMaxMessage = 64 << 20 // gnmi.md 106: 100,000 peers in one Set are 43 MB of JSON
	defaultMaxOpen    = 1024
	maxStreams        = 256 // RPCs at a time on one connection
	maxHeaders        = 32 << 10

	handshakeTime = 10 * time.Second
	stopTime      = 2 * time.Second

	// gnmi.md 107: grpc-go's own limit of 5 minutes would throw collectors out.
	minClientPing = 5 * time.Second
	// A client that is gone without a word is noticed after both.
	serverPing     = 30 * time.Second
	serverPingWait = 20 * time.Second
)

// Server is the gNMI service. Its methods Capabilities, Get, Set and Subscribe
// are those of gnmi.proto; Serve puts them on a listener.
type Server struct {
	cfg       Config
	log       *slog.Logger
	stopping  chan struct{}  // closed when the server stops
	readers   sync.WaitGroup // goroutines of the open Subscribe RPCs
	open      atomic.Int64   // Subscribe RPCs
	elections elections
	maxAnswer int
	deltas    deltaCache
	fullSize  [schema.Operational + 1]atomic.Int64 // octets of the last answer for the root, by content
}

var _ gpb.GNMIServer = (*Server)(nil)

// New returns a Server. It starts nothing.
func New(cfg Config) *Server {
	orElse := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	orElse(&cfg.MaxMessage, defaultMaxMessage)
	orElse(&cfg.MaxConnections, defaultMaxOpen)
	orElse(&cfg.MaxSubscriptions, defaultMaxOpen)
	return &Server{cfg: cfg, log: cfg.Log, stopping: make(chan struct{}), maxAnswer: maxAnswer}
}

// Subscriptions returns how many Subscribe RPCs are open.
func (s *Server) Subscriptions() int { return int(s.open.Load()) }

// Serve answers on ln until ctx ends, and closes it. Subscriptions then end
// with UNAVAILABLE (gnmi.md 83), other RPCs may finish for two seconds; a Set
// that is being committed is always waited for. On return nothing of the
// server runs any more. Serve is called once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	stop := sync.OnceFunc(func() { close(s.stopping) })
	defer stop()
	if s.cfg.TLS == nil && !local(ln.Addr()) {
		err := fmt.Errorf("serve gNMI on %s without TLS: only loopback and unix sockets are served in the clear", ln.Addr())
		return errors.Join(err, ln.Close())
	}
	conns := track(server.LimitListener(ln, s.cfg.MaxConnections))
	g, alive := s.grpcServer()
	served := make(chan error, 1)
	go func() { served <- g.Serve(conns) }()
	var err error
	select {
	case err = <-served:
		err = fmt.Errorf("serve gNMI on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	alive.Shutdown()
	stop()
	drained := make(chan struct{})
	go func() {
		g.GracefulStop()
		close(drained)
	}()
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-drained:
	case <-late.C:
		conns.closeAll()
		g.Stop()
		<-drained
	}
	s.readers.Wait()
	if err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, grpc.ErrServerStopped) { // nil after a graceful stop
		return err
	}
	return nil
}

func local(addr net.Addr) bool {
	return addr.Network() == "unix" || server.IsLoopback(addr.String())
}

func (s *Server) grpcServer() (*grpc.Server, *health.Server) {
	opts := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(s.cfg.MaxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: serverPing, Timeout: serverPingWait}),
	}
	if s.cfg.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.cfg.TLS)))
	}
	g := grpc.NewServer(opts...)
	alive := health.NewServer()
	alive.SetServingStatus(gpb.GNMI_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	guarded := guard{Server: g, authenticate: s.authenticate, recovered: s.recovered}
	gpb.RegisterGNMIServer(guarded, s)
	healthpb.RegisterHealthServer(guarded, alive)
	reflection.Register(guarded) // gnmi.md 104
	return g, alive
}
