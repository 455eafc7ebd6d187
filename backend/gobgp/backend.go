package gobgp

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend"
	"mooring/backend/transport"
	"mooring/bgp"
)

// Options are the parts that a Backend is built from.
type Options struct {
	Log *slog.Logger // nil: silent
	// Stock leaves dialling and listening to GoBGP, for comparison with what
	// it is by default: connections of a transport.Transport are handed over.
	Stock bool
}

// Backend is the embedded speaker.
type Backend struct {
	log    *slog.Logger
	dialer transport.Dialer
	own    *transport.Transport // nil: GoBGP dials and listens
	note   string               // why it does though it was not asked to
	optmem func() (int, error)
	poll   time.Duration // between looks at the counters
	queue  queue

	// mu serialises all that is asked of GoBGP and guards all below. It is
	// never held while the sink runs, and GoBGP never calls what takes it.
	mu       sync.Mutex
	speakers map[bgp.InstanceKey]*speaker
	leaving  map[bgp.PeerKey]*item // itemGone of peers whose connection has not been closed
	stopped  bool                  // Run has ended
}

var _ backend.Backend = (*Backend)(nil)

// speaker is an instance and what of its peers GoBGP has been told.
type speaker struct {
	key   bgp.InstanceKey // of spec, for goroutines that must not wait for mu
	spec  *bgp.InstanceSpec
	run   *running
	peers map[netip.Addr]*peer

	current atomic.Pointer[running] // run, for goroutines that must not wait for mu
	sleep   sleepers
}

// use makes run the server of the speaker.
func (sp *speaker) use(run *running) {
	sp.run = run
	sp.current.Store(run)
}

type peer struct {
	want  *bgp.PeerSpec // what was applied last
	given *bgp.PeerSpec // what GoBGP works by; nil: GoBGP does not have the peer (sleep.go)
	gen   uint32        // grows with every reset that is asked for without a change

	shown     backend.Event    // the last PeerChanged
	on        *spoken          // the connection of the session that is shown; nil where GoBGP makes its own
	next      bgp.SessionState // of the state machine that has replaced that of the session
	lost      bool             // on has been closed, and GoBGP has not said why
	resetting string           // text of a ResetPeer whose end has not been seen
	renew     bool             // replace the state machine when the session ends
	refused   string           // why there was no session last; "" since one was up or the remote is not there
	logged    string           // the refusal that the log has
	drowsy    bool             // there was no connection at the last look
}

// pollInterval is how often the prefix counters are looked at. ListPeer
// blocks the server of an instance for some 20 ms per 1000 peers.
const pollInterval = 15 * time.Second

// New returns a Backend that has no instance.
func New(o Options) *Backend {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := &Backend{
		log: o.Log, dialer: transport.GoBGP{}, optmem: readOptmem, poll: pollInterval,
		queue:    queue{wake: make(chan struct{}, 1)},
		speakers: map[bgp.InstanceKey]*speaker{}, leaving: map[bgp.PeerKey]*item{},
	}
	if !o.Stock {
		b.takeSockets(handOverWorks())
	}
	return b
}

// takeSockets makes the transport open and accept all connections, unless the
// hand-over does not work.
func (b *Backend) takeSockets(broken error) {
	if broken != nil {
		b.note = "GoBGP opens and accepts its connections itself, with fewer settings and slower: " + broken.Error()
		b.log.Error("GoBGP opens its connections itself, with fewer settings and slower", "err", broken)
		return
	}
	b.dialer = transport.Own{}
	b.own = transport.New(b.log, func(e transport.Event) {
		b.queue.push(item{kind: itemDialFailed, at: e.Time, instance: e.Peer.InstanceKey(), addr: e.Peer.Address, text: e.Text, failed: e.Kind})
	})
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

// Status tells of the dialer and the connections that were refused.
func (b *Backend) Status() backend.Status {
	s := backend.Status{Degraded: b.note}
	if b.own != nil {
		refused := b.own.Refused()
		s.RefusedUnknown, s.RefusedPeer = refused.Unknown, refused.Peer
	}
	return s
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
		sp.run.talks.hurry(key.Address)
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
