package commit

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mooring/backend/srcaddr"
	"mooring/bgp"
	"mooring/gen"
)

// The defaults of settings that have none in the model because they are
// inherited: a YANG default would hide the peer group's value.
const (
	defaultRemotePort  = 179
	defaultDSCP        = 48 // CS6, RFC 4594 3.1
	defaultHoldTime    = 180 * time.Second
	defaultKeepalive   = 60 * time.Second
	defaultRetry       = 32 * time.Second
	defaultRestartTime = 120 * time.Second
	defaultStaleTime   = 360 * time.Second
	defaultListenPort  = 179
)

// origin says where an effective value came from; the names are the model's.
type origin uint8

const (
	fromPeer origin = iota
	fromGroup
	fromInstance
	fromDefault
	fromRoute // the kernel's route lookup
)

// resolved is a peer's specification before its source is resolved, with what
// to resolve and where each value came from.
type resolved struct {
	spec    bgp.PeerSpec
	query   srcaddr.Query
	origins []origin // aligned with bgp.PeerLeaves; nil unless asked for
}

// instanceSpec resolves a VPN instance of a BGP instance. vpn may be nil only
// while a dangling reference has not been refused yet.
func instanceSpec(key bgp.InstanceKey, in *instanceRec, bv *bgpVPNRec, vpn *vpnRec, routerID netip.Addr) *bgp.InstanceSpec {
	s := &bgp.InstanceSpec{Key: key, RouterID: routerID, OwnRouterID: true, Port: defaultListenPort}
	if c := in.GetConfig(); c != nil {
		if c.As != nil {
			s.AS = *c.As
		}
		s.RouterID, s.OwnRouterID = addrOr(c.RouterId, s.RouterID), c.RouterId == nil
	}
	if c := bv.GetConfig(); c != nil {
		s.RouterID, s.OwnRouterID = addrOr(c.RouterId, s.RouterID), s.OwnRouterID && c.RouterId == nil
		if c.ListenPort != nil {
			s.Port = *c.ListenPort
		}
		for _, a := range c.ListenAddress {
			s.Listen = append(s.Listen, netip.MustParseAddr(a))
		}
		slices.SortFunc(s.Listen, netip.Addr.Compare)
	}
	if c := vpn.GetConfig(); c != nil {
		s.Device, s.Namespace = deref(c.VrfDevice), deref(c.NetworkNamespace)
	}
	if c := vpn.GetIpv4Family().GetConfig(); c != nil {
		s.RD4 = deref(c.RouteDistinguisher)
		s.Import4, s.Export4 = slices.Sorted(slices.Values(c.ImportRouteTarget)), slices.Sorted(slices.Values(c.ExportRouteTarget))
	}
	if c := vpn.GetIpv6Family().GetConfig(); c != nil {
		s.RD6 = deref(c.RouteDistinguisher)
		s.Import6, s.Export6 = slices.Sorted(slices.Values(c.ImportRouteTarget)), slices.Sorted(slices.Values(c.ExportRouteTarget))
	}
	return s
}

// peerSpec resolves everything of a peer but its source: own value, else peer
// group, else default. group is nil for a peer without one.
func peerSpec(key bgp.PeerKey, in *bgp.InstanceSpec, p *peerRec, group *groupRec, withOrigins bool) resolved {
	own, inherited := settingsOfPeer(p), settingsOfGroup(group)
	r := resolved{spec: bgp.PeerSpec{Key: key, RouterID: in.RouterID}}
	if withOrigins {
		r.origins = make([]origin, len(bgp.PeerLeaves()))
	}
	var enabled *bool
	if c := p.GetConfig(); c != nil {
		enabled = c.Enabled
	}
	if !pick(&r, "config/enabled", enabled, nil, true, fromDefault) {
		r.spec.Down, r.spec.DownDetail = bgp.DownDisabled, "the peer is disabled: set config/enabled to true"
	}
	s := &r.spec
	s.RemoteAS = pick(&r, "config/as", own.as, inherited.as, 0, fromDefault)
	s.LocalAS = pick(&r, "config/local-as", own.localAS, inherited.localAS, in.AS, fromInstance)
	r.note("router-id", fromInstance)
	if in.OwnRouterID {
		r.note("router-id", fromDefault)
	}
	r.transport(own.transport, inherited.transport)
	r.authentication(own, inherited)
	r.timers(own, inherited)
	r.families(own.families, inherited.families)
	r.source(own.source, inherited.source, in)
	return r
}

