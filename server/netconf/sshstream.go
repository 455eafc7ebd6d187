package netconf

import (
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshStream is the stream of a session in an SSH channel.
type sshStream struct {
	ssh.Channel
	conn ssh.Conn

	mu      sync.Mutex // guards what follows
	closed  bool
	stopped bool
	hard    *time.Timer // closes the connection where the client does not answer
}

// Close closes the channel. A client that does not close its side too loses
// the connection after closeGrace: the library keeps Read and Write waiting
// until then.
func (s *sshStream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if !s.stopped {
		s.hard = time.AfterFunc(closeGrace, func() { _ = s.conn.Close() })
	}
	s.mu.Unlock()
	return s.Channel.Close()
}

// stop says that the channel is closed on both sides.
func (s *sshStream) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.hard != nil {
		s.hard.Stop()
	}
}

// goodbye ends the output in order, exit-status 0 and EOF (RFC 4254 6.10 and
// 5.3), and leaves the client a moment to end its side first: some take a close
// from ours before their own for an error, others wait for ours.
func (s *sshStream) goodbye() {
	exit := ssh.Marshal(struct{ Status uint32 }{0})
	if _, err := s.SendRequest("exit-status", false, exit); err != nil {
		return
	}
	if err := s.CloseWrite(); err != nil {
		return
	}
	late := time.AfterFunc(closeGrace, func() { _ = s.Close() })
	defer late.Stop()
	drain(s.Channel)
}
