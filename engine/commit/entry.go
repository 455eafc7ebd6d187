package commit

import (
	"time"

	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/operstate"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// Entry is a record at one time: its configuration, and what was known of it.
type Entry struct {
	// Config is nil where the record is not configured. The agent always is.
	Config ygot.GoStruct
	// Time and CommitID are those of the change that made the entry; the zero
	// time and "" in the Old of a Change.
	Time     time.Time
	CommitID string

	// confirm is of the confirmed commit that the change is part of: the commit,
	// a change that follows it up, or its rollback; nil for none.
	confirm *Announcement

	// Reborn is set in the New of changes that were merged: the record was not
	// there in between, which another reader may have been told of.
	Reborn bool

	c     *Coordinator
	key   schema.Key
	snap  *datastore.Snapshot
	oper  operstate.Entry // of a peer
	facts *facts          // of the agent and of a VPN instance
	past  bool            // what is known of the present only is not to be shown
	may   schema.Access   // what of the record the reader may read
}

// After implements operstate.Follower: an event that follows on a commit before
// it was read does not hide which commit it was, and a record that was deleted
// and created again is known to be another one.
func (e Entry) After(earlier Entry) Entry {
	if e.CommitID == "" {
		e.CommitID, e.confirm = earlier.CommitID, earlier.confirm
	}
	e.Reborn = e.Reborn || earlier.Reborn || earlier.Config == nil
	return e
}

// Readable returns what of some changes may be read, where of tells the access
// to a record.
func Readable(changes []Change, of func(schema.Key) schema.Access) []Change {
	out := make([]Change, 0, len(changes))
	for _, c := range changes {
		a := of(c.Key)
		if a == schema.Nothing {
			continue
		}
		for _, e := range []*Entry{&c.Old, &c.New} {
			e.Config, e.may = schema.Readable(e.Config, a), a
		}
		out = append(out, c)
	}
	return out
}

// facts are what the state of a record shows beside its configuration, where
// it is not that of a peer.
type facts struct {
	counts  operstate.Counts // of a VPN instance
	differs string           // of a VPN instance: what others changed of it
	online  bool             // of the agent, as what follows
	drift   driftSum
	history []datastore.Commit // oldest first, shared
	guarded *Guarded
	waiting int             // peers that wait for their reset
	pending *Pending        // of which firstOf is the first commit
	firstOf string          // "" where that is not in the history
	calls   map[string]Call // shared
	results []string        // of the history, where it is to be shown
	past    bool            // what is known of the present only is not to be shown
}

// facts returns those of the agent now.
func (c *Coordinator) facts() *facts {
	f := &facts{
		online: c.online.Load(), drift: c.drift.total(), history: c.cfg.Store.History(), guarded: c.Guarded(), waiting: c.pacer.pending(),
		pending: c.Pending(), calls: c.called(),
	}
	if f.pending != nil {
		for i := len(f.history) - 1; i >= 0 && f.history[i].Revision > f.pending.Base; i-- {
			f.firstOf = f.history[i].CommitID
		}
	}
	return f
}

// factsOf returns those of a VPN instance with its counts.
func (c *Coordinator) factsOf(key bgp.InstanceKey, counts operstate.Counts) *facts {
	return &facts{counts: counts, differs: c.drift.of(key)}
}

// noConfig is the record of an agent of which nothing is configured.
var noConfig = schema.New(schema.AgentKey())

func (c *Coordinator) entry(snap *datastore.Snapshot, k schema.Key, t time.Time, commitID string) Entry {
	e := Entry{Config: snap.Get(k), Time: t, CommitID: commitID, c: c, key: k, snap: snap}
	switch k.Kind().Letter {
	case schema.KindPeer:
		e.oper = c.oper.Get(k.PeerKey())
	case schema.KindBGPVPNInstance:
		in := k.InstanceKey()
		e.facts = c.factsOf(in, c.oper.Counts(in))
	case schema.KindAgent:
		e.facts = c.facts()
		if e.Config == nil {
			e.Config = noConfig
		}
	}
	return e
}

// Session is what is known of a peer, and why its session is held down, for who
// needs no more of its state. A peer that is not configured is idle.
func (e Entry) Session() (st *bgp.PeerState, down bgp.DownReason, detail string) {
	st = &bgp.PeerState{}
	if e.Config == nil {
		return st, bgp.DownNone, ""
	}
	if e.oper.State != nil {
		st = e.oper.State
	}
	if s := e.oper.Applied; s != nil && s.Down != bgp.DownNone {
		return st, s.Down, s.DownDetail
	}
	return st, st.Down, st.DownDetail
}

// State renders the config-false part of the record, nil for none.
func (e Entry) State() ygot.GoStruct { return schema.Readable(e.state(), e.may) }

func (e Entry) state() ygot.GoStruct {
	if e.Config == nil {
		return nil
	}
	r := e.c.renderer(e.snap)
	r.past = e.past
	switch e.key.Kind().Letter {
	case schema.KindPeer:
		return r.peer(e.key, e.oper, newPeerState())
	case schema.KindBGPVPNInstance:
		return r.bgpVPN(e.key, e.facts)
	case schema.KindAgent:
		return r.agent(e.facts)
	}
	return r.state(e.key)
}

// Told says whether a change is more than one of configuration: whether the
// backend told of a peer, or accepted, something else than before. Where it did
// not, the states of the peer differ only in what shows the configuration.
func Told(ch *Change) bool {
	return ch.Old.oper != ch.New.oper || (ch.Old.Config == nil) != (ch.New.Config == nil)
}

// States renders the config-false parts of a changed record, to be compared.
// What cannot differ may be missing in both: the agent keeps many commits, and
// a change shows those that came or went.
func States(ch *Change) (old, new ygot.GoStruct) {
	if ch.Key != schema.AgentKey() {
		return ch.Old.State(), ch.New.State()
	}
	gone, came := ch.New.c.differing(ch.Old.facts, ch.New.facts)
	return ch.Old.agentWith(gone), ch.New.agentWith(came)
}

// agentWith renders the agent with some commits only and without what never
// changes.
func (e Entry) agentWith(h history) ygot.GoStruct {
	f := *e.facts // is shared
	f.history, f.results, f.past = h.commits, h.results, e.past
	return e.c.renderer(e.snap).agentNow(&f)
}
