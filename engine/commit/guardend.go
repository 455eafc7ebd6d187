package commit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mooring/engine/datastore"
)

// ErrGuardTime is returned by Extend for more than a guard may wait.
var ErrGuardTime = errors.New("a guard waits at most an hour")

// maxGuardTime is the upper bound of /agent/reset-control/config/guard-timeout.
const maxGuardTime = time.Hour

// CommitID is the identifier of the guarded commit in the history. It serves
// Confirm, Extend and Cancel as that of a confirmed commit does.
func (g *Guarded) CommitID() string { return commitID(g.Base + 1) }

// guardNamed returns the guarded commit that an identifier names, nil for none.
// A confirmed commit with the same identifier comes first.
func (c *Coordinator) guardNamed(id string) *Guarded {
	g := c.Guarded()
	if g == nil || id != g.CommitID() {
		return nil
	}
	if p := c.Pending(); p != nil && p.ID == id {
		return nil
	}
	return g
}

// settleGuard returns the guarded commit that an actor names and may settle,
// nil if the identifier names none: the history shows it to all, so that a
// right to write what the rollback would write is needed. The caller holds
// c.mu.
func (c *Coordinator) settleGuard(actor Actor, id string) (*Guarded, error) {
	g := c.guardNamed(id)
	if g == nil {
		return nil, nil
	}
	if err := c.cfg.Store.CheckWrite(datastore.DatastoreRunning, actor.holder()); err != nil {
		return nil, err
	}
	base := g.Base
	if p := c.Pending(); p != nil {
		base = p.Base
	}
	txn, err := c.undone(base)
	if err != nil {
		return nil, err
	}
	defer txn.Discard()
	return g, c.rights(actor).Write(txn.Dirty())
}

// keepGuarded ends a guard before its peers are back, and keeps the commit. The
// caller holds c.mu.
func (c *Coordinator) keepGuarded(actor Actor, g *Guarded) error {
	if err := c.setGuarded(nil); err != nil {
		return err
	}
	c.log.Info("guard ended, its commit stays", "commit", g.CommitID(), "by", actor.User)
	return nil
}

// extendGuarded gives a guard a new time to wait, from now. The caller holds
// c.mu.
func (c *Coordinator) extendGuarded(actor Actor, g *Guarded, timeout time.Duration) error {
	if timeout > maxGuardTime {
		return fmt.Errorf("%w, not %v", ErrGuardTime, timeout)
	}
	next := *g
	next.Deadline = c.cfg.Now().Add(timeout)
	if next.Timeout > 0 {
		next.Timeout = timeout
	}
	if err := c.setGuarded(&next); err != nil {
		return err
	}
	c.log.Info("guard extended", "commit", g.CommitID(), "by", actor.User, "until", next.Deadline)
	return nil
}

// cancelGuarded rolls a guarded commit back at once, and the confirmed commit
// that it is part of. The caller holds c.mu.
func (c *Coordinator) cancelGuarded(ctx context.Context, actor Actor, g *Guarded) error {
	why := "guard of commit " + g.CommitID() + " canceled"
	if c.Pending() != nil {
		return c.rollBackPending(ctx, actor, PendingCanceled, why)
	}
	if _, err := c.rollBack(context.WithoutCancel(ctx), actor, Options{Comment: why}, g.Base); err != nil {
		return err
	}
	c.log.Warn("rolled back", "why", why, "by", actor.User)
	return c.setGuarded(nil)
}

// confirmsGuard ends the guard that a commit of NETCONF names as its persist-id.
// done is false if it names none. A candidate with changes is refused: they
// could not be part of the guarded commit. The caller holds c.mu.
func (c *Coordinator) confirmsGuard(actor Actor, cand *datastore.Candidate, opt Options) (res *Result, done bool, err error) {
	g, err := c.settleGuard(actor, opt.ConfirmID)
	if g == nil || opt.Confirm != nil || opt.DryRun {
		return nil, false, err
	}
	if err != nil {
		return nil, true, err
	}
	txn, err := cand.Begin()
	if err != nil {
		return nil, true, err
	}
	defer txn.Discard()
	if len(txn.Dirty()) > 0 {
		return nil, true, &GuardError{*g}
	}
	return &Result{Time: c.cfg.Now(), Revision: c.cfg.Store.Running().Revision()}, true, c.keepGuarded(actor, g)
}
