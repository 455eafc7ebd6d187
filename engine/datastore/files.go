package datastore

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"syscall"

	"github.com/openconfig/ygot/ygot"
	"go.etcd.io/bbolt"
)

// files is the disk of the agent: the state file, its journal and its mark.
type files struct {
	fs       FS
	log      *slog.Logger
	dir      string
	db       *bbolt.DB
	journal  *journal
	mark     *mark
	seal     seal // of the state file
	pending  pending
	prepared *prepared // the commit that may yet be aborted
	doubt    *batch    // an abort that the disk has not taken yet
	dbDoubt  bool      // the state file may hold a write that failed: it must be written again
	startups []stored  // what a failed write of startup replaced
	undo     int       // octets of old records of a commit that are kept: maxUndo
	closed   bool
	*sealer
}

// prepared is a commit that is durable and may yet be aborted.
type prepared struct {
	batch
	direct bool     // it is in the state file, not in the journal
	olds   []stored // of direct: what its records were
	kept   bool     // of direct: the history has the way back
	was    []stored // of direct: what its notes were
}

// openFiles opens a state directory or starts one. It returns what is there.
func openFiles(o *Options) (*files, *reader, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	if err := o.FS.Check(o.Dir); err != nil {
		return nil, nil, err
	}
	// Two agents that start at once on a new directory: one makes the files, the
	// other finds them in use.
	opening, err := lockDirectory(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer opening.Close() // and with it the lock
	for {                 // until bbolt has the file that was read
		f, r, again, err := tryOpen(o)
		if err != nil || !again {
			return f, r, err
		}
	}
}

// lockDirectory waits for the lock of a directory, which ends with the file.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f, nil
}

func tryOpen(o *Options) (f *files, r *reader, again bool, err error) {
	have, err := find(o.Dir)
	if err != nil {
		return nil, nil, false, err
	}
	r = &reader{found: have}
	defer func() { err = errors.Join(err, have.release()) }()
	if have.db == nil {
		if err := r.begin(o.FS); err != nil {
			return nil, nil, false, err
		}
		return nil, nil, true, nil
	}
	if err := r.examine(); errors.Is(err, errFormat1) {
		return nil, nil, true, r.upgrade(o)
	} else if err != nil {
		return nil, nil, false, err
	}
	was, _ := newestMeta(have.db)
	if err := have.unlock(); err != nil {
		return nil, nil, false, err
	}
	f = &files{fs: o.FS, log: o.Log, dir: o.Dir, seal: r.seal, pending: r.pending, sealer: r.sealer, undo: maxUndo}
	if err := f.open(r); err != nil {
		return nil, nil, false, errors.Join(err, f.release())
	}
	if is, ok := newestMeta(have.db); !ok || is != was {
		return nil, nil, true, f.release() // another agent was in between
	}
	return f, r, false, nil
}

// open opens the files for writing, after what r has read.
func (f *files) open(r *reader) (err error) {
	if f.db, err = openBolt(statePath(f.dir)); err != nil {
		return err
	}
	if f.journal, err = openJournal(f.fs, f.dir, true); err != nil {
		return err
	}
	f.journal.continueAfter(r.round)
	if f.mark, err = openMark(f.fs, f.dir, false); err != nil {
		return err
	}
	f.mark.last = r.reach
	if err := f.mark.begin(f.reached()); err != nil {
		return fmt.Errorf("write %s: %w", markFile, err)
	}
	return nil
}

// reached is how far the state has come.
func (f *files) reached() reach {
	return reach{
		state: f.journal.state, round: f.journal.round, frames: f.journal.frames(), sum: f.journal.before, revision: f.revision(),
	}
}

// revision is the last one that is durable.
func (f *files) revision() uint64 {
	if f.prepared != nil {
		return f.prepared.revision
	}
	return f.pending.revision(f.seal.Revision)
}

// advance notes how far the state has come. It never fails a commit, which is
// durable by then: what lags behind hides no frame that is whole.
func (f *files) advance() {
	if err := f.mark.set(f.reached()); err != nil {
		f.log.Warn("the mark of the state lags behind: damage of the last commits would not be noticed", "file", markFile, "err", err)
	}
}

// begin starts a state in a directory that has none. A first start that was
// interrupted left at most files that count nothing.
func (r *reader) begin(fs FS) error {
	if reach, ok := readMark(r.mark); r.mark != nil && (!ok || reach.revision > 0 || reach.frames > 0 || reach.round > 1) {
		return r.damage(stateFile, missing(0, reach.revision), "it is missing, and %s says that there was one", markFile)
	}
	if len(r.journal) >= headerSize && bigEndian.Uint64(r.journal[8:]) != 0 {
		return r.damage(stateFile, "", "it is missing, and %s has commits", journalFile)
	}
	s, err := loadSealer(r.dir, true)
	if err != nil {
		return err
	}
	check := s.seal([]byte(keyCheck), checkKey)
	return writeState(fs, r.dir, &image{check: check, seal: seal{Round: 1}, records: permanent(s)})
}

// writeState writes a whole state, with an empty journal. The state file comes
// last, so a crash leaves what was there before, or all of it.
func writeState(fs FS, dir string, im *image) error {
	m, err := openMark(fs, dir, true)
	if err != nil {
		return err
	}
	m.last.serial = 1 << 32 // above what another mark may have left there
	err = m.begin(reach{state: stateOf(im.check), round: im.seal.Round, revision: im.seal.Revision})
	if err = errors.Join(err, m.file.Sync(), m.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", markFile, err)
	}
	return createBolt(fs, statePath(dir), im)
}

