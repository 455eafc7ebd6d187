package datastore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// bbolt trusts its file: a bad octet in a page is a panic, an endless loop or a
// key that is not found, and the list of free pages may name one that is in
// use. So the structure of the file is checked before bbolt sees it: each page
// is reached once, its keys ascend and are those that lead to it, and the list
// of free pages is exactly the rest. What stands in the values is checked by
// their own checksums.
//
// The layout is that of bbolt's format 2, in the octet order of the host.
const (
	boltMagic      = 0xed0cdaed
	boltVersion    = 2
	boltHeader     = 16
	boltElement    = 16
	boltMetaSize   = 64
	branchPage     = 0x01
	leafPage       = 0x02
	freelistPage   = 0x10
	bucketElement  = 0x01
	manyFree       = 0xffff
	noFreelist     = ^uint64(0)
	boltMaxDepth   = 64
	inlineBucketAt = 16
)

var hostOrder = binary.NativeEndian

// boltMeta is what a meta page says.
type boltMeta struct {
	pageSize       uint64
	root, freelist uint64
	pages, tx      uint64
}

// boltPages is a state file that is read page by page.
type boltPages struct {
	data []byte
	meta boltMeta
	seen []bool // by page
	// each is called with what a bucket holds, in the order of the keys.
	each func(bucket string, key, value []byte) error
	// bad is called with what is wrong below a page. Without an error of its own
	// the walk goes on beside that page.
	bad func(error) error
}

func readBoltMeta(page []byte) (boltMeta, bool) {
	if len(page) < boltHeader+boltMetaSize {
		return boltMeta{}, false
	}
	m := page[boltHeader : boltHeader+boltMetaSize]
	h := fnv.New64a()
	_, _ = h.Write(m[:56])
	if hostOrder.Uint32(m) != boltMagic || hostOrder.Uint32(m[4:]) != boltVersion || hostOrder.Uint64(m[56:]) != h.Sum64() {
		return boltMeta{}, false
	}
	return boltMeta{
		pageSize: uint64(hostOrder.Uint32(m[8:])), root: hostOrder.Uint64(m[16:]),
		freelist: hostOrder.Uint64(m[32:]), pages: hostOrder.Uint64(m[40:]), tx: hostOrder.Uint64(m[48:]),
	}, true
}

// newestMeta is the meta page that bbolt would take.
func newestMeta(data []byte) (boltMeta, bool) {
	first, ok := readBoltMeta(data)
	var second boltMeta
	found := false
	if ok {
		if at := first.pageSize; at < uint64(len(data)) {
			second, found = readBoltMeta(data[at:])
		}
	} else { // bbolt looks for the second one at each size that a page may have
		for size := 1024; size <= 1<<16 && !found; size *= 2 {
			if size < len(data) {
				second, found = readBoltMeta(data[size:])
			}
		}
	}
	if found && (!ok || second.tx > first.tx) {
		return second, true
	}
	return first, ok
}

// walkBolt checks the structure of a state file and calls each for what its
// buckets hold. An error of each ends it.
func walkBolt(data []byte, each func(bucket string, key, value []byte) error) error {
	return walkBoltOver(data, each, func(err error) error { return err })
}

// walkBoltOver is walkBolt that goes on where bad returns no error.
func walkBoltOver(data []byte, each func(bucket string, key, value []byte) error, bad func(error) error) error {
	m, ok := newestMeta(data)
	if !ok {
		return fmt.Errorf("neither of its two meta pages is whole")
	}
	if m.pageSize < 1024 || m.pageSize > 1<<16 || m.pageSize&(m.pageSize-1) != 0 || m.pages < 3 {
		return fmt.Errorf("its meta page does not make sense")
	}
	if m.pages > uint64(len(data))/m.pageSize {
		return fmt.Errorf("it has %d octets where %d pages of %d belong: it was cut short", len(data), m.pages, m.pageSize)
	}
	w := &boltPages{data: data, meta: m, seen: make([]bool, m.pages), each: each, bad: bad}
	w.seen[0], w.seen[1] = true, true
	if err := w.tree("", m.root, nil, nil, 0); err != nil {
		return err
	}
	if err := w.free(); err != nil {
		return bad(err)
	}
	return nil
}

// page returns a page with what overflows it, and marks it as reached.
func (w *boltPages) page(id uint64) ([]byte, error) {
	if id < 2 || id >= w.meta.pages {
		return nil, fmt.Errorf("page %d is outside of the file", id)
	}
	p := w.data[id*w.meta.pageSize:]
	overflow := uint64(hostOrder.Uint32(p[12:]))
	if hostOrder.Uint64(p) != id || overflow >= w.meta.pages-id {
		return nil, fmt.Errorf("page %d is damaged", id)
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		w.seen[i] = true
	}
	return p[:(overflow+1)*w.meta.pageSize], nil
}

