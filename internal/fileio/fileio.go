// Package fileio reads and writes small files that matter: keys, certificates
// and users.
//
// It owns that a secret is read only from a file that nobody else may touch, and
// that a crash leaves no part of a file. It must not know what stands in them.
package fileio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// MaxSize is how many octets a file may have that is read here.
const MaxSize = 4 << 20

// ReadSecret reads a file that only its owner may touch; the error of one that
// others may read or write wraps exposed. The mode is taken from the open file,
// so that it belongs to the bytes that are read.
func ReadSecret(path string, exposed error) ([]byte, error) {
	return read(path, func(mode os.FileMode) error {
		if mode&0o077 != 0 {
			return fmt.Errorf("%w: %s has mode %04o: run chmod 600 %s", exposed, path, mode, path)
		}
		return nil
	})
}

// Read reads a file that everyone may read, such as a certificate.
func Read(path string) ([]byte, error) {
	return read(path, func(os.FileMode) error { return nil })
}

func read(path string, check func(os.FileMode) error) ([]byte, error) {
	// O_NONBLOCK: a named pipe in place of the file must not hang the start.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if err := check(info.Mode().Perm()); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, MaxSize)
	}
	return data, nil
}

// WriteAtomic puts data at path so that a crash leaves the old file or the
// new one, never a part: temporary file in the same directory, fsync, rename,
// fsync of the directory.
func WriteAtomic(path string, data []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f, data, mode), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(dir)
}

// SyncDir makes new names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fill gives f its mode before its first byte, writes it and waits for the disk.
func fill(f *os.File, data []byte, mode os.FileMode) error {
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
