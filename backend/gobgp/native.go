package gobgp

import (
	"slices"

	"mooring/backend"
	"mooring/bgp"
)

// quiet are the settings that GoBGP takes without a reset (backends.md 1.3).
// The last is not given to it at all.
var quiet = map[string]bgp.Impact{
	"timers/config/hold-time":                   bgp.ImpactNextSession,
	"timers/config/keepalive-interval":          bgp.ImpactNextSession,
	"timers/config/connect-retry":               bgp.ImpactNone,
	"graceful-restart/config/stale-routes-time": bgp.ImpactNone,
	"graceful-restart/config/reset-mode":        bgp.ImpactNone,
}

// notes are the limits that are GoBGP's state machine's, not its dialer's.
var notes = map[string]backend.Capability{
	"timers/config/hold-time": {
		Support: backend.Partial,
		Note:    "0 is refused: GoBGP takes it for its own default",
	},
	"graceful-restart/config/stale-routes-time": {
		Support: backend.Partial,
		Note:    "has no effect: GoBGP keeps stale routes for the restart time that the remote announces",
	},
}

// leafResetMode needs the connections to be handed over (spoken.go).
const leafResetMode = "graceful-restart/config/reset-mode"

// Capabilities returns what GoBGP and its dialer do with each setting.
func (b *Backend) Capabilities() []backend.Capability {
	limits := b.dialer.Limits()
	var cs []backend.Capability
	for _, leaf := range bgp.PeerLeaves() {
		c := notes[leaf]
		if leaf == leafResetMode && b.own == nil {
			c = backend.Capability{Support: backend.Partial, Note: "hard has no effect where GoBGP opens its connections itself"}
		}
		if l, ok := limits[leaf]; ok {
			c.Support, c.Note = backend.Partial, l.Note
			if l.Refused {
				c.Support = backend.Refused
			}
		}
		c.Leaf, c.Mechanism = leaf, byGoBGP
		if b.own != nil {
			c.Mechanism = mechanisms[leaf]
		}
		if c.Support == backend.Refused {
			c.Mechanism = ""
		}
		cs = append(cs, c)
	}
	return cs
}

// socketOnly are the settings that GoBGP is not given either where its
// connections are handed over. Those of transport.Live are in force at once;
// where one of the others changes, the plan adds the reset.
var socketOnly = []string{
	"transport/config/connect-mode", "transport/config/remote-port", "transport/config/local-port",
	"transport/config/ebgp-max-hop", "transport/config/valid-ttl-hops", "transport/config/tcp-mss",
	"transport/config/path-mtu-discovery", "transport/config/dscp",
	"transport/authentication/config/method", "transport/authentication/config/password", "transport/authentication/keys",
}

// Native says reset for everything but the timers and what is not given to
// GoBGP.
func (b *Backend) Native(old, new *bgp.PeerSpec) bgp.Impact { return native(old, new, b.own != nil) }

func native(old, new *bgp.PeerSpec, own bool) bgp.Impact {
	impact := bgp.ImpactNone
	for _, c := range bgp.DiffPeers(old, new) {
		if own && slices.Contains(socketOnly, c.Leaf) {
			continue
		}
		i, ok := quiet[c.Leaf]
		if !ok {
			return bgp.ImpactReset
		}
		impact = max(impact, i)
	}
	return impact
}

// NativeInstance says reset unless only the VPN's own settings change: AS,
// router ID and sockets of a BgpServer are fixed when it starts.
func (b *Backend) NativeInstance(old, new *bgp.InstanceSpec) bgp.Impact {
	was := *new
	was.RD4, was.RD6 = old.RD4, old.RD6
	was.Import4, was.Export4, was.Import6, was.Export6 = old.Import4, old.Export4, old.Import6, old.Export6
	if was.Equal(old) {
		return bgp.ImpactNone
	}
	return bgp.ImpactReset
}
