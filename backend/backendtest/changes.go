package backendtest

import (
	"time"

	"mooring/bgp"
)

// change is one setting of a peer changed alone.
type change struct {
	name   string
	leaf   string
	impact bgp.Impact
	do     func(*Harness, *bgp.PeerSpec)
}

// changes has every setting of bgp.PeerLeaves at least once, with the impact
// that the model gives it; only router-id is an instance's.
var changes = []change{
	{"enabled", "config/enabled", bgp.ImpactReset, set(func(p *bgp.PeerSpec) {
		p.Down, p.DownDetail = bgp.DownDisabled, "disabled by configuration"
	})},
	{"as", "config/as", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.RemoteAS = 4200000001 })},
	{"local-as", "config/local-as", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.LocalAS = 4200000002 })},
	{"connect-mode", "transport/config/connect-mode", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ListenOnly })},
	{"remote-port", "transport/config/remote-port", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.RemotePort++ })},
	{"local-port", "transport/config/local-port", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.LocalPort = 31790 })},
	{"ebgp-max-hop", "transport/config/ebgp-max-hop", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.TTL = 7 })},
	{"valid-ttl-hops", "transport/config/valid-ttl-hops", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.TTL, p.MinTTL = 255, 254 })},
	{"tcp-mss", "transport/config/tcp-mss", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.MSS = 1000 })},
	{"path-mtu-discovery", "transport/config/path-mtu-discovery", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.PathMTU = bgp.ToggleOff })},
	{"dscp", "transport/config/dscp", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.DSCP = 48 })},
	{"source-address", "transport/connect-interface/config/source-address", bgp.ImpactReset, func(h *Harness, p *bgp.PeerSpec) { h.OtherSource(p) }},
	{"password", "transport/authentication/config/password", bgp.ImpactReset, set(func(p *bgp.PeerSpec) {
		p.Auth, p.Password = bgp.AuthMD5, "wherry"
	})},
	{"method", "transport/authentication/config/method", bgp.ImpactReset, set(func(p *bgp.PeerSpec) {
		p.Auth, p.Password = bgp.AuthMD5, "pinnace"
	})},
	{"keys", "transport/authentication/keys", bgp.ImpactReset, set(func(p *bgp.PeerSpec) {
		p.Auth = bgp.AuthTCPAO
		p.Keys = []bgp.TCPAOKey{{SendID: 1, ReceiveID: 1, Algorithm: "hmac-sha-1-96", Secret: "lighter"}}
	})},
	{"hold-time", "timers/config/hold-time", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.HoldTime = 30 * time.Second })},
	{"hold-time zero", "timers/config/hold-time", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.HoldTime = 0 })},
	{"keepalive-interval", "timers/config/keepalive-interval", bgp.ImpactNextSession, set(func(p *bgp.PeerSpec) { p.Keepalive = 7 * time.Second })},
	{"connect-retry", "timers/config/connect-retry", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.ConnectRetry = 17 * time.Second })},
	{"graceful-restart", "graceful-restart/config/enabled", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.GracefulRestart = !p.GracefulRestart })},
	{"restart-time", "graceful-restart/config/restart-time", bgp.ImpactReset, set(func(p *bgp.PeerSpec) { p.RestartTime = 77 * time.Second })},
	{"stale-routes-time", "graceful-restart/config/stale-routes-time", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.StaleTime = 99 * time.Second })},
	{"reset-mode", "graceful-restart/config/reset-mode", bgp.ImpactNone, set(func(p *bgp.PeerSpec) { p.ResetMode = bgp.ResetHard })},
	{"families", "afi-safis", bgp.ImpactReset, set(func(p *bgp.PeerSpec) {
		p.Families = []bgp.Family{bgp.IPv4Unicast, bgp.VPNv4Unicast}
	})},
}

// Change is a change that the suite makes, for documentation and for other
// suites.
type Change struct {
	Name, Leaf string
	Impact     bgp.Impact

	do func(*Harness, *bgp.PeerSpec)
}

// Do makes the change; otherSource is Harness.OtherSource.
func (c Change) Do(p *bgp.PeerSpec, otherSource func(*bgp.PeerSpec)) {
	c.do(&Harness{OtherSource: otherSource}, p)
}

// Changes returns the changes of single settings that the suite makes.
func Changes() []Change {
	out := make([]Change, len(changes))
	for i, c := range changes {
		out[i] = Change{Name: c.name, Leaf: c.leaf, Impact: c.impact, do: c.do}
	}
	return out
}

func set(f func(*bgp.PeerSpec)) func(*Harness, *bgp.PeerSpec) {
	return func(_ *Harness, p *bgp.PeerSpec) { f(p) }
}

// ImpactOf is the model's table, as plan.Costs wants it.
func ImpactOf(leaf string) bgp.Impact {
	for _, c := range changes {
		if c.leaf == leaf {
			return c.impact
		}
	}
	return bgp.ImpactReset // router-id
}
