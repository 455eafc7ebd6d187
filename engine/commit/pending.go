package commit

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// PendingKind is what can happen to a confirmed commit.
type PendingKind uint8

// The kinds. The last four roll the commit back.
const (
	PendingStarted      PendingKind = iota // it was made and waits
	PendingExtended                        // it waits for longer
	PendingConfirmed                       // it is permanent
	PendingCanceled                        // somebody canceled it
	PendingSessionEnded                    // its session ended
	PendingTimedOut                        // nobody confirmed it in time
	PendingGuardUnmet                      // its peers did not come back
)

var pendingKinds = [...]string{
	"confirmed commit made", "confirmed commit extended", "confirmed commit confirmed",
	"confirmed commit canceled", "the session of the confirmed commit ended", "confirmed commit timed out",
	"the guard of the confirmed commit was not met",
}

// String is what the log and the history say.
func (k PendingKind) String() string { return pendingKinds[k] }

// PendingEvent is something that happened to a confirmed commit, after it has.
type PendingEvent struct {
	Kind    PendingKind
	Actor   Actor // who did it; the user who made the commit where it timed out
	Time    time.Time
	Timeout time.Duration // how long it waits from then on; 0 where it does not
}

// pendingWatchers are those who are told. The zero value has none.
type pendingWatchers struct {
	mu   sync.Mutex // guards what follows
	last int
	fns  map[int]func(PendingEvent)
}

// WatchPending makes fn be told what happens to confirmed commits, in order,
// until stop is called. fn must return soon and must not call the Coordinator.
func (c *Coordinator) WatchPending(fn func(PendingEvent)) (stop func()) {
	w := &c.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[int]func(PendingEvent){}
	}
	w.last++
	id := w.last
	w.fns[id] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, id)
	}
}

// tellPending tells what happened to the confirmed commit. The caller holds
// c.mu, which keeps the order.
func (c *Coordinator) tellPending(kind PendingKind, actor Actor) {
	e := PendingEvent{Kind: kind, Actor: actor, Time: c.cfg.Now()}
	if p := c.Pending(); p != nil {
		e.Timeout = p.Deadline.Sub(e.Time)
	}
	// The identifier is a secret of those who may settle the commit.
	c.log.Info(kind.String(), "user", actor.User, "protocol", actor.Protocol, "timeout", e.Timeout)
	c.watchers.mu.Lock()
	fns := slices.Collect(maps.Values(c.watchers.fns))
	c.watchers.mu.Unlock()
	for _, fn := range fns {
		fn(e)
	}
}

// Lock locks a datastore for an actor, as Store().Lock does. Running cannot be
// locked while a confirmed commit of somebody else waits (RFC 6241 7.5); the
// lock waits for a change that is under way, so that its holder sees none.
func (c *Coordinator) Lock(ctx context.Context, actor Actor, ds datastore.Datastore) error {
	if ds != datastore.DatastoreRunning {
		return c.cfg.Store.Lock(ds, actor.holder())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.mayLock(ctx, actor); err != nil {
		return err
	}
	return c.cfg.Store.Lock(ds, actor.holder())
}

// LockPartly locks the nodes of running that pick returns, as
// Store().LockPartly does. pick sees running without state. It may take long:
// no commit waits for it, and when one came meanwhile it is called again, so
// that what is locked is what it returns of running as it is. Nothing can be
// locked while a confirmed commit of somebody else waits.
func (c *Coordinator) LockPartly(
	ctx context.Context, actor Actor, selects []datastore.Select, pick func(schema.View) ([]schema.Path, error),
) (*datastore.PartialLock, error) {
	for {
		seen := c.cfg.Store.Running()
		nodes, err := pick(c.ConfigView(seen))
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		err = c.mayLock(ctx, actor)
		var l *datastore.PartialLock
		current := c.cfg.Store.Running() == seen
		if err == nil && current {
			l, err = c.cfg.Store.LockPartly(actor.holder(), selects, nodes)
		}
		c.mu.Unlock()
		if err != nil || current {
			return l, err
		}
	}
}

// mayLock checks the pending commit for a lock on running.
func (c *Coordinator) mayLock(ctx context.Context, actor Actor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p := c.Pending(); p != nil && !p.by(actor) {
		return &datastore.LockedError{
			Holder: datastore.Holder{Session: p.Session, Protocol: p.Protocol}, Reason: (&PendingError{*p}).Error(),
		}
	}
	if g := c.Guarded(); g != nil {
		return &datastore.LockedError{Holder: datastore.Holder{Protocol: g.Protocol}, Reason: (&GuardError{*g}).Error()}
	}
	return nil
}
