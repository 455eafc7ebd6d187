package datastore

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
)

// The journal is frames in one file of a fixed size, which is written in place,
// round after round, and never truncated. A round begins at offset 0 after a
// checkpoint, over what earlier rounds left. A frame names its state, its round,
// its place there and the checksum of the frame before, so nothing that is left
// from an earlier round, from another state or from a write that failed is taken
// for a part of this one, and nothing has to be erased.
//
// Where a frame is not whole, the rest decides what that means. If the mark does
// not count it and no frame of this round stands behind it, it is a write that
// never ended and was never answered. Otherwise something is lost.
const (
	journalFile = "state.journal"
	journalSize = 5 << 20
	// journalReserve is the part of it that only urgent writes may use, when a
	// checkpoint fails: some 250 notes, or the way back of some 2,000 peers.
	journalReserve = 1 << 20
)

// journal is the file that makes commits durable until a checkpoint.
type journal struct {
	file    File
	path    string
	size    int64  // a round never exceeds it
	reserve int64  // the part of it for urgent writes
	place          // of the next frame
	next    int64  // its offset
	buf     []byte // memory of the last frame, for the next
}

// openJournal opens or creates the journal and fills it up with zeros. Space
// that is only reserved would cost a change of metadata where it is first
// written.
func openJournal(fs FS, dir string, create bool) (*journal, error) {
	path := filepath.Join(dir, journalFile)
	f, err := fs.OpenFile(path, true, create)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &journal{file: f, path: path, size: journalSize, reserve: journalReserve}
	size, err := f.Size()
	if err == nil && size < journalSize {
		_, err = f.WriteAt(make([]byte, journalSize-size), size)
	}
	if err == nil {
		err = f.Sync() // what was read may be in the cache of the kernel only
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare journal: %w", err), f.Close())
	}
	return j, nil
}

// continueAfter puts the next frame behind those that were read.
func (j *journal) continueAfter(r *round) {
	j.place = place{state: r.state, round: r.round, seq: 1}
	j.next = 0
	if n := len(r.frames); n > 0 {
		last := r.frames[n-1]
		j.seq, j.before, j.next = last.seq+1, last.sum, last.at+last.octets
	}
}

// restart begins a round, after all of the last one has come into the state
// file. It writes nothing.
func (j *journal) restart(round uint64) {
	j.place = place{state: j.state, round: round, seq: 1}
	j.next = 0
}

// frames is how many the round has.
func (j *journal) frames() uint32 { return j.seq - 1 }

// fits reports whether there is room for a batch, in the reserve too if it is
// urgent. The frame stays in j.buf for append.
func (j *journal) fits(b *batch, urgent bool) bool {
	limit := j.size
	if !urgent {
		limit -= j.reserve
	}
	if n := b.octets(); n > limit-j.next {
		return false
	}
	j.buf = appendFrame(j.buf[:0], b, j.place)
	return j.next+int64(len(j.buf)) <= limit
}

// octets is at least how many a frame has.
func (b *batch) octets() (n int64) {
	n = int64(len(b.entry))
	for _, r := range b.records {
		n += int64(len(r.key) + len(r.value))
	}
	return n
}

// append makes the batch that fits was asked for durable. On an error landed
// reports whether the frame may be in the file all the same.
func (j *journal) append() (landed bool, err error) {
	if _, err := j.file.WriteAt(j.buf, j.next); err != nil {
		found := make([]byte, len(j.buf))
		_, rerr := j.file.ReadAt(found, j.next)
		return rerr != nil || bytes.Equal(found, j.buf), fmt.Errorf("%s: %w", j.path, err)
	}
	j.next += int64(len(j.buf))
	j.before = bigEndian.Uint32(j.buf)
	j.seq++
	return false, nil
}

// round is what a journal holds of one round.
type round struct {
	place
	frames []*frame
	behind []*frame // whole ones of this round behind one that is not
	later  *frame   // one of a later round: the state file is an older one
	other  *frame   // one of another state
}

// readRound finds the frames of a round, where at.seq is 1.
func readRound(data []byte, at place) *round {
	r := &round{place: at}
	at.before, at.seq = 0, 1
	next := int64(0)
	for {
		f := readFrame(data, next)
		if f == nil || f.place != at {
			break
		}
		r.frames = append(r.frames, f)
		at.seq, at.before, next = f.seq+1, f.sum, f.at+f.octets
	}
	for ; next < int64(len(data)); next += journalBlock {
		switch f := readFrame(data, next); {
		case f == nil:
		case f.state != at.state:
			r.other = f
		case f.round > at.round:
			r.later = f
		case f.round == at.round && f.seq >= at.seq:
			r.behind = append(r.behind, f)
		}
	}
	return r
}
