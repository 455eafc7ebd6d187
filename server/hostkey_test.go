package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestHostKeysCreatedOnce(t *testing.T) {
	dir := t.TempDir()
	keys, err := LoadOrCreateHostKeys(dir, HostKeyNames())
	if err != nil {
		t.Fatal(err)
	}
	wantNoLeftovers(t, dir, "ssh_host_ecdsa_key", "ssh_host_ed25519_key", "ssh_host_rsa_key")
	var types []string
	for _, key := range keys {
		types = append(types, key.PublicKey().Type())
		file := HostKeyFile(key.Name)
		wantMode(t, filepath.Join(dir, file), 0o600)
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !key.Created || !strings.HasPrefix(string(data), "-----BEGIN OPENSSH PRIVATE KEY-----\n") {
			t.Errorf("%s: created %v, not the OpenSSH format, or error %v", key.Name, key.Created, err)
		}
	}
	if want := []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"}; !slices.Equal(types, want) {
		t.Fatalf("types %q, want %q", types, want)
	}
	public, ok := keys[2].PublicKey().(ssh.CryptoPublicKey)
	if !ok {
		t.Fatal("the RSA key shows no public half")
	}
	if bits := public.CryptoPublicKey().(*rsa.PublicKey).N.BitLen(); bits != 3072 {
		t.Errorf("rsa-3072 has %d bits", bits)
	}
	again, err := LoadOrCreateHostKeys(dir, HostKeyNames())
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range again {
		if a, b := HostKeyFingerprint(keys[i]), HostKeyFingerprint(key); key.Created || a != b || !strings.HasPrefix(a, "SHA256:") {
			t.Errorf("second start: %s created %v, fingerprints %s and %s", key.Name, key.Created, a, b)
		}
	}
}

// A state directory from before there were keys of several types keeps its own.
func TestOldHostKeyStays(t *testing.T) {
	dir := t.TempDir()
	old, err := LoadOrCreateHostKeys(dir, []string{"ed25519"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ssh_host_rsa_key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key that no name asks for: %v", err)
	}
	keys, err := LoadOrCreateHostKeys(dir, HostKeyNames())
	if err != nil {
		t.Fatal(err)
	}
	if keys[0].Created || !keys[1].Created || !keys[2].Created || HostKeyFingerprint(keys[0]) != HostKeyFingerprint(old[0]) {
		t.Errorf("the old key was not kept, or others are missing: %+v", keys)
	}
}

// pemOf writes a key as OpenSSH does.
func pemOf(t *testing.T, key crypto.PrivateKey, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
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
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	short := pemOf(t, small, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	other := pemOf(t, p384, err)
	tests := []struct {
		test, name, text string
		mode             os.FileMode
		want             string
	}{
		{"readable", "ed25519", "x", 0o640, "run chmod 600"},
		{"broken", "ed25519", "x", 0o600, "ssh_host_ed25519_key: ssh: no key found"},
		{"empty", "rsa-3072", "", 0o600, "ssh_host_rsa_key: ssh: no key found"},
		{"passphrase", "ed25519", string(pem.EncodeToMemory(locked)), 0o600, "ssh-keygen -p -f"},
		{"other type", "ed25519", short, 0o600, "has a key of the type ssh-rsa, want ssh-ed25519"},
		{"other curve", "ecdsa-p256", other, 0o600, "has a key of the type ecdsa-sha2-nistp384, want ecdsa-sha2-nistp256"},
		{"short", "rsa-3072", short, 0o600, "less than 2048 bits"},
	}
	for _, tt := range tests {
		t.Run(tt.test, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), HostKeyFile(tt.name))
			write(t, path, tt.text, tt.mode)
			keys, err := LoadOrCreateHostKeys(filepath.Dir(path), []string{tt.name})
			if err == nil || len(keys) > 0 || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("keys %v, error %v; want %q", keys, err, tt.want)
			}
			if errors.Is(err, ErrExposedFile) != (tt.mode != 0o600) {
				t.Errorf("error %v: ErrExposedFile for mode %04o", err, tt.mode)
			}
			data, _ := os.ReadFile(path)
			if string(data) != tt.text {
				t.Error("the file was replaced")
			}
		})
	}
	if _, err := LoadOrCreateHostKeys(filepath.Join(t.TempDir(), "missing"), []string{"ed25519"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if _, err := LoadOrCreateHostKeys(t.TempDir(), []string{"dsa"}); err == nil || !strings.Contains(err.Error(), "ecdsa-p256") {
		t.Errorf("unknown name: %v", err)
	}
}

// An own RSA key of another size is taken, in PEM of OpenSSL too.
func TestOwnRSAHostKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	path := filepath.Join(t.TempDir(), "ssh_host_rsa_key")
	write(t, path, pemOf(t, key, err), 0o600)
	keys, err := LoadOrCreateHostKeys(filepath.Dir(path), []string{"rsa-3072"})
	if err != nil || keys[0].Created {
		t.Fatalf("%+v, error %v", keys, err)
	}
	// SHA-1 is refused where the key itself is asked.
	signer, ok := keys[0].Signer.(ssh.AlgorithmSigner)
	if !ok {
		t.Fatal("the key takes no algorithm")
	}
	if _, err := signer.SignWithAlgorithm(rand.Reader, []byte("x"), ssh.KeyAlgoRSA); err == nil {
		t.Error("signed with SHA-1")
	}
	if _, err := signer.SignWithAlgorithm(rand.Reader, []byte("x"), ssh.KeyAlgoRSASHA256); err != nil {
		t.Errorf("SHA-256: %v", err)
	}
}
