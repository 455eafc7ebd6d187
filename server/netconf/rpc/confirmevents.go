package rpc

import (
	"math"
	"time"

	"mooring/engine/commit"
	"mooring/server/netconf/notify"
	"mooring/server/netconf/xmltree"
)

// confirmEvents are the words of RFC 6470 2.2 for what happens to a confirmed
// commit.
var confirmEvents = map[commit.PendingKind]string{
	commit.PendingStarted:      "start",
	commit.PendingExtended:     "extend",
	commit.PendingConfirmed:    "complete",
	commit.PendingCanceled:     "cancel",
	commit.PendingSessionEnded: "cancel",
	commit.PendingTimedOut:     "timeout",
	commit.PendingGuardUnmet:   "cancel", // by the agent, for the one who made it
}

// confirmedCommit tells what happened to a confirmed commit, of whatever
// protocol. Who did it is told but for a timeout, which nobody did.
func (s *Server) confirmedCommit(e commit.PendingEvent) {
	n := xmltree.New("netconf-confirmed-commit").In(baseEventsNS)
	if e.Kind != commit.PendingTimedOut {
		n.Children = sessionLeaves(e.Actor.User, e.Actor.Session, e.Actor.Source)
	}
	n.Children = append(n.Children, xmltree.Leaf("confirm-event", confirmEvents[e.Kind]))
	if e.Kind == commit.PendingStarted || e.Kind == commit.PendingExtended {
		left := math.Ceil(float64(e.Timeout) / float64(time.Second)) // some of it has passed
		n.Children = append(n.Children, xmltree.Leaf("timeout", number(uint32(left))))
	}
	s.stream.Publish(notify.Event{Time: e.Time, Content: n})
}
