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
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"mooring/internal/fileio"
)

// hostKeyKind is an algorithm of SSH host keys.
type hostKeyKind struct {
	name     string // in the configuration
	file     string // in the state directory, as OpenSSH calls it
	format   string // of the public key (RFC 4253 6.6)
	generate func() (crypto.PrivateKey, error)
}

var hostKeyKinds = []hostKeyKind{
	{"ed25519", "ssh_host_ed25519_key", ssh.KeyAlgoED25519, func() (crypto.PrivateKey, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
	{"ecdsa-p256", "ssh_host_ecdsa_key", ssh.KeyAlgoECDSA256, func() (crypto.PrivateKey, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}},
	{"rsa-3072", "ssh_host_rsa_key", ssh.KeyAlgoRSA, func() (crypto.PrivateKey, error) {
		return rsa.GenerateKey(rand.Reader, 3072)
	}},
}

// minRSABits is the least size of an RSA key that an operator brings along
// (RFC 9142 3.1.2).
const minRSABits = 2048

// HostKeyNames returns the names of the host keys that there can be.
func HostKeyNames() []string {
	var names []string
	for i := range hostKeyKinds {
		names = append(names, hostKeyKinds[i].name)
	}
	return names
}

// HostKeyFile returns the file of a host key in the state directory, "" for a
// name that is not one of HostKeyNames.
func HostKeyFile(name string) string {
	for i := range hostKeyKinds {
		if hostKeyKinds[i].name == name {
			return hostKeyKinds[i].file
		}
	}
	return ""
}

// HostKey is a host key and where it comes from.
type HostKey struct {
	ssh.Signer
	Name    string // one of HostKeyNames
	Created bool   // it was not there before
}

// LoadOrCreateHostKeys reads the SSH host keys of dir that have these names, and
// generates the missing ones, in the OpenSSH format. A key that is there is
// never replaced. The files must be closed to others (ErrExposedFile).
func LoadOrCreateHostKeys(dir string, names []string) ([]HostKey, error) {
	var keys []HostKey
	for _, name := range names {
		for i := range hostKeyKinds {
			if hostKeyKinds[i].name != name {
				continue
			}
			key, err := hostKeyKinds[i].loadOrCreate(dir)
			if err != nil {
				return nil, fmt.Errorf("host key %w", err)
			}
			keys = append(keys, key)
		}
	}
	if len(keys) < len(names) {
		return nil, fmt.Errorf("host keys %q: want names from %q", names, HostKeyNames())
	}
	return keys, nil
}

func (k *hostKeyKind) loadOrCreate(dir string) (HostKey, error) {
	path, created := filepath.Join(dir, k.file), false
	data, err := fileio.ReadSecret(path, ErrExposedFile)
	if errors.Is(err, fs.ErrNotExist) {
		created = true
		if data, err = k.pem(); err == nil {
			err = fileio.WriteAtomic(path, data, 0o600)
		}
	}
	if err != nil {
		return HostKey{}, fmt.Errorf("%s: %w", k.name, err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		return HostKey{}, fmt.Errorf("%s has a passphrase, which the agent cannot ask for: remove it with ssh-keygen -p -f %s", path, path)
	}
	if err == nil {
		signer, err = k.check(signer)
	}
	if err != nil {
		return HostKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return HostKey{Signer: signer, Name: k.name, Created: created}, nil
}

func (k *hostKeyKind) pem() ([]byte, error) {
	key, err := k.generate()
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "mooring")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// check refuses what the file's name does not promise: SSH can show one key of a
// format only, and a client would not find the one that it asks for. An RSA key
// signs with SHA-2 alone (RFC 8332).
func (k *hostKeyKind) check(signer ssh.Signer) (ssh.Signer, error) {
	public := signer.PublicKey()
	if public.Type() != k.format {
		return nil, fmt.Errorf("has a key of the type %s, want %s: move the file away, and a key is generated at the next start", public.Type(), k.format)
	}
	if k.format != ssh.KeyAlgoRSA {
		return signer, nil
	}
	wrapped, ok := public.(ssh.CryptoPublicKey)
	if !ok {
		return nil, errors.New("the RSA key hides its size")
	}
	if key, ok := wrapped.CryptoPublicKey().(*rsa.PublicKey); !ok || key.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("has an RSA key of less than %d bits: move the file away, and a key is generated at the next start", minRSABits)
	}
	algorithms, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, errors.New("the RSA key cannot sign with SHA-2")
	}
	return ssh.NewSignerWithAlgorithms(algorithms, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256})
}

// HostKeyFingerprint returns what `ssh-keygen -l` and a connecting client show.
func HostKeyFingerprint(key ssh.Signer) string {
	return ssh.FingerprintSHA256(key.PublicKey())
}
