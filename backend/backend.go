// Package backend is the seam between the engine and a BGP speaker. The
// engine hands over fully resolved specifications in the steps of a plan and
// gets events back; a backend knows no YANG, no datastore and no front end.
//
// backendtest holds the contract suite that every backend passes.
package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"mooring/bgp"
	"mooring/engine/plan"
)

// Backend drives one BGP speaker. The engine calls Prepare, Apply, Reset and
// Snapshot from one goroutine at a time; Native, NativeInstance and
// Capabilities are pure and may be called from any. Run is called once.
type Backend interface {
	// Info returns what the speaker is.
	Info() Info
	// Capabilities returns how each setting of a peer is treated, in the
	// order of bgp.PeerLeaves.
	Capabilities() []Capability
	// Status returns what concerns no single peer. It may be called from any
	// goroutine and does not wait for the speaker.
	Status() Status

	// Native returns what the speaker does to an established session by
	// itself when a peer goes from old to new.
	Native(old, new *bgp.PeerSpec) bgp.Impact
	// NativeInstance returns what it does to all sessions of an instance.
	NativeInstance(old, new *bgp.InstanceSpec) bgp.Impact

	// Prepare refuses steps that the backend cannot carry out, before
	// anything has happened. The error is a *Error that names the peer or
	// instance, wrapping ErrUnsupported where the setting is the reason. It
	// must not change anything and does no I/O that may block for long.
	Prepare(ctx context.Context, steps []plan.Step) error
	// Apply carries the steps out in order and returns when the speaker has
	// accepted them, not when sessions are up. It stops at the first failure:
	// steps[:done] are in force, steps[done] has had no effect, the rest was
	// not tried, and the error is a *Error that names the peer or instance.
	//
	// A step's Impact is binding: reset ends an established session with
	// exactly one Cease (the backend adds it where AddReset is set),
	// next-session and none must leave it alone, and what could not be handed
	// over without ending it is handed over when it next ends. A step is
	// idempotent: putting what is already so changes nothing and resets
	// nothing. A peer whose spec has Down set has no session and accepts none.
	Apply(ctx context.Context, steps []plan.Step) (done int, err error)
	// Reset resets a session by request. It does nothing unless the session
	// is established: a reset asked for now is never one of a later session.
	Reset(ctx context.Context, peer bgp.PeerKey, r ResetRequest) error

	// Snapshot returns what the speaker has, for comparing it with what is
	// intended at boot and after a resync. Before BackendUp Run has told which
	// sessions are up, so that the comparison ends no more of them than it may.
	Snapshot(ctx context.Context) (*Snapshot, error)

	// Run serves until ctx ends, and hands events to sink from its own
	// goroutine, in order per peer. sink does not block. On return nothing of
	// the backend runs any more: the embedded speaker's sessions have ended
	// with a Cease, an external speaker keeps its own.
	Run(ctx context.Context, sink func(Event)) error
}

// Info tells what a backend is.
type Info struct {
	Name     string // gobgp, frr or fake
	Version  string
	External bool // it lives on without the agent
}

// Status is how a speaker fares.
type Status struct {
	Degraded string // why it does less than it is built for, "" where it does not
	Drift    string // what is done about changes by others: repair, report; "" where nobody else can make any

	// Connections that came in and were refused, since the agent started. An
	// external speaker does not tell.
	RefusedUnknown uint64 // there is no peer at this remote and local address
	RefusedPeer    uint64 // of a peer that takes none: connect-only, or established
}

// Support is how far a backend supports a setting.
type Support uint8

// The degrees, named as in the model (agent/backend/state/capability).
const (
	Full    Support = iota
	Partial         // see the note
	Refused         // Prepare refuses it
)

// String returns the name that the model uses.
func (s Support) String() string { return [...]string{"full", "partial", "refused"}[s] }

// Capability is how a backend treats a setting of a peer.
type Capability struct {
	Leaf    string // as in bgp.PeerLeaves
	Support Support
	Note    string // what is missing and why; "" where Full
	// Mechanism is what carries the setting: a socket option, a field of a
	// message, a command of the daemon; "" where nothing does.
	Mechanism string
}

// ResetMode is the kind of a requested reset.
type ResetMode uint8

// The modes, named as in the model (rpc reset-peer).
const (
	ResetHard ResetMode = iota
	ResetSoftIn
	ResetSoftOut
)

// ResetRequest is a reset by request.
type ResetRequest struct {
	Mode ResetMode
	Text string // shutdown communication (RFC 9003), where there is room for it
}

// Snapshot is what a speaker has. The engine owns it.
type Snapshot struct {
	Instances map[bgp.InstanceKey]*bgp.InstanceSpec
	Peers     map[bgp.PeerKey]*bgp.PeerSpec
	// Sessions are events of PeerChanged with which Run would begin: what is known
	// of sessions that are older than the agent. Run does not tell them again. Once
	// it has begun there are none.
	Sessions []Event
}

// EventKind is the kind of an Event.
type EventKind uint8

// The kinds.
const (
	PeerChanged EventKind = iota // the event holds all that the speaker knows of Peer
	PeerGone                     // the speaker no longer has Peer
	BackendUp                    // the speaker answers (again): compare and replay
	BackendDown                  // it does not
	Drifted                      // Drift tells how Peer, or the instance where Peer has no address, differs
)

// Event is something that the speaker did or saw.
type Event struct {
	Kind EventKind
	Time time.Time
	Peer bgp.PeerKey

	// The speaker's view, in PeerChanged.
	Session        bgp.SessionState
	RemoteRouterID netip.Addr
	Socket         bgp.Socket
	HoldTime       time.Duration
	Families       []bgp.FamilyState
	ConnectError   string // why there is no session, "" for no known reason
	// Failed is the kind of an attempt to connect that failed just now, for the
	// reason in ConnectError.
	Failed bgp.ConnectFailure
	// Ended explains why an established session ended, in the event in which
	// Session leaves established. Cause is CauseNone where the speaker cannot
	// tell a cause of its own from one that the engine asked for.
	Ended *Ended
	Err   error // of BackendDown
	// Drift is what somebody else changed in the speaker, as what would put it
	// right; "" in the event that tells that nothing differs any more.
	Drift string
}

// Ended is the speaker's view of the end of an established session.
type Ended struct {
	Cause        bgp.Cause // CauseRemote, CauseBackend, or CauseNone: asked for by the engine
	Notification *bgp.Notification
	Text         string
}

// ErrUnsupported is wrapped by the errors of Prepare where a backend cannot
// do what a setting asks for.
var ErrUnsupported = errors.New("not supported by this backend")

// ErrUnknownPeer is returned by Reset for a peer that the backend has not.
var ErrUnknownPeer = errors.New("unknown peer")

// Error is a failure at one peer or instance.
type Error struct {
	Instance bgp.InstanceKey
	Peer     bgp.PeerKey // zero where the instance itself failed
	Leaf     string      // the setting that is to blame, "" where none is
	Err      error
}

// Error names the peer or instance and the reason.
func (e *Error) Error() string {
	who := "instance " + e.Instance.String()
	if e.Peer.Address.IsValid() {
		who = "peer " + e.Peer.String()
	}
	if e.Leaf != "" {
		who += ": " + e.Leaf
	}
	return fmt.Sprintf("%s: %v", who, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }
