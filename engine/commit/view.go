package commit

import (
	"mooring/engine/datastore"
	"mooring/engine/operstate"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// Change is a record that changed: in its configuration, in what the backend
// accepted, or in what the backend told.
type Change = operstate.Change[schema.Key, Entry]

// Subscription receives changes. A slow reader finds the changes of a record
// merged into one.
type Subscription = operstate.Subscription[schema.Key, Entry]

// Revision is that of the configuration that the entry was part of. Where the
// entries of a Change differ in it, commits lie between them.
func (e Entry) Revision() uint64 { return e.snap.Revision() }

// Subscribe returns a Subscription to all changes from now on. Read the
// current values after it: a change may then be told twice, but none is lost.
func (c *Coordinator) Subscribe() *Subscription { return c.feed.Subscribe() }

// SubscribeEach is Subscribe, with what a record was in between: a batch may have
// several changes of one record.
func (c *Coordinator) SubscribeEach() *Subscription { return c.feed.SubscribeEach() }

// view is a schema.View. It caches instances, so it belongs to one goroutine.
type view struct {
	schema.Reader
	r *renderer
}

// moment is what is known, beside the configuration, at one instant.
type moment struct {
	peers operstate.Snapshot
	agent *facts
}

// moment returns the configuration that runs and what is known while it does.
func (c *Coordinator) moment() (*datastore.Snapshot, *moment) {
	for {
		snap := c.cfg.Store.Running()
		m := &moment{c.oper.Snapshot(), c.facts()}
		if c.cfg.Store.Running() == snap {
			return snap, m
		}
	}
}

// View returns the running configuration of this instant with its state: that
// of the peers, their numbers and the history do not change any more. What
// concerns nobody's session (drift, the counters of NACM, who listens) is of
// the moment when its record is read. A View belongs to one goroutine.
func (c *Coordinator) View() schema.View {
	snap, known := c.moment()
	r := c.renderer(snap)
	r.known = known
	return view{Reader: snap, r: r}
}

// Fork implements schema.Forker. A transaction is for one goroutine.
func (v view) Fork() schema.View {
	if _, ok := v.Reader.(*datastore.Snapshot); !ok {
		return nil
	}
	if v.r != nil {
		fork := v.r.c.renderer(v.r.snap)
		fork.known, fork.past = v.r.known, v.r.past
		v.r = fork
	}
	return v
}

// ConfigView returns the configuration that r reads, without state.
func (c *Coordinator) ConfigView(r schema.Reader) schema.View { return view{Reader: r} }

// ScanEntries does what the Reader can do better than Scan.
func (v view) ScanEntries(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	schema.ScanEntries(v.Reader, prefix, fn)
}

// LendState implements schema.StateLender.
func (v view) LendState(k schema.Key) ygot.GoStruct {
	if v.r == nil {
		return nil
	}
	return v.r.lend(k)
}

// State renders the config-false part of a record, nil for none.
func (v view) State(k schema.Key) ygot.GoStruct {
	if v.r == nil {
		return nil
	}
	return v.r.state(k)
}
