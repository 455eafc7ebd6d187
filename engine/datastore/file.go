package datastore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/openconfig/ygot/ygot"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"mooring/engine/schema"
	"mooring/internal/fileio"
)

// The layout of the state file. Whoever changes it raises format and writes
// the step that leads from the older one.
//
//	meta     format     decimal number
//	         key-check  keyCheck, sealed with the key of the key file
//	records  schema.Key RFC 7951 JSON of the record, secrets sealed
//	startup  as records, there once startup was saved
//	history  revision, big endian, 8 octets   JSON of the Commit
//
// The revision of the file is the last one in the history, 0 where that is
// empty. Running is the file with what the journal has beyond that.
const (
	stateFile   = "state.db"
	format      = 1
	keyCheck    = "mooring"
	lockTimeout = 500 * time.Millisecond // covers an agent that is just ending

	mapped = 256 << 20 // octets of address space, enough for some 500,000 records
	growth = 1 << 20   // octets by which a file grows at least
)

var (
	metaBucket    = []byte("meta")
	recordBucket  = []byte("records")
	historyBucket = []byte("history")
	formatKey     = []byte("format")
	checkKey      = []byte("key-check")
)

// file is the state file and its journal, open and locked.
type file struct {
	db      *bbolt.DB
	path    string
	journal *journal
	pending pending
	id      string
	undo    int  // octets of old records of a commit that are kept: maxUndo
	direct  bool // something failed: the next commit goes by a checkpoint
	closed  bool
	*sealer
}

// write is a record to write; a nil record deletes it.
type write struct {
	key    schema.Key
	record ygot.GoStruct
}

func (w write) compare(o write) int { return cmp.Compare(w.key, o.key) }

func openFile(dir string) (*file, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, stateFile)
	var db *bbolt.DB
	err := guard(func() (err error) {
		// The array takes the lowest free page, so that the pages of a commit
		// lie together; the map does not, and is slower here. NoFreelistSync
		// would gain a little after a large delete only, and meets a damaged
		// file with a panic on a goroutine of its own, where guard cannot
		// catch it. What else bbolt has for speed costs durability.
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      lockTimeout,
			FreelistType: bbolt.FreelistArrayType,
			NoStatistics: true,
			// A mapping that is too small is replaced in the middle of the commit
			// that needs more, for which bbolt copies all nodes that it has
			// changed by then: a third of a large commit. The file stays small: it
			// grows in steps of growth.
			InitialMmapSize: mapped,
		})
		if err == nil {
			db.AllocSize = growth
		}
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: stop that agent or choose another directory", ErrLocked)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%s: %w: put back the backup of the state directory", path, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := &file{db: db, path: path, undo: maxUndo, pending: pending{records: map[schema.Key][]byte{}}}
	identity, err := f.prepare(dir)
	if err == nil {
		sum := sha256.Sum256(identity)
		f.id = hex.EncodeToString(sum[:4])
		f.journal, err = openJournal(dir, identity)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

// prepare checks the format and the key, and writes both into a new file. It
// returns the sealed key-check, which is unique to the file.
func (f *file) prepare(dir string) ([]byte, error) {
	var version, check []byte
	err := f.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(metaBucket); b != nil {
			version, check = bytes.Clone(b.Get(formatKey)), bytes.Clone(b.Get(checkKey))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if version != nil && string(version) != strconv.Itoa(format) {
		return nil, fmt.Errorf("%w: %s has format %s, this agent knows format %d: start the agent that wrote it, or a newer one",
			ErrFormat, f.path, version, format)
	}
	if f.sealer, err = loadSealer(dir, version == nil); err != nil {
		return nil, err
	}
	if version == nil {
		check = f.seal([]byte(keyCheck), checkKey)
		return check, f.create(dir, check)
	}
	if plain, err := f.open(check, checkKey); err != nil || string(plain) != keyCheck {
		return nil, fmt.Errorf("%w: %s is not the key that %s was written with: put back the copy from the backup of this directory",
			ErrKeyFile, filepath.Join(dir, keyFile), f.path)
	}
	return check, nil
}

// create writes the content of a new file, with the records that always exist.
func (f *file) create(dir string, check []byte) error {
	err := f.update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{metaBucket, recordBucket, historyBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(metaBucket)
		if err := meta.Put(formatKey, []byte(strconv.Itoa(format))); err != nil {
			return err
		}
		if err := meta.Put(checkKey, check); err != nil {
			return err
		}
		var writes []write
		for _, k := range schema.Permanent() {
			writes = append(writes, write{key: k, record: schema.New(k)})
		}
		slices.SortFunc(writes, write.compare)
		return putRecords(tx.Bucket(recordBucket), f.encode(writes))
	})
	if err != nil {
		return err
	}
	return fileio.SyncDir(dir)
}

// forget drops the pages that load has read from this process's memory; they
// stay in the cache of the kernel. A commit reads back the few that it needs.
//
// It must come before the first transaction that writes: bbolt maps at least
// the whole file when it opens it, but may let it grow beyond the mapping
// later, and what lies behind the mapping is not ours to drop.
func (f *file) forget() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, f.db.Info().Data, uintptr(info.Size()), syscall.MADV_DONTNEED)
	if errno != 0 {
		return fmt.Errorf("madvise %s: %w", f.path, errno)
	}
	return nil
}

// close brings what is pending into the state file, so that the next start
// replays nothing, and releases both files. Where something has failed before,
// the journal keeps it: see checkpoint.
func (f *file) close(oldest uint64) error {
	if f.closed {
		return nil
	}
	var err error
	if !f.direct && len(f.pending.history) > 0 {
		err = f.checkpoint(nil, oldest)
	}
	return errors.Join(err, f.release())
}

// release closes both files and leaves them as they are.
func (f *file) release() error {
	f.closed = true
	return errors.Join(f.journal.disk.Close(), f.db.Close())
}

func (f *file) view(fn func(*bbolt.Tx) error) error {
	return guard(func() error { return f.db.View(fn) })
}

func (f *file) update(fn func(*bbolt.Tx) error) error {
	return guard(func() error { return f.db.Update(fn) })
}

// guard makes an error of a fault or a panic within bbolt, which is how it
// meets a damaged file: the sessions of a running agent must not end for it.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("state file is damaged: %v: put back the backup of the state directory", p)
		}
	}()
	if err = fn(); errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
