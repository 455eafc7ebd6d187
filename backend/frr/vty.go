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
	codeWarning = 1
	codeNoMatch = 2
	codeFailed  = 13
)

// answerTime is how long bgpd may take for one command. It answers in 0.03 ms,
// but a large `show` blocks it for seconds (backends.md 4.5).
const answerTime = 30 * time.Second

// answerMax bounds what one command may answer; 10,000 peers are 20 MB.
const answerMax = 256 << 20

var errVTYClosed = errors.New("bgpd closed the vty connection")

// vty is one connection to bgpd's vty socket. bgpd reads writeMax octets at once and
// carries out all commands of them before it does anything else: it neither dials nor
// answers between them.
type vty struct {
	conn net.Conn
	buf  []byte
}

// writeMax is how many octets bgpd reads at once (VTY_READ_BUFSIZ of FRR).
const writeMax = 512

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

// answer is what bgpd says to one command.
type answer struct {
	text string
	code byte
}

// ask sends commands in one write and waits for all answers. An error means that
// the connection is of no more use.
func (v *vty) ask(commands ...string) ([]answer, error) {
	var out []byte
	for _, c := range commands {
		if strings.ContainsAny(c, "\x00\r\n") {
			return nil, fmt.Errorf("command %q has a control character", redact(c))
		}
		out = append(append(out, c...), 0)
	}
	if err := v.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	if _, err := v.conn.Write(out); err != nil {
		return nil, closed(err)
	}
	return v.answers(len(commands))
}

// answers reads n answers, and nothing that comes after them.
func (v *vty) answers(n int) ([]answer, error) {
	b := v.buf[:0]
	defer func() { v.keep(b) }()
	out := make([]answer, 0, n)
	from := 0 // where in b the next answer begins
	chunk := make([]byte, 4096)
	for {
		for len(out) < n {
			text, code, size, err := decodeAnswer(b[from:])
			if err != nil {
				return nil, err
			}
			if size == 0 {
				break
			}
			out, from = append(out, answer{text, code}), from+size
		}
		if len(out) == n {
			if from < len(b) {
				return nil, errAnswer
			}
			return out, nil
		}
		if len(b) > answerMax {
			return nil, fmt.Errorf("answer of more than %d octets", answerMax)
		}
		got, err := v.conn.Read(chunk)
		if err != nil {
			return nil, closed(err)
		}
		b = append(b, chunk[:got]...)
		if got == len(chunk) && got < 1<<20 {
			chunk = make([]byte, 4*got)
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

// decodeAnswer reads the answer at the beginning of b: text, three zero octets, and
// the code. size is its length, 0 while it is not complete.
func decodeAnswer(b []byte) (text string, code byte, size int, err error) {
	i := bytes.IndexByte(b, 0)
	if i < 0 || len(b) < i+4 {
		return "", 0, 0, nil
	}
	if b[i+1] != 0 || b[i+2] != 0 {
		return "", 0, 0, errAnswer
	}
	return string(b[:i]), b[i+3], i + 4, nil
}

// refusal is an answer that says no. The connection is still good.
type refusal struct {
	command, text string
	code          byte
}

func (r *refusal) Error() string {
	// bgpd repeats a command that it does not know.
	text := strings.Join(strings.Fields(redact(r.text)), " ")
	return fmt.Sprintf("bgpd refuses %q: %s (code %d)", redact(r.command), text, r.code)
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

// run asks one command and judges the answer.
func (v *vty) run(command string) (string, error) {
	answers, err := v.ask(command)
	if err != nil {
		return "", fmt.Errorf("%s: %w", redact(command), err)
	}
	return answers[0].text, answers[0].judge(command)
}

// judge returns a *refusal for a code, or for a line that begins with "%" although
// the code is 0.
func (a answer) judge(command string) error {
	if a.code != codeOK {
		return &refusal{command, a.text, a.code}
	}
	for line := range strings.Lines(a.text) {
		if strings.HasPrefix(strings.TrimSpace(line), "%") {
			return &refusal{command, line, a.code}
		}
	}
	return nil
}

// tookIt says whether bgpd may have carried out what it seems to refuse: without a
// connection to zebra it answers each change of graceful restart with code 13.
func (a answer) tookIt(command string) bool {
	return a.code == codeFailed && strings.Contains(command, "graceful-restart")
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
