// Command agent is Mooring: a management agent for BGP peers in VPN instances.
//
// It owns what only a program has: flags, configuration file, environment,
// signals, exit codes and the first start. It turns them into one checked
// Config and wires the parts together; it must never decide anything about
// YANG, BGP or a protocol.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// sameSignal is how long after the first signal another one is the same.
const sameSignal = 200 * time.Millisecond

// usageError is a mistake in the command line; its text ends with what to do.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// command is a subcommand.
type command struct {
	name, args, summary string
	run                 func(ctx context.Context, p *program, args []string) error
}

// program is the outside world of a command.
type program struct {
	in          io.Reader
	out, errOut io.Writer
	getenv      func(string) string
}

func commands() []command {
	return []command{
		{"serve", "[flags]", "run the agent", serve},
		{"demo", "[flags]", "run the agent with a BGP peer on loopback, and show what a change does", demo},
		{"check-config", "FILE", "check a configuration file and show what would be used", checkConfig},
		{"check-state", "[flags]", "show what of a state directory is whole", checkState},
		{"recover-state", "[flags]", "take what is whole of a damaged state", recoverState},
		{"backup", "[flags] FILE", "back up the state, also of a running agent", backup},
		{"restore", "[flags] FILE", "put a backup in place", restore},
		{"hash-password", "", "make the hash of a password for users.yaml", hashPassword},
		{"proto", "", "print the gNMI extension, for clients that need its file", protoFile},
		{"version", "", "show the version", version},
		{"help", "[command]", "show help", help},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// The second signal ends the process at once, but not one that comes along
	// with the first: timeout(1) signals the process and its group.
	context.AfterFunc(ctx, func() { time.AfterFunc(sameSignal, stop) })
	p := &program{in: os.Stdin, out: os.Stdout, errOut: os.Stderr, getenv: os.Getenv}
	os.Exit(p.agent(ctx, os.Args[1:]))
}

// agent runs a command line and returns the exit code.
func (p *program) agent(ctx context.Context, args []string) int {
	err := p.dispatch(ctx, args)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	default:
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(p.errOut, "agent: "+strings.TrimSuffix(line, "\n"))
		}
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func (p *program) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return &usageError{"no command given: agent serve runs the agent, agent help lists the commands"}
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version":
		name = "version"
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, p, args[1:])
		}
		names = append(names, c.name)
	}
	return &usageError{fmt.Sprintf("unknown command %q%s: agent help lists the commands", name, didYouMean(name, names))}
}

// parse parses the flags of a command and returns what is left. The flag
// package's own messages are replaced by ours.
func (p *program) parse(fs *flag.FlagSet, args []string, usage func(io.Writer)) ([]string, error) {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := fs.Parse(args)
	switch {
	case err == nil:
		return fs.Args(), nil
	case errors.Is(err, flag.ErrHelp):
		usage(p.out)
		return nil, err
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		var known []string
		fs.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
		hint := didYouMean(strings.TrimPrefix(name, "-"), known)
		text = fmt.Sprintf("unknown flag --%s%s", strings.TrimPrefix(name, "-"), strings.Replace(hint, "did you mean ", "did you mean --", 1))
	} else if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		text = fmt.Sprintf("flag --%s needs a value", name)
	}
	return nil, &usageError{fmt.Sprintf("%s: %s: agent %s --help lists the flags", fs.Name(), text, fs.Name())}
}

// noArguments refuses what is left behind the flags.
func noArguments(name string, rest []string) error {
	if len(rest) == 0 {
		return nil
	}
	return &usageError{fmt.Sprintf("%s: unexpected argument %q: agent %s --help lists the flags", name, rest[0], name)}
}
