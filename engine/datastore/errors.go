package datastore

import (
	"errors"
	"fmt"
	"strings"

	"mooring/engine/schema"
)

var (
	// ErrLocked is returned by Open when another process has the state
	// directory open.
	ErrLocked = errors.New("state directory is in use by another agent")
	// ErrFormat is returned by Open when the state was written by a newer
	// agent.
	ErrFormat = errors.New("state has an unknown format")
	// ErrKeyFile is returned by Open when the key file is missing, damaged or
	// not the one that the state was written with.
	ErrKeyFile = errors.New("key file does not fit the state")
	// ErrExposedKey is returned by Open when others than the agent's user may
	// read or write the key file.
	ErrExposedKey = errors.New("key file is open to others")
	// ErrNoUndo is wrapped by UndoTo where the way back is not kept: the revision
	// is older than the history, or a commit on the way was too large.
	ErrNoUndo = errors.New("the way back to this revision is not kept")
	// ErrStale is returned by Persist for a Txn whose base is no longer the
	// last commit.
	ErrStale = errors.New("another commit came first")
	// ErrNoLock is returned by UnlockPartly for a lock that its caller has not.
	ErrNoLock = errors.New("no such partial lock of this session")
	// ErrDamaged is returned by Open when something that was answered is missing,
	// or is not what the agent wrote.
	ErrDamaged = errors.New("state is damaged")
	// ErrFileSystem is returned by Open for a directory on a file system on
	// which nothing can be promised.
	ErrFileSystem = errors.New("state directory cannot be here")
	// ErrUnsettled is wrapped where a write failed that the disk may keep all the
	// same: nothing has changed, but a restart may find it. The Store refuses
	// everything else until the disk has taken that it does not count.
	ErrUnsettled = errors.New("until the disk takes writes again, a restart may bring back what was refused")
	// ErrClosed is returned by what needs an open Store after Close.
	ErrClosed = errors.New("datastore is closed")
)

// Damage is one thing that is wrong with a state directory. It wraps ErrDamaged.
type Damage struct {
	File string // its path
	What string // what is wrong with it
	Lost string // which revisions or records are missing
}

// Error names the file, what is lost and what to do, in one line.
func (d *Damage) Error() string {
	lost := ""
	if d.Lost != "" {
		lost = "; " + d.Lost
	}
	return fmt.Sprintf("%s: %s%s: run agent check-state to see what is whole, then put back a backup or run agent recover-state",
		d.File, d.What, lost)
}

// Unwrap returns ErrDamaged.
func (d *Damage) Unwrap() error { return ErrDamaged }

// LockedError says that a datastore cannot be locked, unlocked or written
// because of a lock, or cannot be locked because of its content. A front end
// maps it to in-use or lock-denied (RFC 6241 Appendix A).
type LockedError struct {
	Datastore Datastore
	Holder    Holder      // zero where no lock but the content is in the way
	Path      schema.Path // what a partial lock protects, nil for the whole
	Reason    string
}

// Error names the datastore, the holder and the reason.
func (e *LockedError) Error() string { return e.Datastore.String() + ": " + e.Reason }

// VersionError says that running is not what an edit required it to be.
type VersionError struct {
	Version uint64 // that running has
}

// Error says what to do.
func (e *VersionError) Error() string {
	return "running has changed since: read it again and repeat the edit"
}

// ConflictError says that a private candidate cannot be committed because
// running changed in the same records since the candidate was made.
type ConflictError struct {
	Keys []schema.Key // sorted, at least one
}

// Error names the first records in conflict.
func (e *ConflictError) Error() string {
	const most = 3
	names := make([]string, 0, most)
	for _, k := range e.Keys[:min(most, len(e.Keys))] {
		names = append(names, k.String())
	}
	more := ""
	if n := len(e.Keys) - most; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("running has changed since the candidate was made in %s%s: discard the candidate and edit again",
		strings.Join(names, ", "), more)
}
