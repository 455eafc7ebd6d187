package datastore

import (
	"slices"
	"sync"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// Candidate is a configuration that is being prepared: running, or a running
// with changes. All methods are safe for concurrent use. The package comment
// says how private candidates and the shared one meet other commits.
type Candidate struct {
	store  *Store
	shared bool

	mu     sync.Mutex // guards what follows; taken before the mutex of the locks
	txn    *Txn       // nil: nothing was edited
	resets int        // how often txn became nil
}

// NewCandidate returns a private candidate. It needs no closing.
func (s *Store) NewCandidate() *Candidate { return &Candidate{store: s} }

// Shared returns the candidate of RFC 6241 8.3, which is one for all.
func (s *Store) Shared() *Candidate { return s.shared }

// Edit lets fn change the candidate. Where fn returns an error, Edit returns
// it and the candidate is as before. fn must not call the candidate; it may
// call Store.CheckWrite, and no lock of the shared candidate is granted
// between that and the end of Edit.
func (c *Candidate) Edit(fn func(*Txn) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	part := c.part()
	defer part.Discard()
	if err := fn(part); err != nil {
		return err
	}
	part.Dirty()
	if c.txn == nil {
		c.txn = part
	} else {
		c.txn.adopt(part)
	}
	return nil
}

// part returns a Txn for one edit, which must not show where it fails. It needs
// the mutex.
func (c *Candidate) part() *Txn {
	t := c.txn
	if t == nil {
		return c.store.Begin()
	}
	return &Txn{base: t.base, required: slices.Clone(t.required), tree: t.tree.copy(), changes: map[schema.Key]*change{}}
}

// adopt takes over the content of part, which is a copy of t with changes.
func (t *Txn) adopt(part *Txn) {
	t.tree, t.fresh, t.required = part.tree, false, part.required
	for k, c := range part.changes {
		mine := t.changes[k]
		if mine == nil {
			t.changes[k] = c
			continue
		}
		mine.now = c.now
		for _, leaf := range c.leaves {
			if !slices.Contains(mine.leaves, leaf) {
				mine.leaves = append(mine.leaves, leaf)
			}
		}
	}
}

// clone returns a Txn with the same base and content.
func (t *Txn) clone() *Txn {
	dirty := t.Dirty() // no record is in the Txn's own hands then
	out := &Txn{
		base: t.base, required: slices.Clone(t.required), tree: t.tree.copy(),
		changes: make(map[schema.Key]*change, len(t.changes)), dirty: dirty, fresh: true,
	}
	for k, c := range t.changes {
		out.changes[k] = &change{old: c.old, now: c.now, leaves: slices.Clip(c.leaves)}
	}
	return out
}

// Discard makes the candidate running again (RFC 6241 8.3.4.2).
func (c *Candidate) Discard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

// DiscardAs is Discard for h. Where another one holds the lock of the shared
// candidate it fails with a *LockedError; no lock is granted in between. Where
// may refuses what would be undone, which it is asked about of the shared one
// only, it fails with that error.
func (c *Candidate) DiscardAs(h Holder, may func(undone []schema.Dirty) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shared {
		if err := c.store.CheckWrite(DatastoreCandidate, h); err != nil {
			return err
		}
		if c.modified() {
			if err := may(Undone(c.txn.Dirty())); err != nil {
				return err
			}
		}
	}
	c.reset()
	return nil
}

// Undone turns changes round.
func Undone(changes []schema.Dirty) []schema.Dirty {
	out := make([]schema.Dirty, len(changes))
	for i, d := range changes {
		out[i] = schema.Dirty{Key: d.Key, Old: d.New, New: d.Old}
	}
	return out
}

// Modified says whether the candidate differs from the running that it is
// based on.
func (c *Candidate) Modified() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.modified()
}

// View returns what the candidate is now.
func (c *Candidate) View() *Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	if c.txn == nil || len(c.txn.Dirty()) == 0 {
		return c.store.Running()
	}
	return c.txn.snapshot(c.txn.base.revision)
}

// Changes returns what leads from running to what the candidate is now, sorted
// by key. It costs what was edited; with a private candidate that running has
// left behind, a look at each record.
func (c *Candidate) Changes() []schema.Dirty {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	running := c.store.Running()
	switch {
	case c.txn == nil:
		return nil
	case c.txn.base == running:
		return c.txn.Dirty()
	}
	return diff(running.tree, c.txn.tree)
}

// Begin returns a Txn on running that holds the changes of the candidate, for
// a commit. A private candidate fails with a *ConflictError where running
// changed the same records, any with a *VersionError where running is not what an
// edit required. After Publish, Committed makes the candidate
// forget what was committed.
func (c *Candidate) Begin() (*Txn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	if c.txn == nil {
		return c.store.Begin(), nil
	}
	running := c.store.Running()
	for _, v := range c.txn.required {
		if v != running.version {
			return nil, &VersionError{Version: running.version}
		}
	}
	var txn *Txn
	if c.txn.base == running {
		txn = c.txn.clone()
	} else {
		var conflicts []schema.Key
		if txn, conflicts = c.replay(running); len(conflicts) > 0 && !c.shared {
			return nil, &ConflictError{Keys: conflicts}
		}
	}
	txn.from, txn.resets = c.txn.Dirty(), c.resets
	return txn, nil
}

// Committed forgets the changes of a Txn that Begin returned and that was
// published. An edit that came in between stays.
func (c *Candidate) Committed(t *Txn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.txn == nil {
		return
	}
	for k := range t.changes {
		if mine := c.txn.changes[k]; mine != nil {
			mine.leaves = nil
		}
	}
	if t.resets == c.resets {
		for _, d := range t.from { // what an edit has changed back since is a change
			if mine := c.txn.changes[d.Key]; mine != nil {
				mine.old, c.txn.fresh = d.New, false
			}
		}
	}
	c.rebase(c.store.Running())
}

