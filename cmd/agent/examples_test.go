package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The configuration of examples/ is taken as it is.
func TestExampleConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../examples/vpn1.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "state")
	p := startProcess(t, dir)
	if err := p.dial(t, dir).load(t.Context(), string(text)); err != nil {
		t.Errorf("load: %v", err)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if rest, err := p.end(); err != nil {
		t.Errorf("%v\n%s", err, rest)
	}
}

// What the systemd unit runs is a command line that the agent takes, and its
// user gets a state directory at the default place.
func TestExampleUnit(t *testing.T) {
	text, err := os.ReadFile("../../examples/mooring.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			unit[key] = v
		}
	}
	args := strings.Fields(unit["ExecStart"])
	if len(args) < 2 || filepath.Base(args[0]) != "agent" || args[1] != "serve" {
		t.Fatalf("ExecStart=%s", unit["ExecStart"])
	}
	for i, a := range args {
		args[i] = strings.Replace(a, "/etc/mooring/agent.yaml", "../../examples/agent.yaml", 1)
	}
	p := &program{out: io.Discard, errOut: io.Discard, getenv: func(string) string { return "" }}
	cfg, err := p.serveConfig(args[2:])
	if err != nil {
		t.Fatal(err)
	}
	if want := "/var/lib/" + unit["StateDirectory"]; cfg.StateDir != want || unit["StateDirectoryMode"] != "0700" {
		t.Errorf("state-dir %s, the unit makes %s with mode %s", cfg.StateDir, want, unit["StateDirectoryMode"])
	}
}

// The unit gives the agent little more than it needs: systemd's own measure,
// from 0 to 10, is at most 2.0.
func TestExampleUnitIsHardened(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	out, err := exec.CommandContext(t.Context(), tool, "security", "--offline=true", "--threshold=20", "--no-pager", "../../examples/mooring.service").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Overall exposure level") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Every example is tried by a test.
func TestNoOtherExamples(t *testing.T) {
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"agent.yaml": true, "mooring.service": true, "vpn1.json": true}
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("examples/%s is tried by no test", e.Name())
		}
	}
}
