package datastore

import (
	"iter"
	"maps"
	"slices"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// Txn is a private copy of a Snapshot with changes. It implements schema.Tx
// and is for one goroutine. A Txn that has been persisted or discarded can
// still be read.
type Txn struct {
	base     *Snapshot
	tree     tree
	changes  map[schema.Key]*change
	stale    []schema.Key // records that may differ from their index entries
	dirty    []schema.Dirty
	fresh    bool           // dirty is what Dirty would compute
	required []uint64       // the versions that running must have at the commit of a candidate
	scans    int            // that are running: nothing may be written meanwhile
	from     []schema.Dirty // the candidate when it began this Txn
	resets   int            // of the candidate until then
	ended    bool
	judge    schema.Judge // nil: its maker may do everything
}

// change is what a Txn did to one record.
type change struct {
	old     ygot.GoStruct // in the base, nil where absent
	now     ygot.GoStruct // in the tree, nil where absent
	own     bool          // now belongs to the Txn and may be changed in place
	stale   bool          // the key is in Txn.stale
	entries []string      // in the index now, where stale
	leaves  []*schema.Node
}

// Begin returns a Txn on running. Any number may be open; of those with the
// same base only the first can be persisted.
func (s *Store) Begin() *Txn { return s.Running().begin() }

func (s *Snapshot) begin() *Txn {
	return &Txn{base: s, tree: s.fork(), changes: map[schema.Key]*change{}}
}

// Base returns the Snapshot that the Txn began with.
func (t *Txn) Base() *Snapshot { return t.base }

// Require makes the commit of a candidate that this Txn edits fail with a
// *VersionError unless running still has this version then.
func (t *Txn) Require(version uint64) {
	if !slices.Contains(t.required, version) {
		t.required = append(t.required, version)
	}
}

// SetJudge makes what is edited from now on subject to what the maker of the Txn
// may do.
func (t *Txn) SetJudge(j schema.Judge) { t.judge = j }

// Judge implements schema.Judged.
func (t *Txn) Judge() schema.Judge { return t.judge }

// Was implements schema.Judged.
func (t *Txn) Was(k schema.Key) ygot.GoStruct {
	if c := t.changes[k]; c != nil {
		return c.old
	}
	return t.tree.get(k)
}

// Discard ends the Txn. On one that has ended it does nothing.
func (t *Txn) Discard() { t.ended = true }

// Get returns a record as the Txn has it, nil where there is none. It must
// not be changed.
func (t *Txn) Get(k schema.Key) ygot.GoStruct {
	if c := t.changes[k]; c != nil {
		return c.now
	}
	return t.tree.get(k)
}

// Scan calls fn for each record whose key begins with prefix, in key order,
// until fn returns false. fn must not write to the Txn.
func (t *Txn) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	t.scans++
	defer func() { t.scans-- }()
	t.tree.scan(prefix, fn)
}

// Referrers calls fn for each record that names k in a leafref, in key order,
// until fn returns false. fn must not write to the Txn.
func (t *Txn) Referrers(k schema.Key, fn func(schema.Key) bool) {
	t.holders(schema.ReferrerEntry(k), fn)
}

// Holders calls fn for each record that has value under the index, in key
// order, until fn returns false. fn must not write to the Txn.
func (t *Txn) Holders(index, value string, fn func(schema.Key) bool) {
	t.holders(schema.HolderEntry(index, value), fn)
}

func (t *Txn) holders(entry string, fn func(schema.Key) bool) {
	t.reindex()
	t.scans++
	defer func() { t.scans-- }()
	t.tree.holders(entry, fn)
}

// Mutable returns a record for changing; it creates the record where there is
// none. The record may be changed until the next call of Referrers, Holders,
// Dirty or Persist.
func (t *Txn) Mutable(k schema.Key) ygot.GoStruct {
	c := t.write(k)
	if c.own {
		return c.now
	}
	if c.now == nil {
		t.set(k, c, schema.New(k))
	} else {
		t.set(k, c, schema.Clone(c.now))
	}
	c.own = true
	return c.now
}

