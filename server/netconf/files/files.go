// Package files is the directory whose files clients may name by URL (RFC 6241
// 8.8, scheme file). It owns the way from a URL to a file and keeps clients in
// that directory: a URL names a file by its bare name, and what is no regular
// file is refused, symbolic links too. It must never know what is in a file.
package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
)

var (
	// ErrURL is wrapped where a URL names no file that could be there.
	ErrURL = errors.New("want file:///NAME: up to 128 letters, digits, dots, underscores and hyphens, the first one no dot")
	// ErrScheme is wrapped for every scheme but file.
	ErrScheme = errors.New("only the scheme file is supported")
	// ErrNotExist is wrapped where there is no such file.
	ErrNotExist = errors.New("there is no such file")
	// ErrNotRegular is wrapped where something else than a file has the name.
	ErrNotRegular = errors.New("this is no regular file")
	// ErrTooBig is wrapped where a file is or would be longer than allowed.
	ErrTooBig = errors.New("the file is longer than this server takes")
	// ErrTooMany is wrapped where the directory takes no more files.
	ErrTooMany = errors.New("the directory is full: delete a file first")
)

// maxName bounds the names of files, and maxFiles their number.
const (
	maxName  = 128
	maxFiles = 1000
)

// Name returns the file that a URL names. The error wraps ErrURL or ErrScheme.
func Name(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%.200q is no URL: %w", text, ErrURL)
	case !strings.EqualFold(u.Scheme, "file"):
		return "", fmt.Errorf("%.200q: %w", text, ErrScheme)
	case u.Host != "" && u.Host != "localhost", u.User != nil, u.Opaque != "", u.RawQuery != "", u.ForceQuery, strings.Contains(text, "#"):
		return "", fmt.Errorf("%.200q: %w", text, ErrURL)
	}
	name, ok := strings.CutPrefix(u.Path, "/")
	if !ok || !plain(name) {
		return "", fmt.Errorf("%.200q: %w", text, ErrURL)
	}
	return name, nil
}

// plain says whether a name is bare and harmless. Names that begin with a dot
// are the package's own.
func plain(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '.' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// Dir is the directory. All methods are safe for concurrent use.
type Dir struct {
	path string
	max  int64 // octets of a file

	mu sync.Mutex // held while a file is replaced or removed
}

// Open returns the directory at path, which it makes where it is missing. max
// is how long a file may be, in octets.
func Open(path string, max int64) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Dir{path: path, max: max}, root.Close()
}

// in calls fn with the directory, in which nothing leads out.
func (d *Dir) in(fn func(*os.Root) error) error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	return errors.Join(fn(root), root.Close())
}

// Read returns the content of a file.
func (d *Dir) Read(name string) (data []byte, err error) {
	err = d.in(func(root *os.Root) error {
		if err := regular(root, name); err != nil {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		data, err = io.ReadAll(io.LimitReader(f, d.max+1))
		if err == nil && int64(len(data)) > d.max {
			err = fmt.Errorf("%s: %w", name, ErrTooBig)
		}
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Write makes a file of what fn writes, or replaces it: when Write returns all
// of it is on disk, and where it fails the file is as before.
func (d *Dir) Write(name string, fn func(io.Writer) error) error {
	return d.in(func(root *os.Root) error {
		if err := regular(root, name); err != nil && !errors.Is(err, ErrNotExist) {
			return err
		}
		if err := d.room(root, name); err != nil {
			return err
		}
		temporary := "." + rand.Text()
		f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		err = fn(&limited{f, d.max, name})
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err == nil {
			err = d.replace(root, temporary, name)
		}
		if err != nil {
			return errors.Join(err, root.Remove(temporary))
		}
		return syncNames(root)
	})
}

func (d *Dir) replace(root *os.Root, temporary, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := regular(root, name); err != nil && !errors.Is(err, ErrNotExist) {
		return err
	}
	return root.Rename(temporary, name)
}

// Remove deletes a file.
func (d *Dir) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.in(func(root *os.Root) error {
		if err := regular(root, name); err != nil {
			return err
		}
		return errors.Join(root.Remove(name), syncNames(root))
	})
}

// regular refuses what is no file of that name.
func regular(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", name, ErrNotExist)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w", name, ErrNotRegular)
	}
	return nil
}

// room refuses a new file where there are too many.
func (d *Dir) room(root *os.Root, name string) error {
	if _, err := root.Lstat(name); err == nil {
		return nil
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(maxFiles)
	if err = errors.Join(ignoreEOF(err), dir.Close()); err != nil {
		return err
	}
	if len(names) >= maxFiles {
		return fmt.Errorf("%s: %w", name, ErrTooMany)
	}
	return nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// syncNames makes new names durable.
func syncNames(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// limited fails where more is written than a file may hold.
type limited struct {
	to   io.Writer
	left int64
	name string
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fmt.Errorf("%s: %w", l.name, ErrTooBig)
	}
	n, err := l.to.Write(p)
	l.left -= int64(n)
	return n, err
}
