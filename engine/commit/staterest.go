package commit

import (
	"time"

	"mooring/engine/schema"
	"mooring/gen"

	"github.com/openconfig/ygot/ygot"
)

// Records other than peers: what is applied mirrors what is configured,
// because only peers wait for something.

func (r *renderer) group(k schema.Key) ygot.GoStruct {
	rec, _ := r.snap.Get(k).(*groupRec)
	if rec == nil {
		return nil
	}
	st := &gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_State{Name: rec.Name}
	if c := rec.GetConfig(); c != nil {
		st.Description, st.As, st.LocalAs = c.Description, c.As, c.LocalAs
	}
	st.Members = ygot.Uint32(uint32(r.snap.CountReferrers(k)))
	return &groupRec{Name: rec.Name, State: st}
}

func (r *renderer) bgpVPN(k schema.Key, f *facts) ygot.GoStruct {
	rec, _ := r.snap.Get(k).(*bgpVPNRec)
	spec := r.intended.Instance(k.InstanceKey())
	if rec == nil || spec == nil {
		return nil
	}
	st := &gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_State{
		Name: rec.Name, RouterId: ygot.String(spec.RouterID.String()), ListenPort: &spec.Port,
		Peers: ygot.Uint32(uint32(f.counts.Peers)), EstablishedPeers: ygot.Uint32(uint32(f.counts.Established)),
	}
	for _, a := range spec.Listen {
		st.ListenAddress = append(st.ListenAddress, a.String())
	}
	if f.differs != "" {
		st.Drift = text(f.differs)
	}
	return &bgpVPNRec{Name: rec.Name, State: st}
}

func (r *renderer) instance(k schema.Key) ygot.GoStruct {
	rec, _ := r.snap.Get(k).(*instanceRec)
	if rec == nil {
		return nil
	}
	st := &gen.MooringBgp_Bgp_Instances_Instance_State{
		Name: rec.Name, RouterId: ygot.String(r.c.cfg.RouterID.String()),
		ResetPolicy: gen.MooringBgp_Bgp_Instances_Instance_Config_ResetPolicy_minimal,
	}
	if c := rec.GetConfig(); c != nil {
		st.As = c.As
		if c.RouterId != nil {
			st.RouterId = c.RouterId
		}
		if c.ResetPolicy != 0 {
			st.ResetPolicy = c.ResetPolicy
		}
	}
	return &instanceRec{Name: rec.Name, State: st}
}

func (r *renderer) vpn(k schema.Key) ygot.GoStruct {
	rec, _ := r.snap.Get(k).(*vpnRec)
	if rec == nil {
		return nil
	}
	out := &vpnRec{Name: rec.Name, State: &gen.MooringVpnInstance_VpnInstances_VpnInstance_State{Name: rec.Name}}
	if c := rec.GetConfig(); c != nil {
		*out.State = gen.MooringVpnInstance_VpnInstances_VpnInstance_State(*c)
	}
	if c := rec.GetIpv4Family().GetConfig(); c != nil {
		st := gen.MooringVpnInstance_VpnInstances_VpnInstance_Ipv4Family_State(*c)
		out.Ipv4Family = &gen.MooringVpnInstance_VpnInstances_VpnInstance_Ipv4Family{State: &st}
	}
	if c := rec.GetIpv6Family().GetConfig(); c != nil {
		st := gen.MooringVpnInstance_VpnInstances_VpnInstance_Ipv6Family_State(*c)
		out.Ipv6Family = &gen.MooringVpnInstance_VpnInstances_VpnInstance_Ipv6Family{State: &st}
	}
	return out
}

// agentAsked is the state of the agent with what is told only to who asks.
func (r *renderer) agentAsked() ygot.GoStruct {
	f := r.known.agent
	out := r.agent(f)
	out.Subscriptions = r.c.audience.state()
	if p := f.pending; p != nil {
		out.ConfirmedCommit.TimeoutLeft = ygot.Uint32(uint32(max(0, p.Deadline.Sub(r.c.cfg.Now())) / time.Second))
	}
	return out
}

func (r *renderer) agent(f *facts) *agentRec {
	c := r.c
	whole := *f // f is shared
	whole.results = c.results(f.history, f.guarded)
	out := r.agentNow(&whole)
	out.State.Version, out.State.StartTime = &c.cfg.Version, stamp(c.start)
	if !f.past {
		c.describeBackend(out.Backend.State)
	}
	return out
}

