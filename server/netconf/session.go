package netconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"mooring/server"
	"mooring/server/netconf/frame"
	"mooring/server/netconf/rpc"
)

// stream is the connection of one session. Close may be called from any
// goroutine and more than once; a Read and a Write that block then return soon,
// whatever the peer does.
type stream = io.ReadWriteCloser

// Why sessions end, for the log.
var (
	errClosed   = errors.New("closed by the client")
	errEOF      = errors.New("end of the client's input")
	errHello    = errors.New("no hello in time")
	errBadHello = errors.New("bad hello")
	errKilled   = errors.New("killed")
	errStalled  = errors.New("the client does not read")
	errIdle     = errors.New("idle for too long")
	errShutdown = errors.New("server shutdown")
	errNoReply  = errors.New("malformed message on a base:1.0 session")
	errLost     = errors.New("connection lost")
	errBug      = errors.New("internal error")
)

// session is one NETCONF session. Its owner calls run, once; all other methods
// may be called from any goroutine.
type session struct {
	srv    *Server
	peer   rpc.Session
	stream stream
	in     *frame.Reader
	done   chan struct{}             // closed when nothing of the session is left
	outbox outbox                    // out, for replies and notifications
	work   sync.WaitGroup            // what Background started; the goroutine of run adds to it and waits for it
	busy   atomic.Int32              // how many of work run
	idle   time.Duration             // how long the client may ask nothing, 0 for ever; set before run
	asked  atomic.Pointer[time.Time] // when it was last answered; used where idle is set

	mu     sync.Mutex              // guards what follows
	cancel context.CancelCauseFunc // ends the running operation; nil before run
	why    error                   // not nil: no operation begins any more
	active chan struct{}           // closed when the running operation ends; nil: none runs

	killedBy uint32 // the session that has, 0 for none; set before the end
}

// open gives a session its place among the others, which run gives back. The
// error is for the client.
func (s *Server) open(id *server.Identity, st stream, transport string) (*session, error) {
	own := *id
	own.Protocol = "netconf"
	se := &session{
		srv: s, peer: rpc.Session{Identity: &own, Transport: transport, Login: time.Now()}, stream: st, done: make(chan struct{}),
		in: frame.NewReader(st, frame.Options{MaxMessage: s.limits.MaxMessage, Strict: s.limits.StrictFraming}),
	}
	se.outbox.w = frame.NewWriter(&guard{to: st, limit: s.limits.WriteTimeout, expired: func() { se.abort(errStalled) }})
	if err := s.registry.add(se); err != nil {
		return nil, err
	}
	return se, nil
}

// run serves the session to its end and says why it ended. It returns when
// the locks are free and no operation runs. The stream is not closed where the
// end was in order, so that the owner can say goodbye.
func (s *session) run(ctx context.Context) (why error) {
	log := s.srv.log.With("session", s.peer.ID, "user", s.peer.Identity.User)
	log.Info("netconf session started", "source", s.peer.Identity.Source.String())
	s.srv.rpc.SessionStarted(&s.peer)
	// The server's end lets a running operation finish: see shutdown.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	s.peer.Background = func(do func(context.Context, rpc.Output) error) {
		s.busy.Add(1)
		s.work.Go(func() {
			defer s.busy.Add(-1)
			defer s.recovered(log)
			if err := do(ctx, &s.outbox); err != nil && ctx.Err() == nil {
				s.abort(err)
			}
		})
	}
	defer func() {
		if p := recover(); p != nil {
			// A bug ends this session, and not every BGP session of the agent.
			why = fmt.Errorf("%w: %v", errBug, p)
			log.Error("netconf session failed, please report this", "panic", p, "stack", string(debug.Stack()))
			_ = s.finish()
		}
		why = s.end(why)
		s.srv.registry.ended(why)
		s.srv.rpc.Release(&s.peer)
		cancel(nil)
		s.settle()
		s.srv.rpc.SessionEnded(&s.peer, reasonOf(why), s.killedBy) // nobody writes it any more
		s.srv.registry.remove(s)
		close(s.done)
		log.Info("netconf session ended", "reason", why.Error())
	}()
	if err := s.hello(); err != nil {
		return err
	}
	s.touch()
	if s.idle > 0 {
		s.work.Go(func() { s.endWhenIdle(ctx) })
	}
	for {
		msg, err := s.in.Next()
		if err != nil {
			return s.readFailed(msg, err)
		}
		if !s.begin() {
			return errLost // the reason why it may not begin came first and stays
		}
		outcome, err := s.srv.rpc.Handle(ctx, &s.peer, msg, &s.outbox)
		ended := s.finish()
		s.touch()
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", errLost, err)
		case outcome == rpc.Close:
			return errClosed
		case outcome == rpc.Abort:
			return errNoReply
		case ended != nil:
			return ended
		}
	}
}

