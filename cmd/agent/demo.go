package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"mooring/server"
	"mooring/server/authority"
)

// onceTime is how long demo --once waits for all of it.
const onceTime = 60 * time.Second

// demoOptions is what the flags of demo say.
type demoOptions struct {
	once          bool
	gnmi, netconf string // "": the default, or a free port
	cfg           Config // what the agent in the demo is run with
}

// demo runs the agent beside a BGP peer on loopback and shows what happens.
func demo(ctx context.Context, p *program, args []string) error {
	o, err := p.demoOptions(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mooring-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	o.cfg.StateDir = dir
	return errors.Join(runDemo(ctx, p, o), os.RemoveAll(dir))
}

func (p *program) demoOptions(args []string) (demoOptions, error) {
	var o demoOptions
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.BoolVar(&o.once, "once", false, "")
	fs.StringVar(&o.gnmi, "gnmi", "", "")
	fs.StringVar(&o.netconf, "netconf", "", "")
	flags := choices{"backend": {backendGoBGP, "--backend"}, "log-level": {"warn", "--log-level"}}
	flags.define(fs, settingOf("log-level"))
	rest, err := p.parse(fs, args, demoUsage)
	if err != nil {
		return o, err
	}
	if err := errors.Join(noArguments("demo", rest), flags.check()); err != nil {
		return o, err
	}
	for _, a := range []struct{ key, addr string }{{"gnmi", o.gnmi}, {"netconf", o.netconf}} {
		if a.addr == "" {
			a.addr = p.freeAddress(settingOf(a.key))
		}
		flags[a.key] = given{a.addr, "--" + a.key}
	}
	// The environment is for agent serve: a demo is the same everywhere.
	o.cfg, err = choose(flags, nil, func(string) string { return "" }).config()
	if err == nil && (o.cfg.GNMI == "" || !server.IsLoopback(o.cfg.GNMI)) {
		return o, &usageError{"demo: --gnmi must be on loopback, the demo itself speaks gNMI there"}
	}
	return o, err
}

// freeAddress returns the default address of a front end or, when another
// program has it, one with a port of the kernel's choice.
func (p *program) freeAddress(s *setting) string {
	ln, err := net.Listen("tcp", s.def)
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintf(p.out, "Another program has %s, so %s listens on a free port.\n", s.def, s.key)
		return "127.0.0.1:0"
	}
	if err == nil {
		ln.Close()
	}
	return s.def // any other error is told by the agent
}

// runDemo starts the peer and the agent, plays, and ends both.
func runDemo(ctx context.Context, p *program, o demoOptions) error {
	remote, err := startRemote(ctx)
	if err != nil {
		return fmt.Errorf("demo: start the peer: %w", err)
	}
	defer remote.stop()
	log := newLogger(p.errOut, "text", o.cfg.LogLevel).Handler()
	a, err := open(ctx, o.cfg, slog.New(&unchangedLog{log, p.out}))
	if err != nil {
		return err
	}
	if o.once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, onceTime, errNotBack)
		defer cancel()
	}
	parts, ctx := errgroup.WithContext(ctx)
	agentCtx, stopAgent := context.WithCancel(ctx)
	parts.Go(func() error { return a.run(agentCtx) })
	parts.Go(func() error {
		defer stopAgent()
		return play(ctx, p.out, a, o, remote.port)
	})
	return parts.Wait()
}

// play is what the demo's user sees.
func play(ctx context.Context, out io.Writer, a *agent, o demoOptions, peerPort uint16) error {
	c, err := dialDemo(a.address("gnmi"), filepath.Join(o.cfg.StateDir, authority.CAFile), a.secrets.password)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer c.close()
	if err := c.load(ctx, demoConfig(peerPort)); err != nil {
		return fmt.Errorf("demo: load the configuration: %w", err)
	}
	fmt.Fprintf(out, "%s  configured: BGP 100, vpn1 (RD 100:1), peer %s AS 200, source %s\n", clock(time.Now()), demoPeer, demoSources[0])
	s := &story{out: out, socket: func() (map[string]string, error) { return c.read(ctx, "transport", "state") }}
	s.onUp = func(n int, source string) (bool, error) {
		switch {
		case n == 1 && o.once:
			fmt.Fprintf(out, "%s  changing the source to %s\n", clock(time.Now()), demoSources[1])
			s.changed = time.Now()
			return false, c.setSource(ctx, demoSources[1])
		case n == 1:
			return false, printCommands(out, a, o.cfg.StateDir)
		}
		return o.once, s.verdict(source)
	}
	err = c.watch(ctx, s.tell)
	switch {
	case errors.Is(context.Cause(ctx), errNotBack):
		return errNotBack
	case ctx.Err() != nil:
		return nil // the user has seen enough
	}
	return err
}

// address is where a front end listens.
func (a *agent) address(name string) string {
	ln := a.listeners[name]
	if ln == nil {
		return ""
	}
	return ln.Addr().String()
}

func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }
