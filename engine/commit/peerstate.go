package commit

import (
	"time"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/engine/effective"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
)

// peerState is the config-false part of one peer: leaves that mirror the
// configuration show what the backend accepted, the others what it told.
//
// A peer has some 20 structs and 60 values, and a full read asks for 100,000
// peers. So what they are made of is one piece, which may be used again: for
// the next peer, by a reader that has let go of this one. Values that stand in
// the immutable specification and state are pointed to, not copied.
type peerState struct {
	rec            peerRec
	state          peerStateRec
	resets         resetsRec
	transport      peerTransportRec
	transportState transportStateRec
	sourceRec      sourceRec
	sourceState    sourceStateRec
	auth           authRec
	authState      authStateRec
	timers         timersRec
	timersState    timersStateRec
	restart        restartRec
	restartState   restartStateRec
	afiSafis       afiSafisRec
	values         effectiveRec

	room peerRoom
}

// peerRoom is what of a peerState grows with the peer.
type peerRoom struct {
	families     room[afiSafiRec]
	familyStates room[afiSafiStateRec]
	values       room[valueRec]
	texts        room[string]
	numbers      room[uint16]
	counts       room[uint64]
}

// room is where values stand that are pointed to. They stay where they are when
// it grows.
type room[T any] []T

// put stores a value and returns its place.
func (r *room[T]) put(v T) *T {
	*r = append(*r, v)
	return &(*r)[len(*r)-1]
}

// empty lets go of the values and keeps the memory.
func (r *room[T]) empty() {
	clear(*r)
	*r = (*r)[:0]
}

func newPeerState() *peerState {
	p := &peerState{}
	p.afiSafis.AfiSafi, p.values.Value = map[familyName]*afiSafiRec{}, map[string]*valueRec{}
	p.room.texts, p.room.numbers = make(room[string], 0, 16), make(room[uint16], 0, 8)
	return p
}

// reset empties p. Who still holds what was in it sees that change.
func (p *peerState) reset() {
	families, values, room := p.afiSafis.AfiSafi, p.values.Value, p.room
	clear(families)
	clear(values)
	room.families.empty()
	room.familyStates.empty()
	room.values.empty()
	room.texts.empty()
	room.numbers.empty()
	room.counts.empty()
	*p = peerState{afiSafis: afiSafisRec{AfiSafi: families}, values: effectiveRec{Value: values}, room: room}
}

// session tells of the session. s is nil where the backend has not accepted the
// peer.
func (p *peerState) session(rec *peerRec, s *bgp.PeerSpec, st *bgp.PeerState) {
	out := &p.state
	p.rec.State = out
	out.Address = rec.Address
	out.SessionState = enumOf[gen.E_MooringTypes_SessionState](st.Session)
	out.EstablishedTransitions = &st.Transitions
	out.LastEstablished = stamp(st.LastEstablished)
	out.PendingReset = &st.PendingReset
	out.Resets = &p.resets
	p.resets = resetsRec{
		Commit: &st.Resets[bgp.CauseCommit], Operator: &st.Resets[bgp.CauseOperator], Source: &st.Resets[bgp.CauseSource],
		Remote: &st.Resets[bgp.CauseRemote], Backend: &st.Resets[bgp.CauseBackend],
	}
	out.LastReset = lastReset(st.LastReset)
	if c := rec.GetConfig(); c != nil {
		out.Description, out.PeerGroup = c.Description, c.PeerGroup
	}
	if st.RemoteRouterID.IsValid() {
		out.RemoteRouterId = p.text(st.RemoteRouterID.String())
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
		out.PrefixesReceived, out.PrefixesSent = p.room.counts.put(received), p.room.counts.put(sent)
	}
	down, detail := st.Down, &st.DownDetail
	if s != nil {
		out.As, out.LocalAs = &s.RemoteAS, &s.LocalAS
		out.Enabled = truth(s.Down != bgp.DownDisabled)
		if s.Down != bgp.DownNone {
			down, detail = s.Down, &s.DownDetail
		}
	}
	if down != bgp.DownNone {
		out.DownReason = gen.E_MooringTypes_DownReason(down) // both count from 1 and use 0 for none
		out.DownDetail = detail
	}
}

// settings tells of the transport, the timers and graceful restart.
func (p *peerState) settings(s *bgp.PeerSpec, st *bgp.PeerState) {
	p.rec.Transport, p.rec.Timers, p.rec.GracefulRestart = &p.transport, &p.timers, &p.restart
	p.transport.State, p.transport.ConnectInterface, p.transport.Authentication = &p.transportState, &p.sourceRec, &p.auth
	p.socket(s, st)
	p.auth.State, p.authState.Method = &p.authState, p.text(s.Auth.String())
	p.timers.State = &p.timersState
	p.timersState.HoldTime, p.timersState.KeepaliveInterval, p.timersState.ConnectRetry = p.secs(s.HoldTime), p.secs(s.Keepalive), p.secs(s.ConnectRetry)
	if st.Session == bgp.StateEstablished {
		p.timersState.NegotiatedHoldTime = p.secs(st.HoldTime)
	}
	p.restart.State = &p.restartState
	p.restartState = restartStateRec{
		Enabled: &s.GracefulRestart, RestartTime: p.secs(s.RestartTime), StaleRoutesTime: p.secs(s.StaleTime),
		ResetMode: enumOf[resetModeEnum](s.ResetMode),
	}
}

