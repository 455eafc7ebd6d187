// Package schema binds the YANG model to data: it knows where each node of the
// model lives in the ygot structs of package gen, how values are read, written
// and checked, and what an edit means.
//
// It owns the node tree and its plans, keys and paths, values and types, the
// edit operations of RFC 6241 7.2, the JSON and XML codecs, differences and
// validation. It must never know a store, a lock, a protocol session or a BGP
// speaker, and never calls ygot's tree functions, whose cost grows with the
// configuration.
//
//	gNMI path, JSON ─┐                        ┌─ Mutable, Delete, Touch
//	                 ├─ Decode ─► Edit ─ Apply ┤        (Tx)
//	NETCONF XML ─────┘                        └─ Get, Scan ◄─ Encode, Leaves, Diff
//
// The data tree is cut into records at declared boundaries (kind.go). A record
// is the ygot struct of one list entry, with the lists of nested records left
// nil; its Key is flat, ordered and the same in memory and on disk.
//
// Invariants of records, on which Clone and Equal depend:
//   - a published record is never changed; changes go to a clone;
//   - a leaf is changed by a new pointer or slice, never written through the
//     old one, so that clones share leaves;
//   - an empty container and an absent one are the same, unless it has
//     presence;
//   - a list entry's key leaf and its config/<key> leaf are one value.
package schema
