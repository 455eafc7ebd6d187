// Package server holds what the gNMI and the NETCONF front end share before a
// request is understood: listeners, the TLS and SSH identity of the agent, its
// users, and the Identity that an authenticated caller carries to the commit
// engine.
//
// It owns two files of the state directory, users.yaml and
// ssh_host_*_key, and reads the certificate that package authority keeps.
// Both are written atomically, and a file with a secret that others may read is
// refused.
//
// It must never speak a protocol, know YANG or a backend, decide what a user
// may do (that is NACM's), or put a password, a hash or a private key into a
// log line or an error text.
//
// A front end listens with [Listen] and [LimitListener], takes its keys from
// [TLSConfig] or [LoadOrCreateHostKey], asks [Users.Authenticate] or
// [Users.AuthenticateKey], fills in Protocol and Session of the [Identity] it
// gets, and hands that on with every request.
package server
