package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestHostKeyCreatedOnce(t *testing.T) {
	dir := t.TempDir()
	key, created, err := LoadOrCreateHostKey(dir)
	if err != nil || !created {
		t.Fatalf("created %v, error %v", created, err)
	}
	path := filepath.Join(dir, HostKeyFile)
	wantMode(t, path, 0o600)
	wantNoLeftovers(t, dir, HostKeyFile)
	if got := key.PublicKey().Type(); got != ssh.KeyAlgoED25519 {
		t.Errorf("type %s", got)
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(data), "-----BEGIN OPENSSH PRIVATE KEY-----\n") {
		t.Errorf("not the OpenSSH format, error %v", err)
	}
	again, created, err := LoadOrCreateHostKey(dir)
	if err != nil || created {
		t.Fatalf("second start: created %v, error %v", created, err)
	}
	if a, b := HostKeyFingerprint(key), HostKeyFingerprint(again); a != b || !strings.HasPrefix(a, "SHA256:") {
		t.Errorf("fingerprints %s and %s", a, b)
	}
}

func TestHostKeyRefused(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"readable", "x", 0o640, "run chmod 600"},
		{"broken", "x", 0o600, HostKeyFile + ": ssh: no key found"},
		{"passphrase", string(pem.EncodeToMemory(locked)), 0o600, "ssh-keygen -p -f"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, HostKeyFile), tt.text, tt.mode)
			_, created, err := LoadOrCreateHostKey(dir)
			if err == nil || created || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("created %v, error %v; want %q", created, err, tt.want)
			}
			if errors.Is(err, ErrExposedFile) != (tt.mode != 0o600) {
				t.Errorf("error %v: ErrExposedFile for mode %04o", err, tt.mode)
			}
			data, _ := os.ReadFile(filepath.Join(dir, HostKeyFile))
			if string(data) != tt.text {
				t.Error("the file was replaced")
			}
		})
	}
	if _, _, err := LoadOrCreateHostKey(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}
