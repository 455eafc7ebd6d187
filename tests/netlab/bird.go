package netlab

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Waits of the BIRD helpers.
const (
	birdStart = 10 * time.Second      // until the control socket answers
	birdStop  = 5 * time.Second       // from SIGTERM to SIGKILL
	birdTalk  = 5 * time.Second       // for one command
	birdPoll  = 10 * time.Millisecond // between two looks at a state
)

// BIRD is a running daemon.
type BIRD struct {
	name   string
	socket string
	log    string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process was waited for
}

func findBIRD() (path, reason string) {
	for _, name := range []string{"bird", "/usr/sbin/bird"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, ""
		}
	}
	return "", "needs the BIRD daemon: install the Debian package bird2"
}

// StartBIRD starts a BIRD in the namespace, waits until it answers, and stops
// it in the Cleanup of the test. It skips or fails the test as RequireBIRD does.
func (l *Lab) StartBIRD(n *Namespace, cfg BIRDConfig) *BIRD {
	l.t.Helper()
	path := "/usr/sbin/bird"
	if cfg.Release == "" {
		RequireBIRD(l.t)
		path, _ = findBIRD()
	} else {
		RequireRelease(l.t, cfg.Release)
	}
	dir, err := os.MkdirTemp(l.dir, "bird")
	if err != nil {
		l.t.Fatalf("netlab: BIRD: %v", err)
	}
	b := &BIRD{
		name:   "BIRD in " + n.Name,
		socket: filepath.Join(dir, "ctl"),
		log:    filepath.Join(dir, "log"),
		exited: make(chan struct{}),
	}
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte(cfg.text()), 0o600); err != nil {
		l.t.Fatalf("netlab: %s: %v", b.name, err)
	}
	out, err := os.Create(b.log)
	if err != nil {
		l.t.Fatalf("netlab: %s: %v", b.name, err)
	}
	defer out.Close() // the child has its own descriptor
	b.cmd = n.CommandOf(cfg.Release, path, "-f", "-c", conf, "-s", b.socket, "-P", filepath.Join(dir, "pid"))
	b.cmd.Stdout, b.cmd.Stderr = out, out
	if err := b.cmd.Start(); err != nil {
		l.t.Fatalf("netlab: start %s: %v", b.name, err)
	}
	go func() {
		defer close(b.exited)
		_ = b.cmd.Wait() // how it ended is in its log
	}()
	l.t.Cleanup(func() {
		b.Stop()
		if l.t.Failed() {
			l.t.Logf("netlab: log of %s:\n%s", b.name, b.readLog())
		}
	})
	if !b.poll(birdStart, func() bool { _, err := b.Ctl("show", "status"); return err == nil }) {
		l.t.Fatalf("netlab: %s did not start; configuration:\n%s", b.name, cfg.text())
	}
	return b
}

// Pid is the process id of the daemon.
func (b *BIRD) Pid() int { return b.cmd.Process.Pid }

// Stop ends the daemon in order, so that its peers get a Cease, and waits for
// it. Stopping it twice does nothing.
func (b *BIRD) Stop() {
	_ = b.cmd.Process.Signal(unix.SIGTERM) // fails only when it has ended
	select {
	case <-b.exited:
	case <-time.After(birdStop):
		b.Kill()
	}
}

// Kill ends the daemon without a word to its peers but what the kernel says.
func (b *BIRD) Kill() {
	_ = b.cmd.Process.Kill()
	<-b.exited
}

// Disable takes the named protocol down: its peer gets a Cease,
// Administrative Shutdown (RFC 4486 4).
func (b *BIRD) Disable(name string) error { return b.onProtocol("disable", name) }

// Enable brings the named protocol up again after Disable.
func (b *BIRD) Enable(name string) error { return b.onProtocol("enable", name) }

// Restart resets the session of the named protocol: its peer gets a Cease,
// Administrative Reset (RFC 4486 4).
func (b *BIRD) Restart(name string) error { return b.onProtocol("restart", name) }

func (b *BIRD) onProtocol(verb, name string) error {
	_, err := b.Ctl(verb, name)
	return err
}

// Ctl runs one command of the control socket, as Ctl("show", "route"), and
// returns the answer without reply codes. A refusal of BIRD is an error.
func (b *BIRD) Ctl(words ...string) (string, error) {
	command := strings.Join(words, " ")
	conn, err := net.DialTimeout("unix", b.socket, birdTalk)
	if err != nil {
		return "", fmt.Errorf("%s: %w", b.name, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(birdTalk)); err != nil {
		return "", fmt.Errorf("%s: %w", b.name, err)
	}
	r := bufio.NewReader(conn)
	if _, err := readReply(r); err != nil {
		return "", fmt.Errorf("%s: greeting: %w", b.name, err)
	}
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return "", fmt.Errorf("%s: %s: %w", b.name, command, err)
	}
	text, err := readReply(r)
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", b.name, command, err)
	}
	return text, nil
}

// Peers returns the state of all BGP protocols, in BIRD's order.
func (b *BIRD) Peers() ([]BIRDPeerState, error) {
	text, err := b.Ctl("show", "protocols", "all")
	if err != nil {
		return nil, err
	}
	return parseProtocols(text), nil
}

// Peer returns the state of the named BGP protocol. For one with a
// NeighborRange that is the session that came in last, if there is one.
func (b *BIRD) Peer(name string) (BIRDPeerState, error) {
	peers, err := b.Peers()
	if err != nil {
		return BIRDPeerState{}, err
	}
	found := BIRDPeerState{}
	for _, p := range peers {
		if p.Name == name || strings.HasPrefix(p.Name, dynamicName(name)) {
			found = p
		}
	}
	if found.Name == "" {
		return found, fmt.Errorf("%s: no BGP protocol %s", b.name, name)
	}
	return found, nil
}

// WaitEstablished waits until the session of the named protocol is up, and
// returns its state. After the timeout the test fails.
func (b *BIRD) WaitEstablished(t testing.TB, name string, timeout time.Duration) BIRDPeerState {
	t.Helper()
	return b.WaitPeer(t, name, timeout, func(p BIRDPeerState) bool { return p.BGPState == "Established" })
}

// WaitPeer waits until ok holds for the state of the named protocol.
func (b *BIRD) WaitPeer(t testing.TB, name string, timeout time.Duration, ok func(BIRDPeerState) bool) BIRDPeerState {
	t.Helper()
	var last BIRDPeerState
	var err error
	if !b.poll(timeout, func() bool { last, err = b.Peer(name); return err == nil && ok(last) }) {
		t.Fatalf("netlab: %s: peer %s is not as expected after %v: %+v, %v", b.name, name, timeout, last, err)
	}
	return last
}

// poll asks ok until it holds, the time is over or the daemon has ended.
func (b *BIRD) poll(timeout time.Duration, ok func() bool) bool {
	deadline, tick := time.After(timeout), time.NewTicker(birdPoll)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-b.exited:
			return false
		case <-deadline:
			return ok()
		}
	}
	return true
}

func (b *BIRD) readLog() string {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
