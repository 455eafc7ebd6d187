package effective

import (
	"cmp"
	"slices"
	"time"

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
)

// inherit resolves everything but the source. c is the peer's config container,
// nil for none.
func (p *Peer) inherit(in *bgp.InstanceSpec, c *peerConfig, own, inherited settings) {
	var enabled *bool
	if c != nil {
		enabled = c.Enabled
	}
	s := &p.Spec
	if !pick(p.at("config/enabled"), enabled, nil, true) {
		s.Down, s.DownDetail = bgp.DownDisabled, "the peer is disabled: set config/enabled to true"
	}
	s.RemoteAS = pick(p.at("config/as"), own.as, inherited.as, 0)
	s.LocalAS = pick(p.at("config/local-as"), own.localAS, inherited.localAS, in.AS)
	if own.localAS == nil && inherited.localAS == nil {
		p.note("config/local-as", FromInstance)
	}
	p.note(RouterID, FromInstance)
	if in.OwnRouterID {
		p.note(RouterID, FromDefault)
	}
	p.transport(own.transport, inherited.transport)
	p.authentication(own, inherited)
	p.timers(own, inherited)
	p.families(own.families, inherited.families)
	p.source(own.source, inherited.source, in)
}

func (p *Peer) transport(own, inherited *transportConfig) {
	s := &p.Spec
	mode := func(c *transportConfig) *bgp.ConnectMode {
		if c.ConnectMode == 0 {
			return nil
		}
		m := bgp.ConnectMode(c.ConnectMode - 1)
		return &m
	}
	s.ConnectMode = pick(p.at("transport/config/connect-mode"), mode(own), mode(inherited), bgp.ConnectBoth)
	s.RemotePort = pick(p.at("transport/config/remote-port"), own.RemotePort, inherited.RemotePort, defaultRemotePort)
	s.LocalPort = pick(p.at("transport/config/local-port"), own.LocalPort, inherited.LocalPort, 0)
	s.MSS = pick(p.at("transport/config/tcp-mss"), own.TcpMss, inherited.TcpMss, 0)
	s.DSCP = pick(p.at("transport/config/dscp"), own.Dscp, inherited.Dscp, defaultDSCP)
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
	s.PathMTU = pick(p.at("transport/config/path-mtu-discovery"), pmtu(own.PathMtuDiscovery), pmtu(inherited.PathMtuDiscovery), bgp.ToggleDefault)
	p.ttl(own, inherited)
}

// ttl resolves the two settings that exclude each other together: whoever has
// one of them decides both.
func (p *Peer) ttl(own, inherited *transportConfig) {
	s, from, by := &p.Spec, own, FromPeer
	if own.EbgpMaxHop == nil && own.ValidTtlHops == nil {
		from, by = inherited, FromGroup
	}
	hopBy, gtsmBy := by, by
	if from.EbgpMaxHop == nil {
		hopBy = FromDefault
	}
	if from.ValidTtlHops == nil {
		gtsmBy = FromDefault
	}
	p.note("transport/config/ebgp-max-hop", hopBy)
	p.note("transport/config/valid-ttl-hops", gtsmBy)
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
func (p *Peer) authentication(own, inherited settings) {
	from, by := own, FromPeer
	if own.auth.Method == 0 {
		from, by = inherited, FromGroup
	}
	if from.auth.Method == 0 {
		by = FromDefault
	}
	p.note("transport/authentication/config/method", by)
	p.note(Password, by)
	p.note(keys, by)
	if from.auth.Method == 0 {
		return
	}
	s := &p.Spec
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

func (p *Peer) timers(own, inherited settings) {
	s := &p.Spec
	sec := func(leaf string, o, i *uint16, def time.Duration) time.Duration {
		v := pick(p.at(leaf), o, i, uint16(def/time.Second))
		return time.Duration(v) * time.Second
	}
	s.HoldTime = sec("timers/config/hold-time", own.timers.HoldTime, inherited.timers.HoldTime, defaultHoldTime)
	s.Keepalive = sec("timers/config/keepalive-interval", own.timers.KeepaliveInterval, inherited.timers.KeepaliveInterval, defaultKeepalive)
	s.ConnectRetry = sec("timers/config/connect-retry", own.timers.ConnectRetry, inherited.timers.ConnectRetry, defaultRetry)
	if third := (s.HoldTime / 3).Truncate(time.Second); s.HoldTime > 0 && s.Keepalive > third {
		s.Keepalive = third // RFC 4271 4.4; hold time and interval may come from different places
	}
	s.GracefulRestart = pick(p.at("graceful-restart/config/enabled"), own.restart.Enabled, inherited.restart.Enabled, false)
	s.RestartTime = sec("graceful-restart/config/restart-time", own.restart.RestartTime, inherited.restart.RestartTime, defaultRestartTime)
	mode := func(c *restartConfig) *bgp.ResetMode {
		if c.ResetMode == 0 {
			return nil
		}
		m := bgp.ResetMode(c.ResetMode - 1)
		return &m
	}
	s.ResetMode = pick(p.at("graceful-restart/config/reset-mode"), mode(own.restart), mode(inherited.restart), bgp.ResetGraceful)
	s.StaleTime = sec("graceful-restart/config/stale-routes-time", own.restart.StaleRoutesTime, inherited.restart.StaleRoutesTime, defaultStaleTime)
}

// families resolves family by family: the peer's entry, else the group's.
func (p *Peer) families(own, inherited map[bgp.Family]bool) {
	s, by := &p.Spec, FromDefault
	for f := bgp.IPv4Unicast; f <= bgp.VPNv6Unicast; f++ {
		enabled, ok := own[f]
		at := FromPeer
		if !ok {
			enabled, at = inherited[f], FromGroup
		}
		if enabled {
			s.Families = append(s.Families, f)
			by = min(by, at)
		}
	}
	if len(s.Families) == 0 {
		s.Families = onlyIPv4
		if s.Key.Address.Is6() {
			s.Families = onlyIPv6
		}
	}
	p.note(families, by)
}

// What a peer has that names no family. Most peers share one of them: a
// specification is never changed.
var onlyIPv4, onlyIPv6 = []bgp.Family{bgp.IPv4Unicast}, []bgp.Family{bgp.IPv6Unicast}
