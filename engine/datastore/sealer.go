package datastore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"mooring/internal/fileio"
)

// keyFile is the name of the key file in the state directory: 64 hexadecimal
// digits and a newline.
const keyFile = "secret.key"

// sealer encrypts secrets at rest with AES-256-GCM (NIST SP 800-38D). A sealed
// text is a random nonce, the encrypted text and the tag. It is bound to a
// context, the key of its record, and opens in no other.
type sealer struct {
	aead cipher.AEAD
}

func newSealer(key []byte) (*sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead: aead}, nil
}

func (s *sealer) seal(plain, context []byte) []byte {
	return s.aead.Seal(nil, nil, plain, context)
}

func (s *sealer) open(sealed, context []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, context)
	if err != nil {
		return nil, errors.New("sealed secret does not open: it is damaged, or sealed with another key")
	}
	return plain, nil
}

// loadSealer reads the key file of dir. Where there is none and create says
// so, it makes one that is on disk before loadSealer returns.
func loadSealer(dir string, create bool) (*sealer, error) {
	path := filepath.Join(dir, keyFile)
	text, err := fileio.ReadSecret(path, ErrExposedKey) // whoever has the key and a backup has the secrets
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist) && create:
		if text, err = createKeyFile(path); err != nil {
			return nil, fmt.Errorf("create key file %s: %w", path, err)
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s is missing: put back the copy from the backup of this directory, "+
			"or move the state file away to start with an empty configuration", ErrKeyFile, path)
	default:
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%w: %s is not 64 hexadecimal digits: put back the copy from the backup of this directory", ErrKeyFile, path)
	}
	return newSealer(key)
}

func createKeyFile(path string) ([]byte, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	text := append(hex.AppendEncode(nil, key[:]), '\n')
	return text, fileio.WriteAtomic(path, text, 0o600)
}
