package commit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// DefaultConfirmTimeout is how long a confirmed commit waits that names no
// time (RFC 6241 8.4.1, gNMI commit-confirmed 3.2.1).
const DefaultConfirmTimeout = 10 * time.Minute

var (
	// ErrNotPending is returned by Confirm, Extend and Cancel where no commit
	// waits for its confirmation.
	ErrNotPending = errors.New("no commit waits for a confirmation")
	// ErrConfirmID is wrapped where another identifier was given than that of
	// the commit that waits.
	ErrConfirmID = errors.New("the commit that waits for a confirmation has another identifier")
	// ErrUnknownCommit is wrapped by Rollback for a commit that the history
	// does not have.
	ErrUnknownCommit = errors.New("there is no such commit in /agent/commits")
)

// Confirm makes a commit one that rolls itself back unless it is confirmed in
// time. The same serves RFC 6241 8.4 and the commit-confirmed extension of gNMI.
type Confirm struct {
	// ID names the pending commit: the persist-id, or gNMI's commit id. With an
	// empty ID it belongs to the NETCONF session that made it, and is rolled
	// back when that ends.
	ID      string
	Timeout time.Duration // 0: DefaultConfirmTimeout
	// Volatile makes a restart of the agent roll the commit back, whatever its
	// ID (RFC 6241 8.4.1). Without it a commit with an ID goes on waiting.
	Volatile bool
	// Announced tells ID to the subscribers that may settle the commit, together
	// with it and its rollback, as gNMI's config subscription wants.
	Announced bool
}

// Pending is a commit that waits for its confirmation. It is kept on disk.
type Pending struct {
	ID        string    `json:"id,omitempty"`
	Announced bool      `json:"announced,omitempty"`
	Session   uint32    `json:"session,omitempty"`  // that made it; it belongs to that one where ID is empty
	Volatile  bool      `json:"volatile,omitempty"` // a restart rolls it back
	User      string    `json:"user"`
	Protocol  string    `json:"protocol"`
	Base      uint64    `json:"base"` // revision that is restored
	Deadline  time.Time `json:"deadline"`
}

// PendingError refuses a change because a commit of somebody else waits for
// its confirmation.
type PendingError struct{ Pending }

// Error names who made the commit and until when it waits. It does not name
// the identifier: who knows that may confirm the commit.
func (e *PendingError) Error() string {
	return fmt.Sprintf("a confirmed commit by %s over %s waits for its confirmation until %s: confirm or cancel it first",
		e.User, e.Protocol, e.Deadline.UTC().Format(time.RFC3339))
}

// pendingNote is the name under which the store keeps the pending commit.
const pendingNote = "confirmed-commit"

// Pending returns the commit that waits for its confirmation, nil for none.
func (c *Coordinator) Pending() *Pending { return c.pending.Load() }

// owns says whether an actor who names id may confirm the pending commit: the
// same identifier, or the same session where it has none.
func (p *Pending) owns(actor Actor, id string) bool {
	if p.ID != "" || id != "" {
		return p.ID == id
	}
	return p.by(actor)
}

// by says whether the session of an actor made the pending commit.
func (p *Pending) by(actor Actor) bool { return actor.Session == p.Session && actor.Session != 0 }

// checkPending refuses a change that a pending commit is in the way of. The
// session that made it may go on; what it changes is rolled back too. The
// caller holds c.mu.
func (c *Coordinator) checkPending(actor Actor, opt Options) error {
	if p := c.Pending(); p != nil && !p.owns(actor, opt.ConfirmID) && !p.by(actor) {
		return &PendingError{*p}
	}
	return nil
}

// checkID refuses a commit of a candidate that names another pending commit
// than the one that waits, or names none where that has an identifier (RFC 6241
// 8.4.1). The caller holds c.mu.
func (c *Coordinator) checkID(id string) error {
	switch p := c.Pending(); {
	case p == nil && id != "":
		return fmt.Errorf("%w: none waits", ErrConfirmID)
	case p != nil && p.ID != id:
		return fmt.Errorf("%w: %w", ErrConfirmID, &PendingError{*p})
	}
	return nil
}

// arm returns what waits once an actor has made a confirmed commit. It becomes
// durable together with its change. The caller holds c.mu.
func (c *Coordinator) arm(actor Actor, cf *Confirm) *Pending {
	old := c.Pending()
	next := &Pending{
		ID: cf.ID, Announced: cf.Announced, Session: actor.Session, Volatile: cf.Volatile,
		User: actor.User, Protocol: actor.Protocol, Base: c.cfg.Store.Running().Revision(),
	}
	if old != nil {
		next.Base = old.Base            // RFC 6241 8.4.1: back to before the first
		next.ID = cmp.Or(cf.ID, old.ID) // what outlives its session goes on doing so
	}
	next.Deadline = c.cfg.Now().Add(min(orDefault(cf.Timeout), c.maxConfirm()))
	return next
}