func (r *resolved) transport(own, inherited *transportConfig) {
	s := &r.spec
	mode := func(c *transportConfig) *bgp.ConnectMode {
		if c.ConnectMode == 0 {
			return nil
		}
		m := bgp.ConnectMode(c.ConnectMode - 1)
		return &m
	}
	s.ConnectMode = pick(r, "transport/config/connect-mode", mode(own), mode(inherited), bgp.ConnectBoth, fromDefault)
	s.RemotePort = pick(r, "transport/config/remote-port", own.RemotePort, inherited.RemotePort, defaultRemotePort, fromDefault)
	s.LocalPort = pick(r, "transport/config/local-port", own.LocalPort, inherited.LocalPort, 0, fromDefault)
	s.MSS = pick(r, "transport/config/tcp-mss", own.TcpMss, inherited.TcpMss, 0, fromDefault)
	s.DSCP = pick(r, "transport/config/dscp", own.Dscp, inherited.Dscp, defaultDSCP, fromDefault)
	pmtu := func(b *bool) *bgp.Toggle {
		if b == nil {
			return nil
		}
		t := bgp.ToggleOff
		if *b {
			t = bgp.ToggleOn
		}
		return &t
	}
	s.PathMTU = pick(r, "transport/config/path-mtu-discovery", pmtu(own.PathMtuDiscovery), pmtu(inherited.PathMtuDiscovery), bgp.ToggleDefault, fromDefault)
	r.ttl(own, inherited)
}

// ttl resolves the two settings that exclude each other together: whoever has
// one of them decides both.
func (r *resolved) ttl(own, inherited *transportConfig) {
	s, from, by := &r.spec, own, fromPeer
	if own.EbgpMaxHop == nil && own.ValidTtlHops == nil {
		from, by = inherited, fromGroup
	}
	hopBy, gtsmBy := by, by
	if from.EbgpMaxHop == nil {
		hopBy = fromDefault
	}
	if from.ValidTtlHops == nil {
		gtsmBy = fromDefault
	}
	r.note("transport/config/ebgp-max-hop", hopBy)
	r.note("transport/config/valid-ttl-hops", gtsmBy)
	switch {
	case from.ValidTtlHops != nil:
		s.TTL, s.MinTTL = 255, uint8(256-int(*from.ValidTtlHops))
	case s.LocalAS == s.RemoteAS:
		s.TTL = 0 // ebgp-max-hop is about EBGP: an internal peer may be far
	case from.EbgpMaxHop != nil:
		s.TTL = *from.EbgpMaxHop
	default:
		s.TTL = 1
	}
}

// authentication is inherited as a whole: whoever has a method decides.
func (r *resolved) authentication(own, inherited settings) {
	from, by := own, fromPeer
	if own.auth.Method == 0 {
		from, by = inherited, fromGroup
	}
	if from.auth.Method == 0 {
		by = fromDefault
	}
	r.note("transport/authentication/config/method", by)
	r.note("transport/authentication/config/password", by)
	r.note("transport/authentication/keys", by)
	if from.auth.Method == 0 {
		return
	}
	s := &r.spec
	s.Auth = bgp.AuthMethod(from.auth.Method - 1)
	switch s.Auth {
	case bgp.AuthMD5:
		s.Password = bgp.Secret(deref(from.auth.Password))
	case bgp.AuthTCPAO:
		for _, k := range from.keys {
			s.Keys = append(s.Keys, tcpAOKey(k))
		}
		slices.SortFunc(s.Keys, func(a, b bgp.TCPAOKey) int { return cmp.Compare(a.SendID, b.SendID) })
	case bgp.AuthNone:
	}
}

func tcpAOKey(k *keyConfig) bgp.TCPAOKey {
	algorithm := "hmac-sha-1-96" // the model's default
	if k.Algorithm == gen.MooringBgp_Bgp_Instances_Instance_VpnInstances_VpnInstance_PeerGroups_PeerGroup_Transport_Authentication_Keys_Key_Config_Algorithm_aes_128_cmac_96 {
		algorithm = "aes-128-cmac-96"
	}
	return bgp.TCPAOKey{
		SendID: deref(k.SendId), ReceiveID: deref(k.ReceiveId),
		Algorithm: algorithm, Secret: bgp.Secret(deref(k.Secret)),
	}
}

func (r *resolved) timers(own, inherited settings) {
	s := &r.spec
	sec := func(leaf string, o, i *uint16, def time.Duration) time.Duration {
		v := pick(r, leaf, o, i, uint16(def/time.Second), fromDefault)
		return time.Duration(v) * time.Second
	}
	s.HoldTime = sec("timers/config/hold-time", own.timers.HoldTime, inherited.timers.HoldTime, defaultHoldTime)
	s.Keepalive = sec("timers/config/keepalive-interval", own.timers.KeepaliveInterval, inherited.timers.KeepaliveInterval, defaultKeepalive)
	s.ConnectRetry = sec("timers/config/connect-retry", own.timers.ConnectRetry, inherited.timers.ConnectRetry, defaultRetry)
	if third := (s.HoldTime / 3).Truncate(time.Second); s.HoldTime > 0 && s.Keepalive > third {
		s.Keepalive = third // RFC 4271 4.4; hold time and interval may come from different places
	}
	s.GracefulRestart = pick(r, "graceful-restart/config/enabled", own.restart.Enabled, inherited.restart.Enabled, false, fromDefault)
	s.RestartTime = sec("graceful-restart/config/restart-time", own.restart.RestartTime, inherited.restart.RestartTime, defaultRestartTime)
	mode := func(c *restartConfig) *bgp.ResetMode {
		if c.ResetMode == 0 {
			return nil
		}
		m := bgp.ResetMode(c.ResetMode - 1)
		return &m
	}
	s.ResetMode = pick(r, "graceful-restart/config/reset-mode", mode(own.restart), mode(inherited.restart), bgp.ResetGraceful, fromDefault)
	s.StaleTime = sec("graceful-restart/config/stale-routes-time", own.restart.StaleRoutesTime, inherited.restart.StaleRoutesTime, defaultStaleTime)
}

