package bgp

import (
	"net/netip"
	"time"
)

// Notification is a NOTIFICATION message that ended a session (RFC 4271 4.5).
type Notification struct {
	Code, Subcode uint8
	Sent          bool   // by this side
	Text          string // shutdown communication (RFC 9003), "" for none
}

// Reset explains the end of an established session.
type Reset struct {
	Time         time.Time
	Cause        Cause
	CommitID     string       // where Cause is CauseCommit
	Leaves       []LeafChange // what changed, where Cause is CauseCommit or CauseSource
	Notification *Notification
	Text         string // what more is known of the reason
}

// Socket is the truth of a live TCP connection. Zero values are unknown.
type Socket struct {
	Local, Remote netip.AddrPort
	Interface     string
	MSS           uint16 // octets
	TTL           uint8
	PathMTU       uint32 // octets
}

// FamilyState is an address family of a session.
type FamilyState struct {
	Family         Family
	Active         bool // both sides sent the capability
	Received, Sent uint64
}

// ConnectFailures counts the attempts to connect that failed, by kind. nil has
// none.
type ConnectFailures [len(failureNames)]struct {
	Count uint64
	Last  time.Time
	Text  string // of the last one
}

// With returns c with one failure more.
func (c *ConnectFailures) With(f ConnectFailure, at time.Time, text string) *ConnectFailures {
	var n ConnectFailures
	if c != nil {
		n = *c
	}
	n[f].Count++
	n[f].Last, n[f].Text = at, text
	return &n
}

// PeerState is what is known of a peer's session. A published PeerState is
// never changed: a change makes a new one.
type PeerState struct {
	Session         SessionState
	LastEstablished time.Time
	Transitions     uint64 // how often it became established
	RemoteRouterID  netip.Addr
	Socket          Socket
	HoldTime        time.Duration    // negotiated
	Families        []FamilyState    // sorted by Family
	ConnectError    string           // why there is no session now
	Failures        *ConnectFailures // since the agent started

	Down         DownReason
	DownDetail   string
	PendingReset bool
	Drift        string // what somebody else changed of it in the speaker, "" for nothing
	LastReset    *Reset
	Resets       [len(causeNames)]uint64 // by Cause
}