// close brings what is pending into the state file, so that the next start
// replays nothing, and releases the files. Where that fails, or something is in
// doubt, the journal keeps it.
func (f *files) close(oldest uint64) error {
	if f.closed {
		return nil
	}
	err := f.settle()
	if err == nil && f.prepared == nil && !f.pending.empty() {
		err = f.checkpoint(nil, oldest)
	}
	return errors.Join(err, f.release())
}

// release closes the files and leaves them as they are.
func (f *files) release() error {
	f.closed = true
	var err error
	if f.journal != nil {
		err = f.journal.file.Close()
	}
	if f.mark != nil {
		err = errors.Join(err, f.mark.file.Close())
	}
	if f.db != nil {
		err = errors.Join(err, f.db.Close())
	}
	return err
}

func (f *files) id() string { return shortID(f.journal.state) }

func (f *files) view(fn func(*bbolt.Tx) error) error {
	return guard(func() error { return f.db.View(fn) })
}

// commit implements disk.
func (f *files) commit(c *commitment) error {
	if f.closed {
		return ErrClosed
	}
	if err := f.settle(); err != nil {
		return err
	}
	b := &batch{kind: frameWrite, revision: c.revision, records: encode(f.sealer, writesOf(c.dirty)), notes: storedNotes(c.notes)}
	var e *entry
	if c.commit != nil {
		limit := f.undo
		if c.goBack {
			limit = math.MaxInt
		}
		e = f.newEntry(c.commit, c.dirty, limit)
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.entry = text
	}
	if len(b.records) <= bulk && f.journal.fits(b, false) {
		return f.append(b)
	}
	err := f.makeRoom(b, e, c)
	if err != nil && c.urgent && !f.dbDoubt && f.journal.fits(b, true) {
		f.log.Warn("the state file takes no writes, what is kept for that is used", "dir", f.dir, "err", err)
		return f.append(b)
	}
	return err
}

// makeRoom commits a batch that the journal has no room for: after a checkpoint,
// or within it.
func (f *files) makeRoom(b *batch, e *entry, c *commitment) error {
	if len(b.records) <= bulk {
		if err := f.checkpoint(nil, c.oldest); err != nil {
			return err
		}
		if f.journal.fits(b, false) {
			return f.append(b)
		}
	}
	p := &prepared{batch: *b, direct: true, kept: e != nil && !e.TooLarge, was: storedNotes(c.oldNotes)}
	olds := make([]write, len(c.dirty))
	for i, d := range c.dirty {
		olds[i] = write{key: d.Key, record: d.Old}
	}
	p.olds = encode(f.sealer, olds)
	err := f.checkpoint(b, c.oldest)
	if err != nil && !f.dbDoubt {
		return err
	}
	if b.entry != nil {
		f.prepared = p
	}
	if err != nil {
		return errors.Join(err, f.abort())
	}
	return nil
}

// append writes the batch that the journal fits.
func (f *files) append(b *batch) error {
	landed, err := f.journal.append()
	switch {
	case err == nil && b.entry != nil:
		f.prepared = &prepared{batch: *b}
	case err == nil:
		f.pending.add(b)
	case !landed:
		return err
	default: // cover it, so that a start does not find it
		f.doubt = &batch{kind: frameAbort}
		return errors.Join(err, f.settle())
	}
	f.advance()
	return nil
}

// applied implements disk.
func (f *files) applied() {
	if p := f.prepared; p != nil && !p.direct {
		f.pending.add(&p.batch)
	}
	f.prepared = nil
}

// abort implements disk.
func (f *files) abort() error {
	if f.prepared == nil {
		return nil
	}
	f.doubt = &batch{kind: frameAbort, revision: f.prepared.revision, notes: f.prepared.was}
	return f.settle()
}

// settle implements disk.
func (f *files) settle() error {
	if f.closed {
		return ErrClosed
	}
	var err error
	switch {
	case f.doubt != nil:
		err = f.writeDoubt(f.doubt)
	case f.dbDoubt:
		err = f.checkpoint(nil, 0)
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrUnsettled, err)
	}
	f.doubt, f.prepared = nil, nil
	f.advance()
	return nil
}

// writeDoubt makes an abort durable.
func (f *files) writeDoubt(b *batch) error {
	p := f.prepared
	direct := p != nil && p.direct
	if !f.dbDoubt && (!direct || p.kept) && f.journal.fits(b, true) {
		if _, err := f.journal.append(); err != nil {
			return err
		}
		if direct {
			f.pending.records = recordsOf(p.olds)
			f.pending.voided, f.pending.notes = p.revision, p.was
		}
		return nil
	}
	if !direct { // a checkpoint leaves the round behind, with what is in doubt
		return f.checkpoint(nil, 0)
	}
	f.pending.records, f.pending.voided, f.pending.notes = recordsOf(p.olds), p.revision, p.was
	if err := f.checkpoint(nil, 0); err != nil {
		f.pending.clear() // a commit that is in the state file left nothing pending
		return err
	}
	return nil
}

// record implements disk.
func (f *files) record(u undo, revision uint64) (ygot.GoStruct, error) {
	if u.Value == nil {
		return nil, nil
	}
	_, rec, err := decodeRecord(f.sealer, []byte(u.Key), u.Value)
	if err != nil {
		return nil, fmt.Errorf("revision %d: %w", revision, err)
	}
	return rec, nil
}

func (f *files) path() string { return filepath.Join(f.dir, stateFile) }
