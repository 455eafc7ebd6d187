package srcaddr

import (
	"errors"
	"sync"
)

// fakeKernel is a kernel whose namespaces the test sets. Its channels are made
// where the test runs, so that synctest sees its goroutines wait.
type fakeKernel struct {
	mu        sync.Mutex
	nextID    uint64
	spaces    map[string]*fakeSpace
	openErr   error       // of every open
	namesErr  error       // of watchNames
	names     *fakeWatch  // the last one
	conns     []*fakeConn // every subscription made
	lists     int
	interrupt int // so many of the next lists are interrupted
	listErr   error
}

type fakeSpace struct {
	id    namespaceID
	state *mirror
}

func newFakeKernel() *fakeKernel { return &fakeKernel{spaces: map[string]*fakeSpace{}} }

// add makes a namespace, or a new one in place of that name.
func (k *fakeKernel) add(name string, events ...event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nextID++
	k.spaces[name] = &fakeSpace{id: namespaceID{ino: k.nextID}, state: newMirror(events)}
}

func (k *fakeKernel) remove(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.spaces, name)
}

// set changes a namespace and tells its subscribers; silently does not tell.
func (k *fakeKernel) set(name string, events ...event) {
	k.silently(name, events...)
	for _, c := range k.subscribers(name) {
		c.batches <- batch{events: events}
	}
}

func (k *fakeKernel) silently(name string, events ...event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range events {
		k.spaces[name].state.apply(e)
	}
}

// fail ends the subscriptions of a namespace with err.
func (k *fakeKernel) fail(name string, err error) {
	for _, c := range k.subscribers(name) {
		c.batches <- batch{err: err}
	}
}

// subscribers returns the subscriptions of a namespace that are open.
func (k *fakeKernel) subscribers(name string) []*fakeConn {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []*fakeConn
	for _, c := range k.conns {
		if c.name == name && !c.isClosed() {
			out = append(out, c)
		}
	}
	return out
}

func (k *fakeKernel) counts() (subscriptions, lists int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.conns), k.lists
}

func (k *fakeKernel) do(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

func (k *fakeKernel) open(name string, subscribe bool) (conn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.openErr != nil {
		return nil, k.openErr
	}
	s, ok := k.spaces[name]
	if !ok {
		return nil, errNoNamespace
	}
	c := &fakeConn{k: k, name: name, space: s, batches: make(chan batch, 100), closed: make(chan struct{})}
	if subscribe {
		k.conns = append(k.conns, c)
	}
	return c, nil
}

func (k *fakeKernel) identify(name string) (namespaceID, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.spaces[name]; ok {
		return s.id, nil
	}
	return namespaceID{}, errNoNamespace
}

func (k *fakeKernel) watchNames() (nameWatch, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.namesErr != nil {
		return nil, k.namesErr
	}
	k.names = &fakeWatch{names: make(chan []string, 10), closed: make(chan struct{})}
	return k.names, nil
}

var errClosed = errors.New("closed")

type fakeConn struct {
	k       *fakeKernel
	name    string
	space   *fakeSpace
	batches chan batch
	closed  chan struct{}
}

func (c *fakeConn) id() namespaceID { return c.space.id }
func (c *fakeConn) close()          { close(c.closed) }

func (c *fakeConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

func (c *fakeConn) list() ([]event, error) {
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	c.k.lists++
	if c.k.listErr != nil {
		return nil, c.k.listErr
	}
	var out []event
	for _, l := range c.space.state.links {
		out = append(out, event{op: setLink, link: l})
	}
	for _, hs := range c.space.state.holders {
		for _, a := range hs {
			out = append(out, event{op: setAddress, addr: a})
		}
	}
	if c.k.interrupt > 0 {
		c.k.interrupt--
		return out[:len(out)-1], errInterrupted // as if it had come while listing
	}
	return out, nil
}

func (c *fakeConn) receive() ([]event, error) {
	select {
	case b := <-c.batches:
		return b.events, b.err
	case <-c.closed:
		return nil, errClosed
	}
}

type fakeWatch struct {
	names  chan []string
	closed chan struct{}
}

func (w *fakeWatch) close() { close(w.closed) }

func (w *fakeWatch) next() ([]string, error) {
	select {
	case n := <-w.names:
		if n == nil {
			return nil, errors.New("events lost")
		}
		return n, nil
	case <-w.closed:
		return nil, errClosed
	}
}
