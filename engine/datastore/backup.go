package datastore

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openconfig/ygot/ygot"
	"go.etcd.io/bbolt"

	"mooring/internal/fileio"
)

type ygotStruct = ygot.GoStruct

// A backup is a tar archive of the files of a state directory, with the state as
// it was at one moment, and at its end manifestFile with the checksum of each.
const (
	manifestFile = "backup.json"
	maxBeside    = 1 << 20 // octets of another file that is taken along
)

// Manifest is the end of a backup.
type Manifest struct {
	State    string            `json:"state"` // see Store.ID
	Host     string            `json:"host"`
	Revision uint64            `json:"revision"`
	Time     time.Time         `json:"time"`
	Sums     map[string]string `json:"sha256"` // by file
}

// ErrBackup is wrapped where a backup is not whole.
var ErrBackup = errors.New("the backup is damaged or cut short")

// Backup writes the state as it is at one moment, with the other files of its
// directory, while commits go on. It waits for a commit that is under way.
func (s *Store) Backup(w io.Writer) error {
	s.writing.Lock()
	s.waitSettled()
	c, err := s.disk.copy()
	m := Manifest{State: s.disk.id(), Revision: s.latest.revision, Time: time.Now(), Sums: map[string]string{}}
	s.writing.Unlock()
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer c.end()
	m.Host, _ = os.Hostname()
	out := tar.NewWriter(w)
	if err := c.write(out, &m); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return out.Close()
}

// stateCopy is a state at one moment.
type stateCopy struct {
	dir           string
	tx            *bbolt.Tx
	journal, mark []byte
}

// copy implements disk. What the journal has is in the page cache.
func (f *files) copy() (*stateCopy, error) {
	if f.closed {
		return nil, ErrClosed
	}
	if err := f.settle(); err != nil {
		return nil, err
	}
	tx, err := f.db.Begin(false)
	if err != nil {
		return nil, err
	}
	c := &stateCopy{dir: f.dir, tx: tx, journal: make([]byte, f.journal.next), mark: make([]byte, markSize)}
	if _, err := f.journal.file.ReadAt(c.journal, 0); err != nil && len(c.journal) > 0 {
		return nil, errors.Join(err, tx.Rollback())
	}
	r := f.reached()
	for _, at := range []int{0, journalBlock} {
		r.serial++
		r.put(c.mark[at : at+slotSize])
	}
	return c, nil
}

func (c *stateCopy) end() { _ = c.tx.Rollback() }

// write writes all files and the manifest.
func (c *stateCopy) write(out *tar.Writer, m *Manifest) error {
	add := func(name string, size int64, from func(io.Writer) error) error {
		h := sha256.New()
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: m.Time}); err != nil {
			return err
		}
		if err := from(io.MultiWriter(out, h)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.Sums[name] = hex.EncodeToString(h.Sum(nil))
		return nil
	}
	octets := func(p []byte) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(p); return err }
	}
	err := add(stateFile, c.tx.Size(), func(w io.Writer) error {
		return guard(func() error { _, err := c.tx.WriteTo(w); return err })
	})
	if err == nil {
		err = add(journalFile, int64(len(c.journal)), octets(c.journal))
	}
	if err == nil {
		err = add(markFile, int64(len(c.mark)), octets(c.mark))
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > maxBeside || notTaken(e.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(c.dir, e.Name()))
		if err != nil {
			return err
		}
		if err := add(e.Name(), int64(len(data)), octets(data)); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return add(manifestFile, int64(len(text)), octets(text))
}

// notTaken are files that are written otherwise, or are none of ours.
func notTaken(name string) bool {
	return slices.Contains([]string{stateFile, journalFile, markFile, manifestFile}, name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".new")
}

// ReadBackup checks that a backup is whole and returns its manifest.
func ReadBackup(backup io.Reader) (*Manifest, error) {
	return unpackTo(backup, func(_ string, in io.Reader) (string, error) {
		h := sha256.New()
		if _, err := io.Copy(h, in); err != nil {
			return "", fmt.Errorf("%w: %w", ErrBackup, err)
		}
		return hex.EncodeToString(h.Sum(nil)), nil
	})
}

// RestoreOptions are what Restore is told.
type RestoreOptions struct {
	Other bool // the backup may be that of another agent or another host
	Now   time.Time
}

// Restored is what Restore did.
type Restored struct {
	Manifest
	Beside string // the folder with the files that were replaced, "" for none
}