// agentNow is the state of the agent that changes while it runs.
func (r *renderer) agentNow(f *facts) *agentRec {
	out := &agentRec{
		State:   &gen.MooringAgent_Agent_State{Revision: ygot.Uint64(r.snap.Revision())},
		History: &gen.MooringAgent_Agent_History{State: &gen.MooringAgent_Agent_History_State{Size: ygot.Uint16(historySize(r.snap))}},
		Commits: &gen.MooringAgent_Agent_Commits{Commit: make(map[uint64]*gen.MooringAgent_Agent_Commits_Commit, len(f.history))},
	}
	timeout, percent := guardDefaults(r.snap)
	limit, settle := pacing(r.snap)
	out.ResetControl = &gen.MooringAgent_Agent_ResetControl{State: &gen.MooringAgent_Agent_ResetControl_State{
		GuardTimeout: secs(timeout), GuardPrefixPercent: &percent, MaxConcurrent: &limit, SettleTimeout: secs(settle),
	}}
	if !f.past {
		out.ResetControl.State.PendingResets = ygot.Uint32(uint32(f.waiting))
		out.Backend = &gen.MooringAgent_Agent_Backend{State: &backendStateRec{Connected: &f.online, Drift: r.c.driftState(f.drift)}}
		out.CallHome, out.ConfirmedCommit = callsState(f.calls), pendingState(f)
	}
	for i := range f.history {
		h := &f.history[i]
		entry := &gen.MooringAgent_Agent_Commits_Commit{
			Id: &h.CommitID, Revision: &h.Revision, Time: stamp(h.Time), User: &h.User, Protocol: &h.Protocol,
			Result: &f.results[i], Change: h.Changes, Reset: h.Resets,
		}
		if h.SourceHost != "" {
			entry.SourceHost = &h.SourceHost
		}
		if h.Comment != "" {
			entry.Comment = &h.Comment
		}
		out.Commits.Commit[h.Revision] = entry
	}
	return out
}

// pendingState is the confirmed commit that waits, nil for none.
func pendingState(f *facts) *gen.MooringAgent_Agent_ConfirmedCommit {
	p := f.pending
	if p == nil {
		return nil
	}
	out := &gen.MooringAgent_Agent_ConfirmedCommit{
		User: text(p.User), Protocol: &p.Protocol, RollbackTime: stamp(p.Deadline), Persistent: ygot.Bool(p.ID != ""), SessionId: nonZero(&p.Session),
	}
	if f.firstOf != "" {
		out.CommitId = &f.firstOf
	}
	return out
}

// describeBackend adds what never changes, and what only a sample tells.
func (c *Coordinator) describeBackend(out *backendStateRec) {
	info, status := c.cfg.Backend.Info(), c.cfg.Backend.Status()
	out.Name, out.Version = &info.Name, &info.Version
	if status.Degraded != "" {
		out.Degraded = text(status.Degraded)
	}
	if !info.External {
		out.RefusedConnections = &gen.MooringAgent_Agent_Backend_State_RefusedConnections{
			UnknownPeer: &status.RefusedUnknown, Peer: &status.RefusedPeer,
		}
	}
	out.Capability = map[string]*gen.MooringAgent_Agent_Backend_State_Capability{}
	for _, k := range c.cfg.Backend.Capabilities() {
		entry := &gen.MooringAgent_Agent_Backend_State_Capability{
			Leaf: &k.Leaf, Support: enumOf[gen.E_MooringAgent_Agent_Backend_State_Capability_Support](k.Support),
		}
		if k.Note != "" {
			entry.Note = &k.Note
		}
		if k.Mechanism != "" {
			entry.Mechanism = &k.Mechanism
		}
		out.Capability[k.Leaf] = entry
	}
}

func (r *renderer) nacm() ygot.GoStruct {
	operations, writes, notifications := r.c.cfg.Access.Denied()
	return &gen.IETFNetconfAcm_Nacm{DeniedOperations: &operations, DeniedDataWrites: &writes, DeniedNotifications: &notifications}
}

// The model's default of /agent/history/config/size.
const defaultHistorySize = 100

func historySize(r schema.Reader) uint16 {
	rec, _ := r.Get(schema.AgentKey()).(*agentRec)
	if cfg := rec.GetHistory().GetConfig(); cfg != nil && cfg.Size != nil {
		return *cfg.Size
	}
	return defaultHistorySize
}
