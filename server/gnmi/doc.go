// Package gnmi is the gNMI front end: Capabilities, Get, Set and Subscribe of
// specification 0.10.0 over gRPC with TLS.
//
// It owns how a request is read and answered: prefixes, targets, origins and
// wildcards, encodings, the order of operations, the streams of changes, and
// which canonical code an error gets. It must never know a backend or a BGP
// session, decide what a value means (that is engine/schema's), or change
// configuration other than through the Engine.
//
//	path.go   gNMI path ─► schema path        errors.go  error ─► code, text, details
//	get.go    View ─► Notification            set.go     operations ─► one transaction
//	                                          union.go   union_replace ─► operations
//	extensions.go  what a request carries     impact.go  a plan ─► the answer of a preview
//	                                          confirm.go confirmed commits
//	                                          operate.go guard, reset, rollback
//	                                          history.go the past
//
//	subscribe.go ─► watch.go ─► stream.go ─┬─► dump.go   everything there is
//	an RPC          what is     timers and └─► delta.go  what a change differs in
//	                asked for   the feed           │
//	                                       wire.go ▼ octets ─► codec.go ─► gRPC
//
// Paths, values and edits are those of a tree (tree.go): this agent's model,
// or its OpenConfig view (package ocview). Refused until they are built, never
// ignored: the origin cli, and every extension that would change the meaning
// of a request.
package gnmi
