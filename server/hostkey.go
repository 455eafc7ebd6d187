package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"mooring/internal/fileio"
)

// HostKeyFile is the SSH host key's name in the state directory.
const HostKeyFile = "ssh_host_ed25519_key"

// LoadOrCreateHostKey reads the SSH host key of dir, or makes an ed25519 key in
// the OpenSSH format. The file must be closed to others (ErrExposedFile).
func LoadOrCreateHostKey(dir string) (signer ssh.Signer, created bool, err error) {
	path := filepath.Join(dir, HostKeyFile)
	data, err := fileio.ReadSecret(path, ErrExposedFile)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = newHostKey()
		if err == nil {
			err = fileio.WriteAtomic(path, data, 0o600)
		}
		created = true
	}
	if err != nil {
		return nil, false, fmt.Errorf("host key: %w", err)
	}
	signer, err = ssh.ParsePrivateKey(data)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, false, fmt.Errorf("host key %s has a passphrase, which the agent cannot ask for: remove it with ssh-keygen -p -f %s", path, path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("host key %s: %w", path, err)
	}
	return signer, created, nil
}

func newHostKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "mooring")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// HostKeyFingerprint returns what `ssh-keygen -l` and a connecting client show.
func HostKeyFingerprint(key ssh.Signer) string {
	return ssh.FingerprintSHA256(key.PublicKey())
}
