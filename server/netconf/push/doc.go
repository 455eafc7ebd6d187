// Package push writes what has changed in a datastore as the edits of a YANG
// patch (RFC 8072, RFC 8641 3.7). It owns which edits a change makes under a
// filter, their form, the paths of their targets, and that subscribers of the
// same selection share them. It must never know a session, a subscription or
// when something is sent.
//
//	commit.Change ─ schema.Alterations ─► edits ─► Cache ─► any number of subscribers
//
// The cost is that of what changed, once for each selection and not for each
// subscriber.
package push
