package commit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/operstate"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// TooOldError is returned for a time before what is kept of the past.
type TooOldError struct {
	What  string    // "configuration" or "state"
	Since time.Time // from when on it is kept; zero: from after that time
}

// Error names from when on the past is kept.
func (e *TooOldError) Error() string {
	if e.Since.IsZero() {
		return fmt.Sprintf("the %s of that time is not kept: a commit since then was too large", e.What)
	}
	return fmt.Sprintf("the %s is kept from %s on", e.What, e.Since.UTC().Format(time.RFC3339Nano))
}

// Content is what of the past is asked for.
type Content uint8

// The contents. What is kept of states begins with the agent and is bounded by
// its size; configuration goes as far back as the history of commits.
const (
	ConfigOnly Content = iota
	ConfigAndState
)

// Past is what was at one time and what has happened since. It belongs to one
// goroutine.
//
// Shown of the state is what was remembered: the peers', what is counted over
// them, and the agent's commits. What else the agent knows only of the present,
// such as whether the speaker answers, is left out.
type Past struct {
	c       *Coordinator
	state   bool
	snap    *datastore.Snapshot
	steps   []datastore.Step // not yet gone through, oldest first
	commits []datastore.Commit
	peers   *states
	counts  map[bgp.InstanceKey]operstate.Counts // as told, where anything happened
	changes []stateChange                        // likewise not yet gone through
}

// Past returns what was at a time: every commit and event up to it, and none
// that came later. The error is a *TooOldError where that is not kept.
func (c *Coordinator) Past(at time.Time, content Content) (*Past, error) {
	p := &Past{c: c, state: content == ConfigAndState}
	if p.state {
		// Before the configuration: what happens in between is then seen there
		// only, where it does no harm.
		changes, since, ok := c.past.after(at)
		if !ok {
			return nil, &TooOldError{What: "state", Since: since}
		}
		p.changes = changes
		p.peers = statesBefore(&c.oper, changes)
		p.counts = map[bgp.InstanceKey]operstate.Counts{}
	}
	var revision uint64
	var err error
	if p.commits, revision, err = c.commitsAt(at); err != nil {
		return nil, err
	}
	p.snap, p.steps, err = c.cfg.Store.Past(revision)
	if errors.Is(err, datastore.ErrNoUndo) {
		return nil, &TooOldError{What: "configuration"}
	}
	return p, err
}

// commitsAt returns the commits that had been made at a time, and the revision
// then.
func (c *Coordinator) commitsAt(at time.Time) ([]datastore.Commit, uint64, error) {
	all := c.cfg.Store.History()
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].Time.After(at) {
			return all[:i+1], all[i].Revision, nil
		}
	}
	switch {
	case len(all) == 0 && at.Before(c.start):
		return nil, 0, &TooOldError{What: "configuration", Since: c.start}
	case len(all) == 0:
		return nil, 0, nil
	}
	return nil, 0, &TooOldError{What: "configuration", Since: all[0].Time}
}

// View returns what is there at the time that Past or Next has come to. It is
// good until the next Next.
func (p *Past) View() schema.View {
	if !p.state {
		return view{Reader: p.snap}
	}
	r := p.c.renderer(p.snap)
	r.past = true
	return pastView{Snapshot: p.snap, r: r, p: p}
}

// Next goes on to the next commit or event before a time and returns what it
// changed, sorted by key; nil where nothing more happened.
func (p *Past) Next(until time.Time) []Change {
	for {
		var at time.Time
		commit := len(p.steps) > 0
		if commit {
			at = p.steps[0].Time
		}
		if len(p.changes) > 0 && (!commit || p.changes[0].at.Before(at)) {
			at, commit = p.changes[0].at, false
		}
		if at.IsZero() || !at.Before(until) {
			return nil
		}
		var out []Change
		if commit {
			out = p.commit()
		} else {
			out = p.event()
		}
		if len(out) > 0 {
			return out
		}
	}
}

// commit goes through the next commit.
func (p *Past) commit() []Change {
	st := p.steps[0]
	p.steps = p.steps[1:]
	keys := make([]schema.Key, 0, len(st.Dirty)+1)
	for _, d := range st.Dirty {
		keys = append(keys, d.Key)
	}
	if p.state {
		keys = append(countedBy(keys, nil, st.Dirty), schema.AgentKey())
	}
	return p.change(keys, st.Time, st.CommitID, func() {
		p.snap = p.snap.After(&st)
		p.commits = append(slices.Clip(p.commits), st.Commit)
	})
}

// event goes through the next change of a peer's state. The session of a peer
// that has been deleted outlives it by a moment, in which it is not told and
// not counted.
func (p *Past) event() []Change {
	ch := p.changes[0]
	p.changes = p.changes[1:]
	k, in := schema.PeerKey(ch.peer), ch.peer.InstanceKey()
	if _, ok := p.counts[in]; !ok {
		p.counts[in] = p.peers.counts(in)
	}
	if p.snap.Get(k) == nil && ch.old.Applied == nil && ch.new.Applied == nil {
		p.peers.set(ch.peer, ch.old, ch.new)
		return nil
	}
	keys := []schema.Key{k, schema.BGPVPNInstanceKey(in)}
	if p.peers.countsAfter(&ch) == p.counts[in] {
		keys = keys[:1]
	}
	return p.change(keys, ch.at, "", func() {
		p.peers.set(ch.peer, ch.old, ch.new)
		p.counts[in] = p.peers.counts(in)
	})
}

// change tells what a step makes of records.
func (p *Past) change(keys []schema.Key, at time.Time, commitID string, step func()) []Change {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	out := make([]Change, 0, len(keys))
	for _, k := range keys {
		out = append(out, Change{Key: k, Old: p.entry(k, time.Time{}, "")})
	}
	step()
	for i := range out {
		out[i].New = p.entry(out[i].Key, at, commitID)
	}
	return slices.DeleteFunc(out, func(ch Change) bool { return ch.Old.Config == nil && ch.New.Config == nil })
}

// entry is a record at the time at hand.
func (p *Past) entry(k schema.Key, at time.Time, commitID string) Entry {
	e := Entry{Config: p.snap.Get(k), Time: at, CommitID: commitID, c: p.c, key: k, snap: p.snap, past: true}
	switch k.Kind().Letter {
	case schema.KindPeer:
		if p.state {
			e.oper = p.peers.get(k.PeerKey())
		}
	case schema.KindBGPVPNInstance:
		e.facts = p.factsOf(k.InstanceKey())
	case schema.KindAgent:
		e.facts = p.facts()
		if e.Config == nil {
			e.Config = noConfig
		}
	}
	return e
}

func (p *Past) facts() *facts { return &facts{past: true, history: p.commits} }

func (p *Past) factsOf(key bgp.InstanceKey) *facts {
	f := &facts{past: true}
	if n, ok := p.counts[key]; ok {
		f.counts = n
	} else if p.peers != nil {
		f.counts = p.peers.counts(key)
	}
	return f
}

// pastView is a schema.View of the past.
type pastView struct {
	*datastore.Snapshot
	r *renderer
	p *Past
}

// State renders the config-false part of a record, nil for none.
func (v pastView) State(k schema.Key) ygot.GoStruct {
	switch k.Kind().Letter {
	case schema.KindPeer:
		return v.r.peer(k, v.p.peers.get(k.PeerKey()), newPeerState())
	case schema.KindBGPVPNInstance:
		return v.r.bgpVPN(k, v.p.factsOf(k.InstanceKey()))
	case schema.KindAgent:
		return v.r.agent(v.p.facts())
	}
	return v.r.state(k)
}