// Delete removes a record and says whether it was there. Records below it are
// the caller's business.
func (t *Txn) Delete(k schema.Key) bool {
	if t.Get(k) == nil {
		return false
	}
	t.put(k, nil)
	return true
}

// Touch notes that a leaf of the record k was written.
func (t *Txn) Touch(k schema.Key, leaf *schema.Node) {
	c := t.change(k)
	if !slices.Contains(c.leaves, leaf) {
		if c.leaves == nil {
			c.leaves = make([]*schema.Node, 0, 8)
		}
		c.leaves = append(c.leaves, leaf)
	}
}

// put makes rec, which may be shared, the record k; nil deletes it.
func (t *Txn) put(k schema.Key, rec ygot.GoStruct) {
	c := t.write(k)
	c.own = false
	t.set(k, c, rec)
}

func (t *Txn) set(k schema.Key, c *change, rec ygot.GoStruct) {
	if c.now = rec; rec == nil {
		t.tree.records.Delete(k)
	} else {
		t.tree.records.Set(k, rec)
	}
}

// change returns what the Txn notes of k. It spares most ways down the tree,
// which with many records are what an edit costs.
func (t *Txn) change(k schema.Key) *change {
	c := t.changes[k]
	if c == nil {
		rec := t.tree.get(k)
		c = &change{old: rec, now: rec}
		t.changes[k] = c
	}
	return c
}

// write prepares for a change of k. The entries of the record stay in the
// index until reindex, because who called Mutable changes the record only
// later.
func (t *Txn) write(k schema.Key) *change {
	if t.ended || t.scans > 0 {
		panic("datastore: write to a transaction that has ended or is being scanned")
	}
	c := t.change(k)
	t.fresh = false
	if !c.stale {
		c.stale = true
		c.entries = nil
		if c.now != nil {
			c.entries = schema.IndexEntries(k, c.now, nil)
		}
		t.stale = append(t.stale, k)
	}
	return c
}

// reindex brings the index up to the records.
func (t *Txn) reindex() {
	var entries []string
	for _, k := range t.stale {
		c := t.changes[k]
		entries = entries[:0]
		if c.now != nil {
			entries = schema.IndexEntries(k, c.now, entries)
		}
		if !slices.Equal(c.entries, entries) {
			for _, e := range c.entries {
				t.tree.index.Delete(e)
			}
			for _, e := range entries {
				t.tree.index.Insert(e)
			}
		}
		c.stale, c.entries = false, nil
	}
	t.stale = t.stale[:0]
}

// Dirty returns the records that differ from the base, sorted by key. What it
// returns is not changed by later writes to the Txn.
func (t *Txn) Dirty() []schema.Dirty {
	t.reindex()
	if t.fresh {
		return t.dirty
	}
	t.dirty, t.fresh = nil, true
	for _, k := range slices.Sorted(maps.Keys(t.changes)) {
		c := t.changes[k]
		c.own = false
		switch {
		case c.now == c.old:
		case same(c.now, c.old):
			t.set(k, c, c.old) // an equal record stays the same version
		default:
			t.dirty = append(t.dirty, schema.Dirty{Key: k, Old: c.old, New: c.now})
		}
	}
	return t.dirty
}

// same says whether both are absent or equal.
func same(a, b ygot.GoStruct) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return schema.Equal(a, b)
}

// Touched calls for each record of which leaves were written, perhaps with the
// value that they had, in no order, with the leaves in the order in which they
// were first written.
func (t *Txn) Touched() iter.Seq2[schema.Key, []*schema.Node] {
	return func(yield func(schema.Key, []*schema.Node) bool) {
		for k, c := range t.changes {
			if len(c.leaves) > 0 && !yield(k, c.leaves) {
				return
			}
		}
	}
}

// snapshot returns what the Txn has now.
func (t *Txn) snapshot(revision uint64) *Snapshot {
	t.Dirty() // the index is right and no record is in the Txn's own hands
	s := newSnapshot(t.tree.copy(), revision)
	s.version = NoVersion
	return s
}