// families resolves family by family: the peer's entry, else the group's.
func (r *resolved) families(own, inherited map[bgp.Family]bool) {
	s, by := &r.spec, fromDefault
	for f := bgp.IPv4Unicast; f <= bgp.VPNv6Unicast; f++ {
		enabled, ok := own[f]
		at := fromPeer
		if !ok {
			enabled, at = inherited[f], fromGroup
		}
		if enabled {
			s.Families = append(s.Families, f)
			by = min(by, at)
		}
	}
	if len(s.Families) == 0 {
		s.Families = []bgp.Family{bgp.IPv4Unicast}
		if s.Key.Address.Is6() {
			s.Families = []bgp.Family{bgp.IPv6Unicast}
		}
	}
	r.note("afi-safis", by)
}

// source prepares the question for the resolver. connect-interface is one
// command and is inherited as a whole.
func (r *resolved) source(own, inherited *sourceConfig, in *bgp.InstanceSpec) {
	from, by := own, fromPeer
	if *own == (sourceConfig{}) {
		from, by = inherited, fromGroup
	}
	if *from == (sourceConfig{}) {
		by = fromRoute
	}
	r.note("transport/connect-interface/config/source-address", by)
	r.query = srcaddr.Query{
		NetNS: in.Namespace, VRFDevice: in.Device, Peer: r.spec.Key.Address,
		Interface: interfaceName(from),
		Source:    addrOr(from.SourceAddress, netip.Addr{}),
	}
}

// interfaceName is the interface that a connect-interface names: type and
// number joined, as operators write them ("LoopBack" and "1" are LoopBack1).
func interfaceName(c *sourceConfig) string {
	if c.Interface != nil {
		return *c.Interface
	}
	return strings.Join([]string{deref(c.InterfaceType), deref(c.InterfaceNumber)}, "")
}

// setSource puts the resolver's answer into a specification; applied is the one
// in force, nil for none. A disabled peer stays disabled whatever its source.
func setSource(s *bgp.PeerSpec, a srcaddr.Answer, applied *bgp.PeerSpec) {
	s.SourceWarning = ""
	if a.Status == srcaddr.Ambiguous && applied != nil && slices.Contains(a.Candidates, applied.Source) {
		// An address that comes ends no session (docs/adr/0014).
		s.SourceWarning = fmt.Sprintf("%s; until then %s stays in use, but an agent that starts anew does not know it", a.Detail, applied.Source)
		a = srcaddr.Answer{Status: srcaddr.Resolved, Source: applied.Source, Interface: applied.Interface}
	}
	s.Source, s.Interface = a.Source, a.Interface
	if s.Down == bgp.DownDisabled {
		return
	}
	s.Down, s.DownDetail = downReason(a.Status), a.Detail
	if s.Down != bgp.DownNone {
		s.Source, s.Interface = netip.Addr{}, ""
	}
}

func downReason(s srcaddr.Status) bgp.DownReason {
	switch s {
	case srcaddr.Resolved, srcaddr.Unbound:
		return bgp.DownNone
	case srcaddr.InterfaceMissing:
		return bgp.DownInterfaceMissing
	case srcaddr.InterfaceDown:
		return bgp.DownInterfaceDown
	case srcaddr.NoAddress:
		return bgp.DownNoAddress
	case srcaddr.Tentative:
		return bgp.DownAddressTentative
	case srcaddr.Ambiguous:
		return bgp.DownAmbiguousSource
	case srcaddr.SourceMissing:
		return bgp.DownSourceMissing
	case srcaddr.NamespaceMissing:
		return bgp.DownNamespaceMissing
	case srcaddr.WrongVRF:
		return bgp.DownWrongVRF
	default:
		panic("commit: internal error: source status " + s.String())
	}
}

// pick returns the peer's value, else the group's, else def, and notes which.
func pick[T any](r *resolved, leaf string, own, inherited *T, def T, otherwise origin) T {
	switch {
	case own != nil:
		r.note(leaf, fromPeer)
		return *own
	case inherited != nil:
		r.note(leaf, fromGroup)
		return *inherited
	}
	r.note(leaf, otherwise)
	return def
}

// leafIndex is the place of a setting in bgp.PeerLeaves.
var leafIndex = func() map[string]int {
	m := map[string]int{}
	for i, leaf := range bgp.PeerLeaves() {
		m[leaf] = i
	}
	return m
}()

func (r *resolved) note(leaf string, o origin) {
	if r.origins != nil {
		r.origins[leafIndex[leaf]] = o
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// addrOr parses an address that the schema has checked.
func addrOr(s *string, def netip.Addr) netip.Addr {
	if s == nil {
		return def
	}
	return netip.MustParseAddr(*s)
}
