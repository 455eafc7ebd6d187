package netconf

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"mooring/server/netconf/rpc"
)

// Why a session cannot be had. The texts reach the client.
var (
	errTooMany     = errors.New("too many NETCONF sessions, try again later")
	errTooManyUser = errors.New("too many NETCONF sessions of this user, close one first")
	errStopping    = errors.New("the server is shutting down")
)

// registry knows the sessions. It implements rpc.Sessions.
type registry struct {
	max, maxPerUser int

	mu       sync.Mutex // guards what follows
	last     uint32
	sessions map[uint32]*session
	perUser  map[string]int
	stopped  bool
	totals   rpc.Statistics
}

func newRegistry(l Limits) *registry {
	return &registry{
		max: l.MaxSessions, maxPerUser: l.MaxSessionsPerUser,
		sessions: map[uint32]*session{}, perUser: map[string]int{}, totals: rpc.Statistics{Start: time.Now()},
	}
}

// add gives a session a place and an id (RFC 6241 8.1: 1 to 4294967295).
func (r *registry) add(s *session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	user := s.peer.Identity.User
	switch {
	case r.stopped:
		return errStopping
	case len(r.sessions) >= r.max:
		return errTooMany
	case r.perUser[user] >= r.maxPerUser:
		return errTooManyUser
	}
	for r.last++; r.last == 0 || r.sessions[r.last] != nil; r.last++ {
	}
	s.peer.ID, s.peer.Identity.Session = r.last, r.last
	r.sessions[s.peer.ID] = s
	r.perUser[user]++
	r.totals.Sessions++
	return nil
}

func (r *registry) remove(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	user := s.peer.Identity.User
	delete(r.sessions, s.peer.ID)
	if r.perUser[user]--; r.perUser[user] == 0 {
		delete(r.perUser, user)
	}
}

// ended counts the end of a session.
func (r *registry) ended(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(why, errBadHello):
		r.totals.BadHellos++
	case !errors.Is(why, errClosed) && !errors.Is(why, errKilled):
		r.totals.Dropped++
	}
}

// All implements rpc.Sessions.
func (r *registry) All() []*rpc.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*rpc.Session, 0, len(r.sessions))
	for _, id := range slices.Sorted(maps.Keys(r.sessions)) {
		all = append(all, &r.sessions[id].peer)
	}
	return all
}

// Statistics implements rpc.Sessions.
func (r *registry) Statistics() rpc.Statistics {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.totals
}

// Kill implements rpc.Sessions.
func (r *registry) Kill(ctx context.Context, id, by uint32) bool {
	r.mu.Lock()
	s := r.sessions[id]
	r.mu.Unlock()
	if s == nil {
		return false
	}
	s.kill(ctx, by)
	return true
}

// stopGrace is how long operations may take to finish and to be answered when
// the server stops.
const stopGrace = time.Second

// stop lets no session in any more and ends all. It returns when they have
// ended, at the latest after stopGrace.
func (r *registry) stop() {
	r.mu.Lock()
	r.stopped = true
	all := slices.Collect(maps.Values(r.sessions))
	r.mu.Unlock()
	for _, s := range all {
		s.shutdown()
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	for i, s := range all {
		select {
		case <-s.done:
		case <-grace.C:
			for _, late := range all[i:] {
				late.abort(errShutdown)
			}
			return
		}
	}
}
