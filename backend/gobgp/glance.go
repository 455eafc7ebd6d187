package gobgp

import (
	"context"
	"net/netip"

	"github.com/osrg/gobgp/v4/api"
)

// glances are what ListPeer told in one round of look. It walks over all
// peers of an instance even for one, so where many changed it is asked once.
type glances map[*running]*glance

type glance struct {
	items int
	peers map[netip.Addr]*api.Peer // nil: not asked for all
}

const manyItems = 16

func (g glances) count(it *item) {
	if it.kind != itemState {
		return
	}
	if g[it.run] == nil {
		g[it.run] = &glance{}
	}
	g[it.run].items++
}

func (g glances) peer(ctx context.Context, run *running, addr netip.Addr) (*api.Peer, error) {
	all := g[run]
	if all == nil || all.items < manyItems {
		return run.peer(ctx, addr)
	}
	if all.peers == nil {
		all.peers = map[netip.Addr]*api.Peer{}
		err := run.ListPeer(ctx, &api.ListPeerRequest{}, func(a *api.Peer) {
			if addr, err := netip.ParseAddr(a.GetState().GetNeighborAddress()); err == nil {
				all.peers[addr] = a
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if a, ok := all.peers[addr]; ok {
		return a, nil
	}
	return run.peer(ctx, addr)
}

// forget makes the next look at a peer a new one.
func (g glances) forget(run *running, addr netip.Addr) {
	if all := g[run]; all != nil {
		delete(all.peers, addr)
	}
}
