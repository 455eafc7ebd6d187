package commit

import (
	"time"

	"mooring/backend/srcaddr"
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
	intended *effective.Config // what snap means
	past     bool              // what is known of the present only is not to be shown
}

func (c *Coordinator) renderer(snap *datastore.Snapshot) *renderer {
	return &renderer{c: c, snap: snap, intended: c.effective(snap)}
}

// state returns the config-false part of the record at k, nil for none.
func (r *renderer) state(k schema.Key) ygot.GoStruct {
	switch k.Kind().Letter {
	case schema.KindPeer:
		return r.peer(k, r.c.oper.Get(k.PeerKey()))
	case schema.KindPeerGroup:
		return r.group(k)
	case schema.KindBGPVPNInstance:
		return r.bgpVPN(k, r.c.factsOf(k.InstanceKey()))
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

// peer renders a peer: leaves that mirror the configuration show what the
// backend accepted, the others what it told. The struct points into the
// immutable specification and state instead of copying them.
func (r *renderer) peer(k schema.Key, o operstate.Entry) ygot.GoStruct {
	rec, _ := r.snap.Get(k).(*peerRec)
	if rec == nil {
		return nil
	}
	st := o.State
	if st == nil {
		st = &bgp.PeerState{}
	}
	p := &peerRec{Address: rec.Address, State: r.session(rec, o.Applied, st)}
	if o.Applied == nil {
		return p // the backend has not accepted it yet; session says why
	}
	res, ok := r.intended.PeerWithOrigins(k)
	if !ok {
		return p
	}
	s := o.Applied
	p.Transport = &peerTransportRec{
		State:            transportState(s, st),
		ConnectInterface: &sourceRec{State: r.sourceState(rec, s, res.Query)},
		Authentication:   &authRec{State: &authStateRec{Method: ygot.String(s.Auth.String())}},
	}
	p.Timers = &timersRec{State: &timersStateRec{
		HoldTime: secs(s.HoldTime), KeepaliveInterval: secs(s.Keepalive), ConnectRetry: secs(s.ConnectRetry),
	}}
	if st.Session == bgp.StateEstablished {
		p.Timers.State.NegotiatedHoldTime = secs(st.HoldTime)
	}
	p.GracefulRestart = &restartRec{State: &restartStateRec{
		Enabled: &s.GracefulRestart, RestartTime: secs(s.RestartTime), StaleRoutesTime: secs(s.StaleTime),
		ResetMode: enumOf[resetModeEnum](s.ResetMode),
	}}
	p.AfiSafis = familyStates(s, st)
	p.Effective = effectiveValues(s, st, res.Origins)
	return p
}

func (r *renderer) session(rec *peerRec, s *bgp.PeerSpec, st *bgp.PeerState) *peerStateRec {
	out := &peerStateRec{
		Address:                rec.Address,
		SessionState:           enumOf[gen.E_MooringTypes_SessionState](st.Session),
		EstablishedTransitions: &st.Transitions,
		LastEstablished:        stamp(st.LastEstablished),
		PendingReset:           &st.PendingReset,
		Resets: &resetsRec{
			Commit: &st.Resets[bgp.CauseCommit], Operator: &st.Resets[bgp.CauseOperator], Source: &st.Resets[bgp.CauseSource],
			Remote: &st.Resets[bgp.CauseRemote], Backend: &st.Resets[bgp.CauseBackend],
		},
		LastReset: lastReset(st.LastReset),
	}
	if c := rec.GetConfig(); c != nil {
		out.Description, out.PeerGroup = c.Description, c.PeerGroup
	}
	if st.RemoteRouterID.IsValid() {
		out.RemoteRouterId = ygot.String(st.RemoteRouterID.String())
	}
	if st.ConnectError != "" {
		out.LastConnectError = text(st.ConnectError)
	}
	if st.Drift != "" {
		out.Drift = text(st.Drift)
	}
	out.ConnectFailures = connectFailures(st.Failures)
	if st.Session == bgp.StateEstablished {
		var received, sent uint64
		for _, f := range st.Families {
			received, sent = received+f.Received, sent+f.Sent
		}
		out.PrefixesReceived, out.PrefixesSent = &received, &sent
	}
	down, detail := st.Down, &st.DownDetail
	if s != nil {
		out.As, out.LocalAs = &s.RemoteAS, &s.LocalAS
		out.Enabled = ygot.Bool(s.Down != bgp.DownDisabled)
		if s.Down != bgp.DownNone {
			down, detail = s.Down, &s.DownDetail
		}
	}
	if down != bgp.DownNone {
		out.DownReason = gen.E_MooringTypes_DownReason(down) // both count from 1 and use 0 for none
		out.DownDetail = detail
	}
	return out
}

func connectFailures(fs *bgp.ConnectFailures) *failureRec {
	if fs == nil {
		return nil
	}
	out := &failureRec{ConnectFailure: map[gen.E_MooringTypes_ConnectFailure]*failureKindRec{}}
	for i := range fs {
		f := &fs[i]
		if f.Count == 0 {
			continue
		}
		kind := gen.E_MooringTypes_ConnectFailure(i) // both count from 1 and use 0 for none
		out.ConnectFailure[kind] = &failureKindRec{Kind: kind, Count: &f.Count, LastTime: stamp(f.Last), LastText: text(f.Text)}
	}
	return out
}

func transportState(s *bgp.PeerSpec, st *bgp.PeerState) *transportStateRec {
	t := &transportStateRec{
		ConnectMode: enumOf[connectModeEnum](s.ConnectMode),
		RemotePort:  &s.RemotePort,
		LocalPort:   nonZero(&s.LocalPort),
		TcpMss:      nonZero(&s.MSS),
		Dscp:        &s.DSCP,
	}
	if s.MinTTL != 0 {
		t.ValidTtlHops = ygot.Uint8(uint8(256 - int(s.MinTTL)))
	} else {
		t.EbgpMaxHop = nonZero(&s.TTL)
	}
	if s.PathMTU != bgp.ToggleDefault {
		t.PathMtuDiscovery = ygot.Bool(s.PathMTU == bgp.ToggleOn)
	}
	sock := &st.Socket
	if sock.Local.IsValid() {
		t.LocalAddress, t.ActualLocalPort = ygot.String(sock.Local.Addr().String()), ygot.Uint16(sock.Local.Port())
	}
	if sock.Remote.IsValid() {
		t.RemoteAddress, t.ActualRemotePort = ygot.String(sock.Remote.Addr().String()), ygot.Uint16(sock.Remote.Port())
	}
	if sock.Interface != "" {
		t.Interface = &sock.Interface
	}
	t.ActualTcpMss, t.Ttl, t.PathMtu = nonZero(&sock.MSS), nonZero(&sock.TTL), nonZero(&sock.PathMTU)
	return t
}

type connectModeEnum = gen.E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_Transport_Config_ConnectMode

func (r *renderer) sourceState(rec *peerRec, s *bgp.PeerSpec, q srcaddr.Query) *sourceStateRec {
	out := &sourceStateRec{}
	if q.Interface != "" {
		out.Interface = &q.Interface
	}
	if c := rec.GetTransport().GetConnectInterface().GetConfig(); c != nil {
		out.InterfaceType, out.InterfaceNumber = c.InterfaceType, c.InterfaceNumber
	}
	if q.Source.IsValid() {
		out.SourceAddress = ygot.String(q.Source.String())
	}
	if s.Source.IsValid() {
		out.ResolvedSource = ygot.String(s.Source.String())
		out.ResolvedInterface = &s.Interface
	}
	if s.SourceWarning != "" {
		out.SourceWarning = &s.SourceWarning
	}
	if !r.past && (s.Down == bgp.DownAmbiguousSource || s.SourceWarning != "") {
		for _, a := range r.c.cfg.Sources.Resolve(q).Candidates {
			out.Candidate = append(out.Candidate, a.String())
		}
	}
	return out
}

func familyStates(s *bgp.PeerSpec, st *bgp.PeerState) *afiSafisRec {
	out := &afiSafisRec{AfiSafi: make(map[familyName]*afiSafiRec, len(s.Families))}
	for _, f := range s.Families {
		n := enumOf[familyName](f)
		fs := &afiSafiStateRec{Name: n, Enabled: ygot.Bool(true)}
		for i := range st.Families {
			if t := &st.Families[i]; t.Family == f {
				fs.Active, fs.PrefixesReceived, fs.PrefixesSent = &t.Active, &t.Received, &t.Sent
			}
		}
		out.AfiSafi[n] = &afiSafiRec{Name: n, State: fs}
	}
	return out
}

// effectiveValues lists the values that are not defaults.
func effectiveValues(s *bgp.PeerSpec, st *bgp.PeerState, origins []effective.Origin) *effectiveRec {
	out := &effectiveRec{Value: map[string]*valueRec{}}
	for i, leaf := range bgp.PeerLeaves() {
		o := origins[i]
		if o == effective.FromDefault {
			continue
		}
		v := s.Value(i)
		switch {
		case o == effective.FromRoute && st.Socket.Local.IsValid():
			v = st.Socket.Local.Addr().String() // what the kernel chose
		case leaf == effective.Source && !s.Source.IsValid():
			v = "" // the peer is down without one
		}
		if v == "" {
			continue
		}
		entry := &valueRec{Leaf: &leaf, Value: &v, Origin: enumOf[originEnum](o)}
		if leaf == effective.Password {
			entry.Value = nil // only its origin is told
		}
		out.Value[leaf] = entry
	}
	return out
}

type resetModeEnum = gen.E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_GracefulRestart_Config_ResetMode

type originEnum = gen.E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Effective_Value_Origin

func lastReset(r *bgp.Reset) *lastResetRec {
	if r == nil {
		return nil
	}
	out := &lastResetRec{Time: stamp(r.Time), Cause: gen.E_MooringTypes_ResetCause(r.Cause)}
	if r.CommitID != "" {
		out.CommitId = &r.CommitID
	}
	for _, l := range r.Leaves {
		out.Leaf = append(out.Leaf, l.String())
	}
	more := r.Text
	if n := r.Notification; n != nil {
		if more == "" {
			more = n.Text // what the remote's operator had to say (RFC 9003)
		}
		out.NotificationCode, out.NotificationSubcode = &n.Code, &n.Subcode
		out.NotificationDirection = directionReceived
		if n.Sent {
			out.NotificationDirection = directionSent
		}
	}
	if more != "" {
		out.Text = text(more)
	}
	return out
}

const (
	directionSent     = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_LastReset_NotificationDirection_sent
	directionReceived = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_LastReset_NotificationDirection_received
)

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

func nonZero[T uint8 | uint16 | uint32](p *T) *T {
	if *p == 0 {
		return nil
	}
	return p
}
