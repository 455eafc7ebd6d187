package gobgp

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/osrg/gobgp/v4/api"

	"mooring/backend/transport"
	"mooring/bgp"
)

// serverFamilies are the address families of a BgpServer by GoBGP's numbers:
// ipv4-unicast, ipv6-unicast, l3vpn-ipv4-unicast, l3vpn-ipv6-unicast.
var serverFamilies = []uint32{0, 1, 4, 5}

var familyCodes = map[bgp.Family]*api.Family{
	bgp.IPv4Unicast:  {Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST},
	bgp.IPv6Unicast:  {Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST},
	bgp.VPNv4Unicast: {Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_MPLS_VPN},
	bgp.VPNv6Unicast: {Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_MPLS_VPN},
}

// idleAfterReset is GoBGP's least; its default is 30 s (backends.md 1.4).
const idleAfterReset = 1

// global returns how GoBGP is started for an instance. Where its connections
// are handed over (own) it makes no socket.
func global(in *bgp.InstanceSpec, own bool) *api.Global {
	g := &api.Global{Asn: in.AS, RouterId: in.RouterID.String(), ListenPort: -1, Families: serverFamilies}
	if own {
		return g
	}
	g.BindToDevice = in.Device
	if in.Port != 0 {
		g.ListenPort = int32(in.Port)
		for _, a := range transport.ListenAddresses(in) {
			g.ListenAddresses = append(g.ListenAddresses, a.String())
		}
	}
	return g
}

// apiPeer returns p as GoBGP takes it. The description carries gen: a change
// of it is how a reset without a change of settings is asked for. Where
// connections are handed over (own), all that concerns the socket is left out
// but the source, which GoBGP compares with the connection's.
func apiPeer(in *bgp.InstanceSpec, p *bgp.PeerSpec, gen uint32, own bool) *api.Peer {
	a := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: p.Key.Address.String(),
			PeerAsn:         p.RemoteAS,
			LocalAsn:        p.LocalAS,
			Description:     strconv.FormatUint(uint64(gen), 10),
		},
		Transport: &api.Transport{PassiveMode: true},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime:               uint64(p.HoldTime / time.Second),
			KeepaliveInterval:      uint64(p.Keepalive / time.Second),
			ConnectRetry:           uint64(p.ConnectRetry / time.Second),
			IdleHoldTimeAfterReset: idleAfterReset,
		}},
		GracefulRestart: &api.GracefulRestart{Enabled: p.GracefulRestart},
	}
	if !own {
		setTransport(a, in, p)
	}
	a.Transport.LocalAddress = source(p).String()
	if p.GracefulRestart {
		a.GracefulRestart.RestartTime = uint32(p.RestartTime / time.Second)
		a.GracefulRestart.NotificationEnabled = true // RFC 8538 2
	}
	for _, f := range p.Families {
		a.AfiSafis = append(a.AfiSafis, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: familyCodes[f], Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: p.GracefulRestart}},
		})
	}
	return a
}

// setTransport gives GoBGP's own dialer and listener what they can do.
func setTransport(a *api.Peer, in *bgp.InstanceSpec, p *bgp.PeerSpec) {
	a.Transport = &api.Transport{
		PassiveMode:   p.ConnectMode == bgp.ListenOnly,
		RemotePort:    uint32(p.RemotePort),
		LocalPort:     uint32(p.LocalPort),
		BindInterface: in.Device, // only ever the VRF device (backends.md 0.2)
		TcpMss:        uint32(p.MSS),
		IpTos:         uint32(p.DSCP) << 2,
	}
	if p.Auth == bgp.AuthMD5 {
		a.Conf.AuthPassword = string(p.Password)
	}
	switch {
	case p.MinTTL != 0:
		a.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: uint32(p.MinTTL)}
	case p.RemoteAS != p.LocalAS:
		a.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(p.TTL)}
	}
}

// source returns the source address with the zone that GoBGP compares by. It is
// never left out: GoBGP would look for a link-local address of the interface that
// has the zone's name here, whatever namespace the peer is in, and take no other.
func source(p *bgp.PeerSpec) netip.Addr {
	switch {
	case !p.Source.IsValid() && p.Key.Address.Is4():
		return netip.IPv4Unspecified()
	case !p.Source.IsValid():
		return netip.IPv6Unspecified()
	case p.Source.Is6() && p.Source.IsLinkLocalUnicast():
		return p.Source.WithZone(p.Key.Address.Zone())
	}
	return p.Source
}

// parked turns a into a peer that can have no session: it does not dial, and
// no connection can be accepted at its address. The session that a had ends
// with a Cease of the subcode: GoBGP derives it from what changes.
func parked(a *api.Peer, subcode uint8) *api.Peer {
	a.Transport.PassiveMode = true
	a.Transport.BindInterface = "" // it would switch the check of the address off
	a.Transport.LocalAddress = "255.255.255.255"
	if addr, err := netip.ParseAddr(a.Conf.NeighborAddress); err == nil && addr.Is6() {
		a.Transport.LocalAddress = "100::1" // discard-only (RFC 6666)
	}
	a.Conf.AuthPassword = ""
	switch subcode {
	case bgp.CeaseAdminShutdown:
		a.Conf.AdminDown = true
	case bgp.CeasePeerDeconfigured:
		a.Conf.PeerAsn ^= 1
		if a.Conf.PeerAsn == 0 {
			a.Conf.PeerAsn = 2
		}
	}
	return a
}

// familyStates returns the families of a peer with their counters. A family
// is active where both sides sent its capability (RFC 4760 8).
func familyStates(a *api.Peer) []bgp.FamilyState {
	remote := map[[2]int32]bool{}
	for _, c := range a.GetState().GetRemoteCap() {
		if f := c.GetMultiProtocol().GetFamily(); f != nil {
			remote[[2]int32{int32(f.Afi), int32(f.Safi)}] = true
		}
	}
	var out []bgp.FamilyState
	for family := bgp.IPv4Unicast; family <= bgp.VPNv6Unicast; family++ {
		code := familyCodes[family]
		for _, af := range a.GetAfiSafis() {
			f := af.GetConfig().GetFamily()
			if f.GetAfi() != code.Afi || f.GetSafi() != code.Safi {
				continue
			}
			// A remote without any multiprotocol capability speaks IPv4 unicast.
			active := remote[[2]int32{int32(code.Afi), int32(code.Safi)}] || len(remote) == 0 && family == bgp.IPv4Unicast
			out = append(out, bgp.FamilyState{
				Family: family, Active: active,
				Received: af.GetState().GetReceived(), Sent: af.GetState().GetAdvertised(),
			})
		}
	}
	return out
}
