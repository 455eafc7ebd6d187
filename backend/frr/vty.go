package frr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The codes that bgpd answers with (lib/command.h of FRR).
const (
	codeOK      = 0
	codeNoMatch = 2
)

// answerTime is how long bgpd may take for one command. It answers in 0.03 ms,
// but a large `show` blocks it for seconds (backends.md 4.5).
const answerTime = 30 * time.Second

// answerMax bounds what one command may answer; 10,000 peers are 20 MB.
const answerMax = 256 << 20

var errVTYClosed = errors.New("bgpd closed the vty connection")

// vty is one connection to bgpd's vty socket. Commands go one at a time and
// each waits for its answer: FRR says that input after a command may be lost.
type vty struct {
	conn net.Conn
	buf  []byte
}

// dialVTY connects to the daemon whose vty directory is dir.
func dialVTY(ctx context.Context, dir string) (*vty, error) {
	path := filepath.Join(dir, "bgpd.vty")
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: add the user that runs the agent to the group frrvty (usermod -aG frrvty USER) and start the agent again", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: start bgpd (bgpd=yes in /etc/frr/daemons), or name the directory of its vty socket", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: bgpd does not run: start it", err)
	case err != nil:
		return nil, err
	}
	v := &vty{conn: conn}
	if _, err := v.run("enable"); err != nil {
		conn.Close()
		return nil, err
	}
	return v, nil
}

func (v *vty) close() { v.conn.Close() }

// ask sends a command and waits for the answer. An error means that the
// connection is of no more use.
func (v *vty) ask(command string) (text string, code byte, err error) {
	if strings.ContainsAny(command, "\x00\r\n") {
		return "", 0, fmt.Errorf("command %q has a control character", redact(command))
	}
	if err := v.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return "", 0, err
	}
	if _, err := v.conn.Write(append([]byte(command), 0)); err != nil {
		return "", 0, closed(err)
	}
	b := v.buf[:0]
	defer func() { v.keep(b) }()
	chunk := make([]byte, 4096)
	for {
		text, code, done, err := decodeAnswer(b)
		if err != nil || done {
			return text, code, err
		}
		if len(b) > answerMax {
			return "", 0, fmt.Errorf("answer of more than %d octets", answerMax)
		}
		n, err := v.conn.Read(chunk)
		if err != nil {
			return "", 0, closed(err)
		}
		b = append(b, chunk[:n]...)
		if n == len(chunk) && n < 1<<20 {
			chunk = make([]byte, 4*n)
		}
	}
}

// keep remembers a buffer for the next answer unless it is a giant.
func (v *vty) keep(b []byte) {
	if cap(b) <= 1<<20 {
		v.buf = b[:0]
	}
}

func closed(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("bgpd did not answer within %v", answerTime)
	}
	return fmt.Errorf("%w: %w", errVTYClosed, err)
}

var errAnswer = errors.New("not an answer of a vty")

// decodeAnswer finds the end of an answer: text, three zero octets, and the
// code. done is false while it is not complete.
func decodeAnswer(b []byte) (text string, code byte, done bool, err error) {
	i := bytes.IndexByte(b, 0)
	if i < 0 || len(b) < i+4 {
		return "", 0, false, nil
	}
	if b[i+1] != 0 || b[i+2] != 0 || len(b) != i+4 {
		return "", 0, false, errAnswer
	}
	return string(b[:i]), b[i+3], true, nil
}

// refusal is an answer that says no. The connection is still good.
type refusal struct {
	command, text string
	code          byte
}

func (r *refusal) Error() string {
	return fmt.Sprintf("bgpd refuses %q: %s (code %d)", redact(r.command), strings.Join(strings.Fields(r.text), " "), r.code)
}

// redact hides a password in a command.
func redact(command string) string {
	before, _, ok := strings.Cut(command, " password ")
	if !ok {
		return command
	}
	return before + " password (secret)"
}

// expected are lines that come with success and need no word: what they ask
// for is done.
var expected = []string{
	"Warning: Reset BGP session for tcp-mss value to take effect",
	"Graceful restart configuration changed, reset this peer to take effect",
}

// run asks and judges the answer: a code, or a line that begins with "%", is
// a *refusal although the code may be 0.
func (v *vty) run(command string) (string, error) {
	text, code, err := v.ask(command)
	if err != nil {
		return "", fmt.Errorf("%s: %w", redact(command), err)
	}
	if code != codeOK {
		return "", &refusal{command, text, code}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "%") {
			return "", &refusal{command, line, code}
		}
	}
	return text, nil
}

// remarks returns the lines of an answer that nobody expects.
func remarks(text string) []string {
	var out []string
lines:
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, e := range expected {
			if line == "" || line == e {
				continue lines
			}
		}
		out = append(out, line)
	}
	return out
}
