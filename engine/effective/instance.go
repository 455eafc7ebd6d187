package effective

import (
	"net/netip"
	"slices"

	"mooring/bgp"
	"mooring/engine/schema"
)

// defaultListenPort is the model's default of listen-port.
const defaultListenPort = 179

// instanceSpec resolves a VPN instance of a BGP instance.
func (c *Config) instanceSpec(key bgp.InstanceKey, in *instanceRec, bv *bgpVPNRec) *bgp.InstanceSpec {
	s := &bgp.InstanceSpec{Key: key, RouterID: c.routerID, OwnRouterID: true, Port: defaultListenPort}
	if cfg := in.GetConfig(); cfg != nil {
		if cfg.As != nil {
			s.AS = *cfg.As
		}
		s.RouterID, s.OwnRouterID = addrOr(cfg.RouterId, s.RouterID), cfg.RouterId == nil
	}
	if cfg := bv.GetConfig(); cfg != nil {
		s.RouterID, s.OwnRouterID = addrOr(cfg.RouterId, s.RouterID), s.OwnRouterID && cfg.RouterId == nil
		if cfg.ListenPort != nil {
			s.Port = *cfg.ListenPort
		}
		for _, a := range cfg.ListenAddress {
			s.Listen = append(s.Listen, netip.MustParseAddr(a))
		}
		slices.SortFunc(s.Listen, netip.Addr.Compare)
	}
	// nil only while a dangling reference has not been refused yet
	vpn, _ := c.r.Get(schema.VPNInstanceKey(key.VPN)).(*vpnRec)
	if cfg := vpn.GetConfig(); cfg != nil {
		s.Device, s.Namespace = deref(cfg.VrfDevice), deref(cfg.NetworkNamespace)
	}
	if cfg := vpn.GetIpv4Family().GetConfig(); cfg != nil {
		s.RD4 = deref(cfg.RouteDistinguisher)
		s.Import4, s.Export4 = slices.Sorted(slices.Values(cfg.ImportRouteTarget)), slices.Sorted(slices.Values(cfg.ExportRouteTarget))
	}
	if cfg := vpn.GetIpv6Family().GetConfig(); cfg != nil {
		s.RD6 = deref(cfg.RouteDistinguisher)
		s.Import6, s.Export6 = slices.Sorted(slices.Values(cfg.ImportRouteTarget)), slices.Sorted(slices.Values(cfg.ExportRouteTarget))
	}
	return s
}
