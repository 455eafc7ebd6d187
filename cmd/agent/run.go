package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/openconfig/ygot/ygot"
	"golang.org/x/sync/errgroup"

	"mooring/backend/srcaddr"
	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/server"
	"mooring/server/gnmi"
	"mooring/server/netconf"
)

// stopTime is how long the parts may take to end. SIGTERM promises 5 seconds.
const stopTime = 4500 * time.Millisecond

// errStuck is returned when a part did not end within stopTime. Nothing is
// lost by it: what was answered is on disk.
var errStuck = errors.New("parts of the agent did not end in time, ended without them")

// agent is a configured agent with everything opened that can fail, so that
// running it has no reason left to fail.
type agent struct {
	log       *slog.Logger
	store     *datastore.Store
	users     *server.Users
	sources   *srcaddr.Resolver
	engine    *commit.Coordinator
	listeners map[string]net.Listener // by their setting
	fronts    []func(context.Context) error
	backups   *backupServer
	secrets   identity
	hup       chan os.Signal // SIGHUP; until somebody listens to it, it would end the process
}

// run is agent serve: it returns when ctx has ended and all parts with it.
func run(ctx context.Context, cfg Config, log *slog.Logger, out io.Writer) error {
	a, err := open(ctx, cfg, log)
	if err != nil {
		return err
	}
	if a.secrets.password != "" {
		printPassword(out, a.secrets)
	}
	return a.run(ctx)
}

// open opens the state, the listeners and the backend, and brings the backend
// to the stored configuration. It starts nothing that needs an owner; on an
// error everything is closed again.
func open(ctx context.Context, cfg Config, log *slog.Logger) (*agent, error) {
	a := &agent{log: log, listeners: map[string]net.Listener{}, hup: make(chan os.Signal, 1)}
	signal.Notify(a.hup, syscall.SIGHUP)
	if err := a.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *agent) open(ctx context.Context, cfg Config) (err error) {
	log := a.log
	if a.store, err = openState(cfg.StateDir, log); err != nil {
		return err
	}
	if err := a.listen(ctx, cfg); err != nil {
		return err
	}
	backups, err := listenForBackups(cfg.StateDir, log)
	if err != nil {
		return err
	}
	a.backups = backups
	a.fronts = append(a.fronts, func(ctx context.Context) error { return backups.serve(ctx, a.store) })
	if a.users, a.secrets, err = openIdentity(cfg, log); err != nil {
		return err
	}
	speaker, err := newBackend(cfg, log)
	if err != nil {
		return err
	}
	routerID, err := keptRouterID(a.store, log)
	if err != nil {
		return err
	}
	a.sources = srcaddr.New(log.With("part", "srcaddr"), srcaddr.Options{Home: cfg.home()})
	a.engine = commit.New(commit.Config{
		Store: a.store, Backend: speaker, Sources: a.sources,
		RouterID: routerID, Startup: cfg.Startup, Version: versionText(),
		Access: nacm.New(a.running, cfg.RecoveryGroup), MaxConfirm: cfg.ConfirmLimit, Log: log.With("part", "engine"),
	})
	if err := a.serveOn(cfg); err != nil {
		return err
	}
	if err := a.engine.Boot(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := a.ensureAdmin(cfg); err != nil {
		return err
	}
	info, running := speaker.Info(), a.store.Running()
	log.Info("agent is up", "version", versionText(), "state-dir", cfg.StateDir,
		"backend", info.Name, "backend-version", info.Version,
		"revision", running.Revision(), "peers", countPeers(running))
	return nil
}

// running is the configuration in force.
func (a *agent) running() schema.Reader { return a.store.Running() }

// listen opens the listeners of the front ends that are not off.
func (a *agent) listen(ctx context.Context, cfg Config) error {
	for _, l := range cfg.listeners() {
		ln, err := server.Listen(ctx, l.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", l.key, err)
		}
		a.listeners[l.key] = ln
	}
	return nil
}

// serveOn gives the listeners their front ends.
func (a *agent) serveOn(cfg Config) error {
	files, err := openTLS(cfg, a.log.With("part", "tls"))
	if err != nil {
		return err
	}
	if ln := a.listeners["gnmi"]; ln != nil {
		if cfg.Plaintext {
			a.log.Warn("gNMI is served in the clear, passwords too: for tests on this machine only")
		}
		conf, err := files.gnmi(cfg)
		if err != nil {
			return fmt.Errorf("gnmi: %w", err)
		}
		s := gnmi.New(gnmi.Config{
			Engine: a.engine, Users: a.users, TLS: conf, LeafLists: cfg.GNMILeafLists, Strict: cfg.GNMIStrict, Log: a.log.With("part", "gnmi"),
		})
		a.fronts = append(a.fronts, func(ctx context.Context) error { return s.Serve(ctx, ln) })
	}
	if !cfg.netconfSSH() && !cfg.netconfTLS() {
		return nil
	}
	conf, err := files.netconf(cfg)
	if err != nil {
		return fmt.Errorf("netconf-tls: %w", err)
	}
	s, err := netconf.New(netconf.Config{
		Engine: a.engine, Users: a.users, HostKeys: a.secrets.hostKeys, TLS: conf, Limits: cfg.NETCONFLimits, Log: a.log.With("part", "netconf"),
		Startup: cfg.Startup, URLDir: cfg.URLDir, CallHome: cfg.CallHome,
	})
	if err != nil {
		return err
	}
	a.fronts = append(a.fronts, func(ctx context.Context) error {
		return s.Serve(ctx, netconf.Listeners{SSH: a.listeners["netconf"], TLS: a.listeners["netconf-tls"]})
	})
	return nil
}

// run serves until ctx ends. Front ends end first, so that no change reaches
// a backend that has ended; then the engine, then the state.
func (a *agent) run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	a.log.Info("ending; another signal ends the agent at once")
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case err := <-ended:
		if err == nil {
			a.log.Info("ended")
		}
		return err
	case <-late.C:
		return errStuck
	}
}

