package datastore

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"mooring/engine/schema"
)

// OpenStartup loads the startup datastore (RFC 6241 8.7), which is served from
// then on. Where none was ever saved it becomes what running is.
func (s *Store) OpenStartup() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	t, found, err := s.disk.loadStartup(s.latest)
	if err != nil {
		return fmt.Errorf("load startup: %w", err)
	}
	if !found {
		_, err := s.saveStartup(newSnapshot(newTree(), 0), s.latest)
		return err
	}
	snap := newSnapshot(t, 0)
	if errs := schema.Validate(snap, Diff(s.latest, snap)); len(errs) > 0 {
		return fmt.Errorf("load startup: it is not valid: %w", errs)
	}
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
	s.waitSettled()
	dirty := Diff(old, snap)
	if err := s.disk.saveStartup(dirty, s.oldest(s.latest.revision)); err != nil {
		return nil, fmt.Errorf("write startup: %w", err)
	}
	s.startup.Store(snap)
	return dirty, nil
}

// saveStartup implements disk. It is a checkpoint too, so that the state file
// is written in one way only.
func (f *files) saveStartup(dirty []schema.Dirty, oldest uint64) error {
	if f.closed {
		return ErrClosed
	}
	if err := f.settle(); err != nil {
		return err
	}
	var olds []write
	for _, d := range dirty {
		olds = append(olds, write{key: d.Key, record: d.Old})
	}
	err := f.transact(nil, encode(f.sealer, writesOf(dirty)), oldest)
	if err != nil && f.dbDoubt {
		f.startups = encode(f.sealer, olds)
		err = errors.Join(err, f.settle())
	}
	return err
}

// loadStartup implements disk.
func (f *files) loadStartup(running *Snapshot) (t tree, found bool, err error) {
	t = newTree()
	var entries []string
	err = f.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(startupBucket)
		if bucket == nil {
			return nil
		}
		found = true
		return bucket.ForEach(func(key, value []byte) error {
			plain, _, ok := unsum(startupBucket, key, value)
			if !ok {
				return &Damage{File: f.path(), What: fmt.Sprintf("record %s of startup is damaged", schema.Key(key))}
			}
			k, rec, err := decodeRecord(f.sealer, key, plain)
			if err != nil {
				return fmt.Errorf("%s: startup: %w", f.path(), err)
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
