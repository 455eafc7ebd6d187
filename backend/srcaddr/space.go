package srcaddr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// How long a space waits before it tries again: to open a namespace that is
// missing, to subscribe after an error, to repeat a list that was disturbed.
// The first wait is short because ip-netns(8) makes the file of a namespace a
// moment before it mounts it, and because a resync must not linger.
const (
	retryMin  = 5 * time.Millisecond
	retryMax  = time.Second
	relistGap = 250 * time.Millisecond
)

// errRenamed is returned when the name of a namespace is gone or stands for
// another one.
var errRenamed = errors.New("the name stands for another network namespace now, or for none")

// space keeps the mirror of one namespace.
//
// Invariant: the mirror is written only under writer, which is held from the
// start of a list to the end of its use; so an event is either in the list or
// applied after it. An event that is in both does no harm: the last event of an
// entry and the list agree.
type space struct {
	asked   string // the namespace as queries name it
	netns   string // and as the kernel does
	kernel  kernel
	changes *notifier
	log     *slog.Logger

	first sync.Once          // the load by the first query
	kick  chan struct{}      // room for one: check the name
	stop  context.CancelFunc // guarded by Resolver.mu; nil until followed

	writer sync.Mutex

	mu      sync.RWMutex
	mirror  *mirror // guarded by mu; nil while there is none to read
	problem string  // guarded by mu; why mirror is nil
}

func newSpace(asked, netns string, k kernel, n *notifier, log *slog.Logger) *space {
	return &space{
		asked:   asked,
		netns:   netns,
		kernel:  k,
		changes: n,
		log:     log.With("netns", netns),
		kick:    make(chan struct{}, 1),
	}
}

func (s *space) resolve(q Query) Answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.mirror == nil {
		return Answer{Status: NamespaceMissing, Detail: s.problem}
	}
	q.NetNS = s.netns // for the words of the answer
	return classify(s.mirror, q)
}

// load reads the namespace for the first query.
func (s *space) load() {
	_ = s.reload() // lose has kept the reason for the answer, and logged it
}

// reload reads the namespace by its name.
func (s *space) reload() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	c, err := s.kernel.open(s.netns, false)
	if err != nil {
		s.lose(err)
		return err
	}
	defer c.close()
	if err := s.fill(c); err != nil && !errors.Is(err, errInterrupted) {
		s.lose(err)
		return err
	}
	return nil
}

// fill replaces the mirror by a full list. The caller holds writer.
func (s *space) fill(c conn) error {
	list, err := c.list()
	if err != nil && !errors.Is(err, errInterrupted) {
		return err
	}
	fresh := newMirror(list)
	s.mu.Lock()
	changed := !fresh.equal(s.mirror)
	appeared := s.mirror == nil && s.problem != ""
	s.mirror, s.problem = fresh, ""
	s.mu.Unlock()
	if appeared {
		s.log.Info("network namespace can be read now")
	}
	if changed {
		s.changes.mark(s.asked)
	}
	return err
}

// lose handles a failure to read the namespace. A missing namespace has no
// mirror; after any other error the last mirror is the best knowledge there is.
// The caller holds writer.
func (s *space) lose(err error) {
	missing := errors.Is(err, errNoNamespace)
	s.mu.Lock()
	if s.mirror != nil && !missing {
		s.mu.Unlock()
		return
	}
	problem := fmt.Sprintf("%s cannot be read: %v", place(s.netns), err)
	if missing {
		problem = fmt.Sprintf("network namespace %s does not exist; create it (ip netns add %s)", s.netns, s.netns)
	}
	changed := s.mirror != nil || s.problem != problem
	s.mirror, s.problem = nil, problem
	s.mu.Unlock()
	if changed {
		s.log.Info("network namespace cannot be read", "err", err)
		s.changes.mark(s.asked)
	}
}

// apply brings events into the mirror.
func (s *space) apply(events []event) {
	s.writer.Lock()
	defer s.writer.Unlock()
	changed := false
	s.mu.Lock()
	if s.mirror != nil {
		for _, e := range events {
			changed = s.mirror.apply(e) || changed
		}
	}
	s.mu.Unlock()
	if changed {
		s.changes.mark(s.asked)
	}
}

// follow keeps the mirror current until ctx ends.
func (s *space) follow(ctx context.Context) {
	delay, told := retryMin, ""
	for {
		start := time.Now()
		err := s.attend(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(start) > retryMax { // it worked for a while
			delay, told = retryMin, ""
		}
		if errors.Is(err, errRenamed) {
			continue
		}
		if !errors.Is(err, errNoNamespace) && err.Error() != told {
			told = err.Error()
			s.log.Warn("netlink events lost, the network namespace is read anew", "err", err)
		}
		if pause(ctx, delay, s.kick) {
			delay = retryMin
		} else {
			delay = min(2*delay, retryMax)
		}
	}
}

// attend subscribes to the namespace, fills the mirror, and applies events
// until something fails.
func (s *space) attend(ctx context.Context) error {
	c, err := s.kernel.open(s.netns, true)
	if err != nil {
		s.loseLocked(err)
		return err
	}
	r := startReader(c)
	defer r.stop()

	relist := time.NewTimer(0) // the first list
	defer relist.Stop()
	for {
		select {
		case <-relist.C:
			switch err := s.fillLocked(c); {
			case errors.Is(err, errInterrupted):
				relist.Reset(relistGap)
			case err != nil:
				s.loseLocked(err)
				return err
			}
		case b := <-r.batches:
			if b.err != nil {
				return b.err
			}
			s.apply(b.events)
		case <-s.kick:
			if id, err := s.kernel.identify(s.netns); err != nil || id != c.id() {
				return errRenamed
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *space) loseLocked(err error) {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.lose(err)
}

func (s *space) fillLocked(c conn) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	return s.fill(c)
}

// reader receives from a conn in a goroutine of its own.
type reader struct {
	conn    conn
	batches chan batch
	done    chan struct{}
	task    sync.WaitGroup
}

type batch struct {
	events []event
	err    error
}

func startReader(c conn) *reader {
	r := &reader{conn: c, batches: make(chan batch), done: make(chan struct{})}
	r.task.Go(r.run)
	return r
}

// run ends after the first error.
func (r *reader) run() {
	for {
		events, err := r.conn.receive()
		select {
		case r.batches <- batch{events, err}:
		case <-r.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// stop closes the conn and waits for the goroutine.
func (r *reader) stop() {
	close(r.done)
	r.conn.close()
	r.task.Wait()
}
