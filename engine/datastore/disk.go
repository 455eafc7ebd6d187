package datastore

import (
	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// disk is the line between memory and disk: all that a Store needs to survive.
// The Store calls it with its mutex held, one call at a time. files is the one
// that the agent uses.
//
// A commit is durable as prepared when commit returns. It counts from then on,
// unless abort is called: a start takes a commit that was prepared and not
// aborted for a commit, because nobody knows how far the backend got.
type disk interface {
	// id is a short name that no other state has.
	id() string
	// commit makes a commit, notes or both durable, all or nothing. On an error
	// nothing has changed, unless it wraps ErrUnsettled.
	commit(c *commitment) error
	// applied ends what commit began: it cannot be aborted any more.
	applied()
	// abort makes the last commit one that does not count. On an error that
	// wraps ErrUnsettled the disk has not taken that yet.
	abort() error
	// settle tries again what the disk refused of an abort. Nothing else is
	// taken before it succeeds.
	settle() error
	// entry returns what the history has of a revision, nil if that is nothing.
	entry(revision uint64) (*entry, error)
	// record decodes a record of an entry, nil if there was none.
	record(u undo, revision uint64) (ygot.GoStruct, error)
	// loadStartup reads the startup datastore, and reports whether there is one.
	// It shares the records that are equal in running.
	loadStartup(running *Snapshot) (tree, bool, error)
	// saveStartup changes records of the startup datastore.
	saveStartup(dirty []schema.Dirty, oldest uint64) error
	// copy returns the state at this moment, to be written later.
	copy() (*stateCopy, error)
	// close makes the next start as fast as possible and releases everything;
	// history before the revision oldest is not needed any more.
	close(oldest uint64) error
}

// commitment is what is to become durable at once.
type commitment struct {
	revision uint64 // the running one afterwards
	commit   *Commit
	dirty    []schema.Dirty    // of the commit, sorted by key
	goBack   bool              // the way back is kept however long it is
	notes    map[string][]byte // a nil text removes the note
	oldNotes map[string][]byte // what those were
	urgent   bool              // it may use what is kept for a full disk
	oldest   uint64            // the first revision of which the history is needed
}

// write is a record to write; a nil record deletes it.
type write struct {
	key    schema.Key
	record ygot.GoStruct
}

func writesOf(dirty []schema.Dirty) []write {
	out := make([]write, len(dirty))
	for i, d := range dirty {
		out[i] = write{key: d.Key, record: d.New}
	}
	return out
}
