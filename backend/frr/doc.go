// Package frr drives the bgpd of an FRR that runs on its own (8.4, 10.3 and 10.7
// are measured). It speaks the vty protocol on bgpd's unix socket: one connection,
// the commands of a change in one write, each answer judged line by line.
//
//	PeerSpec ── render ─► conf ── change(have, conf) ─► commands ─► vty ─► bgpd
//	PeerSpec ◄─ parsePeer ─ conf ◄─ parseConfig ◄──── show running-config ──┤
//	Event ◄── observe ◄── show bgp neighbors json ◄── hint: BMP or a poll ──┘
//
// It owns the neighbors and router blocks in bgpd that bear its mark, and
// nothing else: it never changes, removes or takes over what somebody else
// made, never writes bgpd's configuration to disk, and never stops bgpd.
//
// Ownership. A neighbor is ours if its description is a mark,
// "mooring:INSTANCE/VPN?..."; the model's own description stays in the agent,
// so the place is free. A router block has no description: ours has a peer
// group "mooring" without members that carries the mark. A mark also carries
// what FRR has no room for (why a peer is held down, the interface of its
// source, route targets), so that after a restart of the agent Snapshot tells
// exactly what was applied, and no session is touched. Other lines of our
// neighbors (route-map, maximum-prefix, ...) are the operator's and are left
// alone as long as the neighbor lives. Where the operator has a router block
// of the same AS and router ID already, our neighbors live in it and the
// block itself stays the operator's.
//
// Contexts. An instance with a VRF device runs in `router bgp AS vrf DEVICE`;
// one with a network namespace in `router bgp AS vrf NAMESPACE`, which needs
// zebra -n (namespaces are VRFs); one with neither in `router bgp AS`. There
// is one of each, and a second instance for it is refused.
//
// Decision: `no bgp ebgp-requires-policy`. The model has no policies. With FRR's
// default (RFC 8212) a session without one comes up and exchanges nothing,
// which would look like a fault of the transport, and differ from the other
// backends. An operator who wants RFC 8212 makes the router block himself.
//
// Decision: one Cease a change. FRR resets by itself on most settings, with 6/6, and
// which they are depends on its version: behaviour.go has what was measured, and
// TestReactions compares it with the wire. The settings that FRR does not reset on
// come first. Then one command ends the session, and the others follow when bgpd has
// ended it: up to then each would send a NOTIFICATION of its own. Where the first of
// them would send several (a local AS, a further family in 10.x), or FRR would not
// reset (hold time, MSS), that one command is `passive`, switched over and back. Last
// comes a clear, which finds no session but sets FRR's idle time back to 1 s (2 s and
// more without it). shutdown and no shutdown would say 6/2 "Administrative Shutdown",
// which is not what happens. Settings that FRR resets on but the model does not
// (connect-mode, TTL, GTSM) wait for the end of the session. reset-mode hard begins
// with the clear, because FRR sends only that as a Hard Reset (RFC 8538), where both
// sides have the N bit.
//
// Decision: no session by half of the settings. bgpd reads 512 octets of commands at
// once and carries them out before it does anything else. What follows the end of a
// session is one such read, and so are the families of a new neighbor, which has no
// connection before it has one. Commands that are longer than that have a shutdown
// around them, in place of the clear; not where routes are kept for the peer's return,
// which a shutdown would lose. A comment fills up a read: bgpd ends a session between
// two reads, without waiting for the agent.
//
// Decision: bgpd dials again at once (again.go), where that is safe.
//
// Traps of FRR 8.4.4 that are met here (backends.md 4):
//
//   - bgpd accepts a connection at any local address, whatever update-source
//     says: the state of the peer tells it, nothing else could be done.
//   - FRR announces graceful restart, as a helper, unless told not to:
//     `graceful-restart-disable` is always said.
//   - `no rt vpn import` without values is an "Internal CLI error".
//   - A " | word" in a command is a pipe, and a password is one word.
//   - restart-time and stalepath-time are of the router block, not of a
//     neighbor: peers that disagree are refused.
//   - Without zebra each change of graceful restart is answered with a code as if it
//     were refused: bgpd's configuration is asked whether it was.
//   - 9.1 and later show `ebgp-multihop 255` without the number, and AS numbers as
//     `as-notation` of the block says.
//   - BMP says which neighbor changed, but not in which VRF, nor with which
//     NOTIFICATION, and nothing of many sessions that the remote opened: it is
//     a hint to ask at once what a poll would find within a second.
//   - MD5 keys that bgpd is told before it knows the VRF, as after its own start, are
//     never put on the VRF's listening socket: they are said again (vrf.go).
//   - When a remote opens a new session, bgpd forgets why the last one ended: of
//     a session that is back before we asked, only the end is known.
package frr
