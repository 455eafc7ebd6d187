package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shellBlocks are the commands of a section of docs/netconf.md.
func shellBlocks(t *testing.T, section string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/netconf.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("the guide has no section %s", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var blocks []string
	for {
		_, after, ok := strings.Cut(rest, "```sh\n")
		if !ok {
			return blocks
		}
		block, more, _ := strings.Cut(after, "```")
		blocks, rest = append(blocks, block), more
	}
}

// The commands of the section TLS do what they say.
func TestGuideForTLS(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing: the guide is not tried")
	}
	blocks := shellBlocks(t, "TLS")
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of commands, want 2", len(blocks))
	}
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	port, err := freePort("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/var/lib/mooring", state, "127.0.0.1:6513", fmt.Sprintf("127.0.0.1:%d", port),
		"agent serve", "agent serve --backend fake --gnmi off --netconf off --state-dir "+state).Replace
	prepare, serve, ok := strings.Cut(here(blocks[0]), "\nagent ")
	if !ok {
		t.Fatalf("no agent in\n%s", blocks[0])
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := func(text string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "bash", "-euc", text)
		cmd.Dir = dir
		return cmd
	}
	// umask: the first start has made the file, closed to others.
	if out, err := shell("umask 077\n" + prepare).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	agent := shell("exec agent " + strings.TrimSuffix(strings.TrimSpace(serve), "&"))
	agent.Stdout, agent.Stderr = log, log
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for err = os.ErrNotExist; err != nil && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		out, err = shell(here(blocks[1])).CombinedOutput() // until the agent is up
	}
	if err := agent.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	_ = agent.Wait() // its log says why
	text, readErr := os.ReadFile(log.Name())
	if err != nil || readErr != nil || !strings.Contains(string(out), "<data") ||
		!strings.Contains(string(out), `message-id="2"><ok/>`) || !strings.Contains(string(text), "user=ann") {
		t.Errorf("%v, %v\n%s\n%s", err, readErr, out, text)
	}
}
