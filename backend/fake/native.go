package fake

import "mooring/bgp"

// notReset are the settings whose change an ideal speaker takes without
// ending the session: the wire does not notice.
var notReset = map[string]bgp.Impact{
	"transport/config/connect-mode":             bgp.ImpactNone,
	"transport/config/ebgp-max-hop":             bgp.ImpactNone,
	"transport/config/valid-ttl-hops":           bgp.ImpactNone,
	"transport/config/path-mtu-discovery":       bgp.ImpactNone,
	"transport/config/dscp":                     bgp.ImpactNone,
	"timers/config/keepalive-interval":          bgp.ImpactNextSession,
	"timers/config/connect-retry":               bgp.ImpactNone,
	"graceful-restart/config/stale-routes-time": bgp.ImpactNone,
	"graceful-restart/config/reset-mode":        bgp.ImpactNone,
}

// Native is that of an ideal speaker: it resets where the TCP connection or
// the OPEN must change.
func Native(old, new *bgp.PeerSpec) bgp.Impact {
	impact := bgp.ImpactNone
	for _, c := range bgp.DiffPeers(old, new) {
		i, ok := notReset[c.Leaf]
		if !ok {
			i = bgp.ImpactReset
		}
		impact = max(impact, i)
	}
	return impact
}

// NativeLikeGoBGP is that of a speaker which resets on everything but the
// timers and takes those silently, so that plans need AddReset for the hold
// time and withhold what the model does not reset on.
func NativeLikeGoBGP(old, new *bgp.PeerSpec) bgp.Impact {
	impact := bgp.ImpactNone
	for _, c := range bgp.DiffPeers(old, new) {
		switch c.Leaf {
		case "timers/config/hold-time", "timers/config/keepalive-interval", "timers/config/connect-retry":
			impact = max(impact, bgp.ImpactNextSession)
		default:
			return bgp.ImpactReset
		}
	}
	return impact
}

// NativeInstance says reset unless only the VPN's own settings change, which
// never reach a session.
func NativeInstance(old, new *bgp.InstanceSpec) bgp.Impact {
	was := *new
	was.RD4, was.RD6 = old.RD4, old.RD6
	was.Import4, was.Export4, was.Import6, was.Export6 = old.Import4, old.Export4, old.Import6, old.Export6
	if was.Equal(old) {
		return bgp.ImpactNone
	}
	return bgp.ImpactReset
}
