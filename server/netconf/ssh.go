package netconf

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"mooring/server"
)

// The transports as RFC 6022 4.1 names them.
const (
	overSSH = "netconf-ssh"
	overTLS = "netconf-tls"
)

const (
	// subsystem is the only one served (RFC 6242 3).
	subsystem = "netconf"
	// version is our identification string (RFC 4253 4.2).
	version = "SSH-2.0-Mooring"
	// closeGrace is how long a client may take to close what we have closed.
	closeGrace = time.Second
	// maxChannels bounds the sessions of one connection (RFC 4254 6.1).
	maxChannels = 16
)

// identityKey is where a login leaves the Identity in ssh.Permissions.
type identityKey struct{}

// sshConn is one connection that has logged in.
type sshConn struct {
	srv      *Server
	conn     ssh.Conn
	identity *server.Identity
	terms    terms
	done     chan struct{}  // closed when the connection has ended
	wg       sync.WaitGroup // of its channels

	mu       sync.Mutex // guards what follows
	channels int
	idle     *time.Timer // closes a connection without channels
}

// serveSSH serves one connection to its end, and returns an error when nobody
// has logged in. When ctx ends, it ends at once.
func (s *Server) serveSSH(ctx context.Context, raw net.Conn, t terms) error {
	if err := s.admit(raw.RemoteAddr()); err != nil {
		// Lines before the version are allowed and shown by clients (RFC 4253 4.2).
		s.refuse(ctx, raw, err.Error()+", try again later\r\n")
		return err
	}
	defer s.connections.Add(-1)
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	defer raw.Close()
	setKeepalive(raw, t.keepalive)
	conn, chans, reqs, err := s.login(ctx, raw)
	s.preAuth.Add(-1)
	if err != nil {
		s.log.Info("netconf login failed", "source", raw.RemoteAddr().String(), "err", err)
		return err
	}
	id, ok := conn.Permissions.ExtraData[identityKey{}].(*server.Identity)
	if !ok {
		panic("netconf: login without an identity")
	}
	c := &sshConn{srv: s, conn: conn, identity: id, terms: t, done: make(chan struct{})}
	c.idle = time.AfterFunc(s.limits.HelloTimeout, func() { _ = conn.Close() })
	defer c.idle.Stop()
	c.wg.Go(func() { answerGlobal(reqs) })
	if t.keepalive.Interval > 0 {
		c.wg.Go(c.keepAlive)
	}
	for nc := range chans {
		c.channel(ctx, nc)
	}
	close(c.done)
	c.wg.Wait()
	return nil
}

// keepAlive asks the client for a sign of life again and again, and closes the
// connection of one that gives none. A refusal is a sign of life too.
func (c *sshConn) keepAlive() {
	k := c.terms.keepalive
	next := time.NewTimer(k.Interval)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-c.done:
			return
		}
		gone := time.AfterFunc(k.Interval*time.Duration(k.Attempts), func() {
			c.srv.log.Info("netconf client gives no sign of life", "source", c.identity.Source.String())
			_ = c.conn.Close()
		})
		_, _, err := c.conn.SendRequest(keepalive, true, nil)
		gone.Stop()
		if err != nil {
			return // the connection has ended
		}
		next.Reset(k.Interval)
	}
}

// withoutSHA1 is what the library supports but for hmac-sha1, which it does not
// count among the insecure ones yet.
var withoutSHA1 = ssh.Config{
	KeyExchanges: ssh.SupportedAlgorithms().KeyExchanges,
	Ciphers:      ssh.SupportedAlgorithms().Ciphers,
	MACs:         slices.DeleteFunc(ssh.SupportedAlgorithms().MACs, func(mac string) bool { return mac == ssh.HMACSHA1 }),
}

// login does the SSH handshake and authentication, in AuthTimeout at most.
func (s *Server) login(ctx context.Context, raw net.Conn) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.AuthTimeout)
	defer cancel()
	source := server.SourceOf(raw.RemoteAddr())
	cfg := &ssh.ServerConfig{
		Config:                  withoutSHA1,
		PublicKeyAuthAlgorithms: ssh.SupportedAlgorithms().PublicKeyAuths,
		ServerVersion:           version,
		PasswordCallback: func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return permit(s.cfg.Users.Authenticate(ctx, meta.User(), string(password), source))
		},
		// The library has checked the signature when it uses the result.
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			return permit(s.cfg.Users.AuthenticateKey(meta.User(), key, source))
		},
	}
	// The same beside it, since some clients and sites know no other method (RFC
	// 4256): one question, and its answer is the password.
	cfg.KeyboardInteractiveCallback = func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		answers, err := ask("", "", []string{"Password: "}, []bool{false})
		if err != nil {
			return nil, err
		}
		return cfg.PasswordCallback(meta, []byte(answers[0]))
	}
	for _, key := range s.cfg.HostKeys {
		cfg.AddHostKey(key)
	}
	// A deadline for the whole of it: a client that sends a byte now and then
	// gains nothing.
	if err := raw.SetDeadline(time.Now().Add(s.limits.AuthTimeout)); err != nil {
		return nil, nil, nil, err
	}
	conn, chans, reqs, err := ssh.NewServerConn(raw, cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, nil, nil, errors.Join(err, conn.Close())
	}
	return conn, chans, reqs, nil
}

