package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// help shows the commands, or one of them.
func help(ctx context.Context, p *program, args []string) error {
	if len(args) == 0 {
		usage(p.out)
		return nil
	}
	if args[0] == "help" || len(args) > 1 {
		return &usageError{"help: want one command, such as agent help serve"}
	}
	return p.dispatch(ctx, []string{args[0], "--help"})
}

func usage(w io.Writer) {
	io.WriteString(w, `Mooring manages BGP peers in VPN instances over gNMI and NETCONF.

Usage: agent COMMAND

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-22s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	io.WriteString(w, `
Start here:
  agent demo             needs no right and no configuration, and cleans up after itself
  agent help COMMAND     the flags of a command, and what it does

Exit codes: 0 done, 1 failed, 2 the command line is wrong.
`)
}

func serveUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent serve [flags]

Runs the agent in the foreground until SIGTERM or SIGINT, which end it within
5 seconds; a second signal ends it at once. Every change that was answered is
on disk in either case. SIGHUP reads the users again.

The first start makes the state directory with a certificate, SSH host keys
and the user admin. The password of admin is taken from MOORING_ADMIN_PASSWORD,
or generated and printed once. More users, and a change of the password: the
file users.yaml in the state directory, and agent hash-password.

Flags:
`)
	configFlagUsage(w)
	for i := range settings {
		settings[i].usage(w)
	}
	io.WriteString(w, `
Every flag but --config is also a key of the configuration file and, in
capitals and with _ for -, an environment variable that begins with MOORING_.
A flag wins over the environment, that over the file, that over the default.

Example:
  agent serve --config agent.yaml --log-level debug
`)
}

const indent = "                               "

func configFlagUsage(w io.Writer) {
	fmt.Fprintf(w, "  %-28s %s\n%s%s\n", "--config FILE", "configuration file, YAML", indent, "environment: MOORING_CONFIG; default: none")
}

// usage shows a setting as a flag.
func (s *setting) usage(w io.Writer) {
	def := s.def
	if def == "" {
		def = "none"
	}
	fmt.Fprintf(w, "  %-28s %s\n", strings.TrimSpace("--"+s.key+" "+s.arg), wrap(s.help))
	fmt.Fprintf(w, "%sdefault: %s\n", indent, def)
}

// wrap breaks a help text into indented lines.
func wrap(text string) string {
	const width = 72
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

func checkConfigUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent check-config FILE

Checks a configuration file as agent serve --config FILE would read it, with
the environment of this call, and shows each setting with its value and where
it comes from. Starts nothing, changes nothing. Exits with 1 where agent serve
would refuse the configuration.
`)
}

func hashPasswordUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent hash-password

Asks for a password, or reads one line from standard input, and shows its
hash (bcrypt), which is the value of password-hash in users.yaml:

  users:
  - name: ann
    groups: [operators]
    password-hash: $2a$10$...

A running agent reads the file again at SIGHUP.
`)
}

func demoUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent demo [flags]

Runs the agent, with its embedded BGP speaker and a state directory that is
removed at the end, beside a second BGP speaker, all on loopback and without
any right. Loads a configuration through the agent's own gNMI:

  BGP 100, VPN instance vpn1 with route distinguisher 100:1, and in it the
  peer `+demoPeer+` of AS 200, whose session starts from `+demoSources[0]+`

Then it prints the commands with which another terminal changes that source
over gNMI or NETCONF, and shows each reset of the session, and its return, as
they happen, and the changes that reset nothing. Runs until SIGINT (Ctrl-C) or
SIGTERM.

Flags:
  --once              change the source once by itself, show the reset and the
                      return with their times, and end: with 0 when the session
                      came back from the new source, else with 1
  --gnmi ADDR         where gNMI listens
                      default: 127.0.0.1:9339, or a free port when that is taken
  --netconf ADDR      where NETCONF listens
                      default: 127.0.0.1:1830, or a free port when that is taken
  --log-level LEVEL   least level of the agent's log that is shown
                      default: warn
`)
}

func protoUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent proto

Prints preview.proto, the gNMI extension of the agent (preview, guard, rollback,
reset), for clients that need it as a file, such as gnmic:

  agent proto >preview.proto
  gnmic ... --registered-extensions 999:mooring.gnmi.Preview \
    --proto-dir . --proto-file preview.proto

The agent serves the same by gRPC reflection.
`)
}

func versionUsage(w io.Writer) {
	io.WriteString(w, `Usage: agent version

Shows the version of the agent, of Go, and of the BGP speaker in it.
`)
}
