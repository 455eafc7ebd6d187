package datastore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"mooring/engine/schema"
)

// bulk is the number of records above which a commit is large: it goes
// straight into the state file, so that it is not written twice.
const bulk = 1000

// pending is what the journal holds and the state file does not.
type pending struct {
	records map[schema.Key][]byte // the last value of each, nil: deleted
	history []batch               // without records
}

func (p *pending) add(b *batch) {
	for _, r := range b.records {
		p.records[r.key] = r.value
	}
	p.history = append(p.history, batch{revision: b.revision, entry: b.entry})
}

func (p *pending) clear() {
	clear(p.records)
	clear(p.history)
	p.history = p.history[:0]
}

// sorted returns the records in the order of their keys.
func (p *pending) sorted() []stored {
	out := make([]stored, 0, len(p.records))
	for k, value := range p.records {
		out = append(out, stored{key: k, value: value})
	}
	slices.SortFunc(out, stored.compare)
	return out
}

// commit makes the records, sorted by key, and the history entry durable, all
// or nothing: in the journal, or where that cannot take them by a checkpoint.
// Of the history nothing before the revision oldest is needed any more.
func (f *file) commit(writes []write, e *entry, oldest uint64) error {
	if f.closed {
		return ErrClosed
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	b := &batch{revision: e.Revision, entry: text, records: f.encode(writes)}
	if !f.direct && len(writes) <= bulk {
		switch fits, err := f.journal.append(b); {
		case err != nil:
			f.direct = true
			return err
		case fits:
			f.pending.add(b)
			return nil
		}
	}
	return f.checkpoint(b, oldest)
}

// checkpoint writes what is pending, and then a commit if there is one, into
// the state file, in one transaction, and begins a round of the journal.
//
// Where it fails, the file may yet hold the commit, of which the caller has
// said that it failed. Only a later commit puts that right, because only
// Persist knows what the records were before, and it must go the same way.
func (f *file) checkpoint(b *batch, oldest uint64) error {
	history, records := f.pending.history, [][]stored{f.pending.sorted()}
	if b != nil {
		history, records = append(slices.Clone(history), *b), append(records, b.records)
	}
	f.direct = true
	err := f.update(func(tx *bbolt.Tx) error {
		for _, r := range records {
			if err := putRecords(tx.Bucket(recordBucket), r); err != nil {
				return err
			}
		}
		return putHistory(tx.Bucket(historyBucket), history, oldest)
	})
	if err != nil {
		return err
	}
	f.pending.clear()
	f.journal.restart()
	f.direct = false
	return nil
}

// encode makes of records what stands on disk. The values live in chunks: of
// few records they are small, and those of many are not each on their own.
func (f *file) encode(writes []write) []stored {
	const most, expected = 1 << 16, 1 << 10 // octets of a chunk, of a record
	out := make([]stored, len(writes))
	var context, chunk []byte
	seal := func(plain []byte) []byte { return f.seal(plain, context) }
	for i, w := range writes {
		out[i].key = w.key
		if w.record == nil {
			continue
		}
		context = append(context[:0], w.key...)
		if cap(chunk)-len(chunk) < expected {
			chunk = make([]byte, 0, min(most, expected*(len(writes)-i)))
		}
		start := len(chunk)
		chunk = schema.AppendRecord(chunk, w.record, seal)
		out[i].value = chunk[start:len(chunk):len(chunk)]
	}
	return out
}

// putRecords writes records in the order of their keys, which is what makes a
// large commit fast. bbolt needs the values until the transaction ends.
func putRecords(bucket *bbolt.Bucket, records []stored) error {
	if len(records) > bulk {
		bucket.FillPercent = 0.9 // sorted, so pages fill once
	}
	var key []byte // bbolt keeps a copy
	for _, r := range records {
		key = append(key[:0], r.key...)
		if r.value == nil {
			if err := bucket.Delete(key); err != nil {
				return err
			}
			continue
		}
		if err := bucket.Put(key, r.value); err != nil {
			return fmt.Errorf("%s: %w", r.key, err)
		}
	}
	return nil
}

// putHistory writes the last commits and removes what is older than oldest.
func putHistory(bucket *bbolt.Bucket, history []batch, oldest uint64) error {
	for _, b := range history {
		if b.revision < oldest {
			continue
		}
		if err := bucket.Put(binary.BigEndian.AppendUint64(nil, b.revision), b.entry); err != nil {
			return err
		}
	}
	for {
		first, _ := bucket.Cursor().First()
		if first == nil || binary.BigEndian.Uint64(first) >= oldest {
			return nil
		}
		if err := bucket.Delete(first); err != nil {
			return err
		}
	}
}