func permit(id *server.Identity, err error) (*ssh.Permissions, error) {
	if err != nil {
		return nil, err
	}
	return &ssh.Permissions{ExtraData: map[any]any{identityKey{}: id}}, nil
}

// answerGlobal answers the keepalive of OpenSSH clients and refuses the rest.
func answerGlobal(reqs <-chan *ssh.Request) {
	for req := range reqs {
		answer(req, req.Type == keepalive)
	}
}

const keepalive = "keepalive@openssh.com"

// answer replies where a reply is wanted. An error is that of the connection,
// whose end everybody sees.
func answer(req *ssh.Request, ok bool) {
	if req.WantReply {
		_ = req.Reply(ok, nil)
	}
}

// channel accepts a session channel and serves it in a goroutine of c.wg.
func (c *sshConn) channel(ctx context.Context, nc ssh.NewChannel) {
	if nc.ChannelType() != "session" {
		_ = nc.Reject(ssh.UnknownChannelType, "only sessions are served here")
		return
	}
	if !c.enter() {
		_ = nc.Reject(ssh.ResourceShortage, "too many channels on this connection")
		return
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		c.leave()
		return // the connection is gone
	}
	c.wg.Go(func() {
		defer c.leave()
		c.serveChannel(ctx, ch, reqs)
	})
}

func (c *sshConn) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channels >= maxChannels {
		return false
	}
	c.channels++
	c.idle.Stop()
	return true
}

// leave gives the client a moment to close the connection after its last
// channel.
func (c *sshConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channels--; c.channels == 0 {
		c.idle.Reset(closeGrace)
	}
}

// serveChannel answers the requests of a channel until it is closed, and runs
// the NETCONF session that one of them may start.
func (c *sshConn) serveChannel(ctx context.Context, ch ssh.Channel, reqs <-chan *ssh.Request) {
	st := &sshStream{Channel: ch, conn: c.conn}
	late := time.AfterFunc(c.srv.limits.HelloTimeout, func() { _ = st.Close() })
	defer late.Stop()
	var se *session
	var wg sync.WaitGroup
	for req := range reqs {
		switch {
		case req.Type == "subsystem" && se == nil && subsystemName(req.Payload) == subsystem:
			var err error
			if se, err = c.srv.open(c.identity, st, overSSH); err != nil {
				tell(ch, err.Error())
				answer(req, false)
				continue
			}
			late.Stop()
			answer(req, true)
			wg.Go(func() { c.runSession(ctx, se, st) })
		case req.Type == "subsystem", req.Type == "shell", req.Type == "exec":
			tell(ch, "only the NETCONF subsystem is served here: ssh -s HOST netconf")
			answer(req, false)
		default: // pty-req, env, ...: a client that can do without goes on
			answer(req, req.Type == keepalive)
		}
	}
	if se != nil {
		se.abort(errLost)
	}
	wg.Wait()
	st.stop()
}

// runSession runs a session and says goodbye.
func (c *sshConn) runSession(ctx context.Context, se *session, st *sshStream) {
	se.idle = c.terms.idle
	why := se.run(ctx)
	if errors.Is(why, errClosed) || errors.Is(why, errEOF) {
		st.goodbye()
	}
	_ = st.Close() // nobody is left to tell
}

// tell writes a line to the client's standard error. An error is that of the
// connection, whose end everybody sees.
func tell(ch ssh.Channel, text string) { _, _ = io.WriteString(ch.Stderr(), text+"\r\n") }

// subsystemName reads the payload of a subsystem request (RFC 4254 6.5).
func subsystemName(payload []byte) string {
	var p struct{ Name string }
	if ssh.Unmarshal(payload, &p) != nil {
		return ""
	}
	return p.Name
}

// drain reads until the end, for its time only.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }
