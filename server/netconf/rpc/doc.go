// Package rpc is the NETCONF operations: it takes one whole message, runs the
// operation in it, and writes the reply (RFC 6241 4 and 7).
//
// It owns the envelope (attributes, unknown and missing parameters), one file
// an operation, and the one place that maps errors to rpc-error. It must never
// know a socket, SSH, a framing or a session's life: the caller gives it bytes
// and an Output, and does what Outcome says.
//
//	message ─ parse ─► request ─ operation ─► Engine
//	                      │            │
//	                   rpc-error ◄─────┴─► body ─► Output (streamed)
//
// Configuration and the state of peers stand in the engine's records. What the
// server tells of itself (trees.go: monitoring, the library, the streams) is
// made when it is asked for, as trees of package xmltree, and get writes both.
// Changes of the engine become notifications (events.go, peerevents.go) on the
// one stream of package notify, at the cost of what changed.
//
// A subscription is served by a goroutine of its session: events of the stream
// (stream.go), or updates of a datastore (pushdelivery.go), which package push
// writes from the changes of the engine. Operations of any session give it orders
// (subscriptions.go): new terms, a resync, its end.
//
// A filter (filter.go) is a subtree or an XPath expression of package xpath.
// What an expression selects becomes the same selection that a subtree is, so
// there is one encoder, which streams; a plain path needs no evaluation.
//
// Everything that can fail happens before the reply is begun: once bytes are
// out, the only error left is that of the connection.
//
// Decisions that RFC 6241 leaves open:
//   - An edit-config of running is all or nothing whatever its error-option,
//     but for continue-on-error; so is one of the candidate.
//   - continue-on-error leaves out the records (peers, groups, instances) that
//     cannot be applied, say because an existing one is created or a missing one
//     deleted, applies the others in one commit, and answers every such error.
//     Content that cannot be read (an unknown element, a bad value) applies
//     nothing, and running never becomes invalid.
//   - test-option on running: set validates too, since running is always valid.
//     On the candidate, test-then-set validates what the edit touches when it
//     is asked for; without test-option an edit may leave the candidate
//     incomplete until commit or validate (RFC 7950 8.3.3).
//   - An rpc without a namespace, or of another one, is answered with
//     unknown-namespace. Any other root element is a malformed message.
package rpc
