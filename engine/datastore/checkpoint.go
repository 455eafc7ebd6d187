package datastore

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
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
	notes   []stored              // the later one wins
	voided  uint64                // a revision of the state file that does not count, 0 for none
}

func (p *pending) add(b *batch) {
	for _, r := range b.records {
		p.records[r.key] = r.value
	}
	if b.entry != nil {
		p.history = append(p.history, batch{revision: b.revision, entry: b.entry})
	}
	p.notes = append(p.notes, b.notes...)
}

// void takes back a commit that is in the state file.
func (p *pending) void(revision uint64, back []undo) {
	for _, u := range back {
		p.records[u.Key] = u.Value
	}
	p.voided = revision
}

// revision is the last one, where that of the state file is known.
func (p *pending) revision(file uint64) uint64 {
	switch {
	case len(p.history) > 0:
		return p.history[len(p.history)-1].revision
	case p.voided > 0:
		return p.voided - 1
	}
	return file
}

func (p *pending) empty() bool {
	return len(p.history) == 0 && len(p.notes) == 0 && p.voided == 0
}

func (p *pending) clear() {
	clear(p.records)
	clear(p.history)
	p.history, p.notes, p.voided = p.history[:0], nil, 0
}

func recordsOf(list []stored) map[schema.Key][]byte {
	out := make(map[schema.Key][]byte, len(list))
	for _, s := range list {
		out[s.key] = s.value
	}
	return out
}

// sorted returns the records in the order of their keys.
func (p *pending) sorted() []stored { return sortedRecords(p.records) }

func sortedRecords(m map[schema.Key][]byte) []stored {
	out := make([]stored, 0, len(m))
	for k, value := range m {
		out = append(out, stored{key: k, value: value})
	}
	slices.SortFunc(out, stored.compare)
	return out
}

// storedNotes returns notes as they stand on disk, sorted.
func storedNotes(notes map[string][]byte) []stored {
	out := make([]stored, 0, len(notes))
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		out = append(out, stored{key: schema.Key(name), value: notes[name]})
	}
	return out
}

// checkpoint writes what is pending, and then a batch if there is one, into the
// state file, in one transaction, and begins a round of the journal. An error
// means that the state file is as before, unless dbDoubt is set.
func (f *files) checkpoint(b *batch, oldest uint64) error { return f.transact(b, nil, oldest) }

// transact is checkpoint that changes startup too.
func (f *files) transact(b *batch, startup []stored, oldest uint64) error {
	next := f.seal
	was := f.metas()
	err := f.fs.Transaction(func() error {
		return guard(func() error {
			return f.db.Update(func(tx *bbolt.Tx) error {
				next = f.seal
				return f.writeAll(tx, &next, b, startup, oldest)
			})
		})
	})
	if err != nil {
		if was == nil || !bytes.Equal(was, f.metas()) {
			f.mayHave(&next)
		}
		return err
	}
	f.dbDoubt, f.startups = false, nil
	f.seal = next
	f.pending.clear()
	f.journal.restart(next.Round)
	f.advance()
	return nil
}

// mayHave notes that the state file may hold a write that failed. bbolt goes on
// from what it sees there, so the next write must too. It counts for nothing
// before that has succeeded: until then the journal is not written.
func (f *files) mayHave(next *seal) {
	f.dbDoubt = true
	var text []byte
	err := f.view(func(tx *bbolt.Tx) error {
		text, _, _ = unsum(metaBucket, sealKey, bytes.Clone(tx.Bucket(metaBucket).Get(sealKey)))
		return nil
	})
	var s seal
	if err == nil && json.Unmarshal(text, &s) == nil && s.Round == next.Round {
		f.seal = s
		f.pending.clear()
		f.journal.restart(s.Round)
	}
}

// metas returns the meta pages of the state file, nil if they cannot be read:
// if they are as before, a write that failed has left nothing that counts.
func (f *files) metas() []byte {
	data, err := readFile(f.path(), 2*int64(os.Getpagesize()))
	if err != nil {
		return nil
	}
	return data
}

// writeAll is the content of a transaction; s becomes the seal after it.
func (f *files) writeAll(tx *bbolt.Tx, s *seal, b *batch, startup []stored, oldest uint64) error {
	history, notes, lists := f.pending.history, f.pending.notes, [][]stored{f.pending.sorted()}
	s.Round++
	s.Revision = f.pending.revision(s.Revision)
	if b != nil {
		lists, notes = append(lists, b.records), append(slices.Clip(notes), b.notes...)
		if b.entry != nil {
			history, s.Revision = append(slices.Clone(history), *b), b.revision
		}
	}
	records, err := writerOf(tx, recordBucket, &s.Records)
	if err != nil {
		return err
	}
	for _, list := range lists {
		if err := records.putAll(list); err != nil {
			return err
		}
	}
	if err := f.writeHistory(tx, s, history, oldest); err != nil {
		return err
	}
	meta, err := writerOf(tx, metaBucket, &s.Notes)
	if err != nil {
		return err
	}
	for _, n := range notes {
		if err := meta.put(noteKey(string(n.key)), n.value); err != nil {
			return err
		}
	}
	if startup = append(slices.Clip(f.startups), startup...); len(startup) > 0 {
		w, err := writerOf(tx, startupBucket, &s.Startup)
		if err != nil {
			return err
		}
		if err := w.putAll(startup); err != nil {
			return err
		}
	}
	return putSeal(tx, s)
}

// writeHistory writes the last commits and removes what is older than oldest.
func (f *files) writeHistory(tx *bbolt.Tx, s *seal, history []batch, oldest uint64) error {
	w, err := writerOf(tx, historyBucket, &s.History)
	if err != nil {
		return err
	}
	if f.pending.voided > 0 {
		if err := w.put([]byte(historyKey(f.pending.voided)), nil); err != nil {
			return err
		}
	}
	for _, b := range history {
		if b.revision < oldest {
			continue
		}
		if err := w.put([]byte(historyKey(b.revision)), b.entry); err != nil {
			return err
		}
	}
	for {
		first, _ := w.bucket.Cursor().First()
		if first == nil || bigEndian.Uint64(first) >= oldest {
			return nil
		}
		if err := w.put(bytes.Clone(first), nil); err != nil {
			return err
		}
	}
}

// encode makes of records what stands on disk. The values live in chunks: of
// few records they are small, and those of many are not each on their own.
func encode(s *sealer, writes []write) []stored {
	const most, expected = 1 << 16, 1 << 10 // octets of a chunk, of a record
	out := make([]stored, len(writes))
	var context, chunk []byte
	seal := func(plain []byte) []byte { return s.seal(plain, context) }
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

// permanent are the records that always exist.
func permanent(s *sealer) []stored {
	var writes []write
	for _, k := range schema.Permanent() {
		writes = append(writes, write{key: k, record: schema.New(k)})
	}
	return encode(s, writes)
}
