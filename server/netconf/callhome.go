package netconf

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"mooring/engine/commit"
)

// CallHome is a client that the server connects to (RFC 8071). Who dials
// changes nothing else: the server is that of SSH or TLS, and the client logs
// in. The words are those of the model ietf-netconf-server.
type CallHome struct {
	Name        string
	Endpoints   []Endpoint    // at least one: where the client may be
	Period      time.Duration // between two connections; 0: always connected
	Anchor      time.Time     // an instant at which a period begins; zero: the start of the server
	IdleTimeout time.Duration // as Limits.IdleTimeout, for these connections
	StartWith   StartWith
	MaxWait     time.Duration // to connect to an endpoint: 5 s
	MaxAttempts int           // at an endpoint, before the next one is tried: 3
	Keepalive   Keepalive
}

// Endpoint is one place where a client listens.
type Endpoint struct {
	Name    string
	TLS     bool   // else SSH
	Address string // host:port
}

// StartWith says at which endpoint a search begins.
type StartWith int

// The ways to begin.
const (
	FirstListed StartWith = iota
	LastConnected
	RandomSelection
)

// String returns the name of the model.
func (s StartWith) String() string {
	switch s {
	case FirstListed:
		return "first-listed"
	case LastConnected:
		return "last-connected"
	case RandomSelection:
		return "random-selection"
	}
	return fmt.Sprintf("StartWith(%d)", int(s))
}

func (c *CallHome) check(cfg *Config) error {
	if len(c.Endpoints) == 0 {
		return fmt.Errorf("netconf: call home of %s: no endpoint", c.Name)
	}
	for _, e := range c.Endpoints {
		if e.TLS && cfg.TLS == nil || !e.TLS && len(cfg.HostKeys) == 0 {
			return fmt.Errorf("netconf: call home of %s: endpoint %s needs TLS or HostKeys, which are not given", c.Name, e.Name)
		}
	}
	return nil
}

func (c CallHome) withDefaults() CallHome {
	fallBack(&c.MaxWait, 5*time.Second)
	fallBack(&c.MaxAttempts, 3)
	c.Keepalive = c.Keepalive.withDefaults()
	return c
}

const (
	// The pause between two connections to a client doubles from minPause to
	// maxPause while they fail or do not last.
	minPause = time.Second
	maxPause = time.Minute
	// lasting is how long a connection must last to be a success.
	lasting = time.Minute
)

// caller keeps up the connection to one client.
type caller struct {
	CallHome
	log *slog.Logger
	// call serves one connection to its end; an error says why there was none.
	call func(context.Context, Endpoint) error
	// tell takes what is now, for the state of the agent.
	tell func(commit.Call)

	now   commit.Call
	last  int           // the endpoint that was served last
	pause time.Duration // before the next connection
}

// callHome keeps up the connection to a client until ctx ends. Connections end
// with connCtx.
func (s *Server) callHome(ctx, connCtx context.Context, c CallHome) {
	t := terms{keepalive: c.Keepalive, idle: c.IdleTimeout}
	if t.idle == 0 {
		t.idle = s.limits.IdleTimeout
	}
	cl := &caller{CallHome: c, log: s.log.With("client", c.Name), tell: s.cfg.Engine.CallsHome}
	cl.call = func(ctx context.Context, e Endpoint) error {
		d := net.Dialer{Timeout: c.MaxWait}
		conn, err := d.DialContext(ctx, "tcp", e.Address)
		if err != nil {
			return err
		}
		cl.log.Info("netconf call home connected", "endpoint", e.Name, "address", conn.RemoteAddr().String())
		cl.taken()
		if e.TLS {
			return s.serveTLS(connCtx, conn, t)
		}
		return s.serveSSH(connCtx, conn, t)
	}
	cl.run(ctx)
}

func (c *caller) run(ctx context.Context) {
	c.now.Client = c.Name
	if c.Period == 0 {
		for c.search(ctx, time.Time{}) {
		}
		return
	}
	now := time.Now()
	if c.Anchor.IsZero() {
		c.Anchor = now
	}
	for due := c.period(now); c.wait(ctx, time.Until(due)); {
		c.pause = 0
		following := c.period(due.Add(1))
		if !c.search(ctx, following) {
			return
		}
		if due = following; due.Before(time.Now()) {
			due = c.period(time.Now())
		}
	}
}

// period returns the first beginning of a period that is not before t.
func (c *caller) period(t time.Time) time.Time {
	at := c.Anchor.Add(t.Sub(c.Anchor) / c.Period * c.Period)
	if at.Before(t) {
		at = at.Add(c.Period)
	}
	return at
}

// search tries the endpoints in turn until a connection has been served. With
// an end it gives up there, or when each has failed. It is false when ctx has
// ended.
func (c *caller) search(ctx context.Context, end time.Time) bool {
	first := c.first()
	for i := 0; end.IsZero() || i < len(c.Endpoints); i++ {
		at := (first + i) % len(c.Endpoints)
		for attempt := 1; attempt <= c.MaxAttempts; attempt++ {
			pause := c.pause
			if !end.IsZero() {
				pause = min(pause, time.Until(end))
			}
			if !c.wait(ctx, pause) {
				return false
			}
			if !end.IsZero() && !time.Now().Before(end) {
				return true
			}
			if c.try(ctx, at, attempt) {
				return ctx.Err() == nil
			}
		}
	}
	return true
}

func (c *caller) first() int {
	switch c.StartWith {
	case LastConnected:
		return c.last
	case RandomSelection:
		return rand.IntN(len(c.Endpoints))
	case FirstListed:
	}
	return 0
}

// try makes one connection and says whether it was served. It settles the
// pause before the next: a client that takes us and drops us at once costs
// neither side more than one that does not listen.
func (c *caller) try(ctx context.Context, at, attempt int) bool {
	e, start := c.Endpoints[at], time.Now()
	c.now.Status, c.now.Next = commit.Calling, time.Time{}
	c.now.Endpoint, c.now.Address, c.now.TLS = e.Name, e.Address, e.TLS
	c.tell(c.now)
	err := c.call(ctx, e)
	c.ended(err)
	lasted := time.Since(start)
	if ctx.Err() != nil {
		return err == nil
	}
	c.pause = min(max(2*c.pause, minPause), maxPause)
	if err != nil {
		c.log.Warn("netconf call home failed", "endpoint", e.Name, "address", e.Address, "attempt", attempt, "err", err, "pause", c.pause.String())
		return false
	}
	c.last = at
	if lasted >= lasting {
		c.pause = minPause
	}
	c.log.Info("netconf call home ended", "endpoint", e.Name, "address", e.Address, "lasted", lasted.Round(time.Second).String())
	return true
}

// taken tells that the endpoint has taken the call.
func (c *caller) taken() {
	c.now.Status, c.now.Since = commit.CallConnected, time.Now()
	c.now.Taken++
	c.tell(c.now)
}

// ended notes how a call has ended.
func (c *caller) ended(err error) {
	c.now.Since = time.Time{}
	if err == nil {
		c.now.Failed = 0
		return
	}
	c.now.Failed++
	c.now.Error, c.now.ErrorTime = err.Error(), time.Now()
}

// wait sleeps until the next call and tells when that is.
func (c *caller) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	c.now.Status, c.now.Next = commit.CallWaiting, time.Now().Add(d)
	c.tell(c.now)
	return sleep(ctx, d)
}

// sleep is false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
