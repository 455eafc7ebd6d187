package datastore

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/openconfig/ygot/ygot"
	"go.etcd.io/bbolt"

	"mooring/engine/schema"
)

// load reads the history and all records, and makes pending what the journal
// has of them.
func (f *file) load() (tree, []Commit, error) {
	history, err := f.loadHistory()
	if err != nil {
		return tree{}, nil, err
	}
	err = f.journal.replay(revisionOf(history), func(b *batch) error {
		f.pending.add(b)
		var c Commit
		if err := json.Unmarshal(b.entry, &c); err != nil {
			return err
		}
		c.Revision = b.revision
		history = append(history, c)
		return nil
	})
	if err != nil {
		return tree{}, nil, err
	}
	t, err := f.loadRecords()
	return t, history, err
}

// revisionOf is that of the last commit.
func revisionOf(history []Commit) uint64 {
	if len(history) == 0 {
		return 0
	}
	return history[len(history)-1].Revision
}

// versionOf is the revision of the last commit that changed something. Where
// the history holds none, the oldest that it knows of stands for it.
func versionOf(history []Commit) uint64 {
	for i := len(history) - 1; i >= 0; i-- {
		if len(history[i].Changes) > 0 {
			return history[i].Revision
		}
	}
	if len(history) > 0 {
		return history[0].Revision
	}
	return 0
}

func (f *file) loadHistory() ([]Commit, error) {
	var history []Commit
	err := f.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(historyBucket).ForEach(func(_, value []byte) error {
			var c Commit
			if err := json.Unmarshal(value, &c); err != nil {
				return fmt.Errorf("%s: history: %w", f.path, err)
			}
			history = append(history, c)
			return nil
		})
	})
	return history, err
}

// loadRecords reads the records of the file that are not pending, which bbolt
// hands out in key order, for which the tree has a fast way in; and then those
// that are.
func (f *file) loadRecords() (tree, error) {
	t := newTree()
	var entries []string
	decode := func(path string, key, value []byte) (schema.Key, ygot.GoStruct, error) {
		k, rec, err := f.decode(path, key, value)
		if err == nil {
			entries = schema.IndexEntries(k, rec, entries)
		}
		return k, rec, err
	}
	err := f.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(recordBucket).ForEach(func(key, value []byte) error {
			if _, newer := f.pending.records[schema.Key(key)]; newer {
				return nil
			}
			k, rec, err := decode(f.path, key, value)
			if err != nil {
				return err
			}
			t.records.Load(k, rec)
			return nil
		})
	})
	if err != nil {
		return t, err
	}
	for _, r := range f.pending.sorted() {
		if r.value == nil {
			continue
		}
		k, rec, err := decode(f.journal.path, []byte(r.key), r.value)
		if err != nil {
			return t, err
		}
		t.records.Set(k, rec)
	}
	t.loadIndex(entries)
	return t, nil
}

// decode reads a record as it stands on disk, in the file of that path.
func (f *file) decode(path string, key, value []byte) (schema.Key, ygot.GoStruct, error) {
	k := schema.Key(key)
	if k.Kind() == nil {
		return k, nil, fmt.Errorf("%s: record %q is of no known kind", path, k)
	}
	rec, err := schema.DecodeRecord(k.Kind(), value, func(sealed []byte) ([]byte, error) {
		return f.open(sealed, key)
	})
	if err != nil {
		return k, nil, fmt.Errorf("%s: record %s: %w", path, k, err)
	}
	return k, rec, nil
}

// loadIndex fills an empty index.
func (t tree) loadIndex(entries []string) {
	slices.Sort(entries)
	for _, e := range entries {
		t.index.Load(e)
	}
}
