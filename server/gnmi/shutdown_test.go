package gnmi

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"mooring/engine/schema"
	"mooring/server"
)

// memory is a listener whose connections a bubble of synctest can have. The
// server takes it for a unix socket, which may be in the clear.
type memory struct{ *bufconn.Listener }

func (memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// served is a Server on a listener in memory.
type served struct {
	*bench
	server *Server
	ln     memory
	stop   func()     // begins the end of Serve
	ended  chan error // what Serve returns
}

// serve starts a server. It ends with the test.
func (b *bench) serve(cfg Config) *served {
	cfg.Users, cfg.Log = anybody{}, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(b.Context())
	s := &served{bench: b, server: New(cfg), ln: memory{bufconn.Listen(1 << 16)}, stop: cancel, ended: make(chan error, 1)}
	go func() { s.ended <- s.server.Serve(ctx, s.ln) }()
	b.Cleanup(func() {
		cancel()
		synctest.Wait()
	})
	return s
}

// anybody takes every caller for the user of the tests.
type anybody struct{}

func (anybody) Authenticate(_ context.Context, name, _ string, source netip.AddrPort) (*server.Identity, error) {
	return &server.Identity{User: name, Source: source}, nil
}

func (anybody) AuthenticateCertificate([][]*x509.Certificate, netip.AddrPort) (*server.Identity, error) {
	return nil, server.ErrNoCertToName
}

func (anybody) Identify(user string, source netip.AddrPort) *server.Identity {
	return &server.Identity{User: user, Source: source}
}

// connect opens a connection on which nothing is said yet.
func (s *served) connect() net.Conn {
	s.Helper()
	conn, err := s.ln.Dial()
	if err != nil {
		s.Fatal(err)
	}
	return conn
}

// subscribe opens a Subscribe by gRPC.
func (s *served) subscribe(list string) gpb.GNMI_SubscribeClient {
	s.Helper()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.ln.DialContext(ctx) }))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	ctx := metadata.AppendToOutgoingContext(s.Context(), "username", testUser, "password", testPassword)
	sub, err := gpb.NewGNMIClient(conn).Subscribe(ctx)
	if err != nil {
		s.Fatal(err)
	}
	req := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: textOf[gpb.SubscriptionList](s, list)}}
	if err := sub.Send(req); err != nil {
		s.Fatal(err)
	}
	return sub
}

// end stops the server where stop is called, and returns what Serve returned
// and after which time.
func (s *served) end(stop func()) (time.Duration, error) {
	start := time.Now()
	stop()
	err := <-s.ended
	return time.Since(start), err
}

// A listener that fails ends Serve with its error, and does not wait longer for
// a connection that never shakes hands.
func TestListenerFails(t *testing.T) {
	bubble(t, func(b *bench) {
		s := b.serve(Config{Engine: b.engine})
		conn := s.connect()
		defer conn.Close()
		synctest.Wait()
		took, err := s.end(func() { _ = s.ln.Close() })
		if err == nil || !strings.Contains(err.Error(), "serve gNMI") || took > stopTime {
			t.Errorf("Serve ended with %v after %v", err, took)
		}
	})
}

// gnmi.md 83: at shutdown streams end with UNAVAILABLE, at once.
func TestShutdown(t *testing.T) {
	bubble(t, func(b *bench) {
		s := b.serve(Config{Engine: b.engine})
		var streams []*stream
		for _, list := range []string{"subscription: {mode: ON_CHANGE}", "mode: POLL subscription: {}"} {
			sub := &stream{rig: &rig{TB: t}, GNMI_SubscribeClient: s.subscribe(list)}
			sub.untilSync()
			streams = append(streams, sub)
		}
		synctest.Wait()
		if took, err := s.end(s.stop); err != nil || took > 0 {
			t.Errorf("Serve ended with %v after %v", err, took)
		}
		for _, sub := range streams {
			_, err := sub.all()
			wantStatus(t, err, codes.Unavailable, "shutting down")
		}
	})
}

// gnmi.md 83: a reader that does not read holds the shutdown up for no more than
// two seconds.
func TestShutdownWithStuckReader(t *testing.T) {
	bubble(t, func(b *bench) {
		counting := &countingEngine{Engine: b.engine}
		s := b.serve(Config{Engine: counting})
		sub := s.subscribe("mode: POLL subscription: {}")
		const polls = 3000
		for range polls { // and reads nothing
			if err := sub.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // the server blocks in Send
		if n := counting.views.Load(); n == 0 || n >= polls {
			t.Fatalf("%d of %d polls were answered: nothing is stuck", n, polls)
		}
		if took, err := s.end(s.stop); err != nil || took > stopTime {
			t.Errorf("Serve ended with %v after %v", err, took)
		}
	})
}

// countingEngine counts what is read.
type countingEngine struct {
	Engine
	views atomic.Int64
}

func (e *countingEngine) Instant() (schema.View, time.Time) {
	e.views.Add(1)
	return e.Engine.Instant()
}
