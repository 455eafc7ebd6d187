package frr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// shell is a vty and where in the configuration it stands, so that commands
// for the same place follow each other without leaving it.
type shell struct {
	vty  *vty
	log  *slog.Logger
	at   string // command that entered the router block, top, or "" outside
	down error  // why the connection is of no more use
}

// top is where router blocks are made and removed.
const top = "(top)"

// run sends one command. An error that is no refusal ends the connection.
func (s *shell) run(ctx context.Context, command string) (string, error) {
	if s.down != nil {
		return "", s.down
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	text, err := s.vty.run(command)
	var no *refusal
	if err != nil && !errors.As(err, &no) {
		s.down = err
		s.vty.close()
	}
	return text, err
}

// configure sends groups of commands to a router block, entering it where it is
// needed. bgpd reads each group by itself, and carries out what it reads at once
// before it does anything else; between groups it does what has come up meanwhile,
// such as the end of a session, without waiting for us. A group that is longer than
// that is several. All is carried out, also what comes after a refusal; after one the
// shell stands outside.
func (s *shell) configure(ctx context.Context, router string, groups ...[]command) error {
	var lines []string
	for _, g := range groups {
		for _, write := range writes(g) {
			if len(lines) > 0 {
				lines = append(lines, padding(lines))
			}
			lines = append(lines, write...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if err := s.enter(ctx, router); err != nil {
		return errors.Join(err, s.leave())
	}
	answers, err := s.ask(ctx, lines)
	if err != nil {
		return err
	}
	for i, a := range answers {
		err := a.judge(lines[i])
		if err != nil && a.tookIt(lines[i]) {
			err = s.inForce(ctx, router, lines[i], err)
		}
		if err != nil {
			return errors.Join(err, s.leave())
		}
		for _, r := range remarks(a.text) {
			s.log.Warn("bgpd remarks", "command", redact(lines[i]), "text", redact(r))
		}
	}
	return nil
}

// inForce returns err unless bgpd's configuration has a line all the same.
func (s *shell) inForce(ctx context.Context, at, line string, err error) error {
	text, rerr := s.exec(ctx, "show running-config")
	if rerr != nil {
		return errors.Join(err, rerr)
	}
	for _, b := range parseConfig(text).blocks {
		if router(b.as, b.place) == at && b.has(line) {
			return nil
		}
	}
	return err
}

// padding is a comment after which bgpd has read as much as it does at once.
func padding(lines []string) string {
	size := 1
	for _, l := range lines {
		size += len(l) + 1
	}
	return strings.Repeat("!", (writeMax-size%writeMax)%writeMax)
}

// ask sends commands in one write. An error ends the connection.
func (s *shell) ask(ctx context.Context, commands []string) ([]answer, error) {
	if s.down != nil {
		return nil, s.down
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, s.leave())
	}
	answers, err := s.vty.ask(commands...)
	if err != nil {
		s.down = fmt.Errorf("%s: %w", redact(commands[0]), err)
		s.vty.close()
	}
	return answers, s.down
}

// writes are commands of a router block, with those that enter and leave its address
// families, by what bgpd reads at once. Each ends in the router block.
func writes(commands []command) [][]string {
	var out [][]string
	var write []string
	size, af := 0, ""
	add := func(text string) {
		write, size = append(write, text), size+len(text)+1
	}
	leave := func() {
		if af != "" {
			add(leaveFamily)
		}
		af = ""
	}
	for _, c := range commands {
		// With what may have to be said before and after it, and a padding.
		if need := len(c.af+c.text) + len(enterFamily) + 2*len(leaveFamily) + 5; len(write) > 0 && size+need > writeMax {
			leave()
			out, write, size = append(out, write), nil, 0
		}
		if af != c.af {
			leave()
			if c.af != "" {
				add(enterFamily + c.af)
			}
			af = c.af
		}
		add(c.text)
	}
	leave()
	if len(write) > 0 {
		out = append(out, write)
	}
	return out
}

const (
	enterFamily = "address-family "
	leaveFamily = "exit-address-family"
)

// atOnce says whether bgpd carries the commands out without doing anything else
// between them.
func atOnce(commands []command) bool { return len(writes(commands)) <= 1 }

// enter goes to a router block, or to top.
func (s *shell) enter(ctx context.Context, router string) error {
	if s.at == router {
		return nil
	}
	if err := s.leave(); err != nil {
		return err
	}
	if _, err := s.run(ctx, "configure terminal"); err != nil {
		return fmt.Errorf("enter the configuration: %w", err)
	}
	s.at = top
	if router != top {
		if _, err := s.run(ctx, router); err != nil {
			return err
		}
	}
	s.at = router
	return nil
}

// leave returns to where commands of the operator are entered. It also works
// where the request has run out of time.
func (s *shell) leave() error {
	if s.at == "" || s.down != nil {
		return s.down
	}
	s.at = ""
	_, err := s.run(context.Background(), "end")
	return err
}

// exec runs a command of the operator wherever the shell stands.
func (s *shell) exec(ctx context.Context, command string) (string, error) {
	if s.at != "" {
		command = "do " + command
	}
	return s.run(ctx, command)
}

// query runs a show command and decodes its JSON.
func (s *shell) query(ctx context.Context, show string, into any) error {
	text, err := s.exec(ctx, show)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%s: %w", show, err)
	}
	return nil
}

// version returns the version of the daemon.
func (s *shell) version(ctx context.Context) (string, error) {
	text, err := s.exec(ctx, "show version")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "FRRouting" {
		return "", fmt.Errorf("the daemon says %q, which is not FRRouting: is this the vty socket of bgpd?", line)
	}
	return words[1], nil
}
