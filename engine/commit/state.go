package commit

import (
	"time"

	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/effective"
	"mooring/engine/operstate"
	"mooring/engine/schema"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
)

// Short names for the generated structs of the records and of operational state.
type (
	agentRec          = gen.MooringAgent_Agent
	vpnRec            = gen.MooringVpnInstance_VpnInstances_VpnInstance
	instanceRec       = gen.MooringBgp_Bgp_Instances_Instance
	bgpVPNRec         = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance
	groupRec          = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup
	peerRec           = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer
	peerStateRec      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State
	lastResetRec      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_LastReset
	resetsRec         = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_Resets
	peerTransportRec  = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport
	transportStateRec = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_State
	sourceRec         = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_ConnectInterface
	sourceStateRec    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_ConnectInterface_State
	authRec           = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Authentication
	authStateRec      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Transport_Authentication_State
	timersRec         = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Timers
	timersStateRec    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Timers_State
	restartRec        = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_GracefulRestart
	restartStateRec   = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_GracefulRestart_State
	afiSafisRec       = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_AfiSafis
	afiSafiRec        = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_AfiSafis_AfiSafi
	afiSafiStateRec   = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_AfiSafis_AfiSafi_State
	effectiveRec      = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Effective
	valueRec          = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Effective_Value
	backendStateRec   = gen.MooringAgent_Agent_Backend_State
	failureRec        = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_ConnectFailures
	failureKindRec    = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_ConnectFailures_ConnectFailure
	familyName        = gen.E_MooringTypes_AfiSafiName
)

// renderer turns what is known of a record into the config-false part of its
// struct. It caches instances, so it belongs to one goroutine.
type renderer struct {
	c        *Coordinator
	snap     *datastore.Snapshot
	known    *moment           // what state renders peers, VPN instances and the agent from; nil where those are not asked for
	intended *effective.Config // what snap means
	past     bool              // what is known of the present only is not to be shown
	lent     *peerState        // the state of a peer that was lent last
}

func (c *Coordinator) renderer(snap *datastore.Snapshot) *renderer {
	return &renderer{c: c, snap: snap, intended: c.effective(snap)}
}

// state returns the config-false part of the record at k, nil for none.
func (r *renderer) state(k schema.Key) ygot.GoStruct {
	switch k.Kind().Letter {
	case schema.KindPeer:
		return r.peer(k, r.known.peers.Get(k.PeerKey()), newPeerState())
	case schema.KindPeerGroup:
		return r.group(k)
	case schema.KindBGPVPNInstance:
		in := k.InstanceKey()
		return r.bgpVPN(k, r.c.factsOf(in, r.known.peers.Counts(in)))
	case schema.KindInstance:
		return r.instance(k)
	case schema.KindVPNInstance:
		return r.vpn(k)
	case schema.KindAgent:
		return r.agentAsked()
	case schema.KindNACM:
		return r.nacm()
	}
	return nil
}

// lend is state as a schema.StateLender has it: what is many, the peers, stand
// in the same memory one after the other.
func (r *renderer) lend(k schema.Key) ygot.GoStruct {
	if k.Kind().Letter != schema.KindPeer {
		return r.state(k)
	}
	if r.lent == nil {
		r.lent = newPeerState()
	}
	r.lent.reset()
	return r.peer(k, r.known.peers.Get(k.PeerKey()), r.lent)
}

// peer renders a peer into p, which is empty.
func (r *renderer) peer(k schema.Key, o operstate.Entry, p *peerState) ygot.GoStruct {
	rec, _ := r.snap.Get(k).(*peerRec)
	if rec == nil {
		return nil
	}
	st := o.State
	if st == nil {
		st = &noPeerState
	}
	p.rec.Address = rec.Address
	p.session(rec, o.Applied, st)
	if o.Applied == nil {
		return &p.rec // the backend has not accepted it yet; session says why
	}
	intended, ok := r.intended.PeerWithOrigins(k)
	if !ok {
		return &p.rec
	}
	p.settings(o.Applied, st)
	p.source(rec, o.Applied, &intended.Query)
	if !r.past && (o.Applied.Down == bgp.DownAmbiguousSource || o.Applied.SourceWarning != "") {
		for _, a := range r.c.cfg.Sources.Resolve(intended.Query).Candidates {
			p.sourceState.Candidate = append(p.sourceState.Candidate, a.String())
		}
	}
	p.families(o.Applied, st)
	p.effective(o.Applied, st, intended.Origins)
	return &p.rec
}

// noPeerState is that of a peer of which nothing was told.
var noPeerState bgp.PeerState

// enumOf relies on the enums of the model and those of package bgp standing in
// the same order; ygot numbers from 1 and keeps 0 for unset. A test compares the
// names.
func enumOf[E ~int64, W ~uint8](w W) E { return E(w) + 1 }

func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return ygot.String(t.UTC().Format(time.RFC3339Nano))
}

// text is what a peer or a daemon said, as the encoders can write it.
func text(s string) *string { return ygot.String(schema.Text(s)) }

func secs(d time.Duration) *uint16 { return ygot.Uint16(uint16(d / time.Second)) }
