package datastore

import (
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
)

// markFile holds how far the state has come: which round, how many frames of
// it, and the checksum of the last. It is written after each frame and each
// checkpoint, in place and without waiting for the disk, so it costs a commit
// microseconds. It may lag behind what a power failure left, but is never
// ahead: with it a frame that is missing differs from one that was never
// answered.
//
// Two slots are written in turns, each in a block of its own:
//
//	0   checksum  4 octets  CRC-32C of what follows
//	4   magic     4 octets
//	8   state     8 octets
//	16  serial    8 octets  the higher one is the newer
//	24  round     8 octets
//	32  frames    4 octets
//	36  sum       4 octets  the checksum of the last frame, 0 for none
//	40  revision  8 octets  the running one after it
const (
	markFile  = "state.mark"
	markMagic = 0x4d6a4d31
	slotSize  = 48
	markSize  = 2 * journalBlock
)

// reach is how far a state has come.
type reach struct {
	state    uint64
	serial   uint64
	round    uint64
	frames   uint32
	sum      uint32
	revision uint64
}

// mark is the open file.
type mark struct {
	file File
	last reach
}

func openMark(fs FS, dir string, create bool) (*mark, error) {
	f, err := fs.OpenFile(filepath.Join(dir, markFile), false, create)
	if err != nil {
		return nil, err
	}
	return &mark{file: f}, nil
}

// begin writes both slots, which makes the file whole.
func (m *mark) begin(r reach) error {
	for range 2 {
		if err := m.set(r); err != nil {
			return err
		}
	}
	_, err := m.file.WriteAt(make([]byte, journalBlock-slotSize), journalBlock+slotSize) // the file has its size from now on
	return err
}

// set writes the slot whose turn it is.
func (m *mark) set(r reach) error {
	r.serial = m.last.serial + 1
	m.last = r
	var slot [slotSize]byte
	r.put(slot[:])
	_, err := m.file.WriteAt(slot[:], int64(r.serial%2)*journalBlock)
	return err
}

func (r *reach) put(slot []byte) {
	bigEndian.PutUint32(slot[4:], markMagic)
	bigEndian.PutUint64(slot[8:], r.state)
	bigEndian.PutUint64(slot[16:], r.serial)
	bigEndian.PutUint64(slot[24:], r.round)
	bigEndian.PutUint32(slot[32:], r.frames)
	bigEndian.PutUint32(slot[36:], r.sum)
	bigEndian.PutUint64(slot[40:], r.revision)
	bigEndian.PutUint32(slot, crc32.Checksum(slot[4:], castagnoli))
}

func readSlot(data []byte, at int) (reach, bool) {
	if at+slotSize > len(data) {
		return reach{}, false
	}
	s := data[at : at+slotSize]
	if bigEndian.Uint32(s) != crc32.Checksum(s[4:], castagnoli) || binary.BigEndian.Uint32(s[4:]) != markMagic {
		return reach{}, false
	}
	return reach{
		state: bigEndian.Uint64(s[8:]), serial: binary.BigEndian.Uint64(s[16:]), round: binary.BigEndian.Uint64(s[24:]),
		frames: bigEndian.Uint32(s[32:]), sum: binary.BigEndian.Uint32(s[36:]), revision: binary.BigEndian.Uint64(s[40:]),
	}, true
}

// readMark returns the newer slot, and whether there is one. Each slot but the
// newer is a lower bound, so one that is damaged does no harm.
func readMark(data []byte) (reach, bool) {
	a, okA := readSlot(data, 0)
	b, okB := readSlot(data, journalBlock)
	if okB && (!okA || b.serial > a.serial) {
		a = b
	}
	return a, okA || okB
}
