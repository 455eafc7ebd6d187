package datastore

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"mooring/engine/schema"
)

// The layout of the state file. Whoever changes it raises format and writes
// the step that leads from the older one (format1.go).
//
//	meta     format     decimal number
//	         key-check  keyCheck, sealed with the key of the key file
//	         seal       the seal
//	         note-NAME  a note
//	records  schema.Key RFC 7951 JSON of the record, secrets sealed
//	startup  as records, there once startup was saved
//	history  revision, big endian, 8 octets   JSON of the entry
//
// Each value but the first two begins with the CRC-32C of its bucket, its key
// and the rest of it. The seal has the number of values of each bucket and the
// sum of their checksums, so one that is missing, or is that of another time,
// is found too; the round, which each write of the file raises; and the
// revision. Running is the file with what the journal has of the same round.
const (
	stateFile   = "state.db"
	format      = 2
	keyCheck    = "mooring"
	lockTimeout = 500 * time.Millisecond // covers an agent that is just ending
	sumSize     = 4

	mapped = 256 << 20 // octets of address space, enough for some 500,000 records
	growth = 1 << 20   // octets by which a file grows at least
)

var (
	metaBucket    = []byte("meta")
	recordBucket  = []byte("records")
	historyBucket = []byte("history")
	// startupBucket holds startup as recordBucket does running. It is there once
	// startup was saved.
	startupBucket = []byte("startup")
	formatKey     = []byte("format")
	checkKey      = []byte("key-check")
	sealKey       = []byte("seal")
)

const notePrefix = "note-"

func noteKey(name string) []byte { return []byte(notePrefix + name) }

// digest is the number and the sum of the checksums of the values of a bucket.
type digest struct {
	Count uint64 `json:"count"`
	Sum   uint64 `json:"sum"`
}

func (d *digest) add(sum uint32) { d.Count, d.Sum = d.Count+1, d.Sum+uint64(sum) }

func (d *digest) remove(sum uint32) { d.Count, d.Sum = d.Count-1, d.Sum-uint64(sum) }

// seal is what the state file says of itself.
type seal struct {
	Round    uint64 `json:"round"`
	Revision uint64 `json:"revision"`
	Records  digest `json:"records"`
	Startup  digest `json:"startup"`
	History  digest `json:"history"`
	Notes    digest `json:"notes"`
}

// checksum is that of a value in a bucket.
func checksum(bucket, key, value []byte) uint32 {
	sum := crc32.Update(crc32.Checksum(bucket, castagnoli), castagnoli, []byte{0})
	sum = crc32.Update(crc32.Update(sum, castagnoli, key), castagnoli, []byte{0})
	return crc32.Update(sum, castagnoli, value)
}

// unsum returns a value without its checksum, and that.
func unsum(bucket, key, value []byte) (plain []byte, sum uint32, ok bool) {
	if len(value) < sumSize {
		return nil, 0, false
	}
	sum = bigEndian.Uint32(value)
	return value[sumSize:], sum, sum == checksum(bucket, key, value[sumSize:])
}

// bucketWriter writes values with their checksums and keeps the digest.
type bucketWriter struct {
	bucket *bbolt.Bucket
	name   []byte
	digest *digest
	arena  []byte // of values, which bbolt needs until the transaction ends
	key    []byte // of which bbolt keeps a copy
}

func writerOf(tx *bbolt.Tx, name []byte, d *digest) (*bucketWriter, error) {
	b, err := tx.CreateBucketIfNotExists(name)
	return &bucketWriter{bucket: b, name: name, digest: d}, err
}

// put writes a value, a nil one deletes it.
func (w *bucketWriter) put(key, value []byte) error {
	const chunk = 1 << 16
	if old := w.bucket.Get(key); len(old) >= sumSize {
		w.digest.remove(bigEndian.Uint32(old))
	}
	if value == nil {
		return w.bucket.Delete(key)
	}
	if n := sumSize + len(value); cap(w.arena)-len(w.arena) < n {
		w.arena = make([]byte, 0, max(n, min(chunk, 2*cap(w.arena))))
	}
	sum, start := checksum(w.name, key, value), len(w.arena)
	w.arena = append(bigEndian.AppendUint32(w.arena, sum), value...)
	w.digest.add(sum)
	return w.bucket.Put(key, w.arena[start:len(w.arena):len(w.arena)])
}

