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
	n := len(txn.Dirty())
	if n == 0 {
		if note, err := store.Note(pendingNote); note == nil {
			return err
		}
		return store.SetNotes(map[string][]byte{pendingNote: nil})
	}
	c.pending.Store(&Pending{}) // whatever it is
	if err := c.bootCommit(txn, Actor{Protocol: "boot"}, Options{Comment: "startup"}, holds{}); err != nil {
		return err
	}
	c.log.Info("running is startup again", "records", n)
	return nil
}

// bootCommit makes a transaction running before the backend is asked anything,
// so that nothing has to be applied twice. Afterwards h waits.
func (c *Coordinator) bootCommit(txn *datastore.Txn, actor Actor, opt Options, h holds) error {
	store := c.cfg.Store
	ch := &change{
		actor: actor, opt: opt, dirty: txn.Dirty(),
		res: &Result{CommitID: commitID(store.Running().Revision() + 1), Time: c.cfg.Now()},
	}
	meta, err := ch.meta(), error(nil)
	if meta.Notes, err = c.holding().changes(h); err != nil {
		return err
	}
	next, err := store.Persist(txn, meta)
	if err != nil {
		return err
	}
	store.Publish(next)
	c.show(h)
	c.retain(h)
	return nil
}
