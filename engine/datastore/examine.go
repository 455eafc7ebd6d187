package datastore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// reader makes sense of the files of a state directory, which it does not
// change. A strict one ends at the first thing that is wrong, a tolerant one
// notes it and takes the rest.
type reader struct {
	*found
	*sealer
	tolerant bool
	damages  []*Damage

	check   []byte // the sealed key-check
	format  string
	seal    seal
	sealed  bool // seal was read
	have    seal // what the digests are
	state   uint64
	reach   reach
	round   *round
	pending pending
	notes   map[string][]byte
	history []Commit
	kept    map[uint64][]byte // JSON of the entries in the state file, by revision; only for a tolerant reader
	tree    tree
	broken  []schema.Key // records that are not whole
}

func (r *reader) damage(file, lost, format string, args ...any) error {
	d := &Damage{File: filepath.Join(r.dir, file), What: fmt.Sprintf(format, args...), Lost: lost}
	r.damages = append(r.damages, d)
	if r.tolerant {
		return nil
	}
	return d
}

// examine reads everything. The first error is a *Damage, or says why the state
// cannot be judged at all.
func (r *reader) examine() error {
	for _, step := range []func() error{r.readMeta, r.readKey, r.readReach, r.readJournal, r.replay, r.readRecords, r.validate} {
		if err := guard(step); err != nil {
			return err
		}
	}
	return nil
}

// walk walks the state file and notes what is wrong with it.
func (r *reader) walk(each func(bucket string, key, value []byte) error) error {
	return r.bad(walkBoltOver(r.db, each, r.bad))
}

// bad notes what is wrong with the structure of the state file. What each has
// noted already is not noted again.
func (r *reader) bad(err error) error {
	if d, noted := errors.AsType[*Damage](err); noted {
		return d
	}
	if err == nil {
		return nil
	}
	return r.damage(stateFile, "", "%v", err)
}

