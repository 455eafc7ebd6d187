package server

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// followed is a value that is made from files and follows them without a
// restart: each get looks whether a file changed. Files that do not load,
// half-written ones included, are logged once and tried again at the next get;
// until they load, the old value stays. Its methods may be called by any
// goroutine.
type followed[T any] struct {
	what  string // for the log
	paths []string
	load  func() (T, error) // from the paths
	// took is told of a new value in use, and of the one before.
	took func(was, is T)
	log  *slog.Logger

	current atomic.Pointer[version[T]]

	mu           sync.Mutex // one reload at a time; guards what follows
	refusedFiles stamps     // files whose refusal is in the log
	refusedWhy   string     // and its reason; empty: none
}

// version is a value and what its files were then.
type version[T any] struct {
	value T
	files stamps
}

// stamps tells versions of files apart: identity, mtime and size.
type stamps []os.FileInfo

func (s stamps) equal(o stamps) bool {
	if len(s) != len(o) {
		return false
	}
	for i, a := range s {
		b := o[i]
		if !os.SameFile(a, b) || !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() {
			return false
		}
	}
	return true
}

// start makes the first value, and fails when that fails.
func (f *followed[T]) start() error {
	files, err := f.stat()
	if err != nil {
		return err
	}
	value, err := f.load()
	if err != nil {
		return err
	}
	f.current.Store(&version[T]{value, files})
	return nil
}

// get returns the value of the files as they are now.
func (f *followed[T]) get() T {
	files, err := f.stat()
	if err != nil || !files.equal(f.current.Load().files) {
		f.reload()
	}
	return f.current.Load().value
}

// stat is taken before the files are read, so that a change in between is
// seen by the next look.
func (f *followed[T]) stat() (stamps, error) {
	files := make(stamps, len(f.paths))
	for i, path := range f.paths {
		var err error
		if files[i], err = os.Stat(path); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (f *followed[T]) reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	files, err := f.stat()
	if err == nil && files.equal(f.current.Load().files) {
		return // another one was first
	}
	var value T
	if err == nil {
		value, err = f.load()
	}
	if err != nil {
		if err.Error() != f.refusedWhy || !files.equal(f.refusedFiles) {
			f.log.Error("new "+f.what+" refused, the old one stays", "error", err)
		}
		f.refusedFiles, f.refusedWhy = files, err.Error()
		return
	}
	f.refusedFiles, f.refusedWhy = nil, ""
	was := f.current.Swap(&version[T]{value, files})
	f.took(was.value, value)
}
