package frr

import (
	"fmt"

	"mooring/backend"
	"mooring/bgp"
)

// gentle are the settings that FRR takes without ending a session (backends.md
// 4.2). All others end it with Cease 6/6, enabled with 6/2.
var gentle = map[string]bgp.Impact{
	"transport/config/tcp-mss":                  bgp.ImpactNextSession,
	"timers/config/hold-time":                   bgp.ImpactNextSession,
	"timers/config/keepalive-interval":          bgp.ImpactNextSession,
	"timers/config/connect-retry":               bgp.ImpactNone,
	"graceful-restart/config/enabled":           bgp.ImpactNextSession,
	"graceful-restart/config/restart-time":      bgp.ImpactNextSession,
	"graceful-restart/config/stale-routes-time": bgp.ImpactNone,
	"graceful-restart/config/reset-mode":        bgp.ImpactNone,
}

// limits are what FRR cannot do.
var limits = map[string]backend.Capability{
	"config/local-as": {
		Support: backend.Partial,
		Note:    "%s: an IBGP peer has the AS of its BGP instance",
	},
	"transport/config/connect-mode": {
		Support: backend.Partial,
		Note:    "%s: connect-only is refused, bgpd always accepts from a configured neighbor; a change waits for the end of the session, which bgpd would end",
	},
	"transport/config/ebgp-max-hop": {
		Support: backend.Partial,
		Note:    "%s: a change waits for the end of the session, which bgpd would end",
	},
	"transport/config/valid-ttl-hops": {
		Support: backend.Partial,
		Note:    "%s: a change waits for the end of the session, which bgpd would end",
	},
	"transport/config/local-port": {
		Support: backend.Refused,
		Note:    "%s: the kernel chooses the port",
	},
	"transport/config/path-mtu-discovery": {
		Support: backend.Refused,
		Note:    "%s: bgpd has no such setting, the kernel's default (net.ipv4.ip_no_pmtu_disc) applies",
	},
	"transport/config/dscp": {
		Support: backend.Partial,
		Note:    "%s: one value for all that bgpd sends, 48 or what `bgp session-dscp` says: others are refused",
	},
	"transport/connect-interface/config/source-address": {
		Support: backend.Partial,
		Note:    "%s: bgpd dials from the source, but also accepts at other addresses: state says so",
	},
	"transport/authentication/config/method": {
		Support: backend.Partial,
		Note:    "%s: tcp-ao is refused",
	},
	"transport/authentication/config/password": {
		Support: backend.Partial,
		Note:    "%s: 1 to 80 printable ASCII characters without a space",
	},
	"transport/authentication/keys": {
		Support: backend.Refused,
		Note:    "%s: no TCP-AO",
	},
	"graceful-restart/config/restart-time": {
		Support: backend.Partial,
		Note:    "%s: one value for all peers of an instance that have graceful restart",
	},
	"graceful-restart/config/stale-routes-time": {
		Support: backend.Partial,
		Note:    "%s: one value for all peers of an instance that have graceful restart",
	},
	"afi-safis": {
		Support: backend.Partial,
		Note:    "%s: vpnv4-unicast and vpnv6-unicast only in an instance without VRF device and network namespace",
	},
}

// name is FRR with its version where that is known.
func (b *Backend) name() string {
	if v := b.said.Load(); v != nil {
		return "FRR " + *v
	}
	return "FRR"
}

// Capabilities returns what bgpd does with each setting.
func (b *Backend) Capabilities() []backend.Capability {
	var cs []backend.Capability
	for _, leaf := range bgp.PeerLeaves() {
		c := limits[leaf]
		c.Leaf, c.Mechanism = leaf, mechanisms[leaf]
		if c.Note != "" {
			c.Note = fmt.Sprintf(c.Note, b.name())
		}
		cs = append(cs, c)
	}
	return cs
}

// Native says reset for everything but what is gentle.
func (b *Backend) Native(old, new *bgp.PeerSpec) bgp.Impact {
	impact := bgp.ImpactNone
	for _, c := range bgp.DiffPeers(old, new) {
		i, ok := gentle[c.Leaf]
		if !ok {
			return bgp.ImpactReset
		}
		impact = max(impact, i)
	}
	return impact
}

// NativeInstance says reset where the router block must be made anew.
func (b *Backend) NativeInstance(old, new *bgp.InstanceSpec) bgp.Impact {
	if old.AS != new.AS || old.RouterID != new.RouterID || place(old) != place(new) {
		return bgp.ImpactReset
	}
	return bgp.ImpactNone
}
