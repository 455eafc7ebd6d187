package datastore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
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
)

// The layout of the state file. Whoever changes it raises format and writes
// the step that leads from the older one.
//
//	meta     format     decimal number
//	         key-check  keyCheck, sealed with the key of the key file
//	records  schema.Key RFC 7951 JSON of the record, secrets sealed
//	history  revision, big endian, 8 octets   JSON of the Commit
//
// The revision of running is the last one in the history, 0 where that is
// empty.
const (
	stateFile   = "state.db"
	format      = 1
	keyCheck    = "mooring"
	lockTimeout = 500 * time.Millisecond // covers an agent that is just ending
	bulk        = 1000                   // records of a commit that is large
)

var (
	metaBucket    = []byte("meta")
	recordBucket  = []byte("records")
	historyBucket = []byte("history")
	formatKey     = []byte("format")
	checkKey      = []byte("key-check")
)

// file is the state file, open and locked.
type file struct {
	db   *bbolt.DB
	path string
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
		})
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: stop that agent or choose another directory", ErrLocked)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := &file{db: db, path: path}
	if err := f.prepare(dir); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

// prepare checks the format and the key, and writes both into a new file.
func (f *file) prepare(dir string) error {
	var version, check []byte
	err := f.view(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(metaBucket); b != nil {
			version, check = bytes.Clone(b.Get(formatKey)), bytes.Clone(b.Get(checkKey))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if version != nil && string(version) != strconv.Itoa(format) {
		return fmt.Errorf("%w: %s has format %s, this agent knows format %d: start the agent that wrote it, or a newer one",
			ErrFormat, f.path, version, format)
	}
	if f.sealer, err = loadSealer(dir, version == nil); err != nil {
		return err
	}
	if version == nil {
		return f.create(dir)
	}
	if plain, err := f.open(check, checkKey); err != nil || string(plain) != keyCheck {
		return fmt.Errorf("%w: %s is not the key that %s was written with: put back the copy from the backup of this directory",
			ErrKeyFile, filepath.Join(dir, keyFile), f.path)
	}
	return nil
}

// create writes the content of a new file, with the records that always exist.
func (f *file) create(dir string) error {
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
		if err := meta.Put(checkKey, f.seal([]byte(keyCheck), checkKey)); err != nil {
			return err
		}
		var writes []write
		for _, k := range schema.Permanent() {
			writes = append(writes, write{key: k, record: schema.New(k)})
		}
		slices.SortFunc(writes, write.compare)
		return f.put(tx, writes)
	})
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// commit makes the records, sorted by key, and the history entry durable, all
// or nothing.
func (f *file) commit(writes []write, c *Commit, keep int) error {
	entry, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return f.update(func(tx *bbolt.Tx) error {
		if err := f.put(tx, writes); err != nil {
			return err
		}
		history := tx.Bucket(historyBucket)
		if err := history.Put(binary.BigEndian.AppendUint64(nil, c.Revision), entry); err != nil {
			return err
		}
		for oldest, _ := history.Cursor().First(); ; oldest, _ = history.Cursor().First() {
			if binary.BigEndian.Uint64(oldest)+uint64(keep) > c.Revision {
				return nil
			}
			if err := history.Delete(oldest); err != nil {
				return err
			}
		}
	})
}

// put writes records in the order of their keys, which is what makes a large
// commit fast. The values live in chunks, because bbolt needs each of them
// until the transaction ends.
func (f *file) put(tx *bbolt.Tx, writes []write) error {
	const most, expected = 1 << 16, 1 << 10 // octets of a chunk, of a record
	records := tx.Bucket(recordBucket)
	if len(writes) > bulk {
		records.FillPercent = 0.9 // sorted, so pages fill once
	}
	var context, chunk []byte
	seal := func(plain []byte) []byte { return f.seal(plain, context) }
	for i, w := range writes {
		context = []byte(w.key)
		if w.record == nil {
			if err := records.Delete(context); err != nil {
				return err
			}
			continue
		}
		if cap(chunk)-len(chunk) < expected {
			chunk = make([]byte, 0, min(most, expected*(len(writes)-i)))
		}
		start := len(chunk)
		chunk = schema.AppendRecord(chunk, w.record, seal)
		if err := records.Put(context, chunk[start:len(chunk):len(chunk)]); err != nil {
			return fmt.Errorf("%s: %w", w.key, err)
		}
	}
	return nil
}

// load reads all records and the history. bbolt hands them out in key order,
// for which the tree has a fast way in.
func (f *file) load() (tree, []Commit, error) {
	t := newTree()
	var history []Commit
	var entries []string
	err := f.view(func(tx *bbolt.Tx) error {
		err := tx.Bucket(recordBucket).ForEach(func(key, value []byte) error {
			k := schema.Key(key)
			if k.Kind() == nil {
				return fmt.Errorf("%s: record %q is of no known kind", f.path, k)
			}
			rec, err := schema.DecodeRecord(k.Kind(), value, func(sealed []byte) ([]byte, error) {
				return f.open(sealed, key)
			})
			if err != nil {
				return fmt.Errorf("%s: record %s: %w", f.path, k, err)
			}
			t.records.Load(k, rec)
			entries = schema.IndexEntries(k, rec, entries)
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Bucket(historyBucket).ForEach(func(_, value []byte) error {
			var c Commit
			if err := json.Unmarshal(value, &c); err != nil {
				return fmt.Errorf("%s: history: %w", f.path, err)
			}
			history = append(history, c)
			return nil
		})
	})
	slices.Sort(entries)
	for _, e := range entries {
		t.index.Load(e)
	}
	return t, history, err
}

// forget drops the pages that load has read from this process's memory; they
// stay in the cache of the kernel. A commit reads back the few that it needs.
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

func (f *file) close() error { return f.db.Close() }

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
