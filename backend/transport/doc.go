// Package transport opens and accepts the TCP connections of an embedded BGP
// speaker exactly as a PeerSpec says, and hands them over: the speaker never
// makes a socket. It knows no BGP message, no datastore and no speaker.
//
//	remote ══ TCP ══╗                          ╔══ speaker
//	   dial loop ───╫─► peer ─► instance's hand-over
//	   listener ────╝    ▲
//	      Put, Remove, Wanted, Settled
//
// It owns every listening socket, every connection up to its hand-over, and
// the question when to dial. A connection that was handed over is the
// speaker's: the transport sees its first Write (the speaker took it) and its
// Close (it has ended), and changes socket options on it that the kernel lets
// change. It must never close a connection that the speaker has taken, but to
// settle a collision that the speaker cannot see (collision.go).
//
// The life of a peer: Put tells what it is; Wanted says that the speaker
// waits for a connection; then the transport dials, and takes what comes in,
// until it has one to hand over. Settled says that the session is up.
//
// Settings are carried by socket options before connect(2) and, for
// connections that come in, by the listening socket as far as the SYN-ACK
// tells them (lanes.go): there is one listener per network namespace, device,
// address and port, shared by all instances that listen there.
//
// Run owns all goroutines.
package transport
