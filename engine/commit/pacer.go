package commit

import (
	"slices"
	"sync"
	"time"

	"mooring/bgp"
	"mooring/engine/plan"
)

// pacer remembers which peers wait for their reset, in which order, and which
// sessions are down because they were reset. It decides nothing else and does
// no I/O. All methods are safe for concurrent use.
type pacer struct {
	mu      sync.Mutex // guards what follows
	waiting map[bgp.PeerKey]waiting
	queue   []bgp.PeerKey // in order; one that no longer waits is skipped
	urgent  []bgp.PeerKey // wait without need: their sessions are down anyway
	down    map[bgp.PeerKey]downtime
}

// waiting is why a peer is to be reset.
type waiting struct {
	cause    bgp.Cause
	commitID string
	forced   []string // plan.PeerPair.Forced: what the specifications do not tell
}

// downtime is a session that was reset.
type downtime struct {
	transitions uint64    // how often it had been established
	until       time.Time // then it holds up nobody any more
}

func newPacer() *pacer {
	return &pacer{waiting: map[bgp.PeerKey]waiting{}, down: map[bgp.PeerKey]downtime{}}
}

// room returns how many more sessions may be reset. Who waits already has it
// first.
func (p *pacer) room(limit int, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(now)
	return max(0, limit-len(p.down)-len(p.waiting))
}

// settle needs the lock.
func (p *pacer) settle(now time.Time) {
	for key, d := range p.down {
		if !now.Before(d.until) {
			delete(p.down, key)
		}
	}
}

// reset notes a session that is about to be reset.
func (p *pacer) reset(key bgp.PeerKey, d downtime) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down[key] = d
}

// wait makes a peer wait. One that does so already keeps its place and cause.
func (p *pacer) wait(key bgp.PeerKey, w waiting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old, ok := p.waiting[key]; ok {
		old.forced = union(old.forced, w.forced)
		p.waiting[key] = old
		return
	}
	p.waiting[key] = w
	p.queue = append(p.queue, key)
}

// hurry lets a peer wait no longer than it takes to come to it.
func (p *pacer) hurry(key bgp.PeerKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.urgent = append(p.urgent, key)
}

// saw takes the state of a session, and says whether somebody's turn may have
// come.
func (p *pacer) saw(key bgp.PeerKey, st *bgp.PeerState) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	up := st.Session == bgp.StateEstablished
	if d, ok := p.down[key]; ok && up && st.Transitions > d.transitions {
		delete(p.down, key)
		return len(p.waiting) > 0
	}
	if _, ok := p.waiting[key]; ok && !up {
		p.urgent = append(p.urgent, key)
		return true
	}
	return false
}

// arrived forgets that a peer waits: it has what it waited for.
func (p *pacer) arrived(key bgp.PeerKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, key)
}

// free forgets a reset that did not happen, or after which the session is not
// meant to come back.
func (p *pacer) free(key bgp.PeerKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.down, key)
}

// next takes the peers whose turn it is, with their reasons.
func (p *pacer) next(limit int, now time.Time) ([]bgp.PeerKey, []waiting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(now)
	var keys []bgp.PeerKey
	var why []waiting
	take := func(key bgp.PeerKey) {
		if w, ok := p.waiting[key]; ok {
			delete(p.waiting, key)
			keys, why = append(keys, key), append(why, w)
		}
	}
	for _, key := range p.urgent {
		take(key)
	}
	p.urgent = nil
	for room := limit - len(p.down) + len(keys); len(p.queue) > 0 && len(keys) < room; p.queue = p.queue[1:] {
		take(p.queue[0])
	}
	return keys, why
}

// left returns how long it takes until a turn comes whatever happens, 0 for
// ever.
func (p *pacer) left(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return 0
	}
	first := time.Duration(0)
	for _, d := range p.down {
		if wait := max(d.until.Sub(now), 1); first == 0 || wait < first {
			first = wait
		}
	}
	return first
}

// pending returns how many peers wait.
func (p *pacer) pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

func (p *pacer) waits(key bgp.PeerKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.waiting[key]
	return ok
}

// forced are the settings that reset a waiting peer although they have not
// changed.
func (p *pacer) forced(key bgp.PeerKey) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting[key].forced
}

// union returns the elements of both, those of a first. It changes neither.
func union(a, b []string) []string {
	out := slices.Clip(a)
	for _, s := range b {
		if !slices.Contains(a, s) {
			out = append(out, s)
		}
	}
	return out
}

// whyOf is why a step waits.
func whyOf(s *plan.Step, cause bgp.Cause, commitID string) waiting {
	return waiting{cause: cause, commitID: commitID, forced: s.Forced}
}