func (p *peerState) socket(s *bgp.PeerSpec, st *bgp.PeerState) {
	t := &p.transportState
	t.ConnectMode = enumOf[connectModeEnum](s.ConnectMode)
	t.RemotePort = &s.RemotePort
	t.LocalPort = nonZero(&s.LocalPort)
	t.TcpMss = nonZero(&s.MSS)
	t.Dscp = &s.DSCP
	if s.MinTTL != 0 {
		t.ValidTtlHops = ygot.Uint8(uint8(256 - int(s.MinTTL)))
	} else {
		t.EbgpMaxHop = nonZero(&s.TTL)
	}
	if s.PathMTU != bgp.ToggleDefault {
		t.PathMtuDiscovery = truth(s.PathMTU == bgp.ToggleOn)
	}
	sock := &st.Socket
	if sock.Local.IsValid() {
		t.LocalAddress, t.ActualLocalPort = p.text(sock.Local.Addr().String()), p.room.numbers.put(sock.Local.Port())
	}
	if sock.Remote.IsValid() {
		t.RemoteAddress, t.ActualRemotePort = p.text(sock.Remote.Addr().String()), p.room.numbers.put(sock.Remote.Port())
	}
	if sock.Interface != "" {
		t.Interface = &sock.Interface
	}
	t.ActualTcpMss, t.Ttl, t.PathMtu = nonZero(&sock.MSS), nonZero(&sock.TTL), nonZero(&sock.PathMTU)
}

// source tells of the source; q is what the resolver was asked.
func (p *peerState) source(rec *peerRec, s *bgp.PeerSpec, q *srcaddr.Query) {
	out := &p.sourceState
	p.sourceRec.State = out
	if q.Interface != "" {
		out.Interface = p.text(q.Interface)
	}
	if c := rec.GetTransport().GetConnectInterface().GetConfig(); c != nil {
		out.InterfaceType, out.InterfaceNumber = c.InterfaceType, c.InterfaceNumber
	}
	if q.Source.IsValid() {
		out.SourceAddress = p.text(q.Source.String())
	}
	if s.Source.IsValid() {
		out.ResolvedSource = p.text(s.Source.String())
		out.ResolvedInterface = &s.Interface
	}
	if s.SourceWarning != "" {
		out.SourceWarning = &s.SourceWarning
	}
}

func (p *peerState) families(s *bgp.PeerSpec, st *bgp.PeerState) {
	p.rec.AfiSafis = &p.afiSafis
	for _, f := range s.Families {
		n := enumOf[familyName](f)
		fs := p.room.familyStates.put(afiSafiStateRec{Name: n, Enabled: truth(true)})
		for i := range st.Families {
			if t := &st.Families[i]; t.Family == f {
				fs.Active, fs.PrefixesReceived, fs.PrefixesSent = &t.Active, &t.Received, &t.Sent
			}
		}
		p.afiSafis.AfiSafi[n] = p.room.families.put(afiSafiRec{Name: n, State: fs})
	}
}

// effective lists the values that are not defaults.
func (p *peerState) effective(s *bgp.PeerSpec, st *bgp.PeerState, origins []effective.Origin) {
	p.rec.Effective = &p.values
	leaves := bgp.PeerLeaves()
	for i, o := range origins {
		if o == effective.FromDefault {
			continue
		}
		leaf, v := leaves[i], s.Value(i)
		switch {
		case o == effective.FromRoute && st.Socket.Local.IsValid():
			v = st.Socket.Local.Addr().String() // what the kernel chose
		case leaf == effective.Source && !s.Source.IsValid():
			v = "" // the peer is down without one
		}
		if v == "" {
			continue
		}
		entry := p.room.values.put(valueRec{Leaf: &leaves[i], Origin: enumOf[originEnum](o)})
		if leaf != effective.Password { // of which only the origin is told
			entry.Value = p.text(v)
		}
		p.values.Value[leaf] = entry
	}
}

func (p *peerState) text(s string) *string { return p.room.texts.put(s) }

func (p *peerState) secs(d time.Duration) *uint16 { return p.room.numbers.put(uint16(d / time.Second)) }

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

// Short names for the generated enums.
type (
	connectModeEnum = gen.E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_Transport_Config_ConnectMode
	resetModeEnum   = gen.E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_GracefulRestart_Config_ResetMode
	originEnum      = gen.E_MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_Effective_Value_Origin
)

const (
	directionSent     = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_LastReset_NotificationDirection_sent
	directionReceived = gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_Peers_Peer_State_LastReset_NotificationDirection_received
)

// truths are both values of a boolean leaf. Nobody writes through a leaf.
var truths = [...]bool{false, true}

func truth(is bool) *bool {
	if is {
		return &truths[1]
	}
	return &truths[0]
}

func nonZero[T uint8 | uint16 | uint32](p *T) *T {
	if *p == 0 {
		return nil
	}
	return p
}
