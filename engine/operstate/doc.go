// Package operstate owns what is known of the peers while the agent runs: the
// state that the backend last told and the specification that it last applied
// (Store), and the feed that carries changes to whoever watches (Feed).
//
// It must never echo what is intended as what is applied: both come from the
// backend's own events. It knows no YANG, no protocol and no backend, does no
// I/O and starts no goroutine.
//
//	events of the backend ─► Store ─► the coordinator ─► Feed.Publish ─┬─► Subscription.Next
//	committed changes ───────────────►                                 └─► Subscription.Next
//
// Values are immutable once they are handed over: a change makes a new one.
package operstate
