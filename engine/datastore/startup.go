package datastore

import (
	"fmt"

	"github.com/openconfig/ygot/ygot"
	"go.etcd.io/bbolt"

	"mooring/engine/schema"
)

// startupBucket holds startup as recordBucket does running. It is there once
// startup was saved.
var startupBucket = []byte("startup")

// OpenStartup loads the startup datastore (RFC 6241 8.7), which is served from
// then on. Where none was ever saved it becomes what running is.
func (s *Store) OpenStartup() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	t, found, err := s.file.loadStartup(s.latest)
	if err != nil {
		return fmt.Errorf("load startup: %w", err)
	}
	if !found {
		_, err := s.saveStartup(newSnapshot(newTree(), 0), s.latest)
		return err
	}
	snap := newSnapshot(t, 0)
	snap.version = NoVersion
	s.startup.Store(snap)
	return nil
}

// Startup returns the startup datastore, nil where it is not served.
func (s *Store) Startup() *Snapshot { return s.startup.Load() }

// Blank is a configuration with nothing in it but what always exists.
func Blank() *Snapshot {
	t := newSnapshot(newTree(), 0).begin()
	defer t.Discard()
	for _, k := range schema.Permanent() {
		t.Mutable(k)
	}
	return t.snapshot(0)
}

// SaveStartup makes snap the startup datastore for h. It is durable when it
// returns, all of it or nothing, and costs a transaction of the state file with
// the records that differ. It returns these. Where another one holds the lock
// it fails with a *LockedError.
func (s *Store) SaveStartup(h Holder, snap *Snapshot) ([]schema.Dirty, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.CheckWrite(DatastoreStartup, h); err != nil {
		return nil, err
	}
	return s.saveStartup(s.startup.Load(), snap)
}

func (s *Store) saveStartup(old, snap *Snapshot) ([]schema.Dirty, error) {
	dirty := Diff(old, snap)
	writes := make([]write, len(dirty))
	for i, d := range dirty {
		writes[i] = write{key: d.Key, record: d.New}
	}
	if err := s.file.writeStartup(s.file.encode(writes)); err != nil {
		return nil, fmt.Errorf("write startup: %w", err)
	}
	s.startup.Store(snap)
	return dirty, nil
}

func (f *file) writeStartup(records []stored) error {
	if f.closed {
		return ErrClosed
	}
	return f.update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(startupBucket)
		if err != nil {
			return err
		}
		return putRecords(bucket, records)
	})
}

// loadStartup reads startup and says whether there is one. A record that is
// the same in running is kept once.
func (f *file) loadStartup(running *Snapshot) (t tree, found bool, err error) {
	t = newTree()
	var entries []string
	err = f.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(startupBucket)
		if bucket == nil {
			return nil
		}
		found = true
		return bucket.ForEach(func(key, value []byte) error {
			k, rec, err := f.decode(f.path, key, value)
			if err != nil {
				return err
			}
			if now := running.Get(k); same(now, rec) {
				rec = now
			}
			t.records.Load(k, rec)
			entries = schema.IndexEntries(k, rec, entries)
			return nil
		})
	})
	t.loadIndex(entries)
	return t, found, err
}

// Diff returns what leads from one configuration to another, sorted by key.
// Records that both share cost next to nothing, the others a comparison.
func Diff(from, to *Snapshot) []schema.Dirty { return diff(from.tree, to.tree) }

func diff(from, to tree) []schema.Dirty {
	var out []schema.Dirty
	add := func(k schema.Key, old, now ygot.GoStruct) {
		if !same(old, now) {
			out = append(out, schema.Dirty{Key: k, Old: old, New: now})
		}
	}
	a, b := from.records.Iter(), to.records.Iter()
	hasA, hasB := a.First(), b.First()
	for hasA || hasB {
		switch {
		case !hasB || hasA && a.Key() < b.Key():
			add(a.Key(), a.Value(), nil)
			hasA = a.Next()
		case !hasA || b.Key() < a.Key():
			add(b.Key(), nil, b.Value())
			hasB = b.Next()
		default:
			add(a.Key(), a.Value(), b.Value())
			hasA, hasB = a.Next(), b.Next()
		}
	}
	return out
}

// Become makes the Txn what snap is.
func (t *Txn) Become(snap *Snapshot) {
	for _, d := range diff(t.tree, snap.tree) {
		t.put(d.Key, d.New)
	}
}
