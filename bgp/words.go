package bgp

import "fmt"

// Impact is what a change of an effective value costs the session, weakest
// first. It is decided by the statement session-impact of the YANG model.
type Impact uint8

// The impacts, named as in the model.
const (
	ImpactNone        Impact = iota // the session does not notice
	ImpactNextSession               // stored, used by the next session
	ImpactReset                     // the session ends with a Cease and comes back
)

var impactNames = [...]string{"none", "next-session", "reset"}

// String returns the name that the model uses.
func (i Impact) String() string { return name(impactNames[:], int(i)) }

// ParseImpact is the inverse of String.
func ParseImpact(s string) (Impact, error) {
	for i, n := range impactNames {
		if n == s {
			return Impact(i), nil
		}
	}
	return 0, fmt.Errorf("impact %q is none of none, next-session, reset", s)
}

// SessionState is the state of a session (RFC 4271 8.2.2).
type SessionState uint8

// The states of RFC 4271 8.2.2.
const (
	StateIdle SessionState = iota
	StateConnect
	StateActive
	StateOpenSent
	StateOpenConfirm
	StateEstablished
)

var stateNames = [...]string{"idle", "connect", "active", "open-sent", "open-confirm", "established"}

// String returns the name that the model uses.
func (s SessionState) String() string { return name(stateNames[:], int(s)) }

// Cause is who or what ended an established session.
type Cause uint8

// The causes, named as in the model (reset-cause).
const (
	CauseNone     Cause = iota
	CauseCommit         // a committed change of the configuration
	CauseOperator       // a request to reset the peer
	CauseSource         // the source address changed or went away
	CauseRemote         // the remote side ended it or fell silent
	CauseBackend        // the BGP speaker ended it by itself
)

var causeNames = [...]string{"", "commit", "operator", "source", "remote", "backend"}

// String returns the name that the model uses, "" for CauseNone.
func (c Cause) String() string { return name(causeNames[:], int(c)) }

// Causes are all causes but CauseNone, in the order of the model.
var Causes = []Cause{CauseCommit, CauseOperator, CauseSource, CauseRemote, CauseBackend}

// DownReason is why the agent holds a peer down.
type DownReason uint8

// The reasons, named as in the model (down-reason).
const (
	DownNone DownReason = iota
	DownDisabled
	DownInterfaceMissing
	DownInterfaceDown
	DownNoAddress
	DownAddressTentative
	DownAmbiguousSource
	DownSourceMissing
	DownNamespaceMissing
	DownWrongVRF
	DownBackend
)

var downNames = [...]string{
	"", "disabled", "interface-missing", "interface-down", "no-address", "address-tentative",
	"ambiguous-source", "source-missing", "namespace-missing", "wrong-vrf", "backend-down",
}

// String returns the name that the model uses, "" for DownNone.
func (d DownReason) String() string { return name(downNames[:], int(d)) }

// ConnectFailure is the kind of an attempt to connect that failed.
type ConnectFailure uint8

// The kinds, named as in the model (connect-failure).
const (
	FailedNone      ConnectFailure = iota
	FailedNoRoute                  // nothing leads to the peer
	FailedRefused                  // nobody listens there
	FailedTimeout                  // nobody answers
	FailedUnkeyed                  // nobody answers, and a key is configured
	FailedAddress                  // the source address or local port cannot be had
	FailedNamespace                // the network namespace cannot be entered
	FailedClosed                   // the remote took the connection and ended it without a word
	FailedRejected                 // a NOTIFICATION ended it before the session was established
	FailedOther
)

var failureNames = [...]string{
	"", "no-route", "refused", "timed-out", "timed-out-with-key", "address-unavailable", "namespace-missing", "closed", "rejected", "other",
}

// String returns the name that the model uses, "" for FailedNone.
func (f ConnectFailure) String() string { return name(failureNames[:], int(f)) }

// ConnectMode says which side opens the TCP connection.
type ConnectMode uint8

// The modes, named as in the model.
const (
	ConnectBoth ConnectMode = iota
	ConnectOnly
	ListenOnly
)

var modeNames = [...]string{"both", "connect-only", "listen-only"}

// String returns the name that the model uses.
func (m ConnectMode) String() string { return name(modeNames[:], int(m)) }

// Family is an address family of a session (RFC 4760).
type Family uint8

// The families, named as in the model (afi-safi-name).
const (
	IPv4Unicast Family = iota
	IPv6Unicast
	VPNv4Unicast
	VPNv6Unicast
)

var familyNames = [...]string{"ipv4-unicast", "ipv6-unicast", "vpnv4-unicast", "vpnv6-unicast"}

// String returns the name that the model uses.
func (f Family) String() string { return name(familyNames[:], int(f)) }

// AuthMethod is how TCP segments are authenticated.
type AuthMethod uint8

// The methods, named as in the model.
const (
	AuthNone  AuthMethod = iota
	AuthMD5              // RFC 2385
	AuthTCPAO            // RFC 5925
)

var authNames = [...]string{"none", "md5", "tcp-ao"}

// String returns the name that the model uses.
func (a AuthMethod) String() string { return name(authNames[:], int(a)) }

// ResetMode is how a reset by a committed change ends a session (RFC 8538).
type ResetMode uint8

// The modes, named as in the model.
const (
	ResetGraceful ResetMode = iota // a peer that negotiated the N flag keeps forwarding
	ResetHard                      // it drops all routes at once
)

var resetModeNames = [...]string{"graceful", "hard"}

// String returns the name that the model uses.
func (m ResetMode) String() string { return name(resetModeNames[:], int(m)) }

// Toggle is a setting that may be left to the kernel.
type Toggle uint8

// The values of a Toggle.
const (
	ToggleDefault Toggle = iota // whatever the kernel does
	ToggleOn
	ToggleOff
)

var toggleNames = [...]string{"", "true", "false"}

// String returns "true", "false", or "" for ToggleDefault.
func (t Toggle) String() string { return name(toggleNames[:], int(t)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("invalid(%d)", i)
}

// The NOTIFICATION codes and Cease subcodes that Mooring sends or explains
// (RFC 4271 4.5, RFC 4486, RFC 8538).
const (
	CodeHoldTimerExpired = 4
	CodeCease            = 6

	CeaseMaxPrefixes         = 1
	CeaseAdminShutdown       = 2
	CeasePeerDeconfigured    = 3
	CeaseAdminReset          = 4
	CeaseConnectionRejected  = 5
	CeaseOtherConfiguration  = 6
	CeaseConnectionCollision = 7
	CeaseOutOfResources      = 8
	CeaseHardReset           = 9
)
