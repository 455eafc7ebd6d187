package datastore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	text, err := readKeyFile(path)
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

// readKeyFile refuses a file that others may read or write: whoever has the key
// and a backup has the secrets. The mode is that of the open file, so that it
// belongs to what is read.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o: run chmod 600 %s", ErrExposedKey, path, mode, path)
	}
	return io.ReadAll(io.LimitReader(f, 1024)) // longer is none
}

// createKeyFile writes beside the file and renames, so that no crash leaves
// half a key.
func createKeyFile(path string) ([]byte, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	text := append(hex.AppendEncode(nil, key[:]), '\n')
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(temporary, path); err != nil {
		return nil, err
	}
	return text, syncDir(filepath.Dir(path))
}

// syncDir makes new names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
