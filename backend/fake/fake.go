// Package fake is a BGP speaker in memory: for tests of everything that
// drives a backend, and for measuring the agent without a speaker.
//
// By default it is an ideal speaker: it supports every setting, resets
// exactly where the model wants it, and every peer that may have a session
// has one as soon as Apply returns. The methods of script.go change that:
// they hold sessions back, fail steps, take the speaker away, and play the
// remote side. It keeps little more than the pointer to the specification of
// a peer, so that 100,000 peers cost megabytes, not gigabytes.
//
// It opens no socket and starts no goroutine; events leave from Run only.
package fake

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// Options change what the speaker is. The zero Options are an ideal one.
type Options struct {
	// Native is what the speaker does to a session by itself; nil: Native.
	Native func(old, new *bgp.PeerSpec) bgp.Impact
	// External makes it a speaker that lives on without the agent.
	External bool
}

// Backend is the speaker. Its methods may be called from any goroutine.
type Backend struct {
	native   func(old, new *bgp.PeerSpec) bgp.Impact
	external bool
	wake     chan struct{} // holds one token while queue is not empty

	status atomic.Pointer[backend.Status] // told whatever the mutex is held for

	mu          sync.Mutex // guards all below
	instances   map[bgp.InstanceKey]*instance
	ceases      map[bgp.PeerKey][]uint8 // subcodes sent, also of peers that are gone
	pending     []*bgp.PeerSpec         // peers that get a session when Apply ends
	queue       []note
	held        bool
	down        error // not nil: the speaker is away
	failPrepare func(plan.Step) error
	failApply   func(plan.Step) error
	clock       func() time.Time
	ran         bool // Run tells the events
}

var _ backend.Backend = (*Backend)(nil)

type instance struct {
	spec  *bgp.InstanceSpec
	peers map[netip.Addr]peer
}

// peer is held by value: at 100,000 of them every word counts.
type peer struct {
	spec        *bgp.PeerSpec
	session     *bgp.PeerSpec // what the session was opened with, nil: no session
	connections uint32        // how often there was a session
}

// New returns a speaker that has no instance and no peer.
func New(o Options) *Backend {
	if o.Native == nil {
		o.Native = Native
	}
	return &Backend{
		native:    o.Native,
		external:  o.External,
		wake:      make(chan struct{}, 1),
		instances: map[bgp.InstanceKey]*instance{},
		ceases:    map[bgp.PeerKey][]uint8{},
		clock:     time.Now,
	}
}

// Info returns the name.
func (b *Backend) Info() backend.Info {
	return backend.Info{Name: "fake", Version: "in memory", External: b.external}
}

// Capabilities says Full for every setting.
func (b *Backend) Capabilities() []backend.Capability {
	var cs []backend.Capability
	for _, leaf := range bgp.PeerLeaves() {
		cs = append(cs, backend.Capability{Leaf: leaf, Support: backend.Full, Mechanism: "in memory"})
	}
	return cs
}

// Status is that of SetStatus.
func (b *Backend) Status() backend.Status {
	if s := b.status.Load(); s != nil {
		return *s
	}
	return backend.Status{}
}

// Native is that of the Options.
func (b *Backend) Native(old, new *bgp.PeerSpec) bgp.Impact { return b.native(old, new) }

// NativeInstance says reset where the speaker itself would change.
func (b *Backend) NativeInstance(old, new *bgp.InstanceSpec) bgp.Impact {
	return NativeInstance(old, new)
}

// Prepare refuses what FailPrepare says.
func (b *Backend) Prepare(_ context.Context, steps []plan.Step) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range steps {
		s := &steps[i]
		if b.down != nil {
			return stepError(s, b.down)
		}
		if b.failPrepare == nil {
			continue
		}
		if err := b.failPrepare(*s); err != nil {
			return stepError(s, err)
		}
	}
	return nil
}

// Apply carries the steps out. Sessions that may be come up when the last
// step is done, so that two steps of one batch never cost a peer two.
func (b *Backend) Apply(ctx context.Context, steps []plan.Step) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.settle()
	b.pending = slices.Grow(b.pending, len(steps))
	b.queue = slices.Grow(b.queue, 2*len(steps))
	for i := range steps {
		s := &steps[i]
		err := ctx.Err()
		if err == nil {
			err = b.down
		}
		if err == nil && b.failApply != nil {
			err = b.failApply(*s)
		}
		if err == nil {
			err = b.step(s)
		}
		if err != nil {
			return i, stepError(s, err)
		}
	}
	return len(steps), nil
}

