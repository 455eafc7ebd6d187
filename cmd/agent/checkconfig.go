package main

import (
	"context"
	"flag"
	"fmt"
	"text/tabwriter"
)

// checkConfig says what serve would do with a configuration file.
func checkConfig(_ context.Context, p *program, args []string) error {
	rest, err := p.parse(flag.NewFlagSet("check-config", flag.ContinueOnError), args, checkConfigUsage)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return &usageError{"check-config: want one file: agent check-config agent.yaml"}
	}
	chosen, cfg, err := p.configured(rest[0], nil)
	if err != nil {
		return err
	}
	if err := chosen.checkTLSFiles(&cfg); err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	for i := range settings {
		g := chosen[settings[i].key]
		if g.value == "" {
			g.value = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t(%s)\n", settings[i].key, g.value, g.origin)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\n%s is valid.\n", rest[0])
	return nil
}
