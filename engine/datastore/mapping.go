package datastore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// found is what the files of a state directory hold, before anything is changed.
// A nil part is a file that is not there.
type found struct {
	dir     string
	db      []byte // mapped
	journal []byte
	mark    []byte
	lock    *os.File // the state file
}

// find locks a state directory and reads its files. Of an error nothing stays
// open.
func find(dir string) (*found, error) {
	f := &found{dir: dir}
	err := f.read()
	if err != nil {
		return nil, errors.Join(err, f.release())
	}
	return f, nil
}

func (f *found) read() error {
	file, err := os.OpenFile(statePath(f.dir), os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: remount it for writing or choose another directory", err)
	case err != nil:
		return err
	default:
		if f.lock = file; flock(file) != nil {
			return errLocked()
		}
		if f.db, err = mapFile(file); err != nil {
			return err
		}
	}
	if f.journal, err = readFile(filepath.Join(f.dir, journalFile), journalSize); err != nil {
		return err
	}
	f.mark, err = readFile(filepath.Join(f.dir, markFile), markSize)
	return err
}

// flock takes the lock of the state file, which bbolt takes too. It waits for
// an agent that is just ending.
func flock(file *os.File) error {
	for start := time.Now(); ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Since(start) > lockTimeout {
			return err
		}
		time.Sleep(lockTimeout / 20)
	}
}

// mapFile maps a file for reading; one without octets is an empty slice.
func mapFile(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return []byte{}, err
	}
	data, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", file.Name(), err)
	}
	return data, nil
}

// readFile reads the first octets of a file, nil if there is none.
func readFile(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := osFile{file}.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, min(size, limit))
	if n, err := file.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	} else if n < len(data) {
		data = data[:n]
	}
	return data, nil
}

// unlock lets bbolt take the lock.
func (f *found) unlock() error {
	if f.lock == nil {
		return nil
	}
	// Closing alone does not do it: the mapping keeps the open file.
	err := errors.Join(syscall.Flock(int(f.lock.Fd()), syscall.LOCK_UN), f.lock.Close())
	f.lock = nil
	return err
}

// release drops the mapping and the lock.
func (f *found) release() error {
	var err error
	if len(f.db) > 0 {
		err = syscall.Munmap(f.db)
	}
	f.db = nil
	return errors.Join(err, f.unlock())
}
