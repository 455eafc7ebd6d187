package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"

	"mooring/tests/netlab"
)

// User and Password are those of the agents that Start starts.
const (
	User     = "admin"
	Password = "a password of the tests"
)

const (
	startTimeout = 15 * time.Second
	stopTimeout  = 5 * time.Second // what the agent promises for SIGTERM
	poll         = time.Millisecond
)

// Options say how an agent is to run. The zero value is an agent with the
// GoBGP backend in the namespace of the test and a state directory of its own.
type Options struct {
	Namespace *netlab.Namespace
	StateDir  string // "": StateDir(t)
	Backend   string // "": gobgp
	Args      []string
	Env       []string // as "KEY=value"
}

// Agent is a running agent process.
type Agent struct {
	StateDir string
	gnmi     string
	netconf  string
	ns       *netlab.Namespace
	user     string // who the clients log in as

	cmd     *exec.Cmd
	log     *os.File
	exited  chan struct{} // closed when the process was waited for
	waitErr error         // valid after exited
}

// StateDir makes a state directory whose admin has Password, as have others,
// who are in no group. The hash in it is the cheapest that bcrypt knows, so that
// a log-in costs a test nothing.
func StateDir(t testing.TB, others ...string) string {
	t.Helper()
	dir := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	if err != nil {
		t.Fatalf("runner: %v", err)
	}
	users := fmt.Sprintf("users:\n- name: %s\n  password-hash: %q\n  groups: [admin]\n", User, hash)
	for _, name := range others {
		users += fmt.Sprintf("- name: %s\n  password-hash: %q\n", name, hash)
	}
	if err := os.WriteFile(filepath.Join(dir, "users.yaml"), []byte(users), 0o600); err != nil {
		t.Fatalf("runner: %v", err)
	}
	return dir
}

// Start runs `agent serve` and returns when the agent serves. Cleanup ends the
// agent, looks for a panic or a data race (in an agent built under
// GOFLAGS=-race) in its log, and shows the log if the test failed.
func Start(t testing.TB, o Options) *Agent {
	t.Helper()
	a, err := Launch(t, o)
	if err != nil {
		t.Fatalf("runner: %v", err)
	}
	return a
}

// Launch is Start for a test that wants to see how the agent fails to start.
func Launch(t testing.TB, o Options) (*Agent, error) {
	t.Helper()
	a := command(t, o)
	if err := a.start(t); err != nil {
		return nil, err
	}
	return a, a.waitReady()
}

// KillAtStart starts an agent and ends it as kill -9 does, that much later,
// whatever it is doing then. An agent that ended by itself is an error.
func KillAtStart(t testing.TB, o Options, after time.Duration) error {
	t.Helper()
	a := command(t, o)
	if err := a.start(t); err != nil {
		return err
	}
	select {
	case <-a.exited:
		return fmt.Errorf("agent ended at start: %v\n%s", a.waitErr, a.Log())
	case <-time.After(after):
		a.Kill()
		return nil
	}
}

// command is an agent that is not started.
func command(t testing.TB, o Options) *Agent {
	t.Helper()
	if o.StateDir == "" {
		o.StateDir = StateDir(t)
	}
	if o.Backend == "" {
		o.Backend = "gobgp"
	}
	a := &Agent{StateDir: o.StateDir, ns: o.Namespace, user: User, exited: make(chan struct{})}
	a.gnmi, a.netconf = "127.0.0.1:9339", "127.0.0.1:1830"
	if a.ns == nil {
		a.gnmi, a.netconf = freeAddr(t), freeAddr(t)
	}
	args := append([]string{"serve", "--state-dir", a.StateDir, "--gnmi", a.gnmi, "--netconf", a.netconf, "--netconf-host-keys", "ed25519", "--backend", o.Backend}, o.Args...)
	if a.ns != nil {
		a.cmd = a.ns.Command(binary, args...)
	} else {
		a.cmd = exec.Command(binary, args...)
	}
	a.cmd.Env = append(os.Environ(), o.Env...)
	return a
}

func (a *Agent) start(t testing.TB) error {
	log, err := os.CreateTemp(t.TempDir(), "agent*.log")
	if err != nil {
		return err
	}
	a.log = log
	a.cmd.Stdout, a.cmd.Stderr = log, log
	if err := a.cmd.Start(); err != nil {
		return errors.Join(err, log.Close())
	}
	go func() {
		a.waitErr = a.cmd.Wait()
		close(a.exited)
	}()
	t.Cleanup(func() {
		a.Kill()
		for _, bad := range []string{"panic:", "DATA RACE"} {
			if strings.Contains(a.Log(), bad) {
				t.Errorf("runner: %q in the log of the agent", bad)
			}
		}
		if t.Failed() {
			t.Logf("runner: log of agent %d:\n%s", a.Pid(), a.Log())
		}
		_ = log.Close() // the log was read
	})
	return nil
}