// element returns the key and the value of an element of a page.
func element(p []byte, i int, valued bool) (flags uint32, id uint64, key, value []byte, ok bool) {
	at := boltHeader + i*boltElement
	if at+boltElement > len(p) {
		return 0, 0, nil, nil, false
	}
	e := p[at:]
	var pos, ksize, vsize uint64
	if valued {
		flags, pos = hostOrder.Uint32(e), uint64(hostOrder.Uint32(e[4:]))
		ksize, vsize = uint64(hostOrder.Uint32(e[8:])), uint64(hostOrder.Uint32(e[12:]))
	} else {
		pos, ksize, id = uint64(hostOrder.Uint32(e)), uint64(hostOrder.Uint32(e[4:])), hostOrder.Uint64(e[8:])
	}
	if pos+ksize+vsize > uint64(len(e)) {
		return 0, 0, nil, nil, false
	}
	return flags, id, e[pos : pos+ksize], e[pos+ksize : pos+ksize+vsize], true
}

// tree walks a bucket from a page. Its keys are not below from, and below to
// unless that is nil.
func (w *boltPages) tree(bucket string, id uint64, from, to []byte, depth int) error {
	if err := w.below(bucket, id, from, to, depth); err != nil {
		return w.bad(err)
	}
	return nil
}

func (w *boltPages) below(bucket string, id uint64, from, to []byte, depth int) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if depth > boltMaxDepth {
		return fmt.Errorf("page %d is too deep", id)
	}
	n := int(hostOrder.Uint16(p[10:]))
	switch hostOrder.Uint16(p[8:]) {
	case leafPage:
		if err := w.leaf(bucket, p, n, from, to); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		return nil
	case branchPage:
	default:
		return fmt.Errorf("page %d is of no known kind", id)
	}
	if n == 0 {
		return fmt.Errorf("page %d is empty", id)
	}
	for i := range n {
		_, child, key, _, ok := element(p, i, false)
		below := to
		if i+1 < n && ok {
			_, _, below, _, ok = element(p, i+1, false)
		}
		if !ok || !between(key, from, to) || i+1 < n && bytes.Compare(key, below) >= 0 {
			return fmt.Errorf("page %d: element %d is damaged", id, i)
		}
		if err := w.tree(bucket, child, key, below, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func between(key, from, to []byte) bool {
	return bytes.Compare(key, from) >= 0 && (to == nil || bytes.Compare(key, to) < 0)
}

// leaf walks the elements of a leaf page.
func (w *boltPages) leaf(bucket string, p []byte, n int, from, to []byte) error {
	var last []byte
	for i := range n {
		flags, _, key, value, ok := element(p, i, true)
		if !ok || len(key) == 0 || !between(key, from, to) || i > 0 && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("element %d is damaged", i)
		}
		last = key
		switch {
		case flags == 0 && bucket != "":
			if err := w.each(bucket, key, value); err != nil {
				return err
			}
		case flags == bucketElement && bucket == "":
			if err := w.bucket(string(key), value); err != nil {
				return fmt.Errorf("bucket %s: %w", key, err)
			}
		default:
			return fmt.Errorf("element %d is of no known kind", i)
		}
	}
	return nil
}

// bucket walks a bucket, which is small enough to stand in its own element or
// has a page.
func (w *boltPages) bucket(name string, value []byte) error {
	if len(value) < inlineBucketAt {
		return fmt.Errorf("it is damaged")
	}
	if root := hostOrder.Uint64(value); root != 0 {
		return w.tree(name, root, nil, nil, 0)
	}
	p := value[inlineBucketAt:]
	if len(p) < boltHeader || hostOrder.Uint16(p[8:]) != leafPage {
		return fmt.Errorf("it is damaged")
	}
	return w.leaf(name, p, int(hostOrder.Uint16(p[10:])), nil, nil)
}

// free compares the list of free pages with what was not reached.
func (w *boltPages) free() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	p, err := w.page(w.meta.freelist)
	if err != nil {
		return err
	}
	if hostOrder.Uint16(p[8:]) != freelistPage {
		return fmt.Errorf("page %d is not the list of free pages", w.meta.freelist)
	}
	list := p[boltHeader:]
	n := uint64(hostOrder.Uint16(p[10:]))
	if n == manyFree {
		n, list = hostOrder.Uint64(list), list[8:]
	}
	if n > uint64(len(list))/8 {
		return fmt.Errorf("the list of free pages is damaged")
	}
	for i := range n {
		id := hostOrder.Uint64(list[i*8:])
		if id >= w.meta.pages || w.seen[id] {
			return fmt.Errorf("the list of free pages names page %d, which is in use", id)
		}
		w.seen[id] = true
	}
	for id, seen := range w.seen {
		if !seen {
			return fmt.Errorf("page %d is neither used nor free", id)
		}
	}
	return nil
}
