package gobgp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"

	"mooring/backend/transport"
	"mooring/bgp"
)

// bgpServer is what is used of server.BgpServer for peers: the seam at which
// a test lets GoBGP fail.
type bgpServer interface {
	AddPeer(context.Context, *api.AddPeerRequest) error
	UpdatePeer(context.Context, *api.UpdatePeerRequest) (*api.UpdatePeerResponse, error)
	DeletePeer(context.Context, *api.DeletePeerRequest) error
	ListPeer(context.Context, *api.ListPeerRequest, func(*api.Peer)) error
	ResetPeer(context.Context, *api.ResetPeerRequest) error
}

// running is a started BgpServer. GoBGP cannot start one again, so a speaker
// that restarts gets a new one.
type running struct {
	bgpServer
	conns     chan<- net.Conn // nil: GoBGP opens and accepts by itself
	served    chan struct{}   // closed when the server has stopped
	tap       *tap
	talks     conversations
	refused   func(netip.Addr, *bgp.Notification, *openSaid) // a connection ended before its session; must not block
	closed    func(netip.Addr, *spoken)                      // a connection has ended; must not block
	stopWatch context.CancelFunc
	end       func() // stops the server and waits for it
}

// ceaseTimeout is how long a server that stops waits for a session's Cease to
// be written: GoBGP itself gives the write a second.
const ceaseTimeout = 1500 * time.Millisecond

// startMu serialises StartBgp, which writes package variables of GoBGP
// (backends.md 1.5), over all Backends of the process.
var startMu sync.Mutex

// startOptions are what a server is started with.
type startOptions struct {
	log *slog.Logger
	own bool // connections are handed over to it

	// What follows is called from GoBGP's goroutines and must not block.
	state      func(*running, *apiutil.WatchEventMessage_PeerEvent, time.Time)
	dialFailed func(*running, netip.Addr, string)
	refused    func(*running, netip.Addr, *bgp.Notification, *openSaid) // a connection ended before its session
	closed     func(*running, netip.Addr, *spoken)                      // a connection has ended
}

// start starts a server for in.
func start(ctx context.Context, in *bgp.InstanceSpec, o startOptions) (*running, error) {
	r := &running{served: make(chan struct{})}
	r.tap = newTap(o.log.With("instance", in.Key.String()).Handler(), func(peer netip.Addr, reason string) {
		o.dialFailed(r, peer, reason)
	})
	r.refused = func(peer netip.Addr, n *bgp.Notification, remote *openSaid) { o.refused(r, peer, n, remote) }
	r.closed = func(peer netip.Addr, c *spoken) { o.closed(r, peer, c) }
	srv := server.NewBgpServer(server.LoggerOption(slog.New(r.tap), &slog.LevelVar{}))
	r.bgpServer = srv
	var err error
	if o.own {
		if r.conns, err = handOver(srv); err != nil {
			return nil, err
		}
	}
	go func() {
		defer close(r.served)
		srv.Serve()
	}()
	watch, stopWatch := context.WithCancel(context.Background()) // ends with the server, not with the request that started it
	r.stopWatch = stopWatch
	r.end = func() {
		stopWatch()
		srv.Stop()
		<-r.served
	}
	startMu.Lock()
	err = srv.StartBgp(ctx, &api.StartBgpRequest{Global: global(in, o.own)})
	startMu.Unlock()
	if err != nil {
		r.end()
		return nil, transport.ListenError(in, err)
	}
	err = srv.WatchEvent(watch, server.WatchEventMessageCallbacks{
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, at time.Time) { o.state(r, e, at) },
	}, server.WatchPeer())
	if err != nil {
		r.end()
		return nil, fmt.Errorf("watch events: %w", err)
	}
	return r, nil
}

// stop ends all sessions with a Cease of the subcode and then the server.
// StopBgp alone closes accepted connections before their Cease is written.
func (r *running) stop(peers []*api.Peer, subcode uint8) {
	ctx := context.Background() // a stop that has begun is finished
	up := map[netip.Addr]bool{}
	// A failure leaves sessions without a Cease, which is all that it can do.
	_ = r.ListPeer(ctx, &api.ListPeerRequest{}, func(a *api.Peer) {
		if addr, err := netip.ParseAddr(a.GetState().GetNeighborAddress()); err == nil {
			up[addr] = isEstablished(a)
		}
	})
	var downs []<-chan struct{}
	for _, a := range peers {
		addr := netip.MustParseAddr(a.Conf.NeighborAddress)
		if !up[addr] {
			continue
		}
		downs = append(downs, r.tap.expectDown(addr))
		_, _ = r.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: parked(a, subcode)})
	}
	timeout := time.NewTimer(ceaseTimeout)
	defer timeout.Stop()
	for _, down := range downs {
		select {
		case <-down:
			continue
		case <-timeout.C:
		}
		break
	}
	r.end()
}

// peer returns what GoBGP has of a peer, nil where it has none.
func (r *running) peer(ctx context.Context, addr netip.Addr) (*api.Peer, error) {
	var found *api.Peer
	err := r.ListPeer(ctx, &api.ListPeerRequest{Address: addr.String()}, func(a *api.Peer) { found = a })
	return found, err
}

func isEstablished(a *api.Peer) bool {
	return a.GetState().GetSessionState() == api.PeerState_SESSION_STATE_ESTABLISHED
}

// mayBeUp says whether a session is up or may be in a moment.
func mayBeUp(a *api.Peer) bool {
	return a.GetState().GetSessionState() >= api.PeerState_SESSION_STATE_OPENSENT
}
