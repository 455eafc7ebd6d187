package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mooring/tests/netlab"
	"mooring/tests/runner"
)

const gobgpdConfig = `
[global.config]
  as = %d
  router-id = "2.2.2.2"
[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "any"
    peer-as = 100
  [peer-groups.transport.config]
    passive-mode = true
  [peer-groups.ebgp-multihop.config]
    enabled = true
[[dynamic-neighbors]]
  [dynamic-neighbors.config]
    prefix = "10.9.0.0/16"
    peer-group = "any"
`

// Debian's GoBGP as the remote, which takes any source like the BIRD of the
// other scenarios.
func TestGoBGPRemote(t *testing.T) {
	t.Parallel()
	requireGoBGP(t)
	b := newBed(t, runner.Options{})
	b.bird.Stop()
	startGoBGP(t, b.far)
	b.set(example(name("LoopBack1"))...)
	b.cameUp(b.begin, b.waitUp(peer1, 1), loopBack1)
	b.resetOnce(peer1, loopBack2, func() { b.set(runner.Replace(source1, object{"config": name("LoopBack2")})) })
}

// startGoBGP runs gobgpd and waits until it listens.
func startGoBGP(t *testing.T, n *netlab.Namespace) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "gobgpd.toml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, gobgpdConfig, remoteAS), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(conf + ".log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := n.Command("gobgpd", "-f", conf, "--api-hosts", "127.0.0.1:50051")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM) // fails only when it has ended
		_ = cmd.Wait()                       // how it ended is in its log
		_ = out.Close()
		if text, err := os.ReadFile(out.Name()); t.Failed() && err == nil {
			t.Logf("gobgpd:\n%s", text)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(poll) {
		err := n.Do(func() error {
			conn, err := net.Dial("tcp", "127.0.0.1:179")
			if err != nil {
				return err
			}
			return conn.Close()
		})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("gobgpd does not listen: %v", err)
		}
	}
}

// requireGoBGP skips the test where the daemon is not installed, or fails it
// where the environment variable CI is "true".
func requireGoBGP(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("gobgpd"); err == nil {
		return
	}
	const reason = "needs the gobgpd daemon: install the Debian package gobgpd"
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
