package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"mooring/server/authority"
)

// process is an agent in a process of its own.
type process struct {
	cmd   *exec.Cmd
	gnmi  string
	lines chan string // of its log; closed at its end
}

const testPassword = "only for this test"

var gnmiLine = regexp.MustCompile(`msg=listening protocol=gnmi address=(\S+)`)

// startProcess starts agent serve and returns when it listens.
func startProcess(t *testing.T, stateDir string, more ...string) *process {
	t.Helper()
	p := launchProcess(t, stateDir, more...)
	p.gnmi = p.waitLine(t, gnmiLine)[1]
	return p
}

// launchProcess starts agent serve.
func launchProcess(t *testing.T, stateDir string, more ...string) *process {
	t.Helper()
	args := []string{"serve", "--state-dir", stateDir, "--gnmi", "127.0.0.1:0", "--netconf", "127.0.0.1:0", "--backend", "fake"}
	p := &process{cmd: exec.Command("agent", append(args, more...)...), lines: make(chan string, 1000)}
	p.cmd.Env = append(os.Environ(), envPrefix+"ADMIN_PASSWORD="+testPassword)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // where the test failed before it ended
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// waitLine returns the match in the first line of the log that has one.
func (p *process) waitLine(t *testing.T, want *regexp.Regexp) []string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the agent ended before it logged %s", want)
			}
			if m := want.FindStringSubmatch(line); m != nil {
				return m
			}
		case <-late:
			t.Fatalf("the agent did not log %s", want)
		}
	}
}

// end waits for the end of the process and returns the rest of its log.
func (p *process) end() (string, error) {
	var rest strings.Builder
	for line := range p.lines {
		rest.WriteString(line + "\n")
	}
	return rest.String(), p.cmd.Wait()
}

func (p *process) dial(t *testing.T, stateDir string) *demoClient {
	t.Helper()
	c, err := dialDemo(p.gnmi, filepath.Join(stateDir, authority.CAFile), testPassword)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// SIGTERM ends an agent with an open subscription in less than 5 seconds, with
// exit code 0, and the next one has what was answered.
func TestStopKeepsEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	ctx := t.Context()
	p := startProcess(t, dir)
	c := p.dial(t, dir)
	if err := c.load(ctx, demoConfig(1790)); err != nil {
		t.Fatalf("load: %v", err)
	}
	watching := make(chan struct{}, 1)
	watched := make(chan error, 1)
	go func() {
		watched <- c.watch(ctx, func(*gpb.Notification) (bool, error) {
			select {
			case watching <- struct{}{}:
			default:
			}
			return false, nil
		})
	}()
	select {
	case <-watching:
	case err := <-watched:
		t.Fatalf("watch: %v", err)
	}

	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log, err := p.end()
	if err != nil {
		t.Errorf("ended with %v\n%s", err, log)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v to end, want at most 5 s", took)
	}
	if !strings.Contains(log, "msg=ended") {
		t.Errorf("no word of the end in the log:\n%s", log)
	}
	if err := <-watched; status.Code(errors.Unwrap(err)) != codes.Unavailable {
		t.Errorf("the subscription ended with %v, want UNAVAILABLE", err)
	}

	p = startProcess(t, dir)
	if got := p.source(ctx, t, dir); got != demoSources[0] {
		t.Errorf("after the restart the source is %q, want %q", got, demoSources[0])
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if log, err := p.end(); err != nil {
		t.Errorf("ended with %v\n%s", err, log)
	}
}

// source reads the configured source of the demo's peer.
func (p *process) source(ctx context.Context, t *testing.T, dir string) string {
	t.Helper()
	c := p.dial(t, dir)
	resp, err := c.gnmi.Get(c.login(ctx), &gpb.GetRequest{
		Path:     []*gpb.Path{peerPath("transport", "connect-interface", "config", "source-address")},
		Encoding: gpb.Encoding_PROTO,
	})
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	for _, n := range resp.GetNotification() {
		for _, u := range n.GetUpdate() {
			return textOf(u.GetVal())
		}
	}
	return ""
}

// SIGHUP reads the users again, and keeps them when the file is refused.
func TestReloadUsers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := startProcess(t, dir)
	path := filepath.Join(dir, usersFile)
	hup := func(content string, want *regexp.Regexp) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.waitLine(t, want)
	}
	hup("users: 5\n", regexp.MustCompile(`level=ERROR msg="users stay as they were" .*line 1: users must be a list`))
	if got := p.dialCode(t, dir); got != codes.OK {
		t.Errorf("after a refused file admin gets %v, want OK", got)
	}
	hup("users:\n- name: other\n", regexp.MustCompile(`msg="users read"`))
	if got := p.dialCode(t, dir); got != codes.Unauthenticated {
		t.Errorf("without a row for it admin gets %v, want UNAUTHENTICATED", got)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if log, err := p.end(); err != nil {
		t.Errorf("ended with %v\n%s", err, log)
	}
}

// Nobody gets in without the right password, whatever the request.
func TestPassword(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := startProcess(t, dir)
	for _, tt := range []struct {
		name, user, password string
		want                 codes.Code
	}{
		{"wrong password", "admin", "wrong", codes.Unauthenticated},
		{"unknown user", "nobody", testPassword, codes.Unauthenticated},
		{"nobody at all", "", "", codes.Unauthenticated},
		{"admin", "admin", testPassword, codes.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			if tt.user != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "username", tt.user, "password", tt.password)
			}
			c := p.dial(t, dir).gnmi
			_, err := c.Capabilities(ctx, &gpb.CapabilityRequest{})
			if status.Code(err) != tt.want {
				t.Errorf("Capabilities: %v, want %v", err, tt.want)
			}
			_, err = c.Get(ctx, &gpb.GetRequest{Path: []*gpb.Path{{}}})
			if status.Code(err) != tt.want {
				t.Errorf("Get: %v, want %v", err, tt.want)
			}
			_, err = c.Set(ctx, &gpb.SetRequest{})
			if status.Code(err) != tt.want {
				t.Errorf("Set: %v, want %v", err, tt.want)
			}
		})
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if log, err := p.end(); err != nil {
		t.Errorf("ended with %v\n%s", err, log)
	}
}

// dialCode is what admin gets for a request.
func (p *process) dialCode(t *testing.T, dir string) codes.Code {
	t.Helper()
	c := p.dial(t, dir)
	_, err := c.gnmi.Capabilities(c.login(t.Context()), &gpb.CapabilityRequest{})
	return status.Code(err)
}
