package main

import (
	"context"
	"errors"
	"flag"
)

// serve runs the agent until ctx ends.
func serve(ctx context.Context, p *program, args []string) error {
	cfg, err := p.serveConfig(args)
	if err != nil {
		return err
	}
	log := newLogger(p.errOut, cfg.LogFormat, cfg.LogLevel)
	return run(ctx, cfg, log, p.out)
}

// serveConfig reads flags, environment and file.
func (p *program) serveConfig(args []string) (Config, error) {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	path := fs.String("config", p.getenv(envPrefix+"CONFIG"), "")
	flags := choices{}
	for i := range settings {
		flags.define(fs, &settings[i])
	}
	rest, err := p.parse(fs, args, serveUsage)
	if err != nil {
		return Config{}, err
	}
	if err := errors.Join(noArguments("serve", rest), flags.check()); err != nil {
		return Config{}, err
	}
	_, cfg, err := p.configured(*path, flags)
	cfg.AdminPassword = p.getenv(envPrefix + "ADMIN_PASSWORD")
	return cfg, err
}

// define makes a flag that is kept in c when it is given.
func (c choices) define(fs *flag.FlagSet, s *setting) {
	set := func(v string) error {
		c[s.key] = given{v, "--" + s.key}
		return nil // judged by check, with the others
	}
	if s.arg == "" {
		fs.BoolFunc(s.key, "", set)
		return
	}
	fs.Func(s.key, "", set)
}
