package fileio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWriteAtomicKeepsOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	// A directory in the way makes the rename fail after the write.
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteAtomic(path, []byte("new"), 0o600); err == nil {
		t.Error("no error")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "f" {
		t.Errorf("%v (%v) are left, want f", left, err)
	}
}

func TestReadSecretBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, MaxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(path, nil); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %v", err)
	}
}

// Others must not read it, and a named pipe must not hang who does.
func TestReadSecretRefuses(t *testing.T) {
	exposed := errors.New("exposed")
	dir := t.TempDir()
	open, pipe := filepath.Join(dir, "open"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(open, []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(open, exposed); !errors.Is(err, exposed) || !strings.Contains(err.Error(), "chmod 600 "+open) {
		t.Errorf("mode 0640: error %v", err)
	}
	if _, err := ReadSecret(pipe, exposed); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a named pipe: error %v", err)
	}
}
