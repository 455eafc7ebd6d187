package netlab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The daemons are those of the pins, not the host's, and they see the
// namespace and the files of the test.
func TestCommandOf(t *testing.T) {
	RequireRelease(t, Trixie)
	lab := New(t)
	n := lab.Namespace("a")
	for command, want := range map[string]string{
		"bird --version":       "BIRD version 3.1.8",
		"bgpd -V":              "OpenBGPD 8.8",
		"/usr/lib/frr/bgpd -v": "bgpd version 10.3",
	} {
		words := strings.Fields(command)
		out, err := n.CommandOf(Trixie, words[0], words[1:]...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v\n%s\nwant %s", command, err, out, want)
		}
	}
	conf := filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, []byte("router id 1.1.1.1;\nprotocol device {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := n.CommandOf(Trixie, "bird", "-p", "-c", conf).CombinedOutput(); err != nil {
		t.Errorf("bird reads a file of the test: %v\n%s", err, out)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if root, _ := Trixie.root(); strings.Contains(string(mounts), root) {
		t.Error("the mounts are seen outside the command")
	}
}
