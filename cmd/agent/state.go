package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mooring/engine/datastore"
)

// stateArgs reads the arguments of a command that works on a state directory.
func (p *program) stateArgs(name string, args []string, usage func(io.Writer), more func(*flag.FlagSet)) (dir string, rest []string, err error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.StringVar(&dir, "state-dir", defaultStateDir(), "")
	if more != nil {
		more(set)
	}
	rest, err = p.parse(set, args, usage)
	return dir, rest, err
}

func defaultStateDir() string {
	for i := range settings {
		if settings[i].key == "state-dir" {
			return settings[i].def
		}
	}
	return ""
}

// checkState says what of a state directory is whole.
func checkState(_ context.Context, p *program, args []string) error {
	dir, rest, err := p.stateArgs("check-state", args, checkStateUsage, nil)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return &usageError{"check-state: takes no argument: agent check-state --state-dir DIR"}
	}
	rep, err := datastore.Check(dir)
	if err != nil {
		return fmt.Errorf("check-state: %w", err)
	}
	if rep.Old {
		fmt.Fprintf(p.out, "The state has format 1. It is checked when the next start upgrades it.\n")
		return nil
	}
	fmt.Fprintf(p.out, "state %s: whole up to revision %d, %d records, %d commits of history\n", rep.ID, rep.Revision, rep.Records, rep.History)
	for _, d := range rep.Damages {
		fmt.Fprintf(p.out, "%s: %s", d.File, d.What)
		if d.Lost != "" {
			fmt.Fprintf(p.out, "; %s", d.Lost)
		}
		fmt.Fprintln(p.out)
	}
	if rep.Lost > 0 {
		fmt.Fprintf(p.out, "lost: the revisions after %d up to %d\n", rep.Revision, rep.Lost)
	}
	if n := len(rep.Behind); n > 0 {
		fmt.Fprintf(p.out, "whole, but behind what is missing: revisions %d to %d\n", rep.Behind[0], rep.Behind[n-1])
	}
	if len(rep.Damages) == 0 {
		fmt.Fprintln(p.out, "Nothing is wrong.")
		return nil
	}
	return fmt.Errorf("check-state: the state is damaged: put back a backup (agent restore), or take what is whole: agent recover-state --state-dir %s --revision %d",
		dir, rep.Revision)
}

// recoverState makes a state of what is whole.
func recoverState(_ context.Context, p *program, args []string) error {
	var revision uint64
	named := false
	dir, rest, err := p.stateArgs("recover-state", args, recoverStateUsage, func(set *flag.FlagSet) {
		set.Uint64Var(&revision, "revision", 0, "")
	})
	if err != nil {
		return err
	}
	for _, a := range args {
		named = named || strings.HasPrefix(strings.TrimLeft(a, "-"), "revision")
	}
	if len(rest) > 0 || !named {
		return &usageError{"recover-state: want --revision N, the last one that agent check-state calls whole or an earlier one"}
	}
	done, err := datastore.Recover(dir, datastore.RecoverOptions{
		Revision: revision, Now: time.Now(), Keep: func(note string) bool { return note == routerIDNote },
	})
	if err != nil {
		return fmt.Errorf("recover-state: %w", err)
	}
	fmt.Fprintf(p.out, "The state is at revision %d. What was there is in %s.\n", revision, done.Beside)
	for _, k := range done.Left {
		fmt.Fprintf(p.out, "left out: %s\n", k)
	}
	return nil
}

// restore puts a backup in place.
func restore(_ context.Context, p *program, args []string) error {
	var other bool
	dir, rest, err := p.stateArgs("restore", args, restoreUsage, func(set *flag.FlagSet) { set.BoolVar(&other, "other-router", false, "") })
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return &usageError{"restore: want one file: agent restore FILE"}
	}
	f, err := os.Open(rest[0])
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	done, err := datastore.Restore(dir, f, datastore.RestoreOptions{Other: other, Now: time.Now()})
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	fmt.Fprintf(p.out, "%s has state %s of host %s at revision %d.\n", dir, done.State, done.Host, done.Revision)
	if done.Beside != "" {
		fmt.Fprintf(p.out, "What was there is in %s.\n", done.Beside)
	}
	return nil
}

func checkStateUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent check-state [--state-dir DIR]

Reads a state directory that no agent has open, changes nothing, and shows up
to which revision it is whole, and what is not. Exits with 1 if agent serve
would refuse it.
`)
}

func recoverStateUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent recover-state [--state-dir DIR] --revision N

Makes of what is whole in a state directory the state of revision N: the last
one that agent check-state calls whole, or an earlier one. Records that are
damaged, and those that are not valid without them, are left out and named.
The files as they were are kept in a folder before-recover-TIME beside them.
Starts nothing.
`)
}

func restoreUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent restore [--state-dir DIR] [--other-router] FILE

Puts a backup of agent backup into a state directory that no agent has open.
The backup is checked whole before anything is changed. One of another agent or
another host is refused without --other-router. What was there is kept in a
folder before-restore-TIME. Run it as the agent's user.
`)
}
