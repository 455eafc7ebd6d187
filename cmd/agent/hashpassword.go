package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"mooring/server"
)

// hashPassword reads a password and shows its hash, as users.yaml has it.
func hashPassword(_ context.Context, p *program, args []string) error {
	rest, err := p.parse(flag.NewFlagSet("hash-password", flag.ContinueOnError), args, hashPasswordUsage)
	if err != nil {
		return err
	}
	if len(rest) > 0 { // it is not quoted: it may be the password
		return &usageError{"hash-password: takes no argument, the password is asked for or read from standard input"}
	}
	password, err := readPassword(p)
	if err != nil {
		return fmt.Errorf("hash-password: %w", err)
	}
	hash, err := server.HashPassword(password)
	if err != nil {
		return fmt.Errorf("hash-password: %w", err)
	}
	_, err = fmt.Fprintln(p.out, hash)
	return err
}

// readPassword asks a person twice, and reads one line of anything else.
func readPassword(p *program) (string, error) {
	if f, ok := p.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return askPassword(p.errOut, func() ([]byte, error) { return term.ReadPassword(int(f.Fd())) })
	}
	line, err := bufio.NewReader(p.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func askPassword(w io.Writer, unseen func() ([]byte, error)) (string, error) {
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(w, prompt)
		text, err := unseen()
		fmt.Fprintln(w)
		if err != nil {
			return "", fmt.Errorf("read the terminal: %w", err)
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two are different: nothing was made")
	}
	return typed[0], nil
}