// hello exchanges hellos and settles the framing. Ours does not wait for the
// client's (RFC 6241 8.1), and both are framed by end-of-message (RFC 6242 3).
func (s *session) hello() error {
	late := time.AfterFunc(s.srv.limits.HelloTimeout, func() { s.abort(errHello) })
	defer late.Stop()
	s.outbox.Begin()
	if _, err := s.outbox.Write(s.srv.appendHello(nil, s.peer.ID)); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	if err := s.outbox.End(); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	msg, err := s.in.Next()
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	client, err := parseHello(msg, s.srv.limits.MaxDepth)
	if err != nil {
		return fmt.Errorf("%w: %w", errBadHello, err)
	}
	if client.private {
		s.peer.Private = s.srv.cfg.Engine.Store().NewCandidate()
	}
	if client.base11 {
		s.peer.Base11 = true
		s.in.SetMode(frame.Chunked)
		s.outbox.w.SetMode(frame.Chunked)
	}
	return nil
}

// endWhenIdle ends the session when its client has asked nothing for too long,
// unless it waits for an answer or for notifications. It returns with ctx.
func (s *session) endWhenIdle(ctx context.Context) {
	next := time.NewTimer(s.idle)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		quiet := time.Since(*s.asked.Load())
		switch {
		case s.busy.Load() > 0 || s.running() != nil:
			next.Reset(s.idle)
		case quiet < s.idle:
			next.Reset(s.idle - quiet)
		default:
			s.abort(errIdle)
			return
		}
	}
}

// touch notes that the client does something.
func (s *session) touch() {
	if s.idle > 0 {
		now := time.Now()
		s.asked.Store(&now)
	}
}

// recovered ends the session, and not every BGP session of the agent, where
// work in the background panics.
func (s *session) recovered(log *slog.Logger) {
	if p := recover(); p != nil {
		log.Error("netconf session failed, please report this", "panic", p, "stack", string(debug.Stack()))
		s.abort(fmt.Errorf("%w: %v", errBug, p))
	}
}

// settle waits for what Background started, which writes to a client that may
// not read any more.
func (s *session) settle() {
	stuck := time.AfterFunc(closeGrace, func() { _ = s.stream.Close() })
	defer stuck.Stop()
	s.work.Wait()
}

// reasonOf is the word of RFC 6470 2.2 for the end of a session.
func reasonOf(why error) string {
	switch {
	case errors.Is(why, errClosed):
		return "closed"
	case errors.Is(why, errKilled):
		return "killed"
	case errors.Is(why, errHello), errors.Is(why, errStalled), errors.Is(why, errIdle):
		return "timeout"
	case errors.Is(why, errBadHello):
		return "bad-hello"
	case errors.Is(why, errLost), errors.Is(why, errEOF):
		return "dropped"
	}
	return "other"
}

// readFailed says why there is no next message. One that is too big is
// answered first.
func (s *session) readFailed(msg []byte, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errEOF
	case errors.Is(err, frame.ErrTooBig):
		if s.begin() {
			werr := s.srv.rpc.RefuseTooBig(&s.peer, msg, &s.outbox)
			_ = s.finish()
			if werr != nil {
				return fmt.Errorf("%w: %w", errLost, werr)
			}
		}
		return err
	case errors.Is(err, frame.ErrFraming):
		return err
	}
	return fmt.Errorf("%w: %w", errLost, err)
}

// begin says whether an operation may begin. If so, finish must follow.
func (s *session) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return false
	}
	s.active = make(chan struct{})
	return true
}

// finish ends an operation and returns why the session is to end, if it is.
func (s *session) finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active != nil {
		close(s.active)
		s.active = nil
	}
	return s.why
}

// end keeps further operations from beginning. The first reason stays, and is
// returned.
func (s *session) end(why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == nil {
		s.why = why
	}
	return s.why
}

// running returns a channel that is closed when the operation that runs now
// has ended, nil where none runs.
func (s *session) running() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active
}

// abort ends the session at once.
func (s *session) abort(why error) {
	_ = s.end(why)
	s.mu.Lock()
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel(why)
	}
	_ = s.stream.Close() // the reader and the writer see its effect
}

// kill ends the session for another one. When it returns, the locks are free
// and no operation runs, unless ctx ended. It does not wait for the peer.
func (s *session) kill(ctx context.Context, by uint32) {
	s.mu.Lock()
	if s.why == nil {
		s.killedBy = by
	}
	s.mu.Unlock()
	s.abort(fmt.Errorf("%w by session %d", errKilled, by))
	if active := s.running(); active != nil {
		select {
		case <-active:
		case <-ctx.Done():
			return
		}
	}
	s.srv.rpc.Release(&s.peer) // run does so too, but only when the stream lets it
}

// shutdown ends the session with the server. An operation that runs may finish
// and be answered.
func (s *session) shutdown() {
	_ = s.end(errShutdown)
	if s.running() == nil {
		s.abort(errShutdown)
	}
}
