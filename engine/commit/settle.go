package commit

import (
	"fmt"
	"slices"
	"time"

	"mooring/engine/datastore"
	"mooring/engine/nacm"
	"mooring/engine/schema"
)

// DefaultMaxConfirm is how long a confirmed commit may wait at most where no
// setting says otherwise.
const DefaultMaxConfirm = 24 * time.Hour

// This file is who may begin and settle a confirmed commit. While one waits no
// other user can change running, and to end it changes what running is: both
// need the right to write what would be undone. Time-outs, the end of a session
// and a guard need none.

func (c *Coordinator) maxConfirm() time.Duration {
	if c.cfg.MaxConfirm > 0 {
		return c.cfg.MaxConfirm
	}
	return DefaultMaxConfirm
}

// checkTimeout refuses a confirmed commit that would wait for too long.
func (c *Coordinator) checkTimeout(d time.Duration) error {
	if most := c.maxConfirm(); d > most {
		return &schema.Error{Tag: schema.InvalidValue, Message: fmt.Sprintf("a confirmed commit waits for at most %v (setting confirm-limit): give a shorter time, and extend it if need be", most)}
	}
	return nil
}

// checkConfirm refuses a change that begins or extends a confirmed commit, or is
// part of one, for an actor who may not settle that. The caller holds c.mu.
func (c *Coordinator) checkConfirm(actor Actor, cf *Confirm) error {
	if cf != nil {
		if err := c.checkTimeout(cf.Timeout); err != nil {
			return err
		}
	}
	if p := c.Pending(); p != nil || cf != nil {
		return c.maySettle(actor, p)
	}
	return nil
}

// maySettle refuses an actor who may not write what the rollback of a pending
// commit, nil for none yet, would undo.
func (c *Coordinator) maySettle(actor Actor, p *Pending) error {
	rights := c.rights(actor)
	if rights == nil {
		return nil
	}
	if !rights.Writes() {
		return &schema.Error{Tag: schema.AccessDenied, Message: "access denied: " + actor.User + " may write nothing, so there is nothing to confirm or cancel"}
	}
	if p == nil {
		return nil
	}
	txn, err := c.undone(p.Base)
	if err != nil {
		return err
	}
	defer txn.Discard()
	return rights.Write(datastore.Undone(txn.Dirty()))
}

// recovers says whether an actor may end what others have begun.
func (c *Coordinator) recovers(a Actor) bool {
	return c.cfg.Access.Recovers(nacm.Identity{User: a.User, Groups: a.Groups})
}

// endsGuard is settleGuard, and the guarded commit that waits for one of the
// recovery group who names none. Where a confirmed commit waits, that is meant.
func (c *Coordinator) endsGuard(actor Actor, id string) (*Guarded, error) {
	if id == "" && c.Pending() == nil && c.recovers(actor) {
		return c.Guarded(), nil
	}
	return c.settleGuard(actor, id)
}

// Announcement is the identifier of a confirmed commit, with what says who is
// told of it.
type Announcement struct {
	id      string
	user    string // who made the commit
	base    uint64 // revision that its rollback restores
	changes []schema.Dirty
	partial bool // the changes are not all: some were made before the last start
}

// announced returns the announcement of the pending commit, where a change that
// follows old is part of it. The caller holds c.mu.
func (c *Coordinator) announced(old *datastore.Snapshot, ch *change) *Announcement {
	p := ch.holds.pending
	if !p.announces(ch.opt) {
		p = c.Pending() // that the change rolls back
	}
	if !p.announces(ch.opt) {
		return nil
	}
	a := &Announcement{id: p.ID, user: p.User, base: p.Base, changes: ch.dirty}
	switch last := c.announcement; {
	case last != nil && last.id == a.id && last.base == a.base:
		a.changes, a.partial = append(slices.Clip(last.changes), ch.dirty...), last.partial
	case a.base != old.Revision():
		a.partial = true
	}
	c.announcement = a
	return a
}

// announces says whether a change with these options is part of a pending commit
// that is announced.
func (p *Pending) announces(opt Options) bool {
	return p != nil && p.Announced && (opt.Confirm != nil || opt.ConfirmID == p.ID)
}

// ConfirmID is the identifier of the confirmed commit that the change is part of,
// for an actor who made it, is in the recovery group, or may write all of it; ""
// for others, and where it is part of none.
func (e *Entry) ConfirmID(actor Actor) string {
	a := e.confirm
	if a == nil {
		return ""
	}
	rights := e.c.rights(actor)
	if rights != nil && actor.User != a.user && (a.partial || !rights.MayWrite(a.changes)) {
		return ""
	}
	return a.id
}
