// Package datastore owns the configuration: the records of running, the
// candidates, the locks, the revision, the history, and the files that they
// survive in. It must never know what a record means: validation, planning and
// BGP are the business of others, and so is the order of a commit.
//
//	Open ─► Running ──Begin──► Txn ──edits──► Persist ──► Publish ─► Running
//	 ▲        │                 ▲                │
//	 │        └─ NewCandidate ──┴─ Candidate.Edit ... Candidate.Begin
//	 │                                           ▼
//	 │ replay, checkpoint            state.journal   one synchronous write
//	 │                                           │ checkpoint: when it is full,
//	 │                                           ▼ at a large commit, at Close
//	 └────────────────────────────── state.db        one bbolt transaction
//
// Records stand in a copy-on-write tree, sorted by schema.Key, beside one tree
// of index entries. A copy costs the same whatever the number of records, so
// every Txn, candidate and reader has a whole configuration of its own. A
// published Snapshot never changes.
//
// # The line between memory and disk
//
// Store, Txn, Candidate and Snapshot are memory; disk is what they survive in,
// and files is the disk of the agent. FS is where its calls to the system go, so
// that a test can fail each. Nothing else of the package opens a file.
//
// # What is durable when
//
// Persist appends a commit to the journal with one write, in place, that is
// durable when it returns, and keeps the encoded records in memory: never more
// than the journal holds. Publish says that it counts, Abort writes that it does
// not. A checkpoint brings the last value of each record and the history entries
// into the state file in one transaction, and the journal starts again at its
// beginning. A commit of more than 1,000 records goes into the state file
// directly, after what is pending. docs/adr/0026-prepared-first.md has what a
// start finds after each way to stop.
//
// Checkpoints happen in the commit that needs one, so that no goroutine has to
// be stopped and no commit races with one. The journal takes 1,024 commits of
// up to 4,048 octets: with commits of one leaf the 99.9th percentile is still
// one write, and what is slower waits 5 to 25 ms for the checkpoint (measured
// with 1,000 to 100,000 records).
//
// Where the disk may hold what it refused, nothing else is written before it has
// taken that it does not count: see ErrUnsettled.
//
// # Startup
//
// Startup (RFC 6241 8.7) is a third tree, which shares its records with running
// wherever they are equal. It is served once OpenStartup was called, and stands
// in a bucket of its own. Whether a start begins with it is the business of
// package commit.
//
// # The version of a record
//
// A record is replaced, never changed, once it is published. So a record is
// the same version exactly as long as it is the same pointer, and no version
// numbers are kept.
//
// # Private and shared candidates
//
// An unmodified candidate is running, whatever happens to running. A private
// candidate that is modified stays on the running it began with, and its
// commit merges what it changed, leaf by leaf; a leaf that running changed
// meanwhile is a conflict, and nothing is committed.
//
// The shared candidate (RFC 6241 8.3) is running with the leaves that were
// edited in it in place of running's. So it shows commits of others at once in
// all leaves that it did not touch, and right after its commit running is
// what the candidate showed right before: RFC 6241 8.3.4.1 to the letter, at
// the cost of the change. A full copy, which RFC 6241 also allows, would take
// back what others have committed since the first edit (a gNMI Set, say) and
// reset their sessions, in leaves that nobody edited. A leaf that both changed
// is the candidate's; who wants to exclude that locks both datastores.
package datastore
