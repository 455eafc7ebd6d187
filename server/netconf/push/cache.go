package push

import (
	"sync"

	"mooring/engine/commit"
)

// maxShared is the largest batch of changes whose edits are kept for other
// subscribers, and recentChanges is of how many changes they are.
const (
	maxShared     = 64
	recentChanges = 256
)

// Cache lets subscribers of the same selection that are told of a change at
// about the same time share its edits, also where a slow one has been given
// several changes of a record as one. The zero Cache is ready. All methods are
// safe for concurrent use.
type Cache struct {
	mu    sync.Mutex // guards what follows
	known map[shared]*sharedEdits
	ring  [recentChanges]shared // the keys of known
	next  int
}

// shared names the edits that a change makes under a selection.
type shared struct {
	change    commit.Change
	selection string
}

type sharedEdits struct {
	once sync.Once
	edits
}

// Reader returns one who may read everything, and shares the edits of a batch
// of n changes.
func (c *Cache) Reader(sel *Selection, n int) Reader {
	if n > maxShared {
		return sel.Reader(nil)
	}
	return Reader{func(change *commit.Change) edits { return c.edits(change, sel) }, sel.Exclude}
}

func (c *Cache) edits(change *commit.Change, sel *Selection) edits {
	e := c.entry(shared{*change, sel.Key})
	e.once.Do(func() { e.edits = sel.edits(change) })
	return e.edits
}

func (c *Cache) entry(k shared) *sharedEdits {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.known[k]; e != nil {
		return e
	}
	if c.known == nil {
		c.known = map[shared]*sharedEdits{}
	}
	delete(c.known, c.ring[c.next])
	e := &sharedEdits{}
	c.known[k], c.ring[c.next] = e, k
	c.next = (c.next + 1) % recentChanges
	return e
}

// Forget lets go of what the cache holds.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.next = nil, 0
	clear(c.ring[:])
}
