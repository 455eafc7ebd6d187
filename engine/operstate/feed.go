package operstate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrClosed is returned by Subscription.Next after Subscription.Close.
var ErrClosed = errors.New("subscription is closed")

// Change is one value before and after. Whoever receives a Change must not
// change what it leads to: others hold the same.
type Change[K cmp.Ordered, V any] struct {
	Key      K
	Old, New V
	// Duplicates counts the changes that were merged into this one because
	// the reader was slow: Old is that of the first, New that of the last.
	Duplicates uint32
}

// Feed carries changes to any number of subscriptions. It never waits for a
// reader and holds at most one change a key and subscription, so a slow or
// dead reader costs bounded memory and nobody else's time. The zero Feed is
// ready.
type Feed[K cmp.Ordered, V any] struct {
	mu   sync.Mutex // guards subs, and keeps one order of changes for all
	subs []*Subscription[K, V]
}

// Subscription is one reader's end of a Feed. Next is for one goroutine at a
// time; Close may be called from any, any number of times.
//
// What waits for the reader is one of two things. A reader that keeps up finds
// the slice that was published, the same for all of them. A second Publish
// before the reader came moves the changes into merged, where they coalesce.
type Subscription[K cmp.Ordered, V any] struct {
	feed *Feed[K, V]
	wake chan struct{} // has room for one signal; Publish never waits
	done chan struct{} // closed by Close

	each   bool       // see SubscribeEach
	mu     sync.Mutex // guards what follows
	closed bool
	batch  []Change[K, V] // shared with others; nil if merged is in use
	merged []pending[K, V]
	index  map[K]int // key to its place in merged
}

// pending is a change that waits. It leads into a published slice until a
// second change of its key makes one that is this subscription's own.
type pending[K cmp.Ordered, V any] struct {
	change *Change[K, V]
	own    bool
}

// Subscribe returns a Subscription that receives all changes published from
// now on. Whoever needs the current values too reads them after Subscribe; no
// change is lost between, one may be told twice.
func (f *Feed[K, V]) Subscribe() *Subscription[K, V] {
	return f.subscribe(false)
}

// SubscribeEach is Subscribe for a reader that wants to know what a record was in
// between: a batch of Next may hold several changes of a record, one after the
// other. Only a reader that is far behind is given them merged.
func (f *Feed[K, V]) SubscribeEach() *Subscription[K, V] { return f.subscribe(true) }

// maxEach is how many changes are kept apart for a reader.
const maxEach = 4096

func (f *Feed[K, V]) subscribe(each bool) *Subscription[K, V] {
	s := &Subscription[K, V]{
		each: each,
		feed: f,
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs = append(f.subs, s)
	return s
}

// Idle says that nobody listens, so that a publisher need not compute what
// changed. Ask after the new values can be read: who subscribes later finds
// them there.
func (f *Feed[K, V]) Idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs) == 0
}

// Publish hands the changes to all subscriptions. It never waits for a reader.
// The changes stay together and in order for a reader that keeps up. The feed
// owns the slice from here on.
func (f *Feed[K, V]) Publish(changes []Change[K, V]) {
	if len(changes) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.subs {
		s.add(changes)
	}
}

// add makes changes pending. The wake channel has room for one signal, which
// is enough: Next takes all that is pending.
func (s *Subscription[K, V]) add(changes []Change[K, V]) {
	s.mu.Lock()
	switch {
	case s.closed:
	case s.batch == nil && s.merged == nil:
		s.batch = changes[:len(changes):len(changes)]
	default:
		if s.batch != nil {
			s.index = make(map[K]int, len(s.batch)+len(changes))
			s.merge(s.batch)
			s.batch = nil
		}
		s.merge(changes)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Follower is a value that keeps something of the one before it where two
// changes are merged into one.
type Follower[V any] interface {
	// After returns the value as it follows on an earlier one.
	After(earlier V) V
}

// merge needs the lock.
func (s *Subscription[K, V]) merge(changes []Change[K, V]) {
	for i := range changes {
		c := &changes[i]
		at, ok := s.index[c.Key]
		if !ok || s.each && len(s.merged) < maxEach {
			s.index[c.Key] = len(s.merged)
			s.merged = append(s.merged, pending[K, V]{change: c})
			continue
		}
		p := &s.merged[at]
		if !p.own {
			first := *p.change
			p.change, p.own = &first, true
		}
		if f, ok := any(c.New).(Follower[V]); ok {
			p.change.New = f.After(p.change.New)
		} else {
			p.change.New = c.New
		}
		p.change.Duplicates += 1 + c.Duplicates
	}
}

// Next waits until something has changed and returns all that waits: one call
// of Publish as it was, or the changes of several in the order of their keys.
// It ends with the error of ctx, or with ErrClosed after Close. The caller must
// not change the slice.
func (s *Subscription[K, V]) Next(ctx context.Context) ([]Change[K, V], error) {
	for {
		changes, err := s.take()
		if err != nil || changes != nil {
			return changes, err
		}
		select {
		case <-s.wake:
		case <-s.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take returns nil where nothing waits.
func (s *Subscription[K, V]) take() ([]Change[K, V], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	changes := s.batch
	if s.merged != nil {
		changes = make([]Change[K, V], len(s.merged))
		for i, p := range s.merged {
			changes[i] = *p.change
		}
		slices.SortStableFunc(changes, func(a, b Change[K, V]) int { return cmp.Compare(a.Key, b.Key) })
	}
	s.batch, s.merged, s.index = nil, nil, nil
	return changes, nil
}

// Close ends the subscription, drops what waits and makes Next return
// ErrClosed.
func (s *Subscription[K, V]) Close() {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.batch, s.merged, s.index = nil, nil, nil
	f.subs = slices.DeleteFunc(f.subs, func(o *Subscription[K, V]) bool { return o == s })
	close(s.done)
}
