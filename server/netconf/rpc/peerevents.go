package rpc

import (
	"strconv"
	"time"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// peerEvents are the notifications of mooring-bgp that a change of a peer is
// worth. Where the reader was slow, several changes of a peer are one: what
// happened in between shows in the last reset and the number of transitions.
func peerEvents(c *commit.Change) []notify.Event {
	if c.Key.Kind().Letter != schema.KindPeer || !commit.Told(c) {
		return nil
	}
	old, wasDown, _ := c.Old.Session()
	now, down, detail := c.New.Session()
	p := peerTeller{key: c.Key, at: c.New.Time}
	since := p.at // when the session ended, if it did
	if r := now.LastReset; r != nil && (old.LastReset == nil || !old.LastReset.Time.Equal(r.Time)) {
		since = r.Time
		p.tell(since, "peer-reset", resetLeaves(r)...)
	}
	up := now.LastEstablished
	if up.IsZero() {
		up = p.at
	}
	was, is := old.Session, now.Session
	wasUp, isUp := was == bgp.StateEstablished, is == bgp.StateEstablished
	rose := now.Transitions > old.Transitions
	switch {
	case wasUp && !isUp:
		p.state(since, is, was)
	case wasUp && rose: // it was down in between
		p.state(since, bgp.StateIdle, was)
		p.state(up, is, bgp.StateIdle)
	case isUp && !wasUp:
		p.state(up, is, was)
	case rose: // it was up in between
		p.state(up, bgp.StateEstablished, was)
		p.state(since, is, bgp.StateEstablished)
	}
	if unresolved(down) && wasDown != down {
		p.tell(p.at, "peer-unresolved", xmltree.Leaf("down-reason", down.String()), xmltree.Leaf("detail", detail))
	}
	return p.out
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

func (p *peerTeller) state(at time.Time, is, was bgp.SessionState) {
	p.tell(at, "peer-state-change", xmltree.Leaf("session-state", is.String()), xmltree.Leaf("previous-state", was.String()))
}

// resetLeaves are the grouping last-reset of the model.
func resetLeaves(r *bgp.Reset) []xmltree.Element {
	out := []xmltree.Element{xmltree.Leaf("time", stamp(r.Time)), xmltree.Leaf("cause", r.Cause.String())}
	if r.CommitID != "" {
		out = append(out, xmltree.Leaf("commit-id", r.CommitID))
	}
	for _, l := range r.Leaves {
		out = append(out, xmltree.Leaf("leaf", l.String()))
	}
	more := r.Text
	if n := r.Notification; n != nil {
		direction := "received"
		if n.Sent {
			direction = "sent"
		}
		if more == "" {
			more = n.Text // what the remote's operator had to say (RFC 9003)
		}
		out = append(out, xmltree.Leaf("notification-code", strconv.Itoa(int(n.Code))),
			xmltree.Leaf("notification-subcode", strconv.Itoa(int(n.Subcode))), xmltree.Leaf("notification-direction", direction))
	}
	if more != "" {
		out = append(out, xmltree.Leaf("text", schema.Text(more)))
	}
	return out
}
