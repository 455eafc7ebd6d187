package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// The addresses of the demo. All of 127.0.0.0/8 is local on Linux.
const (
	demoPeer     = "127.0.0.2"
	demoLocalAS  = 100
	demoRemoteAS = 200
)

// demoSources are the sources that the peer knows. The last is what the
// kernel chooses where no source is configured.
var demoSources = []string{"127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14", "127.0.0.1"}

// remote is the other side of the demo's session.
type remote struct {
	speaker *server.BgpServer
	port    uint16
}

// startRemote starts a BGP speaker that waits for connections from each of
// demoSources. Each is a neighbour of its own: a GoBGP neighbour refuses new
// connections for 5 seconds after its session has ended with a Cease.
func startRemote(ctx context.Context) (*remote, error) {
	port, err := freePort(demoPeer)
	if err != nil {
		return nil, err
	}
	r := &remote{speaker: server.NewBgpServer(), port: port}
	go r.speaker.Serve() // ends with StopBgp
	if err := r.configure(ctx); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *remote) configure(ctx context.Context) error {
	err := r.speaker.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: demoRemoteAS, RouterId: demoPeer, ListenPort: int32(r.port), ListenAddresses: []string{demoPeer},
		Families: []uint32{0}, // IPv4 unicast; all of them would take 10 MB
	}})
	if err != nil {
		return err
	}
	for _, source := range demoSources {
		err := r.speaker.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{
			Conf:      &api.PeerConf{NeighborAddress: source, PeerAsn: demoLocalAS},
			Transport: &api.Transport{LocalAddress: demoPeer, PassiveMode: true},
		}})
		if err != nil {
			return fmt.Errorf("neighbour %s: %w", source, err)
		}
	}
	return nil
}

func (r *remote) stop() { r.speaker.Stop() }

// freePort returns a TCP port that nobody has at the address.
func freePort(addr string) (uint16, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		return 0, err
	}
	port := netip.MustParseAddrPort(ln.Addr().String()).Port()
	return port, ln.Close()
}
