// Package nacm decides who may do what (RFC 8341), for all front ends alike. It
// owns the policy that /nacm is compiled to, the rights of a user under it, and
// the counters of what was refused. It must never know a protocol, a lock or a
// BGP speaker, and never changes data.
//
//	/nacm ─► policy ─► Rights of a user ─► Exec, Notify       an operation, a notification
//	         (once a    (once a user       View, Read         what is read
//	         change)    and policy)        Write              what a transaction changes
//
// A front end asks Control.Of for the rights of its user at each request, and
// while a subscription runs at each message: it costs a look at the record of
// /nacm, which is another one exactly when something in it has changed. Nil
// rights permit everything and cost nothing: those of the recovery group, and
// of all users while enable-nacm is false.
//
// What RFC 8341 leaves open:
//   - A container, list entry or list key that may not be read itself is shown
//     where it leads to something that may.
//   - default-deny-all and default-deny-write hold for all that is below the
//     node too.
//   - A rule for a path is for data nodes of the module that it names, as
//     everywhere; the model augments no other module, so one rule is enough.
package nacm
