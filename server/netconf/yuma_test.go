package netconf

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// yuma is a running netconfd of Debian's yuma123, with our model.
type yuma struct {
	testing.TB
	port string
}

// startYuma starts one on a port of loopback, with a configuration that nobody
// keeps.
func startYuma(t *testing.T) *yuma {
	t.Helper()
	daemon := need(t, "/usr/sbin/netconfd", "netconfd")
	dir := t.TempDir()
	for _, module := range []string{"types", "extensions", "vpn-instance", "bgp"} {
		name := "mooring-" + module + ".yang"
		text, err := os.ReadFile(filepath.Join("..", "..", "yang", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	_ = ln.Close()
	cmd := exec.Command(daemon, "--tcp-direct-address=127.0.0.1", "--tcp-direct-port="+port, "--superuser=root", "--access-control=off",
		"--no-startup", "--target=candidate", "--modpath="+dir+":/usr/share/yuma/modules", "--module=mooring-bgp", "--log-level=error")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("netconfd:\n%.4000s", log.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
			return &yuma{t, port}
		}
		if time.Now().After(deadline) {
			t.Fatalf("netconfd does not listen: %v\n%.4000s", err, log.String())
		}
	}
}

// process is a connection to netconfd by its own subsystem program, as sshd
// runs it.
type process struct {
	io.Reader
	io.Writer
	close func() error
}

func (p *process) Close() error { return p.close() }

// dial opens a connection. Its reads end after limit.
func (y *yuma) dial(t *testing.T, limit time.Duration) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	cmd := exec.CommandContext(ctx, "/usr/sbin/netconf-subsystem", "--tcp-direct-address=127.0.0.1", "--tcp-direct-port="+y.port)
	cmd.Env = append(os.Environ(), "USER=root", "SSH_CONNECTION=127.0.0.1 40000 127.0.0.1 830")
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return newClient(t, &process{silent{out, ctx}, in, func() error {
		cancel()
		_ = cmd.Wait() // it was killed
		return nil
	}})
}

// silent says that the end came by the time that it took.
type silent struct {
	io.Reader
	ctx context.Context
}

func (s silent) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && s.ctx.Err() != nil {
		return n, errors.Join(os.ErrDeadlineExceeded, err)
	}
	return n, err
}

// RFC 6241 appendix A lets a server choose the type of most errors; the tags of
// onlyType have but one.
var (
	anyType  = regexp.MustCompile(`(rpc|protocol|application) ([a-z-]+)`)
	onlyType = regexp.MustCompile(`^(application data-(exists|missing)|protocol lock-denied|rpc malformed-message)$`)
)

// tags takes the choice of a type out of an outcome.
func tags(outcome string) string {
	return anyType.ReplaceAllStringFunc(outcome, func(e string) string {
		if onlyType.MatchString(e) {
			return e
		}
		_, tag, _ := strings.Cut(e, " ")
		return tag
	})
}

// TestAgainstYuma runs the probes against another server (netconf.md section 2).
// What it does otherwise than the RFCs ask stands in the table; anything else is
// a difference that somebody must look at: our reading of an RFC may be wrong.
func TestAgainstYuma(t *testing.T) {
	y := startYuma(t)
	for _, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			want := p.yuma
			if want == "" {
				want = p.want
			}
			var got string
			for _, settle := range []time.Duration{200 * time.Millisecond, 2 * time.Second, 10 * time.Second} { // the longer ones where the machine is busy
				got = p.run(&probed{
					TB: t, dial: func() *client { return y.dial(t, 4*settle+2*time.Second) }, settle: func() { time.Sleep(settle) },
				})
				if slices.Contains(strings.Split(tags(want), "|"), tags(got)) {
					return
				}
			}
			t.Errorf("netconfd: %s\nwant:     %s\nthe RFCs: %s", got, want, p.want)
		})
	}
}
