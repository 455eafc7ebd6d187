package commit

import (
	"mooring/engine/datastore"
)

// startUp makes running what startup is, where startup is served. What waited
// for a confirmation has no say then: the restart takes it back, as everything
// that was not copied to startup.
func (c *Coordinator) startUp() error {
	if !c.cfg.Startup {
		return nil
	}
	store := c.cfg.Store
	if err := store.OpenStartup(); err != nil {
		return err
	}
	txn := store.Begin()
	defer txn.Discard()
	txn.Become(store.Startup())
	if n := len(txn.Dirty()); n > 0 {
		if err := c.bootCommit(txn, Actor{Protocol: "boot"}, Options{Comment: "startup"}); err != nil {
			return err
		}
		c.log.Info("running is startup again", "records", n)
	}
	if note, err := store.Note(pendingNote); note == nil {
		return err
	}
	return c.setPending(nil)
}

// bootCommit makes a transaction running before the backend is asked anything,
// so that nothing has to be applied twice.
func (c *Coordinator) bootCommit(txn *datastore.Txn, actor Actor, opt Options) error {
	store := c.cfg.Store
	ch := &change{
		actor: actor, opt: opt, dirty: txn.Dirty(),
		res: &Result{CommitID: commitID(store.Running().Revision() + 1), Time: c.cfg.Now()},
	}
	next, err := store.Persist(txn, ch.meta())
	if err != nil {
		return err
	}
	store.Publish(next)
	return nil
}
