package commit

import (
	"sync"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/operstate"
	"mooring/engine/schema"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
)

// drift is what others changed in the speaker of what the agent made.
type drift struct {
	mu  sync.Mutex             // guards all below
	now map[bgp.PeerKey]string // without an address: the instance itself
	sum driftSum
}

// driftSum is what the state of the agent tells of it.
type driftSum struct {
	differences int
	found       uint64
	last        time.Time
}

// drifted takes what the backend tells of changes by others. Putting them right
// is the backend's to ask for.
func (c *Coordinator) drifted(e backend.Event) {
	c.tell.Lock()
	snap := c.cfg.Store.Running()
	agent := c.entry(snap, schema.AgentKey(), time.Time{}, "")
	vpn := c.entry(snap, schema.BGPVPNInstanceKey(e.Peer.InstanceKey()), time.Time{}, "")
	c.drift.take(e)
	if !c.feed.Idle() {
		c.note(agent)
		if !e.Peer.Address.IsValid() {
			c.note(vpn)
		}
	}
	c.tell.Unlock()
	if e.Peer.Address.IsValid() && c.oper.Get(e.Peer) != (operstate.Entry{}) {
		c.observe(e.Peer, e.Time, func(st *bgp.PeerState) { st.Drift = e.Drift })
	}
}

func (d *drift) take(e backend.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Drift == "" {
		delete(d.now, e.Peer)
	} else {
		d.now[e.Peer] = e.Drift
		d.sum.found++
		d.sum.last = e.Time
	}
	d.sum.differences = len(d.now)
}

func (d *drift) total() driftSum {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sum
}

// of is what differs of an instance itself.
func (d *drift) of(key bgp.InstanceKey) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now[bgp.PeerKey{Instance: key.Instance, VPN: key.VPN}]
}

func (c *Coordinator) driftState(s driftSum) *driftRec {
	return &driftRec{
		Policy: driftPolicies[c.cfg.Backend.Status().Drift], Differences: ygot.Uint32(uint32(s.differences)),
		Found: &s.found, LastFound: stamp(s.last),
	}
}

type driftRec = gen.MooringAgent_Agent_Backend_State_Drift

var driftPolicies = map[string]gen.E_MooringAgent_Agent_Backend_State_Drift_Policy{
	"":       gen.MooringAgent_Agent_Backend_State_Drift_Policy_none,
	"repair": gen.MooringAgent_Agent_Backend_State_Drift_Policy_repair,
	"report": gen.MooringAgent_Agent_Backend_State_Drift_Policy_report,
}