// putAll writes records in the order of their keys, which is what makes a large
// commit fast.
func (w *bucketWriter) putAll(records []stored) error {
	if len(records) > bulk {
		w.bucket.FillPercent = 0.9 // sorted, so pages fill once
	}
	for _, r := range records {
		w.key = append(w.key[:0], r.key...)
		if err := w.put(w.key, r.value); err != nil {
			return fmt.Errorf("%s: %w", r.key, err)
		}
	}
	return nil
}

// putSeal writes the seal.
func putSeal(tx *bbolt.Tx, s *seal) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	w, err := writerOf(tx, metaBucket, new(digest))
	if err != nil {
		return err
	}
	return w.put(sealKey, text)
}

// boltOptions are those of every state file that is written.
func boltOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout: lockTimeout,
		// The array takes the lowest free page, so that the pages of a commit
		// lie together; the map does not, and is slower here. What else bbolt
		// has for speed costs durability, or the check of the free pages.
		FreelistType: bbolt.FreelistArrayType,
		NoStatistics: true,
		// A mapping that is too small is replaced in the middle of the commit
		// that needs more, for which bbolt copies all nodes that it has changed
		// by then: a third of a large commit. The file stays small: it grows in
		// steps of growth.
		InitialMmapSize: mapped,
	}
}

// openBolt opens a state file whose structure was checked.
func openBolt(path string) (db *bbolt.DB, err error) {
	err = guard(func() error {
		if db, err = bbolt.Open(path, 0o600, boltOptions()); err == nil {
			db.AllocSize = growth
		}
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, errLocked()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return db, nil
}

func errLocked() error {
	return fmt.Errorf("%w: stop that agent or choose another directory", ErrLocked)
}

// image is the content of a whole state file, to be written at once.
type image struct {
	check   []byte // the sealed key-check
	seal    seal   // without digests
	records []stored
	startup []stored
	history []stored
	notes   []stored
}

// createBolt writes a state file beside its name and then puts it there, so
// that a crash leaves the old one or none.
func createBolt(fs FS, path string, im *image) error {
	beside := path + ".new"
	if err := removeOld(beside); err != nil {
		return err
	}
	err := fs.Transaction(func() error {
		db, err := openBolt(beside)
		if err != nil {
			return err
		}
		return errors.Join(guard(func() error { return db.Update(im.write) }), db.Close())
	})
	if err == nil {
		err = fs.Rename(beside, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("create %s: %w", path, err), removeOld(beside))
	}
	return nil
}

func removeOld(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (im *image) write(tx *bbolt.Tx) error {
	s := im.seal
	s.Records, s.Startup, s.History, s.Notes = digest{}, digest{}, digest{}, digest{}
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	if err := errors.Join(meta.Put(formatKey, []byte(strconv.Itoa(format))), meta.Put(checkKey, im.check)); err != nil {
		return err
	}
	for _, part := range []struct {
		name   []byte
		digest *digest
		values []stored
	}{
		{recordBucket, &s.Records, im.records},
		{startupBucket, &s.Startup, im.startup},
		{historyBucket, &s.History, im.history},
		{metaBucket, &s.Notes, im.notes},
	} {
		if part.values == nil && string(part.name) == string(startupBucket) {
			continue
		}
		w, err := writerOf(tx, part.name, part.digest)
		if err != nil {
			return err
		}
		slices.SortFunc(part.values, stored.compare)
		if err := w.putAll(part.values); err != nil {
			return err
		}
	}
	return putSeal(tx, &s)
}

// guard makes an error of a fault or a panic within bbolt, which is how it
// meets a damaged file: the sessions of a running agent must not end for it.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	if err = fn(); errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// historyKey is that of a revision.
func historyKey(revision uint64) schema.Key {
	return schema.Key(bigEndian.AppendUint64(nil, revision))
}

func isNote(key []byte) (name string, ok bool) { return strings.CutPrefix(string(key), notePrefix) }

func statePath(dir string) string { return filepath.Join(dir, stateFile) }
