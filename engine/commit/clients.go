package commit

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"mooring/engine/schema"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
)

// What the front ends tell of their clients, for the state of the agent, so
// that each of them shows those of both.

// Listener is a subscription of a client.
type Listener struct {
	Protocol string // gnmi or netconf
	User     string
	Source   netip.AddrPort // of the client; invalid where that is not known
	Session  uint32         // of NETCONF, 0 for none
	Mode     ListenMode
	Paths    int // and filters; 0: everything
}

// ListenMode says what a subscription is told, and when.
type ListenMode uint8

// The modes, in the order of the model.
const (
	ListenStream   ListenMode = iota // gNMI
	ListenPoll                       // gNMI
	ListenEvents                     // NETCONF, of a stream
	ListenOnChange                   // NETCONF, of a datastore
	ListenPeriodic                   // NETCONF, of a datastore
)

// audience is who listens. The zero value is nobody.
type audience struct {
	mu   sync.Mutex // guards what follows, and the Listening in it
	last uint32
	byID map[uint32]*Listening
}

// Listening is a Listener that is there.
type Listening struct {
	Listener
	of    *audience
	id    uint32
	since time.Time
}

// Listen makes the state of the agent show a subscription until End.
func (c *Coordinator) Listen(l Listener) *Listening {
	a := &c.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	li := &Listening{Listener: l, of: a, id: a.last, since: c.cfg.Now()}
	if a.byID == nil {
		a.byID = map[uint32]*Listening{}
	}
	a.byID[li.id] = li
	return li
}

// Become changes what the subscription is told.
func (l *Listening) Become(mode ListenMode, paths int) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.Mode, l.Paths = mode, paths
}

// End takes the subscription out of the state. It may be called twice.
func (l *Listening) End() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	delete(l.of.byID, l.id)
}

type (
	subscriptionsRec = gen.MooringAgent_Agent_Subscriptions
	subscriptionRec  = gen.MooringAgent_Agent_Subscriptions_Subscription
	callHomeRec      = gen.MooringAgent_Agent_CallHome
	calledRec        = gen.MooringAgent_Agent_CallHome_Client
)

func (a *audience) state() *subscriptionsRec {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := &subscriptionsRec{Subscription: make(map[uint32]*subscriptionRec, len(a.byID))}
	for id, l := range a.byID {
		s := &subscriptionRec{
			Id: ygot.Uint32(id), Protocol: ygot.String(l.Protocol), User: text(l.User), Paths: ygot.Uint32(uint32(l.Paths)),
			Mode: enumOf[gen.E_MooringAgent_Agent_Subscriptions_Subscription_Mode](l.Mode), Since: stamp(l.since),
		}
		if l.Source.IsValid() {
			s.Client = ygot.String(l.Source.String())
		}
		if l.Session != 0 {
			s.SessionId = ygot.Uint32(l.Session)
		}
		out.Subscription[id] = s
	}
	return out
}

// Call is what is known of a client of NETCONF that the agent connects to.
type Call struct {
	Client    string
	Status    CallStatus
	Endpoint  string // that was called last
	Address   string // of it: host:port
	TLS       bool   // else SSH
	Since     time.Time
	Taken     uint64 // calls
	Failed    uint32 // calls, since one was served
	Error     string // of the last one that failed
	ErrorTime time.Time
	Next      time.Time // when the next call is due; zero: not settled
}

// CallStatus is what the agent does about a client.
type CallStatus uint8

// The states, in the order of the model.
const (
	CallWaiting CallStatus = iota
	Calling
	CallConnected
)

// CallsHome replaces what the state of the agent shows of a client, and tells it.
func (c *Coordinator) CallsHome(call Call) {
	c.tell.Lock()
	defer c.tell.Unlock()
	c.noteAgent()
	next := map[string]Call{}
	maps.Copy(next, c.called()) // which facts have
	next[call.Client] = call
	c.calls.Store(&next)
}

// called are the clients that are called, by name.
func (c *Coordinator) called() map[string]Call {
	if calls := c.calls.Load(); calls != nil {
		return *calls
	}
	return nil
}

// noteAgent notes the agent before its state changes. The caller holds c.tell.
func (c *Coordinator) noteAgent() {
	if !c.feed.Idle() {
		c.note(c.entry(c.cfg.Store.Running(), schema.AgentKey(), time.Time{}, ""))
	}
}

func callsState(calls map[string]Call) *callHomeRec {
	out := &callHomeRec{Client: make(map[string]*calledRec, len(calls))}
	for name := range calls {
		c := calls[name]
		r := &calledRec{
			Name: &name, Status: enumOf[gen.E_MooringAgent_Agent_CallHome_Client_Status](c.Status), NextCall: stamp(c.Next),
			Connections: &c.Taken, FailedAttempts: &c.Failed, ConnectedSince: stamp(c.Since), LastErrorTime: stamp(c.ErrorTime),
		}
		if c.Error != "" {
			r.LastError = text(c.Error)
		}
		if c.Endpoint != "" {
			r.Endpoint, r.Address, r.Transport = text(c.Endpoint), text(c.Address), gen.MooringAgent_Agent_CallHome_Client_Transport_ssh
			if c.TLS {
				r.Transport = gen.MooringAgent_Agent_CallHome_Client_Transport_tls
			}
		}
		out.Client[name] = r
	}
	return out
}

// Untold are the paths of state that changes without a word: who wants it asks
// for it, or has it told periodically.
var Untold = []string{
	"/agent/backend/state/refused-connections",
	"/agent/confirmed-commit/timeout-left",
	"/agent/subscriptions",
	"/nacm/denied-operations", "/nacm/denied-data-writes", "/nacm/denied-notifications",
}
