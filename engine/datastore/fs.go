package datastore

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"mooring/internal/fileio"
)

// FS is the disk as a Store uses it. OS is the real one; a test puts one in its
// place that fails, or ends the process, at a call of its choice.
type FS interface {
	// OpenFile opens the journal or its mark for reading and writing. With sync
	// each write is durable when it returns. Without create the file must exist.
	OpenFile(path string, sync, create bool) (File, error)
	// Rename replaces one file by another and makes that durable.
	Rename(from, to string) error
	// Transaction calls run, which writes the state file: all of it or nothing.
	Transaction(run func() error) error
	// Check returns an error if a directory is on a file system on which
	// nothing can be promised.
	Check(dir string) error
}

// File is an open file of FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Size() (int64, error)
}

// OS is the file system of the host.
func OS() FS { return osFS{} }

type osFS struct{}

type osFile struct{ *os.File }

// Size returns the length in octets.
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (osFS) OpenFile(path string, sync, create bool) (File, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE
	}
	if sync {
		// One system call makes a write durable. No metadata is written with
		// it, because the file neither grows nor has holes.
		flag |= syscall.O_DSYNC
	}
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return fileio.SyncDir(filepath.Dir(to))
}

func (osFS) Transaction(run func() error) error { return run() }

// remote are file systems whose locks and mappings do not hold what bbolt and
// the lock of the state directory need, by their magic numbers in statfs(2).
var remote = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB2",
	0x01021997: "9P",
}

func (osFS) Check(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", dir, err)
	}
	if name, found := remote[uint32(st.Type)]; found { //nolint:gosec // the kernel's magic numbers have 32 bits
		return fmt.Errorf("%w: it is on %s: choose a directory on a local disk", ErrFileSystem, name)
	}
	return nil
}
