package datastore

import (
	"encoding/json"
	"fmt"
	"hash/crc32"

	"mooring/engine/schema"
)

// Format 1 had the same buckets without checksums and seal, no mark, and a
// journal of frames that begin with
//
//	checksum  4 octets  CRC-32C of what follows, continued from the frame before
//	length    4 octets  of the payload
//	revision  8 octets
//
// and the fields of a write without notes. The checksum of the first frame
// continued that of the sealed key-check.
const headerSize1 = 16

// upgrade writes what a state of format 1 holds as one of today's format. It is
// checked as well as that format allows.
func (r *reader) upgrade(o *Options) error {
	if err := r.readKey(); err != nil {
		return err
	}
	im := &image{check: r.check, startup: nil}
	pending := map[schema.Key][]byte{}
	if err := r.collect1(im, pending); err != nil {
		return err
	}
	revision := revisionOf(r.history)
	err := replay1(r.journal, crc32.Checksum(r.check, castagnoli), revision, func(b *batch) {
		revision = b.revision
		im.history = append(im.history, stored{key: historyKey(b.revision), value: b.entry})
		for _, rec := range b.records {
			pending[rec.key] = rec.value
		}
	})
	if err != nil {
		return r.damage(journalFile, "", "%v", err)
	}
	for _, rec := range sortedRecords(pending) {
		if rec.value != nil {
			im.records = append(im.records, rec)
		}
	}
	if err := r.check1(im); err != nil {
		return err
	}
	im.seal = seal{Round: 1, Revision: revision}
	if err := writeState(o.FS, r.dir, im); err != nil {
		return fmt.Errorf("upgrade from format 1: %w", err)
	}
	o.Log.Info("state upgraded", "dir", r.dir, "from", 1, "to", format, "revision", revision)
	return nil
}

// collect1 reads the state file.
func (r *reader) collect1(im *image, records map[schema.Key][]byte) error {
	return guard(func() error {
		return r.walk(func(bucket string, key, value []byte) error {
			s := stored{key: schema.Key(key), value: append([]byte{}, value...)}
			switch bucket {
			case string(recordBucket):
				records[s.key] = s.value
			case string(startupBucket):
				im.startup = append(im.startup, s)
			case string(historyBucket):
				im.history = append(im.history, s)
			case string(metaBucket):
				if name, ok := isNote(key); ok {
					im.notes = append(im.notes, stored{key: schema.Key(noteKey(name)), value: s.value})
				}
			}
			return nil
		})
	})
}

// check1 decodes and validates what is to be written.
func (r *reader) check1(im *image) error {
	r.tree = newTree()
	var entries []string
	for _, s := range im.records {
		k, rec, err := decodeRecord(r.sealer, []byte(s.key), s.value)
		if err != nil {
			return r.damage(stateFile, "", "%v", err)
		}
		r.tree.records.Load(k, rec)
		entries = schema.IndexEntries(k, rec, entries)
	}
	r.tree.loadIndex(entries)
	for _, s := range im.history {
		var e entry
		if err := json.Unmarshal(s.value, &e); err != nil || string(historyKey(e.Revision)) != string(s.key) {
			return r.damage(stateFile, "", "an entry of the history is damaged")
		}
	}
	return r.validate()
}

// frame1 reads the frame at an offset, which continues a checksum.
func frame1(data []byte, at int64, before uint32) (b *batch, sum uint32, octets int64) {
	if at > int64(len(data))-headerSize1 {
		return nil, 0, 0
	}
	h := data[at:]
	sum, length := bigEndian.Uint32(h), int64(bigEndian.Uint32(h[4:]))
	octets = blocks(headerSize1 + length)
	if length > int64(len(h))-headerSize1 {
		return nil, sum, octets
	}
	h = h[:headerSize1+length]
	if crc32.Update(before, castagnoli, h[4:]) != sum {
		return nil, sum, octets
	}
	b = &batch{kind: frameWrite, revision: bigEndian.Uint64(h[8:])}
	entry, rest, ok := cutField(h[headerSize1:])
	b.entry = entry
	for ok && len(rest) > 0 {
		var key, value []byte
		if key, rest, ok = cutField(rest); ok {
			value, rest, ok = cutField(rest)
			b.records = append(b.records, stored{key: schema.Key(key), value: value})
		}
	}
	if !ok {
		return nil, sum, octets
	}
	return b, sum, octets
}

// replay1 calls fn for the commits that follow a revision. A frame that is not
// whole ends them, unless a later commit stands behind it.
func replay1(data []byte, seed uint32, revision uint64, fn func(*batch)) error {
	sum, at := seed, int64(0)
	for {
		b, next, octets := frame1(data, at, sum)
		if b == nil || b.revision != revision+1 {
			break
		}
		revision, sum = b.revision, next
		fn(b)
		at += octets
	}
	for ; at < int64(len(data))-headerSize1; at += journalBlock {
		octets := blocks(headerSize1 + int64(bigEndian.Uint32(data[at+4:])))
		if b, _, _ := frame1(data, at+octets, bigEndian.Uint32(data[at:])); b != nil && b.revision > revision {
			return fmt.Errorf("the commit of revision %d is damaged, and revision %d behind it is whole", revision+1, b.revision)
		}
	}
	return nil
}
