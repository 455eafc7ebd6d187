package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// agentCommand runs a command of the agent and returns what it printed.
func agentCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "agent", args...).CombinedOutput()
	return string(out), err
}

// The commands on a state directory, with the agent running and not: each answer
// is one line that says what to do.
func TestStateCommands(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12)), filepath.Join(t.TempDir(), "b.tar") // longer than a path of a socket
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, dir)
	check := func(want string, fails bool, args ...string) {
		t.Helper()
		if out, err := agentCommand(t, args...); !strings.Contains(out, want) || (err != nil) != fails {
			t.Errorf("agent %s: %v, %q does not say %q", strings.Join(args, " "), err, out, want)
		}
	}
	check(" at revision ", false, "backup", "--state-dir", dir, file)
	check("in use by another agent", true, "restore", "--state-dir", dir, file)
	check("in use by another agent", true, "check-state", "--state-dir", dir)
	check("in use by another agent", true, "recover-state", "--state-dir", dir, "--revision", "1")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if rest, err := p.end(); err != nil {
		t.Fatalf("%v\n%s", err, rest)
	}
	check("Nothing is wrong", false, "check-state", "--state-dir", dir)
	check(" at revision ", false, "backup", "--state-dir", dir, file)
	check("What was there is in", false, "restore", "--state-dir", dir, file)
	check("want --revision", true, "recover-state", "--state-dir", dir)
	if err := os.Truncate(file, 5000); err != nil {
		t.Fatal(err)
	}
	check("damaged or cut short", true, "restore", "--state-dir", dir, file)
	if err := os.Truncate(filepath.Join(dir, "state.db"), 0); err != nil {
		t.Fatal(err)
	}
	check("state.db: it is empty", true, "check-state", "--state-dir", dir)
	check("put back a backup", true, "recover-state", "--state-dir", dir, "--revision", "0")
	check("is no state directory", true, "check-state", "--state-dir", filepath.Join(dir, "none"))
}