func (a *agent) serve(ctx context.Context) error {
	back, stopBack := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBack()
	engine, engineCtx := errgroup.WithContext(back)
	engine.Go(func() error { return a.sources.Run(engineCtx) })
	engine.Go(func() error { return a.engine.Run(engineCtx) })

	fronts, frontCtx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(engineCtx, func() {
		if err := a.closeListeners(); err != nil { // without engine no front end
			a.log.Error("listeners not closed", "err", err)
		}
	})
	for _, name := range slices.Sorted(maps.Keys(a.listeners)) {
		a.log.Info("listening", "protocol", name, "address", a.listeners[name].Addr().String())
	}
	for _, serve := range a.fronts {
		fronts.Go(func() error { return serve(frontCtx) })
	}
	fronts.Go(func() error { return a.reloadUsers(frontCtx) })
	fronts.Go(func() error { return keepMemory(frontCtx) })
	if a.secrets.authority != nil {
		fronts.Go(func() error { return a.secrets.authority.Run(frontCtx) })
	}
	frontErr := fronts.Wait()
	stop()
	stopBack()
	return errors.Join(engine.Wait(), frontErr, a.store.Close())
}

// reloadUsers reads the users again at each SIGHUP.
func (a *agent) reloadUsers(ctx context.Context) error {
	defer signal.Stop(a.hup)
	for {
		select {
		case <-a.hup:
			if err := a.users.Reload(); err != nil {
				a.log.Error("users stay as they were", "err", err)
				continue
			}
			a.log.Info("users read", "users", a.users)
		case <-ctx.Done():
			return nil
		}
	}
}

// close undoes open. It is not for an agent that runs.
func (a *agent) close() error {
	errs := []error{a.closeListeners()}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

func (a *agent) closeListeners() error {
	var errs []error
	for _, ln := range a.listeners {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.backups != nil {
		errs = append(errs, a.backups.close())
	}
	return errors.Join(errs...)
}

func countPeers(s *datastore.Snapshot) (n int) {
	s.Scan("", func(k schema.Key, _ ygot.GoStruct) bool {
		if k.Kind().Letter == schema.KindPeer {
			n++
		}
		return true
	})
	return n
}

// newLogger returns the agent's log.
func newLogger(w io.Writer, format string, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
