package srcaddr

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// notifier collects the names of changed namespaces and sends them on. Its
// memory is a set of names, so a slow reader costs nothing.
type notifier struct {
	debounce time.Duration
	out      chan Change
	wake     chan struct{} // room for one

	mu    sync.Mutex
	dirty map[string]struct{} // guarded by mu
}

func newNotifier(debounce time.Duration) *notifier {
	return &notifier{
		debounce: debounce,
		out:      make(chan Change),
		wake:     make(chan struct{}, 1),
		dirty:    make(map[string]struct{}),
	}
}

// mark notes that a namespace changed.
func (n *notifier) mark(netns string) {
	n.mu.Lock()
	n.dirty[netns] = struct{}{}
	n.mu.Unlock()
	signal(n.wake)
}

// run sends what is marked. The wait starts at the first mark and is not
// prolonged by later ones: an interface that flaps all the time is still told of.
func (n *notifier) run(ctx context.Context) {
	for {
		select {
		case <-n.wake:
		case <-ctx.Done():
			return
		}
		pause(ctx, n.debounce, nil)
		for _, netns := range n.take() {
			select {
			case n.out <- Change{NetNS: netns}:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (n *notifier) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := slices.Sorted(maps.Keys(n.dirty))
	clear(n.dirty)
	return names
}
