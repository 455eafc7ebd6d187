package commit

import (
	"sync/atomic"
	"time"

	"mooring/engine/schema"
)

// clock gives what is published its times: those of the events, as long as each
// is later than what was published or read before. A collector orders by time
// what it is sent of a leaf, and deletes only what is older than the delete
// (gNMI 2.1): a delete whose commit began before its sessions ended, or a value
// that was read before an earlier event was published, would leave behind what
// is not there. The zero value is ready.
type clock struct{ last atomic.Int64 }

// next is at, or just after the last one.
func (k *clock) next(at time.Time) time.Time {
	for {
		last, t := k.last.Load(), at
		if !t.After(time.Unix(0, last)) {
			t = time.Unix(0, last+1)
		}
		if k.last.CompareAndSwap(last, t.UnixNano()) {
			return t
		}
	}
}

// publish tells changes of one time. What they lead to can be read already. The
// caller holds c.tell.
func (c *Coordinator) publish(changes []Change) {
	if len(changes) == 0 {
		return
	}
	at := c.clock.next(changes[0].New.Time)
	for i := range changes {
		changes[i].New.Time = at
	}
	c.feed.Publish(changes)
}

// Instant is View with its time: what is published later and not in the View has
// a later one.
func (c *Coordinator) Instant() (schema.View, time.Time) {
	at := c.clock.next(c.cfg.Now()) // first: what is published from here on is later
	return c.View(), at
}
