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
	af   string // address family inside at, "" outside
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

// configure sends the commands to a router block, entering and leaving what
// is needed. It stops at the first that is refused and stands outside then.
func (s *shell) configure(ctx context.Context, router string, commands []command) error {
	for _, c := range commands {
		if err := s.enter(ctx, router, c.af); err != nil {
			return errors.Join(err, s.leave())
		}
		text, err := s.run(ctx, c.text)
		if err != nil {
			return errors.Join(err, s.leave())
		}
		for _, r := range remarks(text) {
			s.log.Warn("bgpd remarks", "command", redact(c.text), "text", r)
		}
	}
	return nil
}

func (s *shell) enter(ctx context.Context, router, af string) error {
	if s.at != router {
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
	}
	if s.af == af {
		return nil
	}
	if s.af != "" {
		if _, err := s.run(ctx, "exit-address-family"); err != nil {
			return err
		}
		s.af = ""
	}
	if af != "" {
		if _, err := s.run(ctx, "address-family "+af); err != nil {
			return err
		}
		s.af = af
	}
	return nil
}

// leave returns to where commands of the operator are entered. It also works
// where the request has run out of time.
func (s *shell) leave() error {
	if s.at == "" || s.down != nil {
		return s.down
	}
	s.at, s.af = "", ""
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
