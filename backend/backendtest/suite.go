package backendtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// suite is a Harness in use: the backend runs, its events are recorded, and
// what was put into it is remembered, so that steps come from the planner.
type suite struct {
	Harness
	t      *testing.T
	cancel context.CancelFunc
	done   chan error // closed by Run's end

	instances map[bgp.InstanceKey]*bgp.InstanceSpec
	peers     map[bgp.PeerKey]*bgp.PeerSpec

	mu     sync.Mutex // guards events
	events []backend.Event
}

func newSuite(t *testing.T, h Harness) *suite {
	s := &suite{
		Harness: h, t: t, done: make(chan error, 1),
		instances: map[bgp.InstanceKey]*bgp.InstanceSpec{},
		peers:     map[bgp.PeerKey]*bgp.PeerSpec{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		s.done <- h.Backend.Run(ctx, s.record)
		close(s.done)
	}()
	t.Cleanup(func() {
		cancel()
		<-s.done
	})
	return s
}

func (s *suite) record(e backend.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// of returns the events of a peer so far.
func (s *suite) of(key bgp.PeerKey) []backend.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var es []backend.Event
	for _, e := range s.events {
		if e.Peer == key {
			es = append(es, e)
		}
	}
	return es
}

// establishments returns how often a peer became established, by its events.
func (s *suite) establishments(key bgp.PeerKey) int {
	n, was := 0, bgp.StateIdle
	for _, e := range s.of(key) {
		if e.Session == bgp.StateEstablished && was != bgp.StateEstablished {
			n++
		}
		was = e.Session
	}
	return n
}

// ended returns why sessions of a peer ended, in order.
func (s *suite) ended(key bgp.PeerKey) []backend.Ended {
	var es []backend.Ended
	for _, e := range s.of(key) {
		if e.Ended != nil {
			es = append(es, *e.Ended)
		}
	}
	return es
}

func with(p *bgp.PeerSpec, change func(*bgp.PeerSpec)) *bgp.PeerSpec {
	q := *p
	q.Families = slices.Clone(p.Families)
	change(&q)
	return &q
}

// with is the function of the same name for a change of several settings at
// once, of which the backend may lack some.
func (s *suite) with(p *bgp.PeerSpec, change func(*bgp.PeerSpec)) *bgp.PeerSpec {
	q := with(p, change)
	if s.Adapt != nil {
		s.Adapt(q)
	}
	return q
}

// target is what a case wants the backend to have; steps plans the way there.
type target struct {
	put    []*bgp.PeerSpec
	in     []*bgp.InstanceSpec
	del    []bgp.PeerKey
	delIn  []bgp.InstanceKey
	forced []string // leaves of all peers in put
}

func (s *suite) steps(want target) []plan.Step {
	var ins []plan.Pair[bgp.InstanceSpec]
	for _, in := range want.in {
		ins = append(ins, plan.Pair[bgp.InstanceSpec]{Old: s.instances[in.Key], New: in})
	}
	for _, key := range want.delIn {
		ins = append(ins, plan.Pair[bgp.InstanceSpec]{Old: s.instances[key]})
	}
	var ps []plan.PeerPair
	for _, p := range want.put {
		ps = append(ps, plan.PeerPair{Old: s.peers[p.Key], New: p, Forced: want.forced})
	}
	for _, key := range want.del {
		ps = append(ps, plan.PeerPair{Old: s.peers[key]})
	}
	return plan.Compute(ins, ps, plan.Costs{
		Impact: ImpactOf, Native: s.Backend.Native, NativeInstance: s.Backend.NativeInstance,
	}).Steps
}

// apply does the steps, as the engine does, and remembers them.
func (s *suite) apply(steps []plan.Step) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Backend.Prepare(ctx, steps); err != nil {
		s.t.Fatalf("Prepare: %v", err)
	}
	n, err := s.Backend.Apply(ctx, steps)
	if n != len(steps) || err != nil {
		s.t.Fatalf("Apply = %d, %v, want %d, nil", n, err, len(steps))
	}
	s.remember(steps)
}

func (s *suite) remember(steps []plan.Step) {
	for _, st := range steps {
		switch st.Op {
		case plan.PutInstance:
			s.instances[st.Instance] = st.NewInstance
		case plan.DeleteInstance:
			delete(s.instances, st.Instance)
		case plan.DeletePeer:
			delete(s.peers, st.Peer)
		case plan.CreatePeer, plan.UpdatePeer:
			s.peers[st.Peer] = st.New
		}
	}
}

// wait fails the case unless cond becomes true within Return.
func (s *suite) wait(what string, cond func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(s.Return)
	for !cond() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %v for: %s", s.Return, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// quiet fails the case if cond becomes true within Quiet.
func (s *suite) quiet(what string, cond func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(s.Quiet)
	for time.Now().Before(deadline) {
		if cond() {
			s.t.Fatalf("this must not happen: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// up waits until both sides know of the n-th session.
func (s *suite) up(p *bgp.PeerSpec, r Remote, n int) {
	s.t.Helper()
	s.wait(fmt.Sprintf("session %d of %s", n, p.Key), func() bool {
		return r.Established() && r.Sessions() == n && s.establishments(p.Key) == n
	})
}

// one makes an instance with one peer and brings its session up.
func (s *suite) one() (*bgp.PeerSpec, Remote) {
	s.t.Helper()
	p := s.Peer(0, 0)
	r := s.Remote(s.t, p)
	s.apply(s.steps(target{in: []*bgp.InstanceSpec{s.Instance(0)}, put: []*bgp.PeerSpec{p}}))
	s.up(p, r, 1)
	return p, r
}