func orDefault(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultConfirmTimeout
	}
	return d
}

// setPending makes p the pending commit, nil for none.
func (c *Coordinator) setPending(p *Pending) error {
	h := c.holding()
	h.pending = p
	return c.hold(h)
}

// named returns the pending commit that an actor names and may settle: while
// another one holds the lock on running, what becomes of running is not for
// others to decide (RFC 6241 7.5). The caller holds c.mu.
func (c *Coordinator) named(actor Actor, id string) (*Pending, error) {
	p := c.Pending()
	if g := c.Guarded(); p == nil && g != nil && id != "" {
		return nil, fmt.Errorf("%w: %w", ErrConfirmID, &GuardError{*g})
	}
	if p == nil {
		return nil, ErrNotPending
	}
	if !p.owns(actor, id) && (id != "" || !c.recovers(actor)) {
		return nil, fmt.Errorf("%w: %w", ErrConfirmID, &PendingError{*p})
	}
	if err := c.cfg.Store.CheckWrite(datastore.DatastoreRunning, actor.holder()); err != nil {
		return nil, err
	}
	return p, c.maySettle(actor, p)
}

// Confirm makes the pending commit permanent, or ends the guard of the commit
// that id names. The recovery group needs no id.
func (c *Coordinator) Confirm(actor Actor, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch g, err := c.endsGuard(actor, id); {
	case err != nil:
		return err
	case g != nil:
		return c.keepGuarded(actor, g)
	}
	if _, err := c.named(actor, id); err != nil {
		return err
	}
	return c.confirm(actor)
}

// confirm makes the pending commit permanent. The caller holds c.mu.
func (c *Coordinator) confirm(actor Actor) error {
	if err := c.setPending(nil); err != nil {
		return err
	}
	c.tellPending(PendingConfirmed, actor)
	return nil
}

// Extend gives the pending commit a new time to wait, from now, or the guard of
// the commit that id names.
func (c *Coordinator) Extend(actor Actor, id string, timeout time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch g, err := c.settleGuard(actor, id); {
	case err != nil:
		return err
	case g != nil:
		return c.extendGuarded(actor, g, orDefault(timeout))
	}
	p, err := c.named(actor, id)
	if err != nil {
		return err
	}
	if err := c.checkTimeout(timeout); err != nil {
		return err
	}
	next := *p
	next.Deadline = c.cfg.Now().Add(min(orDefault(timeout), c.maxConfirm()))
	if err := c.setPending(&next); err != nil {
		return err
	}
	c.tellPending(PendingExtended, actor)
	return nil
}

// Cancel rolls the pending commit back, or the guarded commit that id names. The
// recovery group needs no id. The error is a *datastore.LockedError
// where another one has locked running, or a part that the rollback changes.
func (c *Coordinator) Cancel(ctx context.Context, actor Actor, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch g, err := c.endsGuard(actor, id); {
	case err != nil:
		return err
	case g != nil:
		return c.cancelGuarded(ctx, actor, g)
	}
	if _, err := c.named(actor, id); err != nil {
		return err
	}
	return c.rollBackPending(ctx, actor, PendingCanceled, PendingCanceled.String())
}

// SessionEnded rolls back the pending commit of a NETCONF session that ends
// without having confirmed it (RFC 6241 8.4.1). One with an identifier stays,
// and belongs to no session any more. No change of the session may be under
// way. It waits for no other change where the session has no pending commit.
func (c *Coordinator) SessionEnded(ctx context.Context, actor Actor) {
	if p := c.Pending(); p == nil || !p.by(actor) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.Pending()
	if p == nil || !p.by(actor) {
		return
	}
	if p.ID != "" {
		next := *p
		next.Session = 0 // what lock-denied names must be a session that is there (RFC 6241 App. A)
		if err := c.setPending(&next); err != nil {
			c.log.Error("the confirmed commit still names its session, which has ended", "session", p.Session, "err", err)
		}
		return
	}
	if err := c.rollBackPending(ctx, actor, PendingSessionEnded, PendingSessionEnded.String()); err != nil {
		c.log.Error("rollback failed, will be tried again", "err", err)
		c.orphan(p)
	}
}

// orphan lets a pending commit that could not be rolled back time out: its
// session is gone and nobody else will try. A restart rolls it back anyway, so
// the disk need not have it. The caller holds c.mu.
func (c *Coordinator) orphan(p *Pending) {
	next := *p
	next.Deadline = c.cfg.Now().Add(repairInterval)
	c.tell.Lock()
	c.noteAgent()
	c.pending.Store(&next)
	c.tell.Unlock()
	c.wakeUp()
}

