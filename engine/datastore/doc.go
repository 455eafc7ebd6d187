// Package datastore owns the configuration: the records of running, the
// candidates, the locks, the revision, the history, and the file that they
// survive in. It must never know what a record means: validation, planning and
// BGP are the business of others, and so is the order of a commit.
//
//	Open ─► Running ──Begin──► Txn ──edits──► Persist ──► Publish ─► Running
//	          │                 ▲               one bbolt transaction
//	          └─ NewCandidate ──┴─ Candidate.Edit ... Candidate.Begin
//
// Records stand in a copy-on-write tree, sorted by schema.Key, beside one tree
// of index entries. A copy costs the same whatever the number of records, so
// every Txn, candidate and reader has a whole configuration of its own. A
// published Snapshot never changes.
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
// commit merges the records that it changed; a record that running changed
// meanwhile is a conflict, and nothing is committed.
//
// The shared candidate (RFC 6241 8.3) is running with the records that were
// edited in it in place of running's. So it shows commits of others at once in
// all records that it did not touch, and right after its commit running is
// what the candidate showed right before: RFC 6241 8.3.4.1 to the letter, at
// the cost of the change. A full copy, which RFC 6241 also allows, would take
// back what others have committed since the first edit (a gNMI Set, say) and
// reset their sessions, in records that nobody edited. In a record that both
// changed the candidate wins; who wants to exclude that locks both datastores.
package datastore
