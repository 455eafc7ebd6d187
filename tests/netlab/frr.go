package netlab

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// FRR is a bgpd that an agent drives, without a configuration and without zebra:
// it runs in the default VRF, and takes every next hop for reachable.
type FRR struct {
	Dir string // of the socket bgpd.vty

	t testing.TB
}

// StartFRR starts a bgpd in the namespace, with its BMP module, waits until it
// answers, and ends it in the Cleanup of the test.
func (l *Lab) StartFRR(n *Namespace) *FRR {
	l.t.Helper()
	RequireSpeaker(l.t, FRRSpeaker)
	_, err := exec.LookPath("vtysh")
	require(l.t, missing(err, "frr"))
	dir, err := os.MkdirTemp(l.dir, "frr")
	if err != nil {
		l.t.Fatalf("netlab: %v", err)
	}
	f := &FRR{Dir: dir, t: l.t}
	l.startDaemon(n, dir, "", func(conf string) []string {
		return []string{
			frrBGPD, "-Z", "-S", "-M", "bmp", "-f", conf, "-i", filepath.Join(dir, "pid"), "-z", filepath.Join(dir, "z"),
			"--vty_socket", dir, "-P", "0", "--log", "stdout",
		}
	})
	for end := time.Now().Add(speakerStart); ; time.Sleep(birdPoll) {
		_, err := f.vtysh("show version")
		if err == nil {
			return f
		}
		if time.Now().After(end) {
			l.t.Fatalf("netlab: the bgpd in %s does not answer: %v", n.Name, err)
		}
	}
}

// Vtysh runs commands as an operator does, and returns what bgpd says to them.
func (f *FRR) Vtysh(commands ...string) string {
	f.t.Helper()
	out, err := f.vtysh(commands...)
	if err != nil {
		f.t.Fatalf("netlab: vtysh %q: %v\n%s", commands, err, out)
	}
	return out
}

func (f *FRR) vtysh(commands ...string) (string, error) {
	args := []string{"--vty_socket", f.Dir, "--config_dir", f.Dir, "-d", "bgpd"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := exec.Command("vtysh", args...).CombinedOutput()
	return string(out), err
}
