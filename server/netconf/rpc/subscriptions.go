package rpc

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"mooring/engine/commit"
	"mooring/server/netconf/notify"
)

const subscribedNS = "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"

// Bounds of what clients can make the server hold: each subscription costs a
// goroutine and what its filter takes.
const (
	maxSubscriptions        = 4096
	maxSessionSubscriptions = 128
)

// subscription is a dynamic subscription (RFC 8639 2.4). A goroutine of its
// session serves it, and obeys what operations of any session order.
type subscription struct {
	id     uint32
	sess   *Session
	stream *notify.Subscription // nil: of a datastore
	done   chan struct{}        // closed when nothing of it is sent any more
	shown  *commit.Listening    // in the state of the agent, once it has begun

	sent, excluded atomic.Uint64
	suspended      atomic.Bool

	mu    sync.Mutex // guards what follows
	terms terms      // in force, or about to be
	order order      // what has not been obeyed yet
	wake  context.CancelFunc
}

// order is what an operation wants of a subscription.
type order struct {
	modified bool // the terms are new
	resync   bool // send all that is selected
	kill     bool // tell the subscriber that it has ended, and end it
	end      bool // end it
}

// give hands an order to the goroutine of the subscription. It does not wait.
func (s *subscription) give(change func(*subscription)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	if s.wake != nil {
		s.wake()
	}
}

// take returns what was ordered, the terms in force, and a context that ends
// with the next order.
func (s *subscription) take(ctx context.Context) (context.Context, order, terms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake != nil {
		s.wake()
	}
	o := s.order
	s.order = order{}
	ctx, s.wake = context.WithCancel(ctx)
	return ctx, o, s.terms
}

func (s *subscription) current() terms {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.terms
}

// subscriptions are those of all sessions.
type subscriptions struct {
	mu   sync.Mutex // guards what follows
	last uint32
	byID map[uint32]*subscription
}

// add gives a subscription its number, and says whether there is room for it.
func (r *subscriptions) add(sub *subscription) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.byID) >= maxSubscriptions || sub.sess.dynamic.Load() >= maxSessionSubscriptions {
		return false
	}
	for r.last++; r.last == 0 || r.byID[r.last] != nil; r.last++ {
	}
	sub.id = r.last
	if r.byID == nil {
		r.byID = map[uint32]*subscription{}
	}
	r.byID[sub.id] = sub
	sub.sess.dynamic.Add(1)
	return true
}

// remove returns how many are left.
func (r *subscriptions) remove(sub *subscription) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, sub.id)
	sub.sess.dynamic.Add(-1)
	return len(r.byID)
}

// get returns a subscription, nil for none.
func (r *subscriptions) get(id uint32) *subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}

// all returns the subscriptions by number.
func (r *subscriptions) all() []*subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*subscription, 0, len(r.byID))
	for _, id := range slices.Sorted(maps.Keys(r.byID)) {
		out = append(out, r.byID[id])
	}
	return out
}

// begin gives a subscription its number, and starts to serve it when the answer
// of the operation is out: the first notification follows that number. What
// happens from then on is not missed.
func (c *call) begin(sub *subscription, start func(*subscription) func(context.Context, Output) error) error {
	if !c.srv.subscriptions.add(sub) {
		return c.refuse(insufficientResources, "too many subscriptions: delete one first")
	}
	c.undo = func() { c.srv.subscriptions.remove(sub) }
	c.after = func() {
		serve := start(sub)
		t := sub.current()
		sub.shown = c.listen(t.listens())
		c.sess.Background(func(ctx context.Context, out Output) error {
			defer func() {
				sub.shown.End()
				if c.srv.subscriptions.remove(sub) == 0 {
					c.srv.patches.Forget()
				}
				close(sub.done)
				sub.give(func(*subscription) {}) // lets go of the last context
			}()
			return serve(ctx, out)
		})
	}
	return nil
}

// listen makes the state of the agent show a subscription of the session.
func (c *call) listen(mode commit.ListenMode, filters int) *commit.Listening {
	return c.srv.engine.Listen(commit.Listener{
		Protocol: protocol, User: c.sess.Identity.User, Source: c.sess.Identity.Source, Session: c.sess.ID, Mode: mode, Paths: filters,
	})
}