// Restore puts a backup into a state directory that no agent has open. It fails
// with nothing changed if the backup is not whole, or is not of this agent and
// host. The files that it replaces are kept in a folder beside them.
func Restore(dir string, backup io.Reader, o RestoreOptions) (*Restored, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	have, err := find(dir) // which locks it
	if err != nil {
		return nil, fmt.Errorf("restore into %s: %w", dir, err)
	}
	done, err := restore(have, backup, o)
	return done, errors.Join(err, have.release())
}

func restore(have *found, backup io.Reader, o RestoreOptions) (*Restored, error) {
	temp := filepath.Join(have.dir, ".restore-"+randomName())
	if err := os.Mkdir(temp, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // what is left there does no harm
	m, err := unpack(backup, temp)
	if err != nil {
		return nil, err
	}
	fresh, err := find(temp)
	if err != nil {
		return nil, err
	}
	r := &reader{found: fresh}
	err = r.examine()
	if err = errors.Join(err, fresh.release()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	if err := ofThisAgent(have, m, o.Other); err != nil {
		return nil, err
	}
	done := &Restored{Manifest: *m}
	if have.db != nil {
		done.Beside = filepath.Join(have.dir, "before-restore-"+o.Now.UTC().Format("20060102T150405Z"))
		names := slices.Collect(func(yield func(string) bool) {
			for name := range m.Sums {
				if !yield(name) {
					return
				}
			}
		})
		if err := keepBeside(have.dir, done.Beside, names...); err != nil {
			return nil, err
		}
	}
	return done, putInPlace(temp, have.dir, m)
}

// ofThisAgent refuses a backup that belongs elsewhere.
func ofThisAgent(have *found, m *Manifest, other bool) error {
	const tell = ": say --other-router if that is meant"
	if other {
		return nil
	}
	if host, _ := os.Hostname(); host != m.Host {
		return fmt.Errorf("the backup is of host %s, this is %s%s", m.Host, host, tell)
	}
	r := &reader{found: have, tolerant: true}
	if len(have.db) == 0 || guard(r.readMeta) != nil || r.check == nil {
		return nil // there is nothing that it could be compared with
	}
	if id := shortID(stateOf(r.check)); id != m.State {
		return fmt.Errorf("the backup is of state %s, the directory has %s%s", m.State, id, tell)
	}
	return nil
}

// unpack writes the files of a backup and checks them.
func unpack(backup io.Reader, dir string) (*Manifest, error) {
	return unpackTo(backup, func(name string, in io.Reader) (string, error) { return unpackFile(in, filepath.Join(dir, name)) })
}

// unpackTo gives each file of a backup to take, which returns its checksum.
func unpackTo(backup io.Reader, take func(name string, in io.Reader) (string, error)) (*Manifest, error) {
	sums := map[string]string{}
	in := tar.NewReader(backup)
	var manifest bytes.Buffer
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		if h.Typeflag != tar.TypeReg || h.Name != filepath.Base(h.Name) || strings.HasPrefix(h.Name, ".") || sums[h.Name] != "" {
			return nil, fmt.Errorf("%w: it has an entry %q", ErrBackup, h.Name)
		}
		if h.Name == manifestFile {
			if _, err := io.Copy(&manifest, io.LimitReader(in, maxBeside)); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrBackup, err)
			}
			continue
		}
		sum, err := take(h.Name, in)
		if err != nil {
			return nil, err
		}
		sums[h.Name] = sum
	}
	var m Manifest
	if err := json.Unmarshal(manifest.Bytes(), &m); err != nil || len(m.Sums) != len(sums) {
		return nil, fmt.Errorf("%w: it has no end", ErrBackup)
	}
	for name, sum := range sums {
		if m.Sums[name] != sum {
			return nil, fmt.Errorf("%w: %s is not what was backed up", ErrBackup, name)
		}
	}
	return &m, nil
}

func unpackFile(in io.Reader, path string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), in)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Sync(), f.Close())
}

// putInPlace renames the files of a backup into the directory. The state file is
// the first: with it and the mark or the journal of a later time a start is
// refused, so a crash in between is found.
func putInPlace(from, dir string, m *Manifest) error {
	order := []string{keyFile, stateFile, markFile, journalFile}
	for name := range m.Sums {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	for _, name := range order {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return fileio.SyncDir(dir)
}
