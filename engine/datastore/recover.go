package datastore

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mooring/engine/schema"
)

// RecoverOptions are what Recover is told.
type RecoverOptions struct {
	Revision uint64                 // that the state is to have
	Keep     func(note string) bool // which notes are kept if that is not the last one
	Now      time.Time
}

// Recovered is what Recover did.
type Recovered struct {
	Beside string   // the folder with the files as they were
	Left   []string // records that are not whole, or not valid without those
}

// Recover makes of what is whole in a state directory a state of a revision, and
// keeps the files that it replaces in a folder beside them. It fails with nothing
// changed if the revision cannot be had.
func Recover(dir string, o RecoverOptions) (*Recovered, error) {
	r, err := inspect(dir)
	if err != nil {
		return nil, err
	}
	done, err := r.recover(o)
	return done, errors.Join(err, r.release())
}

func (r *reader) recover(o RecoverOptions) (*Recovered, error) {
	switch last := r.report().Revision; {
	case r.format == "1":
		return nil, errors.New("the state is of format 1: start the agent, which upgrades it, first")
	case r.db == nil || !r.sealed:
		return nil, fmt.Errorf("%s is not there or not readable, and the journal has only what came after it: put back a backup", statePath(r.dir))
	case o.Revision > last:
		return nil, fmt.Errorf("revision %d is not whole: the last one that is is %d", o.Revision, last)
	case o.Revision < last:
		if err := r.goBack(last, o.Revision); err != nil {
			return nil, err
		}
		for name := range r.notes {
			if !o.Keep(name) {
				delete(r.notes, name)
			}
		}
	}
	left := r.drop()
	beside := filepath.Join(r.dir, "before-recover-"+o.Now.UTC().Format("20060102T150405Z"))
	if err := keepBeside(r.dir, beside, stateFile, journalFile, markFile); err != nil {
		return nil, err
	}
	im, err := r.image(o)
	if err == nil {
		err = r.unlock()
	}
	if err == nil {
		err = writeState(OS(), r.dir, im)
	}
	if err != nil {
		return nil, err
	}
	return &Recovered{Beside: beside, Left: left}, nil
}

// goBack leads the records from one revision to an earlier one, by the way back
// that each commit has.
func (r *reader) goBack(from, to uint64) error {
	for ; from > to; from-- {
		var e entry
		if err := json.Unmarshal(r.entryText(from), &e); err != nil || e.TooLarge {
			return fmt.Errorf("the way back from revision %d is not kept or not whole", from)
		}
		for _, u := range e.Undo {
			if u.Value == nil {
				r.tree.records.Delete(u.Key)
				continue
			}
			k, rec, err := decodeRecord(r.sealer, []byte(u.Key), u.Value)
			if err != nil {
				return fmt.Errorf("the way back from revision %d: %w", from, err)
			}
			r.tree.records.Set(k, rec)
			r.broken = slices.DeleteFunc(r.broken, func(b schema.Key) bool { return b == k })
		}
	}
	return nil
}

func (r *reader) entryText(revision uint64) []byte {
	for i := range r.pending.history {
		if b := &r.pending.history[i]; b.revision == revision {
			return b.entry
		}
	}
	return r.kept[revision]
}

// drop removes what is not valid because something else is not whole, and
// returns all that is left out.
func (r *reader) drop() (left []string) {
	for _, k := range r.broken {
		left = append(left, k.String())
	}
	for range 10 { // what is invalid without what was invalid, and so on
		t := newTree()
		var entries []string
		r.tree.records.Scan(func(k schema.Key, rec ygotStruct) bool {
			t.records.Load(k, rec)
			entries = schema.IndexEntries(k, rec, entries)
			return true
		})
		t.loadIndex(entries)
		r.tree = t
		errs := schema.Validate(newSnapshot(t, 0), diff(newTree(), t))
		if len(errs) == 0 {
			break
		}
		for _, e := range errs {
			if k := r.holder(e.Path.String()); k != "" {
				left = append(left, k.String())
				r.tree.records.Delete(k)
			}
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

// holder is the record that a path is in.
func (r *reader) holder(path string) (best schema.Key) {
	longest := 0
	r.tree.records.Scan(func(k schema.Key, _ ygotStruct) bool {
		if p := k.Path().String(); len(p) > longest && strings.HasPrefix(path, p) {
			best, longest = k, len(p)
		}
		return true
	})
	return best
}

// image is the state that was recovered.
func (r *reader) image(o RecoverOptions) (*image, error) {
	im := &image{check: r.check, seal: seal{Round: max(r.seal.Round, r.reach.round) + 1, Revision: o.Revision}}
	if r.round.later != nil {
		im.seal.Round = max(im.seal.Round, r.round.later.round+1)
	}
	var writes []write
	r.tree.records.Scan(func(k schema.Key, rec ygotStruct) bool {
		writes = append(writes, write{key: k, record: rec})
		return true
	})
	im.records = encode(r.sealer, writes)
	for _, k := range schema.Permanent() {
		if _, found := r.tree.records.Get(k); !found {
			im.records = append(im.records, encode(r.sealer, []write{{key: k, record: schema.New(k)}})...)
		}
	}
	for name, text := range r.notes {
		im.notes = append(im.notes, stored{key: schema.Key(noteKey(name)), value: text})
	}
	// The history is kept as far as it leads to the revision without a gap.
	at := o.Revision
	for ; at > 0; at-- {
		text := r.entryText(at)
		if text == nil {
			break
		}
		im.history = append(im.history, stored{key: historyKey(at), value: text})
	}
	if at == o.Revision && at > 0 {
		text, err := json.Marshal(&entry{
			Commit:   Commit{Revision: at, Meta: Meta{CommitID: fmt.Sprint(at), Protocol: "recovery", Time: o.Now, Comment: "the entry was damaged"}},
			TooLarge: true,
		})
		if err != nil {
			return nil, err
		}
		im.history = append(im.history, stored{key: historyKey(at), value: text})
	}
	return im, r.startupOf(im)
}

// startupOf adds the records of startup that are whole.
func (r *reader) startupOf(im *image) error {
	return r.walk0(startupBucket, func(key, value []byte) error {
		if plain, _, ok := unsum(startupBucket, key, value); ok {
			im.startup = append(im.startup, stored{key: schema.Key(key), value: append([]byte{}, plain...)})
		}
		return nil
	})
}

// keepBeside copies files of a directory that are there into a folder.
func keepBeside(dir, folder string, names ...string) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// randomName makes a name that is not there yet.
func randomName() string { return rand.Text()[:8] }
