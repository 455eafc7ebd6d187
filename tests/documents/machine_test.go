package documents

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring/tests/netlab"
)

// programs is the folder with agent and gnmic, which comes first in PATH.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	// Not a new one each time, so that what is up to date is not linked again.
	dir, err := filepath.Abs(filepath.Join(root, ".run", "documents"))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	programs = dir
	clients := filepath.Join(root, "tests", "clients", "gnmic")
	for _, args := range [][]string{
		{"go", "build", "-o", dir, "mooring/cmd/agent"},
		{filepath.Join(clients, "prepare")},
		{"go", "-C", clients, "build", "-trimpath", "-o", dir, "."},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%q: %v\n%s", args, err, out)
			return 1
		}
	}
	// Inside, root is who runs all.
	if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// patience bounds one block. A block that has ended is not waited for.
const patience = 8 * time.Minute

// machine is where the blocks of a page run.
type machine struct {
	t   *testing.T
	dir string
	pid string // of its first process, as the host sees it
	n   int    // blocks that were run
	// words are what the page leaves to its reader.
	words *strings.Replacer
}

// newMachine makes a machine in the network namespace.
func newMachine(t *testing.T, n *netlab.Namespace) *machine {
	t.Helper()
	tree, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, dir: t.TempDir()}
	// What is written below these folders goes to a file system in memory.
	cmd := n.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "bash", "-euc", `
		mount -t tmpfs tmpfs /mnt
		for dir in /etc /usr/local /var/lib "$1"; do
			mkdir -p "/mnt$dir.new" "/mnt$dir.work"
			mount -t overlay overlay -o "lowerdir=$dir,upperdir=/mnt$dir.new,workdir=/mnt$dir.work" "$dir"
		done
		touch "$2/ready"
		exec sleep infinity`, "machine", tree, m.dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unshare; its child dies with it, and all in the namespace
		_ = exec.Command("kill", "-9", m.pid).Run()
		_ = cmd.Wait()
	})
	for {
		if _, err := os.Stat(filepath.Join(m.dir, "ready")); err == nil {
			break
		}
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Fatalf("the machine has ended: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	out, err := exec.Command("pgrep", "-P", fmt.Sprint(cmd.Process.Pid)).Output()
	if err != nil {
		t.Fatalf("pgrep: %v", err)
	}
	m.pid = strings.TrimSpace(string(out))
	return m
}

// readWords takes the words that the scene has written, as WORD=what it stands for.
func (m *machine) readWords() {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "words"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	var pairs []string
	for line := range strings.Lines(string(text)) {
		word, is, _ := strings.Cut(strings.TrimSpace(line), "=")
		pairs = append(pairs, word, is)
	}
	m.words = strings.NewReplacer(pairs...)
}

// shell is a bash inside, in the working tree, with the variables that the
// blocks before have set.
func (m *machine) shell(ctx context.Context, text string) *exec.Cmd {
	tree, err := filepath.Abs(root)
	if err != nil {
		m.t.Fatal(err)
	}
	vars := filepath.Join(m.dir, "vars")
	script := fmt.Sprintf("set -a\nMACHINE=%[5]s\n[ ! -e %[1]s ] || . %[1]s\ncd %[2]s\nPATH=%[3]s:$PATH\ntrap 'export -p >%[1]s' EXIT\nset -eu -o pipefail\n%[4]s", vars, tree, programs, text, m.dir)
	cmd := exec.CommandContext(ctx, "nsenter", "--target", m.pid, "--mount", "--pid", "--net", "bash", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// run runs a script to its end and returns what it printed. The output goes to
// a file, because what a script leaves running keeps it open.
func (m *machine) run(text string, until *regexp.Regexp) (string, error) {
	m.n++
	name := filepath.Join(m.dir, fmt.Sprintf("out%d", m.n))
	out, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	cmd := m.shell(ctx, text)
	cmd.Stdin = strings.NewReader("a password of the reader\n") // for agent hash-password
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			text, readErr := os.ReadFile(name)
			if err == nil && until != nil {
				err = fmt.Errorf("it ended by itself before %s", until)
			}
			if readErr != nil {
				err = readErr
			}
			return string(text), err
		case <-time.After(20 * time.Millisecond):
		}
		if until == nil {
			continue
		}
		if text, err := os.ReadFile(name); err != nil || until.Match(text) {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // as Ctrl-C
			<-ended
			return string(text), err
		}
	}
}