// readMeta checks the structure of the state file, and reads its meta bucket
// and the history.
func (r *reader) readMeta() error {
	if r.db == nil {
		return nil // it was noted that it is missing
	}
	if len(r.db) == 0 {
		return r.damage(stateFile, "", "it is empty")
	}
	if _, ok := newestMeta(r.db); !ok {
		return r.damage(stateFile, "", "neither of its two meta pages is whole")
	}
	r.notes, r.kept = map[string][]byte{}, map[uint64][]byte{}
	err := r.walk(func(bucket string, key, value []byte) error {
		switch bucket {
		case string(metaBucket):
			return r.metaValue(key, value)
		case string(historyBucket):
			return r.historyValue(key, value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case r.format == "1" && r.sealed || r.format == "" || r.check == nil:
		return r.damage(stateFile, "", "its bucket meta is not whole")
	case r.format == "1":
		return errFormat1
	case r.format != strconv.Itoa(format):
		return fmt.Errorf("%w: %s has format %s, this agent knows format %d: start the agent that wrote it, or a newer one",
			ErrFormat, statePath(r.dir), r.format, format)
	case !r.sealed:
		return r.damage(stateFile, "", "its seal is missing or damaged")
	case r.have.Notes != r.seal.Notes:
		return r.damage(stateFile, "notes of a confirmed or guarded commit are missing", "its bucket meta is not whole")
	case r.have.History != r.seal.History || r.seal.Revision != revisionOf(r.history):
		return r.damage(stateFile, "a part of the history is missing", "its bucket history is not whole")
	}
	return nil
}

// Errors of readMeta that are no damage.
var errFormat1 = fmt.Errorf("%w: format 1", ErrFormat)

func (r *reader) metaValue(key, value []byte) error {
	name, note := isNote(key)
	switch {
	case bytes.Equal(key, formatKey):
		r.format = string(value)
		return nil
	case bytes.Equal(key, checkKey):
		r.check = bytes.Clone(value)
		return nil
	case r.format == "1": // it comes before
		r.notes[name] = bytes.Clone(value)
		return nil
	}
	plain, sum, ok := unsum(metaBucket, key, value)
	switch {
	case !ok && (note || bytes.Equal(key, sealKey)):
		return r.damage(stateFile, "", "the value of %s is damaged", key)
	case note:
		r.notes[name] = bytes.Clone(plain)
		r.have.Notes.add(sum)
	case bytes.Equal(key, sealKey):
		if err := json.Unmarshal(plain, &r.seal); err != nil {
			return r.damage(stateFile, "", "its seal is damaged: %v", err)
		}
		r.sealed = true
	}
	return nil
}

func (r *reader) historyValue(key, value []byte) error {
	if len(key) != 8 {
		return r.damage(stateFile, "", "the key of an entry of the history is damaged")
	}
	revision := bigEndian.Uint64(key)
	plain, sum, ok := unsum(historyBucket, key, value)
	var c Commit
	if !ok || json.Unmarshal(plain, &c) != nil || c.Revision != revision {
		// The meta bucket comes later, so the format is not known yet.
		if json.Unmarshal(value, &c) == nil && c.Revision == revision {
			r.history = append(r.history, c)
			return nil
		}
		return r.damage(stateFile, "", "the entry of revision %d of the history is damaged", revision)
	}
	r.have.History.add(sum)
	if r.tolerant {
		r.kept[revision] = plain
	}
	r.history = append(r.history, c)
	return nil
}

// readKey opens the key file and checks that it is that of the state.
func (r *reader) readKey() (err error) {
	if r.check == nil {
		return nil // only a tolerant reader comes here
	}
	r.state = stateOf(r.check)
	if r.sealer, err = loadSealer(r.dir, false); err != nil {
		return err
	}
	if plain, err := r.open(r.check, checkKey); err != nil || string(plain) != keyCheck {
		return fmt.Errorf("%w: %s is not the key that %s was written with: put back the copy from the backup of this directory",
			ErrKeyFile, filepath.Join(r.dir, keyFile), statePath(r.dir))
	}
	return nil
}

// stateOf is unique to a state, as its sealed key-check is.
func stateOf(check []byte) uint64 {
	sum := sha256.Sum256(check)
	return bigEndian.Uint64(sum[:])
}

// shortID is the name of a state for people and clients.
func shortID(state uint64) string {
	return hex.EncodeToString(bigEndian.AppendUint64(nil, state)[:4])
}

// readReach reads the mark and compares it with the state file.
func (r *reader) readReach() error {
	var ok bool
	switch r.reach, ok = readMark(r.mark); {
	case r.mark == nil:
		return r.damage(markFile, "", "it is missing, so nobody knows how far the state had come")
	case !ok:
		return r.damage(markFile, "", "it is damaged, so nobody knows how far the state had come")
	case r.check == nil:
		return nil
	case r.reach.state != r.state:
		r.reach = reach{}
		return r.damage(markFile, "", "it belongs to another state than %s", stateFile)
	case r.reach.round > r.seal.Round && r.sealed:
		return r.damage(stateFile, missing(r.seal.Revision, r.reach.revision),
			"it is an older copy, or lost its last write: it ends at revision %d", r.seal.Revision)
	}
	return nil
}

// missing names the revisions between the last whole one and the last one.
func missing(whole, last uint64) string {
	switch {
	case last <= whole:
		return "a change of a confirmed or guarded commit is missing"
	case last == whole+1:
		return fmt.Sprintf("revision %d is missing", last)
	}
	return fmt.Sprintf("revisions %d to %d are missing", whole+1, last)
}

// readJournal finds what the journal has beyond the state file.
func (r *reader) readJournal() error {
	r.round = readRound(r.journal, place{state: r.state, round: r.seal.Round})
	if !r.sealed {
		return nil
	}
	n := uint32(len(r.round.frames)) //nolint:gosec // as many as there are blocks
	last := max(r.reach.revision, furthest(r.round.behind))
	lost := missing(r.wholeUpTo(), last)
	counted := r.reach.round == r.seal.Round && r.reach.frames > 0
	switch {
	case r.round.later != nil:
		return r.damage(stateFile, missing(r.seal.Revision, r.round.later.revision), "it is an older copy: the journal is of a later time")
	case counted && r.reach.frames > n && len(r.journal) == 0:
		return r.damage(journalFile, lost, "it is missing or empty")
	case counted && r.reach.frames > n && n == 0 && r.round.other != nil:
		return r.damage(journalFile, lost, "it belongs to another state than %s", stateFile)
	case counted && r.reach.frames > n:
		return r.damage(journalFile, lost, "it is damaged, cut short or an older copy: %d of %d writes are whole", n, r.reach.frames)
	case len(r.round.behind) > 0:
		return r.damage(journalFile, lost, "write %d is damaged, and %d later ones are whole", n+1, len(r.round.behind))
	case counted && r.round.frames[r.reach.frames-1].sum != r.reach.sum:
		return r.damage(journalFile, "", "write %d is not the one that was answered", r.reach.frames)
	}
	return nil
}

func furthest(frames []*frame) (last uint64) {
	for _, f := range frames {
		last = max(last, f.revision)
	}
	return last
}

// wholeUpTo is the revision that the state file and the frames lead to.
func (r *reader) wholeUpTo() uint64 {
	at := r.seal.Revision
	for _, f := range r.round.frames {
		at = f.after(at)
	}
	return at
}

// after is the running revision after a frame.
func (f *frame) after(revision uint64) uint64 {
	switch {
	case f.kind == frameWrite:
		return f.revision
	case f.revision == revision && revision > 0:
		return revision - 1
	}
	return revision
}

// replay makes pending what the journal has beyond the state file.
func (r *reader) replay() error {
	r.pending.records = map[schema.Key][]byte{}
	var last *batch // written, and may yet be aborted
	at := r.seal.Revision
	for i, f := range r.round.frames {
		switch {
		case f.kind == frameAbort && f.revision == 0: // it only covers what failed
		case f.kind == frameAbort && last != nil && last.revision == f.revision:
			last, at = nil, at-1
		case f.kind == frameAbort && i == 0 && f.revision == at && at > 0:
			if err := r.voided(at); err != nil {
				return err
			}
			r.pending.notes = f.notes
			at--
		case f.kind == frameWrite && f.entry == nil && f.revision == at:
			r.settled(last)
			last = nil
			r.pending.add(&f.batch)
		case f.kind == frameWrite && f.entry != nil && f.revision == at+1:
			r.settled(last)
			last, at = &f.batch, f.revision
		default:
			return r.damage(journalFile, "", "write %d does not follow the one before", f.seq)
		}
	}
	r.settled(last)
	for _, n := range r.pending.notes {
		if r.notes[string(n.key)] = n.value; n.value == nil {
			delete(r.notes, string(n.key))
		}
	}
	for i := range r.pending.history {
		b := &r.pending.history[i]
		var c Commit
		if err := json.Unmarshal(b.entry, &c); err != nil || c.Revision != b.revision {
			return r.damage(journalFile, "", "the entry of revision %d is damaged", b.revision)
		}
		r.history = append(r.history, c)
	}
	return nil
}

func (r *reader) settled(b *batch) {
	if b != nil {
		r.pending.add(b)
	}
}

// voided takes back a commit that is in the state file and was aborted after.
func (r *reader) voided(revision uint64) error {
	var raw []byte
	err := r.walk0(historyBucket, func(key, value []byte) error {
		if string(key) == string(historyKey(revision)) {
			raw = bytes.Clone(value[min(sumSize, len(value)):])
		}
		return nil
	})
	var e entry
	if err != nil || json.Unmarshal(raw, &e) != nil || e.TooLarge {
		return r.damage(stateFile, "", "revision %d does not count, and the way back from it is not whole", revision)
	}
	r.pending.void(revision, e.Undo)
	r.history = slices.DeleteFunc(r.history, func(c Commit) bool { return c.Revision == revision })
	return nil
}

// walk0 calls each for what a bucket holds, of a file that was checked.
func (r *reader) walk0(bucket []byte, each func(key, value []byte) error) error {
	return walkBoltOver(r.db, func(name string, key, value []byte) error {
		if name != string(bucket) {
			return nil
		}
		return each(key, value)
	}, func(err error) error {
		if r.tolerant {
			return nil
		}
		return err
	})
}

// readRecords reads the records that are not pending, which come in key order,
// for which the tree has a fast way in; and then those that are.
func (r *reader) readRecords() error {
	r.tree = newTree()
	if _, ok := newestMeta(r.db); !ok {
		return nil // readMeta has noted it
	}
	var entries []string
	take := func(file string, set func(schema.Key, ygot.GoStruct), key, value []byte) error {
		k, rec, err := decodeRecord(r.sealer, key, value)
		if err != nil {
			r.broken = append(r.broken, k)
			return r.damage(file, "", "%v", err)
		}
		entries = schema.IndexEntries(k, rec, entries)
		set(k, rec)
		return nil
	}
	load := func(k schema.Key, rec ygot.GoStruct) { r.tree.records.Load(k, rec) }
	err := walkBoltOver(r.db, func(bucket string, key, value []byte) error {
		d := &r.have.Records
		switch bucket {
		case string(startupBucket):
			d = &r.have.Startup
		case string(recordBucket):
		default:
			return nil
		}
		plain, sum, ok := unsum([]byte(bucket), key, value)
		if !ok {
			if bucket == string(recordBucket) {
				r.broken = append(r.broken, schema.Key(key))
			}
			return r.damage(stateFile, "", "record %s of %s is damaged", schema.Key(key), bucket)
		}
		d.add(sum)
		if _, newer := r.pending.records[schema.Key(key)]; newer || bucket != string(recordBucket) {
			return nil
		}
		return take(stateFile, load, key, plain)
	}, func(err error) error {
		if r.tolerant {
			return nil // readMeta has noted it
		}
		return r.bad(err)
	})
	if err = r.bad(err); err != nil {
		return err
	}
	if r.sealed && (r.have.Records != r.seal.Records || r.have.Startup != r.seal.Startup) {
		if err := r.damage(stateFile, "", "%d of %d records are there, of startup %d of %d, and not all are those that were written",
			r.have.Records.Count, r.seal.Records.Count, r.have.Startup.Count, r.seal.Startup.Count); err != nil {
			return err
		}
	}
	set := func(k schema.Key, rec ygot.GoStruct) { r.tree.records.Set(k, rec) }
	for _, p := range r.pending.sorted() {
		if p.value == nil {
			continue
		}
		if err := take(journalFile, set, []byte(p.key), p.value); err != nil {
			return err
		}
	}
	r.tree.loadIndex(entries)
	return nil
}

// decodeRecord reads a record as it stands on disk.
func decodeRecord(s *sealer, key, value []byte) (schema.Key, ygot.GoStruct, error) {
	k := schema.Key(key)
	if k.Kind() == nil {
		return k, nil, fmt.Errorf("record %q is of no known kind", k)
	}
	rec, err := schema.DecodeRecord(k.Kind(), value, func(sealed []byte) ([]byte, error) { return s.open(sealed, key) })
	if err != nil {
		return k, nil, fmt.Errorf("record %s: %w", k, err)
	}
	return k, rec, nil
}

// validate checks what was read by the rules of the model.
func (r *reader) validate() error {
	if len(r.broken) > 0 {
		return nil
	}
	for _, err := range schema.Validate(newSnapshot(r.tree, 0), diff(newTree(), r.tree)) {
		if err := r.damage(stateFile, "", "what it holds is not valid: %v", err); err != nil {
			return err
		}
	}
	return nil
}
