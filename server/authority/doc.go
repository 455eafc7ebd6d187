// Package authority keeps the server certificate that the agent has of its own:
// a small certificate authority for one state directory, and a certificate of
// it for this host.
//
// It owns four files of the state directory: ca.crt, which clients trust,
// ca.key, and the pair server.crt and server.key. [Open] makes what is missing
// and [Keeper.Run] renews server.crt while the agent runs. Each file is written
// atomically, and the key of a certificate before the certificate.
//
// It must never overwrite a file of an authority, or a server.crt that the user
// brought. The caller holds the lock of the state directory.
package authority
