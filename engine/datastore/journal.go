package datastore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"mooring/engine/schema"
	"mooring/internal/fileio"
)

// The layout of the journal, which the format of the state file covers too:
// frames, each at a multiple of journalBlock.
//
//	checksum  4 octets  CRC-32C of what follows, continued from the frame before
//	length    4 octets  of the payload
//	revision  8 octets
//	payload             fields, each a varint length and its octets: the JSON
//	                    of the Commit, then a key and a value for each record,
//	                    as they stand in the state file; no octets of a value
//	                    mean that the record is deleted
//
// The file is written in place, round after round, and never truncated: a
// round begins at offset 0 over what the earlier ones left there. What is left
// is never replayed, for two reasons:
//
//   - A round begins after a checkpoint, and its first frame has the revision
//     that follows the checkpoint's. All frames of earlier rounds have lower
//     revisions. So they do not fit where the file ends with the checkpoint.
//   - Behind the frames of this round nothing old fits either, whatever its
//     revision: the checksum of a frame continues that of the frame before, and
//     for the same octets different beginnings never lead to the same end.
//     This also holds where a failed commit or a restored backup used a
//     revision twice.
//
// The checksum of the first frame continues that of octets that are unique to
// the state file, so that no other file takes the journal for its own.
//
// No block holds parts of two frames: a write that is torn by a power failure
// damages the frame that was being written and no other.
const (
	journalFile  = "state.journal"
	journalSize  = 4 << 20
	journalBlock = 4096
	headerSize   = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stored is a record as it stands on disk; a nil value deletes it.
type stored struct {
	key   schema.Key
	value []byte
}

func (r stored) compare(o stored) int { return cmp.Compare(r.key, o.key) }

// batch is a commit as it stands on disk.
type batch struct {
	revision uint64
	entry    []byte // JSON of the Commit
	records  []stored
}

// disk is an open file of which each write is durable when it returns.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// journal is the file that makes commits durable until a checkpoint.
type journal struct {
	disk  disk
	path  string
	size  int64  // a round never exceeds it
	seed  uint32 // what the checksum of a round's first frame continues
	sum   uint32 // what that of the next frame continues
	next  int64  // offset of the next frame
	frame []byte // memory of the last frame, for the next
}

// openJournal opens the journal of the state file that identity is unique to.
func openJournal(dir string, identity []byte) (*journal, error) {
	path := filepath.Join(dir, journalFile)
	// O_DSYNC makes a write durable in one system call. No metadata is
	// written with it, because the file neither grows nor has holes.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_DSYNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := growJournal(f, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare journal: %w", err), f.Close())
	}
	seed := crc32.Checksum(identity, castagnoli)
	return &journal{disk: f, path: path, size: journalSize, seed: seed, sum: seed}, nil
}

// growJournal fills the file up with zeros. Space that is only reserved would
// cost a change of metadata where it is first written.
func growJournal(f *os.File, dir string) error {
	info, err := f.Stat()
	if err != nil || info.Size() >= journalSize {
		return err
	}
	if _, err := f.WriteAt(make([]byte, journalSize-info.Size()), info.Size()); err != nil {
		return err
	}
	return fileio.SyncDir(dir)
}

// append makes a commit durable. It says false, and has written nothing,
// where the commit does not fit. On an error nobody knows whether it is
// durable; append has tried to make sure that it is not.
func (j *journal) append(b *batch) (bool, error) {
	j.frame = appendFrame(j.frame[:0], b, j.sum)
	if j.next+int64(len(j.frame)) > j.size {
		return false, nil
	}
	if _, err := j.disk.WriteAt(j.frame, j.next); err != nil {
		clear(j.frame[:headerSize])
		_, _ = j.disk.WriteAt(j.frame[:headerSize], j.next) // it fails where the disk has gone: see Persist
		return true, fmt.Errorf("%s: %w", j.path, err)
	}
	j.next += int64(len(j.frame))
	j.sum = binary.BigEndian.Uint32(j.frame)
	return true, nil
}

// restart begins a round, after all of the last one has come into the state
// file. It writes nothing.
func (j *journal) restart() { j.next, j.sum = 0, j.seed }

// replay calls fn for the commits that follow a revision, until the first
// frame that is torn, stale or not there.
func (j *journal) replay(revision uint64, fn func(*batch) error) error {
	sum := j.seed
	var header [headerSize]byte
	for at := int64(0); ; {
		if _, err := j.disk.ReadAt(header[:], at); err != nil {
			return j.ended(err)
		}
		length := binary.BigEndian.Uint32(header[4:])
		revision++
		if binary.BigEndian.Uint64(header[8:]) != revision || length > journalSize-headerSize {
			return nil
		}
		payload := make([]byte, length)
		if _, err := j.disk.ReadAt(payload, at+headerSize); err != nil {
			return j.ended(err)
		}
		sum = crc32.Update(crc32.Update(sum, castagnoli, header[4:]), castagnoli, payload)
		if sum != binary.BigEndian.Uint32(header[:]) {
			return nil
		}
		b := &batch{revision: revision}
		if err := b.parse(payload); err != nil {
			return fmt.Errorf("%s: revision %d: %w", j.path, revision, err)
		}
		if err := fn(b); err != nil {
			return fmt.Errorf("%s: revision %d: %w", j.path, revision, err)
		}
		at += blocks(headerSize + int64(length))
	}
}

// ended is what an error of reading means: the end of the file is that of the
// journal, and anything else may hide a commit.
func (j *journal) ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%s: %w", j.path, err)
}

// appendFrame appends whole blocks. The checksum continues sum.
func appendFrame(dst []byte, b *batch, sum uint32) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, 8)...) // checksum and length come last
	dst = binary.BigEndian.AppendUint64(dst, b.revision)
	dst = appendField(dst, b.entry)
	for i := range b.records {
		dst = appendField(dst, b.records[i].key)
		dst = appendField(dst, b.records[i].value)
	}
	frame := dst[start:]
	binary.BigEndian.PutUint32(frame[4:], uint32(len(frame)-headerSize))
	binary.BigEndian.PutUint32(frame, crc32.Update(sum, castagnoli, frame[4:]))
	padding := blocks(int64(len(frame))) - int64(len(frame))
	return append(dst, make([]byte, padding)...)
}

// blocks rounds up to whole blocks.
func blocks(n int64) int64 { return (n + journalBlock - 1) / journalBlock * journalBlock }

func appendField[T ~string | ~[]byte](dst []byte, field T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(field)))
	return append(dst, field...)
}

// errPayload says that a frame with the right checksum is not what append
// writes.
var errPayload = errors.New("journal is damaged: put back the backup of the state directory")

// parse reads the payload of a frame, of which b keeps parts.
func (b *batch) parse(payload []byte) error {
	entry, rest, ok := cutField(payload)
	b.entry = entry
	for ok && len(rest) > 0 {
		var key, value []byte
		if key, rest, ok = cutField(rest); ok {
			value, rest, ok = cutField(rest)
			b.records = append(b.records, stored{key: schema.Key(key), value: value})
		}
	}
	if !ok {
		return errPayload
	}
	return nil
}

// cutField takes a field off p, nil where it is empty.
func cutField(p []byte) (field, rest []byte, ok bool) {
	n, size := binary.Uvarint(p)
	if size <= 0 || n > uint64(len(p)-size) {
		return nil, nil, false
	}
	if rest = p[size:]; n > 0 {
		field = rest[:n:n]
	}
	return field, rest[n:], true
}