// Resolution says what becomes of a leaf or list entry that a private candidate
// and running have both changed.
type Resolution uint8

// The resolutions, named as in draft-ietf-netconf-privcand.
const (
	RevertOnConflict Resolution = iota // nothing is done, it is an error
	PreferCandidate                    // the candidate's stays
	PreferRunning                      // running's takes its place
)

// Update brings a private candidate onto the running of now. With
// RevertOnConflict it fails with a *ConflictError and changes nothing where
// both changed the same.
func (c *Candidate) Update(how Resolution) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	if c.txn == nil {
		return nil
	}
	running := c.store.Running()
	next, conflicts := c.replay(running)
	if len(conflicts) > 0 {
		switch how {
		case RevertOnConflict:
			return &ConflictError{Keys: conflicts}
		case PreferRunning:
			next = c.concede(running, conflicts)
		}
	}
	if c.txn = next; len(next.changes) == 0 {
		c.reset()
	}
	return nil
}

// reset, modified, follow, rebase and replay need the mutex.

func (c *Candidate) reset() {
	c.txn = nil
	c.resets++
}

func (c *Candidate) modified() bool {
	c.follow()
	return c.txn != nil && len(c.txn.Dirty()) > 0
}

// follow brings the shared candidate and an unmodified one onto the running
// of now.
func (c *Candidate) follow() {
	running := c.store.Running()
	if c.txn == nil || c.txn.base == running {
		return
	}
	if c.shared || len(c.txn.Dirty()) == 0 {
		c.rebase(running)
	}
}

func (c *Candidate) rebase(onto *Snapshot) {
	if c.txn, _ = c.replay(onto); len(c.txn.changes) == 0 {
		c.reset()
	}
}

// replay returns a Txn on a later running with the candidate's changes, and
// the sorted keys of the records in which both changed the same leaf or list
// entry differently, or one deleted what the other changed. There the
// candidate wins.
func (c *Candidate) replay(onto *Snapshot) (*Txn, []schema.Key) {
	from, to := c.txn, onto.begin()
	to.required = from.required
	var conflicts []schema.Key
	dirty := from.Dirty()
	for _, d := range dirty {
		now := onto.Get(d.Key)
		if same(now, d.New) {
			continue
		}
		next, conflict := d.New, !same(now, d.Old)
		if conflict && now != nil && d.Old != nil && d.New != nil {
			next, conflict = schema.Merge(d.Old, d.New, now)
		}
		if conflict {
			conflicts = append(conflicts, d.Key)
		}
		to.put(d.Key, next)
	}
	for _, d := range dirty {
		if d.New == nil {
			conflicts = append(conflicts, to.deleteBelow(d.Key)...)
		} else {
			conflicts = append(conflicts, to.restoreAbove(d.Key, from)...)
		}
	}
	for k, ch := range from.changes {
		for _, leaf := range ch.leaves {
			to.Touch(k, leaf)
		}
	}
	to.Dirty() // brings the index up to the records
	slices.Sort(conflicts)
	return to, slices.Compact(conflicts)
}

// concede is replay, in which running wins the records in conflict: of those
// that both still have the leaves that both changed, of the others all.
func (c *Candidate) concede(onto *Snapshot, conflicts []schema.Key) *Txn {
	from, to := c.txn, onto.begin()
	to.required = from.required
	dirty := from.Dirty()
	for _, d := range dirty {
		now, next := onto.Get(d.Key), d.New
		both := now != nil && d.Old != nil && d.New != nil
		_, conflict := slices.BinarySearch(conflicts, d.Key)
		switch {
		case conflict && both:
			next, _ = schema.Merge(d.Old, now, d.New)
		case conflict:
			continue
		case both && !same(now, d.Old):
			next, _ = schema.Merge(d.Old, d.New, now)
		}
		to.put(d.Key, next)
	}
	for _, k := range conflicts { // what running gained below what the candidate deleted
		if onto.Get(k) != nil {
			to.restoreAbove(k, onto)
		}
	}
	for _, d := range dirty { // what the candidate gained below what running lost
		if k := d.Key; d.New != nil && to.orphan(k) {
			to.Delete(k)
		}
	}
	for k, ch := range from.changes {
		if _, conflict := slices.BinarySearch(conflicts, k); conflict || to.Get(k) == nil {
			continue
		}
		for _, leaf := range ch.leaves {
			to.Touch(k, leaf)
		}
	}
	to.Dirty()
	return to
}

// orphan says whether a record above k is missing.
func (t *Txn) orphan(k schema.Key) bool {
	for p := k.Parent(); p != ""; p = p.Parent() {
		if t.Get(p) == nil {
			return true
		}
	}
	return false
}

// deleteBelow deletes what running gained below a record that the candidate
// deleted, and returns the keys.
func (t *Txn) deleteBelow(k schema.Key) []schema.Key {
	var below []schema.Key
	t.Scan(k.Below(), func(k schema.Key, _ ygot.GoStruct) bool {
		below = append(below, k)
		return true
	})
	for _, k := range below {
		t.Delete(k)
	}
	return below
}

// restoreAbove puts back the records above k that running lost and that the
// candidate still has, and returns their keys.
func (t *Txn) restoreAbove(k schema.Key, from schema.Reader) []schema.Key {
	var lost []schema.Key
	for p := k.Parent(); p != "" && t.Get(p) == nil; p = p.Parent() {
		rec := from.Get(p)
		if rec == nil {
			break
		}
		t.put(p, rec)
		lost = append(lost, p)
	}
	return lost
}
