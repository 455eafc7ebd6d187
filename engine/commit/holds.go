package commit

import (
	"encoding/json"
	"time"

	"mooring/engine/datastore"
)

// holds is what waits: for a confirmation, for its peers, or both. On disk each
// is a note, which changes together with the commit that it belongs to.
type holds struct {
	pending *Pending // nil for none, as guarded
	guarded *Guarded
}

func (c *Coordinator) holding() holds { return holds{c.Pending(), c.Guarded()} }

// changes returns the notes that lead from one to the other.
func (h holds) changes(next holds) (map[string][]byte, error) {
	out := map[string][]byte{}
	var err error
	if h.pending != next.pending {
		out[pendingNote], err = noteOf(next.pending)
	}
	if err == nil && h.guarded != next.guarded {
		out[guardNote], err = noteOf(next.guarded)
	}
	return out, err
}

// noteOf is the text of a note, nil for none.
func noteOf[T any](v *T) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}

// hold makes h what waits, in one write. The caller holds c.mu.
func (c *Coordinator) hold(h holds) error {
	notes, err := c.holding().changes(h)
	if err != nil {
		return err
	}
	if len(notes) > 0 {
		if err := c.cfg.Store.SetNotes(notes); err != nil {
			return &DiskError{Err: err}
		}
	}
	c.tell.Lock()
	c.noteAgent() // whose history says what is waited for
	c.show(h)
	c.tell.Unlock()
	c.retain(h)
	c.wakeUp()
	return nil
}

// show makes h visible. The caller holds c.tell.
func (c *Coordinator) show(h holds) {
	c.pending.Store(h.pending)
	c.guarded.Store(h.guarded)
}

// retain makes the store keep the way back to before what waits, whatever is
// committed meanwhile.
func (c *Coordinator) retain(h holds) {
	back := uint64(datastore.RetainNothing)
	if h.pending != nil {
		back = h.pending.Base
	}
	if h.guarded != nil {
		back = min(back, h.guarded.Base)
	}
	c.cfg.Store.Retain(back)
}

// retry spaces the attempts at something that failed, whatever events come in
// between. Its owner holds c.mu.
type retry struct {
	at   time.Time // of the next attempt; zero: nothing has failed
	text string    // of the last error that was logged
}

// left returns how long the next attempt is away, 0 if it may be made.
func (r *retry) left(now time.Time) time.Duration { return max(0, r.at.Sub(now)) }

// ended notes how an attempt ended, and returns how long to wait for the next
// one, 0 if none is needed. The same error is logged once.
func (r *retry) ended(c *Coordinator, message string, err error) time.Duration {
	if err == nil {
		*r = retry{}
		return 0
	}
	if r.text != err.Error() {
		c.log.Error(message, "err", err)
	}
	r.at, r.text = c.cfg.Now().Add(repairInterval), err.Error()
	return repairInterval
}
