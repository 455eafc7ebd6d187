// Package netconf serves NETCONF (RFC 6241) over SSH (RFC 6242).
//
// It owns connections, logins, sessions and their lives: who may come in, how
// many, hello and the framing it settles, and that nothing of a session is
// left when it has ended: no lock, no goroutine. It must never look into a
// message behind hello, which is the business of package rpc, and never cut
// one out of the stream, which is that of package frame.
//
//	listener ─► SSH login ─► channel, subsystem netconf ─► session
//	                                                        hello, hello
//	                                                        frame.Reader ─► rpc.Server.Handle ─► frame.Writer
//
// One goroutine runs a session: it reads a message, runs it, writes the reply,
// and reads on. So replies have the order of the requests. Each subscription adds
// one, which writes notifications between replies (outbox) and ends with the
// session. A session ends by close-session, by the end of the client's input
// (what was sent before is still done), by kill-session, by a broken connection
// or framing, by silence where hello is due, and with the server.
//
//	srv, err := netconf.New(netconf.Config{...})
//	err = srv.Serve(ctx, listener)
package netconf
