package push

import (
	"bytes"
	"io"
	"sync"

	"mooring/engine/commit"
)

// maxShared is the largest batch of changes whose edits are kept for other
// subscribers, and recentBatches is how many are.
const (
	maxShared     = 64
	recentBatches = 16
)

// Cache lets subscribers of the same selection that are told of a batch at
// about the same time share its edits. The zero Cache is ready. All methods are
// safe for concurrent use.
type Cache struct {
	mu     sync.Mutex // guards what follows
	recent [recentBatches]*batch
	next   int
}

// batch is the edits of changes that came together.
type batch struct {
	first *commit.Change // tells batches apart: the feed gives all readers the same slice
	size  int
	key   string
	once  sync.Once
	edits []byte
}

// Write writes the edits that a batch makes, as the function Write does.
func (c *Cache) Write(w io.Writer, changes []commit.Change, sel *Selection) error {
	if len(changes) == 0 || len(changes) > maxShared {
		return Write(w, changes, sel)
	}
	b := c.batch(changes, sel)
	b.once.Do(func() {
		var out bytes.Buffer
		_ = Write(&out, changes, sel) // a Buffer takes everything
		b.edits = out.Bytes()
	})
	if len(b.edits) == 0 {
		return nil
	}
	_, err := w.Write(b.edits)
	return err
}

func (c *Cache) batch(changes []commit.Change, sel *Selection) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.recent {
		if b != nil && b.first == &changes[0] && b.size == len(changes) && b.key == sel.Key {
			return b
		}
	}
	b := &batch{first: &changes[0], size: len(changes), key: sel.Key}
	c.recent[c.next] = b
	c.next = (c.next + 1) % len(c.recent)
	return b
}

// Forget lets go of what the cache holds.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.recent[:])
}
