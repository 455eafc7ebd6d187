package gobgp

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend"
	"mooring/backend/transport"
	"mooring/bgp"
)

// Options are the parts that a Backend is built from.
type Options struct {
	Log    *slog.Logger     // nil: silent
	Dialer transport.Dialer // nil: GoBGP's own
}

// Backend is the embedded speaker.
type Backend struct {
	log    *slog.Logger
	dialer transport.Dialer
	optmem func() (int, error)
	poll   time.Duration // between looks at the counters
	queue  queue

	// mu serialises all that is asked of GoBGP and guards all below. It is
	// never held while the sink runs, and GoBGP never calls what takes it.
	mu       sync.Mutex
	speakers map[bgp.InstanceKey]*speaker
	stopped  bool // Run has ended
}

var _ backend.Backend = (*Backend)(nil)

// speaker is an instance and what of its peers GoBGP has been told.
type speaker struct {
	spec  *bgp.InstanceSpec
	run   *running
	peers map[netip.Addr]*peer
}

type peer struct {
	want  *bgp.PeerSpec // what was applied last
	given *bgp.PeerSpec // what GoBGP works by; nil: GoBGP does not have the peer
	gen   uint32        // grows with every reset that is asked for without a change

	shown     backend.Event // the last PeerChanged
	resetting string        // text of a ResetPeer whose end has not been seen
	renew     bool          // replace the state machine when the session ends
}

// pollInterval is how often the prefix counters are looked at. ListPeer
// blocks the server of an instance for some 20 ms per 1000 peers.
const pollInterval = 15 * time.Second

// New returns a Backend that has no instance.
func New(o Options) *Backend {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dialer == nil {
		o.Dialer = transport.GoBGP{}
	}
	return &Backend{
		log: o.Log, dialer: o.Dialer, optmem: readOptmem, poll: pollInterval,
		queue:    queue{wake: make(chan struct{}, 1)},
		speakers: map[bgp.InstanceKey]*speaker{},
	}
}

// Info returns the name and the version of the module that is linked in.
func (b *Backend) Info() backend.Info {
	info := backend.Info{Name: "gobgp", Version: "unknown"}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, m := range build.Deps {
			if m.Path == "github.com/osrg/gobgp/v4" {
				info.Version = m.Version
			}
		}
	}
	return info
}

var errStopped = errors.New("the speaker has been stopped")

// Reset resets a session that is established, and no other.
func (b *Backend) Reset(ctx context.Context, key bgp.PeerKey, r backend.ResetRequest) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	fail := func(err error) error {
		return &backend.Error{Instance: key.InstanceKey(), Peer: key, Err: err}
	}
	sp := b.speakers[key.InstanceKey()]
	if sp == nil || sp.peers[key.Address] == nil {
		return fail(backend.ErrUnknownPeer)
	}
	p := sp.peers[key.Address]
	if p.given == nil {
		return nil
	}
	a, err := sp.run.peer(ctx, key.Address)
	if err != nil {
		return fail(err)
	}
	if !isEstablished(a) {
		return nil
	}
	req := &api.ResetPeerRequest{Address: key.Address.String(), Communication: r.Text}
	switch r.Mode {
	case backend.ResetSoftIn:
		req.Soft, req.Direction = true, api.ResetPeerRequest_DIRECTION_IN
	case backend.ResetSoftOut:
		req.Soft, req.Direction = true, api.ResetPeerRequest_DIRECTION_OUT
	case backend.ResetHard:
		// However the session ends now, a reset that GoBGP kept for the next
		// one goes with the state machine (backends.md 1.4).
		p.renew, p.resetting = true, r.Text
	}
	if err := sp.run.ResetPeer(ctx, req); err != nil {
		return fail(err)
	}
	return nil
}

// Snapshot returns the specifications that GoBGP still has. One that went
// missing from GoBGP is missing here, so that it is put again.
func (b *Backend) Snapshot(ctx context.Context) (*backend.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	snap := &backend.Snapshot{
		Instances: map[bgp.InstanceKey]*bgp.InstanceSpec{},
		Peers:     map[bgp.PeerKey]*bgp.PeerSpec{},
	}
	for key, sp := range b.speakers {
		has := map[netip.Addr]bool{}
		err := sp.run.ListPeer(ctx, &api.ListPeerRequest{}, func(a *api.Peer) {
			if addr, err := netip.ParseAddr(a.GetConf().GetNeighborAddress()); err == nil {
				has[addr] = true
			}
		})
		if err != nil {
			return nil, &backend.Error{Instance: key, Err: err}
		}
		snap.Instances[key] = sp.spec
		for addr, p := range sp.peers {
			if has[addr] == (p.given != nil) {
				snap.Peers[p.want.Key] = p.want
			}
		}
	}
	return snap, nil
}