// waitReady returns when the agent greets a NETCONF client. It listens earlier,
// but greets nobody before its state is loaded and its speaker is set up.
func (a *Agent) waitReady() error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := a.greeted(deadline)
		if err == nil {
			return nil
		}
		select {
		case <-a.exited:
			return fmt.Errorf("agent ended at start: %v\n%s", a.waitErr, a.Log())
		case <-time.After(poll):
		}
		if time.Now().After(deadline) {
			a.Kill()
			return fmt.Errorf("agent does not greet on %s after %v: %w\n%s", a.netconf, startTimeout, err, a.Log())
		}
	}
}

func (a *Agent) greeted(deadline time.Time) error {
	conn, err := a.dial(a.netconf)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	greeting := make([]byte, len("SSH-2.0")) // RFC 4253 4.2
	_, err = io.ReadFull(conn, greeting)
	return err
}

// As returns the agent as it is to the clients of another user.
func (a *Agent) As(user string) *Agent {
	as := *a
	as.user = user
	return &as
}

// dial connects to the agent from within its namespace.
func (a *Agent) dial(addr string) (conn net.Conn, err error) {
	connect := func() error {
		conn, err = net.DialTimeout("tcp", addr, startTimeout)
		return err
	}
	if a.ns == nil {
		return conn, connect()
	}
	return conn, a.ns.Do(connect)
}

// Pid is the process id of the agent.
func (a *Agent) Pid() int { return a.cmd.Process.Pid }

// Log returns what the agent has printed.
func (a *Agent) Log() string {
	text, err := os.ReadFile(a.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Stop ends the agent with SIGTERM. The test fails unless it exits with 0
// within the promised time.
func (a *Agent) Stop(t testing.TB) {
	t.Helper()
	if err := a.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatalf("runner: the agent has ended before: %v\n%s", err, a.Log())
	}
	select {
	case <-a.exited:
		if a.waitErr != nil {
			t.Errorf("runner: the agent ended with %v, want 0\n%s", a.waitErr, a.Log())
		}
	case <-time.After(stopTimeout):
		a.Kill()
		t.Errorf("runner: the agent did not end within %v of SIGTERM\n%s", stopTimeout, a.Log())
	}
}

// Kill ends the agent as kill -9 does, and waits for the end. Killing it twice
// does nothing.
func (a *Agent) Kill() {
	_ = a.cmd.Process.Kill() // fails only when it has ended
	<-a.exited
}

// Exited says whether the process has ended.
func (a *Agent) Exited() bool {
	select {
	case <-a.exited:
		return true
	default:
		return false
	}
}

// Memory returns a field of the process's status, such as VmRSS, in bytes.
func (a *Agent) Memory(field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.Pid()))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) == 3 && words[0] == field+":" && words[2] == "kB" {
			kb, err := strconv.ParseInt(words[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of process %d", field, a.Pid())
}

// CPU returns how long the agent has run on processors, and how long it has
// waited for one that others had, to the nanosecond, all threads together.
func (a *Agent) CPU() (ran, waited time.Duration, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", a.Pid()))
	if err != nil {
		return 0, 0, err
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			return 0, 0, err
		}
		var run, delay int64
		if _, err := fmt.Sscan(string(text), &run, &delay); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", task, err)
		}
		ran, waited = ran+time.Duration(run), waited+time.Duration(delay)
	}
	return ran, waited, nil
}

// ResetPeak makes VmHWM start again from VmRSS, which it returns.
func (a *Agent) ResetPeak() (int64, error) {
	const resetPeak = "5" // proc_pid_clear_refs(5)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", a.Pid()), []byte(resetPeak), 0); err != nil {
		return 0, err
	}
	return a.Memory("VmRSS")
}

var nextPort atomic.Uint32

// freeAddr returns a loopback address that nobody listens on. Its port is below
// those that the kernel gives to clients, so that it stays free while an agent
// is restarted.
func freeAddr(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := 15000 + (uint32(os.Getpid())*37+nextPort.Add(1))%15000
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
		if ln, err := net.Listen("tcp", addr); err == nil {
			if err := ln.Close(); err != nil {
				t.Fatalf("runner: %v", err)
			}
			return addr
		}
	}
	t.Fatal("runner: no free port on 127.0.0.1")
	return ""
}
