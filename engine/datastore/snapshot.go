package datastore

import (
	"math"
	"sort"
	"strings"
	"sync"

	"github.com/openconfig/ygot/ygot"
	"github.com/tidwall/btree"

	"mooring/engine/schema"
)

// tree is the records and the index over them. Only its owner may change or
// copy it: copying writes to the source too.
type tree struct {
	records *btree.Map[schema.Key, ygot.GoStruct]
	index   *btree.Set[string]
}

// degree makes nodes half as wide as btree's default: a commit copies the way
// down to its records, and that is most of what it allocates.
const degree = 16

func newTree() tree {
	return tree{
		records: btree.NewMap[schema.Key, ygot.GoStruct](degree),
		index:   new(btree.Set[string]),
	}
}

func (t tree) copy() tree { return tree{records: t.records.Copy(), index: t.index.Copy()} }

func (t tree) get(k schema.Key) ygot.GoStruct {
	rec, _ := t.records.Get(k)
	return rec
}

func (t tree) scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	t.records.Ascend(prefix, func(k schema.Key, rec ygot.GoStruct) bool {
		return strings.HasPrefix(string(k), string(prefix)) && fn(k, rec)
	})
}

// entries is scan of the records that are no deeper than the prefix. What is
// below one of them is passed over at once.
func (t tree) entries(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	for from, more := prefix, true; more; {
		more = false
		t.records.Ascend(from, func(k schema.Key, rec ygot.GoStruct) bool {
			switch {
			case !strings.HasPrefix(string(k), string(prefix)):
				return false
			case strings.IndexByte(string(k[len(prefix):]), 0) >= 0: // below the one before
				from, more = k[:len(prefix)+strings.IndexByte(string(k[len(prefix):]), 0)]+"\x01", true
				return false
			}
			return fn(k, rec)
		})
	}
}

// holders calls fn for the key of each index entry "entry\x01key", in order.
func (t tree) holders(entry string, fn func(schema.Key) bool) {
	prefix := entry + "\x01"
	t.index.Ascend(prefix, func(e string) bool {
		key, ok := strings.CutPrefix(e, prefix)
		return ok && fn(schema.Key(key))
	})
}

// count returns how many index entries "entry\x01key" there are, without
// visiting them.
func (t tree) count(entry string) int { return t.rank(entry+"\x02") - t.rank(entry+"\x01") }

// rank returns how many index entries come before e.
func (t tree) rank(e string) int {
	return sort.Search(t.index.Len(), func(i int) bool {
		at, _ := t.index.GetAt(i)
		return at >= e
	})
}

// Snapshot is a whole configuration at one instant. It never changes and is
// safe for any number of readers. It implements schema.Reader.
type Snapshot struct {
	tree     // only read
	revision uint64
	version  uint64            // the revision that last changed a record
	commit   *Commit           // what made it, nil for what was loaded and for candidates
	notes    map[string][]byte // that it changes

	mu     sync.Mutex // guards source
	source tree       // the same content, for copying
}

func newSnapshot(t tree, revision uint64) *Snapshot {
	return &Snapshot{tree: t.copy(), source: t, revision: revision}
}

// fork returns a tree with the same content that the caller owns.
func (s *Snapshot) fork() tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.copy()
}

// Revision counts the commits. A candidate has that of the running it is
// based on.
func (s *Snapshot) Revision() uint64 { return s.revision }

// NoVersion is that of a configuration that never was running.
const NoVersion = math.MaxUint64

// Version is the revision at which the content became what it is: it changes
// with the content and not with commits that change nothing. A modified
// candidate has none, and startup only where it was copied from running since
// the start: NoVersion.
func (s *Snapshot) Version() uint64 { return s.version }

// Len returns the number of records.
func (s *Snapshot) Len() int { return s.records.Len() }

// Get returns a record, nil where there is none. It must not be changed.
func (s *Snapshot) Get(k schema.Key) ygot.GoStruct { return s.get(k) }

// Scan calls fn for each record whose key begins with prefix, in key order,
// until fn returns false.
func (s *Snapshot) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	s.scan(prefix, fn)
}

// ScanEntries is Scan of the records that are no deeper than prefix, at a cost
// that what is below them does not add to.
func (s *Snapshot) ScanEntries(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	s.entries(prefix, fn)
}

// Referrers calls fn for each record that names k in a leafref, in key order,
// until fn returns false.
func (s *Snapshot) Referrers(k schema.Key, fn func(schema.Key) bool) {
	s.holders(schema.ReferrerEntry(k), fn)
}

// CountReferrers returns how many records name k in a leafref. It takes the
// same time however many they are.
func (s *Snapshot) CountReferrers(k schema.Key) int { return s.count(schema.ReferrerEntry(k)) }

// Holders calls fn for each record that has value under the index, in key
// order, until fn returns false.
func (s *Snapshot) Holders(index, value string, fn func(schema.Key) bool) {
	s.holders(schema.HolderEntry(index, value), fn)
}
