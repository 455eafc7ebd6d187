package srcaddr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring/bgp"
)

// defaultDebounce is long enough for the events of one administrative act
// (a primary address takes its secondaries with it), and short for a person.
const defaultDebounce = 75 * time.Millisecond

// Options are the settings of a Resolver.
type Options struct {
	// Debounce is how long changes of a namespace are collected before Changes
	// tells of them, from the first one on. Zero means 75 ms.
	Debounce time.Duration
	// Home is the named namespace of queries that name none: where the speaker
	// runs if that is not where the agent does. Empty means the agent's own.
	Home string
}

// Change tells that answers for the queries of a namespace may differ now.
type Change struct {
	NetNS string
}

// Resolver answers queries. Its methods may be called by any goroutine.
type Resolver struct {
	log     *slog.Logger
	home    string
	kernel  kernel
	changes *notifier
	arrived chan struct{} // room for one: there are spaces to follow

	mu      sync.Mutex
	running bool              // guarded by mu
	spaces  map[string]*space // guarded by mu; by namespace name
}

// New returns a Resolver that watches nothing yet. It starts nothing.
func New(log *slog.Logger, o Options) *Resolver {
	return newResolver(log, o, linux{})
}

func newResolver(log *slog.Logger, o Options, k kernel) *Resolver {
	if o.Debounce <= 0 {
		o.Debounce = defaultDebounce
	}
	return &Resolver{
		log:     log,
		home:    o.Home,
		kernel:  k,
		changes: newNotifier(o.Debounce),
		arrived: make(chan struct{}, 1),
		spaces:  make(map[string]*space),
	}
}

// Run keeps the namespaces that queries have named current until ctx ends. It
// owns all goroutines and sockets of the Resolver and returns when they are
// gone. It fails only when the Resolver runs already.
func (r *Resolver) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.running {
		r.mu.Unlock()
		return errors.New("run source address resolver: it runs already")
	}
	r.running = true
	r.mu.Unlock()

	var tasks sync.WaitGroup
	tasks.Go(func() { r.changes.run(ctx) })
	tasks.Go(func() { r.watchNames(ctx) })
	for ctx.Err() == nil {
		r.follow(ctx, &tasks)
		select {
		case <-r.arrived:
		case <-ctx.Done():
		}
	}
	tasks.Wait()

	// Nothing keeps the mirrors current any more: forget them.
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = false
	clear(r.spaces)
	return nil
}

// follow starts a task for each namespace that has none.
func (r *Resolver) follow(ctx context.Context, tasks *sync.WaitGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spaces {
		if s.stop == nil {
			own, cancel := context.WithCancel(ctx)
			s.stop = cancel
			tasks.Go(func() {
				defer cancel()
				s.follow(own)
			})
		}
	}
}

// Resolve answers q from memory. Only the first query of a namespace reads the
// namespace, in some milliseconds; from then on it is watched while Run runs.
// Before Run, answers are as of that first query or the last Sync.
func (r *Resolver) Resolve(q Query) Answer {
	if q == (Query{Peer: q.Peer}) && !bgp.LinkLocal(q.Peer) {
		return Answer{Status: Unbound} // the common case needs no mirror
	}
	s := r.space(q.NetNS)
	s.first.Do(s.load)
	return s.resolve(q)
}

// space returns the space of a namespace, new if need be.
func (r *Resolver) space(netns string) *space {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.spaces[netns]
	if !ok {
		s = newSpace(netns, cmp.Or(netns, r.home), r.kernel, r.changes, r.log)
		r.spaces[netns] = s
		signal(r.arrived)
	}
	return s
}

// all returns the spaces in the order of their names.
func (r *Resolver) all() []*space {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*space, 0, len(r.spaces))
	for _, s := range r.spaces {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *space) int { return strings.Compare(a.netns, b.netns) })
	return out
}

// Forget stops watching a namespace: no query names it any more. A later query
// watches it again.
func (r *Resolver) Forget(netns string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.spaces[netns]; ok && s.stop != nil {
		s.stop()
	}
	delete(r.spaces, netns)
}

// Changes is the channel on which Run tells of changes, a namespace at a time,
// debounced. It holds at most one entry a namespace however slow the reader is,
// and is never closed.
func (r *Resolver) Changes() <-chan Change { return r.changes.out }

// Sync reads all watched namespaces anew. What differs is told by Changes too.
// It returns an error if a namespace cannot be read, but not if it is missing.
func (r *Resolver) Sync(ctx context.Context) error {
	var errs []error
	for _, s := range r.all() {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := s.reload(); err != nil && !errors.Is(err, errNoNamespace) {
			errs = append(errs, fmt.Errorf("sync %s: %w", place(s.netns), err))
		}
		signal(s.kick) // if the name stands for another namespace now, follow that one
	}
	return errors.Join(errs...)
}

// watchNames wakes the spaces whose namespace came or went. While the directory
// cannot be watched (it does not exist before the first namespace), all of them
// look for themselves each second.
func (r *Resolver) watchNames(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.watchNamesOnce(ctx); err != nil && ctx.Err() == nil {
			r.log.Debug("network namespaces are polled", "err", err)
		}
		r.wake(nil)
		pause(ctx, retryMax, nil)
	}
}

func (r *Resolver) watchNamesOnce(ctx context.Context) error {
	w, err := r.kernel.watchNames()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, w.close)
	defer func() {
		if stop() {
			w.close()
		}
	}()
	r.wake(nil) // for what happened before the watch
	for {
		names, err := w.next()
		if err != nil {
			return err
		}
		r.wake(names)
	}
}

// wake lets the named spaces, or all for nil, check their namespace.
func (r *Resolver) wake(names []string) {
	for _, s := range r.all() {
		if s.netns != "" && (names == nil || slices.Contains(names, s.netns)) {
			signal(s.kick)
		}
	}
}

// signal sets a flag channel, which has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits for d, for wake, or for the end of ctx, and reports whether it was woken.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
		return true
	case <-ctx.Done():
	}
	return false
}
