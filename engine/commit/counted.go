package commit

import (
	"context"
	"slices"
	"strings"
	"time"

	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/operstate"
	"mooring/engine/plan"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// Some state is counted over many records: how many peers of a VPN instance
// there are and are established, how many a peer group has, what the agent has
// committed. A commit tells what it makes of the peers together with its own
// changes. What the backend's events make of them, and what commits make of the
// agent, is told a moment later, once for all of them: 1,000 sessions that end
// are 1,000 changes of peers and few of their VPN instance.

// countedDelay is how long such a change may wait for others.
const countedDelay = 100 * time.Millisecond

// note remembers a record as it was before a change that is to be told later.
// The caller holds c.tell.
func (c *Coordinator) note(before Entry) {
	if _, ok := c.noted[before.key]; ok || before.Config == nil {
		return
	}
	c.noted[before.key] = before
	select {
	case c.counted <- struct{}{}:
	default:
	}
}

// tellCounted tells what was noted, until ctx ends.
func (c *Coordinator) tellCounted(ctx context.Context) {
	delay := time.NewTimer(0)
	defer delay.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.counted:
		}
		delay.Reset(countedDelay)
		select {
		case <-ctx.Done():
			return
		case <-delay.C:
		}
		c.flushCounted()
	}
}

func (c *Coordinator) flushCounted() {
	c.tell.Lock()
	defer c.tell.Unlock()
	snap, now := c.cfg.Store.Running(), c.cfg.Now()
	changes := make([]Change, 0, len(c.noted))
	for k, old := range c.noted {
		changes = append(changes, Change{Key: k, Old: old, New: c.entry(snap, k, now, "")})
	}
	clear(c.noted)
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(string(a.Key), string(b.Key)) })
	c.publish(changes)
}

// setOnline says whether the backend answers.
func (c *Coordinator) setOnline(is bool) {
	c.tell.Lock()
	defer c.tell.Unlock()
	before := c.entry(c.cfg.Store.Running(), schema.AgentKey(), time.Time{}, "")
	if c.online.Swap(is) != is && !c.feed.Idle() {
		c.note(before)
	}
}

// countedBy adds the records whose state counts what steps and dirty records
// make of others. No record is visited for it.
func countedBy(keys []schema.Key, steps []plan.Step, dirty []schema.Dirty) []schema.Key {
	add := func(k schema.Key) {
		if len(keys) == 0 || keys[len(keys)-1] != k { // most peers of a commit are of one instance
			keys = append(keys, k)
		}
	}
	for i := range steps {
		switch s := &steps[i]; s.Op {
		case plan.CreatePeer, plan.DeletePeer, plan.PutInstance:
			add(schema.BGPVPNInstanceKey(s.Instance))
		case plan.UpdatePeer, plan.DeleteInstance:
		}
	}
	for i := range dirty {
		d := &dirty[i]
		if d.Key.Kind().Letter != schema.KindPeer {
			continue
		}
		old, now := groupOf(d.Old), groupOf(d.New)
		if old == now {
			continue
		}
		for _, name := range []string{old, now} {
			if name != "" {
				add(schema.MakeKey(d.Key.Parent(), schema.KindOf(schema.KindPeerGroup), name))
			}
		}
	}
	return keys
}

// groupOf is the peer group of a peer, "" for none.
func groupOf(rec ygot.GoStruct) string {
	p, _ := rec.(*peerRec)
	if c := p.GetConfig(); c != nil && c.PeerGroup != nil {
		return *c.PeerGroup
	}
	return ""
}

// countsMoved notes the VPN instance of a peer whose entry has changed, where
// that changed how many there are. The caller holds c.tell.
func (c *Coordinator) countsMoved(snap *datastore.Snapshot, key bgp.InstanceKey, before operstate.Counts) {
	if before == c.oper.Counts(key) {
		return
	}
	was := c.entry(snap, schema.BGPVPNInstanceKey(key), time.Time{}, "")
	was.facts.counts = before
	c.note(was)
}
