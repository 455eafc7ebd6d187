package datastore

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"

	"mooring/engine/schema"
)

// A frame is one write to the journal: whole blocks, so that a write that a
// power failure tears damages no other frame.
//
//	0   checksum  4 octets  CRC-32C of all that follows
//	4   magic     4 octets
//	8   length    4 octets  of the payload
//	12  kind      4 octets
//	16  state     8 octets  of the state that the journal belongs to
//	24  round     8 octets  the checkpoint that the frame follows
//	32  place     4 octets  of the frame in its round, from 1
//	36  before    4 octets  the checksum of the frame before, 0 for the first
//	40  revision  8 octets
//	48  payload             fields, each a varint length and its octets
//
// The payload of a write is the JSON of the history entry, empty for notes
// alone; the number of notes; the name and the text of each; and then the key
// and the value of each record. No octets of a text or a value mean that it is
// removed. An abort has the notes only that were there before a commit that went
// into the state file; the write of its revision does not count.
//
// A frame can be checked on its own, so a damaged one hides none behind it.
const (
	frameMagic   = 0x4d6a4632
	headerSize   = 48
	journalBlock = 4096
)

type frameKind uint32

const (
	frameWrite frameKind = 1
	frameAbort frameKind = 2
)

var (
	bigEndian  = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// stored is a record or a note as it stands on disk; a nil value deletes it.
type stored struct {
	key   schema.Key
	value []byte
}

func (r stored) compare(o stored) int { return cmp.Compare(r.key, o.key) }

// batch is what one frame holds: a commit, notes, both, or an abort.
type batch struct {
	kind     frameKind
	revision uint64 // the running one after it; of an abort: the one that does not count
	entry    []byte // JSON of the entry, nil for no commit
	notes    []stored
	records  []stored
}

// place is where a frame stands.
type place struct {
	state  uint64
	round  uint64
	seq    uint32
	before uint32
}

// frame is a batch that was read, with its place.
type frame struct {
	batch
	place
	sum    uint32
	at     int64 // offset
	octets int64 // whole blocks
}

// appendFrame appends whole blocks.
func appendFrame(dst []byte, b *batch, p place) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headerSize)...)
	dst = appendField(dst, b.entry)
	dst = binary.AppendUvarint(dst, uint64(len(b.notes)))
	for _, list := range [][]stored{b.notes, b.records} {
		for i := range list {
			dst = appendField(dst, list[i].key)
			dst = appendField(dst, list[i].value)
		}
	}
	h := dst[start:]
	bigEndian.PutUint32(h[4:], frameMagic)
	bigEndian.PutUint32(h[8:], uint32(len(h)-headerSize)) //nolint:gosec // what fits into the journal
	bigEndian.PutUint32(h[12:], uint32(b.kind))
	bigEndian.PutUint64(h[16:], p.state)
	bigEndian.PutUint64(h[24:], p.round)
	bigEndian.PutUint32(h[32:], p.seq)
	bigEndian.PutUint32(h[36:], p.before)
	bigEndian.PutUint64(h[40:], b.revision)
	bigEndian.PutUint32(h, crc32.Checksum(h[4:], castagnoli))
	padding := blocks(int64(len(h))) - int64(len(h))
	return append(dst, make([]byte, padding)...)
}

// readFrame reads the frame at an offset of the journal, and returns nil if
// there is no whole one. It keeps parts of data.
func readFrame(data []byte, at int64) *frame {
	if at < 0 || at > int64(len(data))-headerSize {
		return nil
	}
	h := data[at:]
	length := int64(bigEndian.Uint32(h[8:]))
	if bigEndian.Uint32(h[4:]) != frameMagic || length > int64(len(h))-headerSize {
		return nil
	}
	h = h[:headerSize+length]
	f := &frame{
		batch: batch{kind: frameKind(bigEndian.Uint32(h[12:])), revision: binary.BigEndian.Uint64(h[40:])},
		place: place{
			state: bigEndian.Uint64(h[16:]), round: binary.BigEndian.Uint64(h[24:]),
			seq: bigEndian.Uint32(h[32:]), before: binary.BigEndian.Uint32(h[36:]),
		},
		sum: bigEndian.Uint32(h), at: at, octets: blocks(headerSize + length),
	}
	if f.sum != crc32.Checksum(h[4:], castagnoli) || !f.parse(h[headerSize:]) {
		return nil
	}
	return f
}

// parse reads the payload of a frame, of which b keeps parts.
func (b *batch) parse(payload []byte) bool {
	if b.kind != frameWrite && b.kind != frameAbort {
		return false
	}
	entry, rest, ok := cutField(payload)
	b.entry = entry
	if !ok {
		return false
	}
	notes, size := binary.Uvarint(rest)
	if size <= 0 || notes > uint64(len(rest)) {
		return false
	}
	rest = rest[size:]
	for i := uint64(0); len(rest) > 0 || i < notes; i++ {
		var key, value []byte
		if key, rest, ok = cutField(rest); !ok {
			return false
		}
		if value, rest, ok = cutField(rest); !ok {
			return false
		}
		s := stored{key: schema.Key(key), value: value}
		if i < notes {
			b.notes = append(b.notes, s)
		} else {
			b.records = append(b.records, s)
		}
	}
	return true
}

// blocks rounds up to whole blocks.
func blocks(n int64) int64 { return (n + journalBlock - 1) / journalBlock * journalBlock }

func appendField[T ~string | ~[]byte](dst []byte, field T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(field)))
	return append(dst, field...)
}

// cutField takes a field off p, nil if it is empty.
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
