package netlab

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// probe tries once per test binary whether namespaces can be made, and
// returns the reason why not, or "".
var probe = sync.OnceValue(func() string {
	if os.Geteuid() != 0 {
		return "needs root to make network namespaces: run the tests with sudo"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "needs the ip command: install the Debian package iproute2"
	}
	name := fmt.Sprintf("netlab-%d-probe", os.Getpid())
	if err := runIP("netns", "add", name); err != nil {
		return "needs the right to make network namespaces: " + err.Error()
	}
	if err := runIP("netns", "del", name); err != nil {
		return "needs the right to remove network namespaces: " + err.Error()
	}
	return ""
})

// Require ends the test unless network namespaces can be made here: it skips
// with the reason, or fails when the environment variable CI is "true".
func Require(t testing.TB) {
	t.Helper()
	require(t, probe())
}

// RequireBIRD is Require for the bird daemon.
func RequireBIRD(t testing.TB) {
	t.Helper()
	_, reason := findBIRD()
	require(t, reason)
}

func require(t testing.TB, reason string) {
	t.Helper()
	switch {
	case reason == "":
	case os.Getenv("CI") == "true":
		t.Fatal("netlab: " + reason)
	default:
		t.Skip("netlab: " + reason)
	}
}