func (b *Backend) step(s *plan.Step) error {
	in := b.instances[s.Instance]
	switch s.Op {
	case plan.PutInstance:
		b.putInstance(s)
		return nil
	case plan.DeleteInstance:
		if in != nil && len(in.peers) > 0 {
			return fmt.Errorf("still has %d peers: delete them first", len(in.peers))
		}
		delete(b.instances, s.Instance)
		return nil
	case plan.DeletePeer:
		if in != nil {
			b.deletePeer(in, s.Peer)
		}
		return nil
	case plan.CreatePeer, plan.UpdatePeer:
		if in == nil {
			return errors.New("the instance does not exist: create it first")
		}
		b.putPeer(in, s)
		return nil
	}
	return fmt.Errorf("unknown operation %d", s.Op)
}

func (b *Backend) putInstance(s *plan.Step) {
	in := b.instances[s.Instance]
	if in == nil {
		b.instances[s.Instance] = &instance{spec: s.NewInstance, peers: map[netip.Addr]peer{}}
		return
	}
	if NativeInstance(in.spec, s.NewInstance) == bgp.ImpactReset {
		for _, p := range in.peers {
			b.end(in, p.spec.Key, cease(bgp.CeaseOtherConfiguration, ""))
			b.pending = append(b.pending, p.spec)
		}
	}
	in.spec = s.NewInstance
}

func (b *Backend) putPeer(in *instance, s *plan.Step) {
	p, old := in.peers[s.Peer.Address], in.peers[s.Peer.Address].spec
	p.spec = s.New
	in.peers[s.Peer.Address] = p
	b.pending = append(b.pending, s.New)
	if old == nil {
		b.note(note{peer: s.New})
		return
	}
	changed := old != s.New && len(bgp.DiffPeers(old, s.New)) > 0
	forced := s.AddReset && len(bgp.DiffPeers(s.Old, s.New)) == 0
	if !changed && !forced || s.Impact != bgp.ImpactReset {
		return
	}
	if !s.AddReset && b.native(old, s.New) != bgp.ImpactReset {
		return // like a real speaker: nobody asked for a reset
	}
	subcode := uint8(bgp.CeaseOtherConfiguration)
	if s.New.Down == bgp.DownDisabled {
		subcode = bgp.CeaseAdminShutdown
	}
	b.end(in, s.Peer, cease(subcode, ""))
}

func (b *Backend) deletePeer(in *instance, key bgp.PeerKey) {
	p, ok := in.peers[key.Address]
	if !ok {
		return
	}
	b.end(in, key, cease(bgp.CeasePeerDeconfigured, ""))
	delete(in.peers, key.Address)
	b.note(note{kind: backend.PeerGone, peer: p.spec})
}

// Reset ends an established session with Cease 6/4; a soft reset ends none.
func (b *Backend) Reset(ctx context.Context, key bgp.PeerKey, r backend.ResetRequest) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.settle()
	fail := func(err error) error {
		return &backend.Error{Instance: key.InstanceKey(), Peer: key, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if b.down != nil {
		return fail(b.down)
	}
	in := b.instances[key.InstanceKey()]
	if in == nil || in.peers[key.Address].spec == nil {
		return fail(backend.ErrUnknownPeer)
	}
	if r.Mode == backend.ResetHard {
		b.end(in, key, cease(bgp.CeaseAdminReset, r.Text))
		b.pending = append(b.pending, in.peers[key.Address].spec)
	}
	return nil
}

// Snapshot returns all specifications, and before Run what waits for it.
func (b *Backend) Snapshot(ctx context.Context) (*backend.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.down != nil {
		return nil, b.down
	}
	snap := &backend.Snapshot{
		Instances: make(map[bgp.InstanceKey]*bgp.InstanceSpec, len(b.instances)),
		Peers:     map[bgp.PeerKey]*bgp.PeerSpec{},
	}
	for key, in := range b.instances {
		snap.Instances[key] = in.spec
		for _, p := range in.peers {
			snap.Peers[p.spec.Key] = p.spec
		}
	}
	if !b.ran {
		b.queue = slices.DeleteFunc(b.queue, func(n note) bool {
			if n.kind != backend.PeerChanged {
				return false
			}
			snap.Sessions = append(snap.Sessions, n.event())
			return true
		})
	}
	return snap, nil
}

func stepError(s *plan.Step, err error) error {
	var e *backend.Error
	if errors.As(err, &e) {
		return err
	}
	return &backend.Error{Instance: s.Instance, Peer: s.Peer, Err: err}
}
