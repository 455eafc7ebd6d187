// Package gobgp is the embedded BGP speaker: GoBGP v4.8, one BgpServer for
// each VPN instance of a BGP instance, because a BgpServer keys its peers by
// address alone and the same neighbour address may stand in several VPNs.
//
//	Apply, Reset ──► speaker (one an instance) ──► server.BgpServer ══ peers
//	                    ▲      │                        │ watch, log  ▲ connections
//	     Run ◄── queue ─┴──────│────────────────────────┘             │
//	      └─► sink             └──► transport.Transport ──────────────┘
//
// It owns the BgpServers, from the step that creates an instance to the end
// of Run, and what of a PeerSpec they have been told. It never opens a gRPC
// port, never uses peer groups or VRFs of GoBGP, and never lets GoBGP resolve
// a name or a default: the specification is complete.
//
// What GoBGP does, and what is done about it:
//
//   - A configured peer is changed with UpdatePeer, never with ResetPeer: a new
//     state machine has no idle time. Every change that GoBGP resets on gives
//     one Cease 6/6 (6/3 for the AS). Where the model wants a reset and GoBGP
//     would give none (hold time), the peer's description, which no remote ever
//     sees, gets a new number: one Cease 6/6, and the new values in its OPEN.
//   - GoBGP waits 4 minutes for an OPEN, and keeps what a remote announced of graceful
//     restart in a session before: such connections are ended (again.go).
//   - What Apply asks for is no event: a session ends when GoBGP closes its
//     connection, and the connection knows which Cease was written (session.go).
//   - Settings that GoBGP would reset on but the model would not are withheld
//     while the session is up and handed over when it next ends, in the idle
//     time of the old state machine.
//   - UpdatePeer deletes and adds: if adding fails, the old peer is added again.
//   - A peer that is held down is not in GoBGP at all: it is first changed into
//     one that can neither dial nor accept, which ends the session with 6/2
//     (disabled), 6/3 (deleted) or 6/6 (the rest) and takes its MD5 key off the
//     listener, and is then deleted.
//   - ResetPeer, the only way to 6/4 and a text, is called only where ListPeer
//     says established. If the session ends by itself in that moment GoBGP
//     keeps the reset for the next one, so the state machine is replaced
//     when the session has ended, which also saves its idle time.
//   - GoBGP neither dials nor listens: its peers are passive, and a
//     transport.Transport hands connections over (handover.go). It dials when a
//     state machine says that it is active, so a session is back milliseconds
//     after a reset; GoBGP's own dialer takes 1.5 to 2 s. What concerns only the
//     socket is not given to GoBGP at all: some of it changes under a session,
//     for the rest the plan adds the reset.
//   - A peer costs 220 KB for each address family, session or not. It is added
//     when it has a connection, and taken out again when it has had none for a
//     while (sleep.go): down, it costs 7 KB.
//   - Shutdown texts are in no event, nor are dial errors of GoBGP's own dialer:
//     they are taken from the log records of the state machine (tap.go).
//   - An OPEN that is refused is in no event with its code, a shut down peer's
//     text has no place in UpdatePeer, GoBGP never makes a Hard Reset of a 6/6,
//     and in those that it makes the code that they stand for is missing (RFC 8538
//     3.1): the connection listens for the first and puts our own last Cease
//     in the place of GoBGP's (spoken.go). The N bit is announced wherever graceful
//     restart is; where it is negotiated 6/2 and 6/3 go out as 6/9, 6/6 only with
//     reset-mode hard. An event then has lost the remote's NOTIFICATION: it is
//     taken from the log.
//   - The route distinguisher and route targets are accepted and kept: the table
//     of the BgpServer is the VPN's own, and nothing is exported from it to
//     others.
//   - All four families are enabled in each BgpServer (about 1.6 MB; all that GoBGP
//     knows would be 10 MB), because adding one later would restart it.
//   - StartBgp writes package variables of GoBGP (table.SelectionOptions,
//     table.UseMultiplePaths) that every other server reads when a session comes
//     up or a route arrives. It writes the same value each time, so nothing can
//     go wrong, but the race detector cannot know: under -race a test must start
//     its instances before its sessions, and no other test may run beside it.
//     Starts are serialised here, so that they do not race with each other.
//
// Where the hand-over does not work (another GoBGP), and with Options.Stock,
// GoBGP dials and listens by itself: Info and Capabilities say so.
package gobgp
