package rpc

import (
	"strconv"
	"time"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/gen"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// Short names for the generated structs.
type (
	peerRec      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer
	peerStateRec = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State
	lastResetRec = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_LastReset
)

const established = gen.MooringTypes_SessionState_established

// peerEvents are the notifications of mooring-bgp that a change of a peer is
// worth. Where the reader was slow, several changes of a peer are one: what
// happened in between shows in the last reset and the number of transitions.
func peerEvents(c *commit.Change) []notify.Event {
	if c.Key.Kind().Letter != schema.KindPeer {
		return nil
	}
	old, now := stateOf(c.Old), stateOf(c.New)
	p := peerTeller{key: c.Key, at: c.New.Time}
	reset := now.GetLastReset()
	if reset != nil && (old.GetLastReset() == nil || *old.LastReset.Time != *reset.Time) {
		p.tell(timeOf(reset.Time, p.at), "peer-reset", resetLeaves(reset)...)
	} else {
		reset = nil
	}
	was, is := old.SessionState, now.SessionState
	wasUp, isUp := was == established, is == established
	rose := transitions(now) > transitions(old)
	switch {
	case wasUp && !isUp:
		p.state(resetTime(reset, p.at), is, was)
	case wasUp && rose: // it was down in between
		p.state(resetTime(reset, p.at), gen.MooringTypes_SessionState_idle, was)
		p.state(timeOf(now.LastEstablished, p.at), is, gen.MooringTypes_SessionState_idle)
	case isUp && !wasUp:
		p.state(timeOf(now.LastEstablished, p.at), is, was)
	case rose: // it was up in between
		p.state(timeOf(now.LastEstablished, p.at), established, was)
		p.state(resetTime(reset, p.at), is, established)
	}
	if down := bgp.DownReason(now.DownReason); unresolved(down) && old.DownReason != now.DownReason {
		leaves := []xmltree.Element{xmltree.Leaf("down-reason", down.String())}
		if now.DownDetail != nil {
			leaves = append(leaves, xmltree.Leaf("detail", *now.DownDetail))
		}
		p.tell(p.at, "peer-unresolved", leaves...)
	}
	return p.out
}

// stateOf is the state of a peer, an empty one where there is no peer.
func stateOf(e commit.Entry) *peerStateRec {
	rec, _ := e.State().(*peerRec)
	if st := rec.GetState(); st != nil {
		return st
	}
	return &peerStateRec{}
}

func transitions(s *peerStateRec) uint64 {
	if s.EstablishedTransitions == nil {
		return 0
	}
	return *s.EstablishedTransitions
}

// unresolved says whether a peer is down because its source is not known.
func unresolved(d bgp.DownReason) bool {
	switch d {
	case bgp.DownInterfaceMissing, bgp.DownInterfaceDown, bgp.DownNoAddress, bgp.DownAddressTentative, bgp.DownAmbiguousSource,
		bgp.DownSourceMissing, bgp.DownNamespaceMissing, bgp.DownWrongVRF:
		return true
	case bgp.DownNone, bgp.DownDisabled, bgp.DownBackend:
	}
	return false
}

// timeOf reads a time as the state has it.
func timeOf(text *string, otherwise time.Time) time.Time {
	if text != nil {
		if t, err := time.Parse(time.RFC3339Nano, *text); err == nil {
			return t
		}
	}
	return otherwise
}

func resetTime(r *lastResetRec, otherwise time.Time) time.Time {
	if r == nil {
		return otherwise
	}
	return timeOf(r.Time, otherwise)
}

// peerTeller collects the notifications of one peer.
type peerTeller struct {
	key schema.Key
	at  time.Time
	out []notify.Event
}

func (p *peerTeller) tell(at time.Time, name string, leaves ...xmltree.Element) {
	v := p.key.Values()
	e := xmltree.New(name, xmltree.Leaf("instance", v[0]), xmltree.Leaf("vpn-instance", v[1]), xmltree.Leaf("address", v[2])).In(peerNS)
	e.Children = append(e.Children, leaves...)
	p.out = append(p.out, notify.Event{Time: at, Content: e})
}

// peerNS is that of mooring-bgp.
var peerNS = schema.RPC("reset-peer").Namespace

func (p *peerTeller) state(at time.Time, is, was gen.E_MooringTypes_SessionState) {
	p.tell(at, "peer-state-change", xmltree.Leaf("session-state", stateName(is)), xmltree.Leaf("previous-state", stateName(was)))
}

// stateName is the model's word. A peer that is not there is idle.
func stateName(s gen.E_MooringTypes_SessionState) string {
	if s == gen.MooringTypes_SessionState_UNSET {
		return bgp.StateIdle.String()
	}
	return bgp.SessionState(s - 1).String()
}

// resetLeaves are the grouping last-reset of the model.
func resetLeaves(r *lastResetRec) []xmltree.Element {
	out := []xmltree.Element{xmltree.Leaf("time", *r.Time), xmltree.Leaf("cause", bgp.Cause(r.Cause).String())}
	if r.CommitId != nil {
		out = append(out, xmltree.Leaf("commit-id", *r.CommitId))
	}
	for _, l := range r.Leaf {
		out = append(out, xmltree.Leaf("leaf", l))
	}
	if r.NotificationCode != nil && r.NotificationSubcode != nil {
		direction := "received"
		if r.NotificationDirection == gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_LastReset_NotificationDirection_sent {
			direction = "sent"
		}
		out = append(out, xmltree.Leaf("notification-code", strconv.Itoa(int(*r.NotificationCode))),
			xmltree.Leaf("notification-subcode", strconv.Itoa(int(*r.NotificationSubcode))), xmltree.Leaf("notification-direction", direction))
	}
	if r.Text != nil {
		out = append(out, xmltree.Leaf("text", *r.Text))
	}
	return out
}