// expire rolls the pending commit back when its time is over, and returns how
// long to wait for that, 0 for ever.
func (c *Coordinator) expire(ctx context.Context) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.Pending()
	if p == nil {
		return 0
	}
	if left := p.Deadline.Sub(c.cfg.Now()); left > 0 {
		return left
	}
	if left := c.expiry.left(c.cfg.Now()); left > 0 {
		return left
	}
	actor := Actor{User: p.User, Protocol: "confirmed-commit"}
	err := c.rollBackPending(ctx, actor, PendingTimedOut, PendingTimedOut.String())
	return c.expiry.ended(c, "rollback failed, will be tried again", err)
}

// rollBackPending is an ordinary commit of the old records, which takes a guard
// with it. What the agent does of its own accord no lock stops: running must be
// restored (RFC 6241 8.4.1), and while the commit waited only the session that
// made it could lock. The caller holds c.mu.
func (c *Coordinator) rollBackPending(ctx context.Context, actor Actor, kind PendingKind, why string) error {
	p := c.Pending()
	opt := Options{Comment: why, ConfirmID: p.ID, undoes: kind != PendingCanceled, leaves: &holds{}}
	if err := c.takeBack(ctx, actor, opt, p.Base); err != nil {
		return err
	}
	c.tellPending(kind, actor)
	return nil
}

// takeBack rolls back to a revision, and ends what waits with the same write.
// The caller holds c.mu.
func (c *Coordinator) takeBack(ctx context.Context, actor Actor, opt Options, revision uint64) error {
	res, err := c.rollBack(context.WithoutCancel(ctx), actor, opt, revision)
	if err == nil && !res.Changed {
		err = c.hold(*opt.leaves)
	}
	if err != nil {
		return err
	}
	c.log.Warn("rolled back", "why", opt.Comment)
	return nil
}

// Rollback makes running what it was after a commit of the history. It is a
// commit like any other. The error wraps ErrUnknownCommit or
// datastore.ErrNoUndo where there is no way back.
func (c *Coordinator) Rollback(ctx context.Context, actor Actor, opt Options, commitID string) (*Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.mayWrite(actor, opt); err != nil {
		return nil, err
	}
	for _, h := range c.cfg.Store.History() {
		if h.CommitID == commitID {
			opt.rights = c.rights(actor)
			return c.rollBack(ctx, actor, opt, h.Revision)
		}
	}
	return nil, fmt.Errorf("commit %q: %w", commitID, ErrUnknownCommit)
}

func (c *Coordinator) rollBack(ctx context.Context, actor Actor, opt Options, revision uint64) (*Result, error) {
	txn, err := c.undone(revision)
	if err != nil {
		return nil, err
	}
	defer txn.Discard()
	if err := opt.rights.Write(txn.Dirty()); err != nil {
		return nil, err
	}
	opt.restores = &revision
	return c.commit(ctx, actor, opt, txn)
}

// undone returns a transaction in which running is what it was at a revision.
func (c *Coordinator) undone(revision uint64) (*datastore.Txn, error) {
	back, err := c.cfg.Store.UndoTo(revision)
	if err != nil {
		return nil, err
	}
	txn := c.cfg.Store.Begin()
	for _, d := range back {
		if d.New == nil {
			txn.Delete(d.Key)
			continue
		}
		schema.Assign(txn.Mutable(d.Key), d.New)
	}
	return txn, nil
}

// resume takes up the pending commit of the last run, before the backend is
// asked anything: what has to go is gone before it is applied again.
func (c *Coordinator) resume() error {
	text, err := c.cfg.Store.Note(pendingNote)
	if err != nil || text == nil {
		return err
	}
	var p Pending
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("the kept confirmed commit: %w", err)
	}
	if latest := c.cfg.Now().Add(c.maxConfirm()); p.Deadline.After(latest) {
		p.Deadline = latest // of a version, or a setting, that let it wait for longer
	}
	c.pending.Store(&p)
	c.retain(c.holding())
	if p.ID != "" && !p.Volatile && c.cfg.Now().Before(p.Deadline) && c.cfg.Store.Running().Revision() != p.Base {
		c.log.Warn("a confirmed commit waits for its confirmation", "user", p.User, "until", p.Deadline)
		return nil
	}
	actor := Actor{User: p.User, Protocol: "boot"}
	h := c.holding()
	h.pending = nil
	return c.undoAtBoot(p.Base, actor, "confirmed commit not confirmed before the restart", h)
}

// undoAtBoot rolls back to a revision before the backend is asked anything, after
// which h waits.
func (c *Coordinator) undoAtBoot(revision uint64, actor Actor, why string, h holds) error {
	txn, err := c.undone(revision)
	if err != nil {
		return err
	}
	defer txn.Discard()
	if len(txn.Dirty()) == 0 {
		return c.hold(h)
	}
	if err := c.bootCommit(txn, actor, Options{Comment: why, restores: &revision}, h); err != nil {
		return err
	}
	c.log.Warn("rolled back", "why", why, "user", actor.User)
	return nil
}
