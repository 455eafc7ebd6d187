package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programs are those that TestMain built: agent and gnmic.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gnmic")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	for _, b := range [][]string{{"-C", filepath.Join("..", "..", ".."), "build", "-o", dir, "./cmd/agent"}, {"build", "-trimpath", "-o", dir, "."}} {
		build := exec.Command("go", b...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go %q: %v\n%s", b, err, out)
			return 1
		}
	}
	return m.Run()
}

const (
	password = "a password of the tests"
	vpn      = "/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]"
	peer     = vpn + "/peers/peer[address=10.1.1.2]"
	source   = peer + "/transport/connect-interface/config/source-address"
	example  = "../../../examples/vpn1.json"
)

// agent is a running one, with the fake backend.
type agent struct {
	addr, dir, ca string
	t             *testing.T
}

// start starts an agent in a new state directory, so that its authority is the
// one that it makes at its first start.
func start(t *testing.T) *agent {
	t.Helper()
	a := &agent{addr: free(t), dir: filepath.Join(t.TempDir(), "state"), t: t}
	a.ca = filepath.Join(a.dir, "ca.crt")
	cmd := exec.Command(filepath.Join(programs, "agent"), "serve", "--state-dir", a.dir, "--backend", "fake", "--netconf", "off", "--gnmi", a.addr)
	cmd.Env = append(os.Environ(), "MOORING_ADMIN_PASSWORD="+password)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := errors.Join(cmd.Process.Signal(os.Interrupt), <-exited); err != nil || t.Failed() {
			t.Errorf("agent: %v\n%s", err, log.String())
		}
	})
	for {
		conn, err := net.Dial("tcp", a.addr)
		if err == nil {
			_ = conn.Close()
			return a
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("the agent ended at start: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// free is an address that nothing listens on.
func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// command is gnmic with the flags of $GNMIC in our pages.
func (a *agent) command(ctx context.Context, args ...string) *exec.Cmd {
	flags := []string{"-a", a.addr, "-u", "admin", "-p", password, "--tls-ca", a.ca, "-e", "json_ietf"}
	return exec.CommandContext(ctx, filepath.Join(programs, "gnmic"), append(flags, args...)...)
}

// run returns what gnmic prints; it must end with 0.
func (a *agent) run(args ...string) string {
	a.t.Helper()
	out, err := a.command(a.t.Context(), args...).CombinedOutput()
	if err != nil {
		a.t.Fatalf("gnmic %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// has is run for an answer that must have all of want in it.
func (a *agent) has(args []string, want ...string) {
	a.t.Helper()
	out := a.run(args...)
	for _, w := range want {
		if !strings.Contains(out, w) {
			a.t.Errorf("gnmic %q has no %s:\n%s", args, w, out)
		}
	}
}

// fails wants gnmic to end with an error that has all of want in it.
func (a *agent) fails(args []string, want ...string) {
	a.t.Helper()
	out, err := a.command(a.t.Context(), args...).CombinedOutput()
	if err == nil {
		a.t.Errorf("gnmic %q ends with 0:\n%s", args, out)
	}
	for _, w := range want {
		if !strings.Contains(string(out), w) {
			a.t.Errorf("gnmic %q has no %s:\n%s", args, w, out)
		}
	}
}
