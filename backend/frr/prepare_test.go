package frr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/backend"
	"mooring/bgp"
	"mooring/engine/plan"
)

// withConfig returns a Backend that is connected to a bgpd with this
// configuration, which it takes over as after a restart of the agent.
func withConfig(t *testing.T, running string) *Backend {
	t.Helper()
	dir := scripted(t, func(c string) string {
		switch c {
		case "show version":
			return ok("FRRouting 8.4.4 (host).\n")
		case "show running-config":
			return ok(running)
		case "show bgp vrfs json":
			return ok(`{"vrfs":{"default":{"routerId":"9.9.9.9"},"blue":{"routerId":"1.1.1.1"}}}`)
		}
		if strings.HasSuffix(c, " json") {
			return ok("{}")
		}
		return ok("")
	})
	b := New(Options{VtyDir: dir})
	t.Cleanup(b.stop)
	if _, err := b.Snapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	return b
}

// What FRR cannot do is refused with the setting, the reason and the version.
func TestPrepareRefuses(t *testing.T) {
	in := plainInstance()
	restarts := with(plainPeer(), func(p *bgp.PeerSpec) { p.Key.Address, p.GracefulRestart = remote(1), true })
	b := withConfig(t, show(in, append(instanceConf(in, false, restart{}), "neighbor 192.0.2.1 remote-as 5", "neighbor 192.0.2.1 shutdown"),
		map[netip.Addr]conf{remote(1): render(in, restarts)}))
	for _, c := range []struct {
		name, leaf, want string
		do               func(*bgp.PeerSpec)
	}{
		{"fine", "", "", func(*bgp.PeerSpec) {}},
		{"no AS", "config/as", "must have an AS", func(p *bgp.PeerSpec) { p.RemoteAS = 0 }},
		{"local AS of an internal peer", "config/local-as", "EBGP", func(p *bgp.PeerSpec) { p.RemoteAS, p.LocalAS = 65001, 65002 }},
		{"local AS of the remote", "config/local-as", "EBGP", func(p *bgp.PeerSpec) { p.LocalAS = p.RemoteAS }},
		{"router ID", "router-id", "one for all", func(p *bgp.PeerSpec) { p.RouterID = netip.MustParseAddr("2.2.2.2") }},
		{"connect-only", "transport/config/connect-mode", "always accepts", func(p *bgp.PeerSpec) { p.ConnectMode = bgp.ConnectOnly }},
		{"local port", "transport/config/local-port", "kernel chooses", func(p *bgp.PeerSpec) { p.LocalPort = 1 }},
		{"path MTU", "transport/config/path-mtu-discovery", "no such setting", func(p *bgp.PeerSpec) { p.PathMTU = bgp.ToggleOn }},
		{"DSCP", "transport/config/dscp", "48 now", func(p *bgp.PeerSpec) { p.DSCP = 0 }},
		{"TCP-AO", "transport/authentication/config/method", "no TCP-AO", func(p *bgp.PeerSpec) { p.Auth = bgp.AuthTCPAO }},
		{"password with a space", "transport/authentication/config/password", "no space", func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "a b" }},
		{"long password", "transport/authentication/config/password", "1 to 80", func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, bgp.Secret(strings.Repeat("x", 81)) }},
		{"hold time", "timers/config/hold-time", "3 s", func(p *bgp.PeerSpec) { p.HoldTime = 2 * time.Second }},
		{"TTL hops", "transport/config/valid-ttl-hops", "254", func(p *bgp.PeerSpec) { p.TTL, p.MinTTL = 255, 1 }},
		{"VPN family in a VRF", "afi-safis", "vpnv4", func(p *bgp.PeerSpec) { p.Families = []bgp.Family{bgp.VPNv4Unicast} }},
		{"no family", "afi-safis", "must have", func(p *bgp.PeerSpec) { p.Families = nil }},
		{"another restart time", "graceful-restart/config/restart-time", "one for all", func(p *bgp.PeerSpec) { p.GracefulRestart, p.RestartTime = true, time.Second }},
		{"another stale time", "graceful-restart/config/stale-routes-time", "one for all", func(p *bgp.PeerSpec) { p.GracefulRestart, p.StaleTime = true, time.Second }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := with(plainPeer(), c.do)
			checkRefusal(t, b.Prepare(context.Background(), []plan.Step{createPeer(p)}), p.Key, c.leaf, c.want)
		})
	}
	theirs := with(plainPeer(), func(p *bgp.PeerSpec) { p.Key.Address = netip.MustParseAddr("192.0.2.1") })
	if err := b.Prepare(context.Background(), []plan.Step{createPeer(theirs)}); err == nil || !strings.Contains(err.Error(), "no neighbor 192.0.2.1") {
		t.Errorf("somebody else's neighbor: %v", err)
	}
	nobody := with(plainPeer(), func(p *bgp.PeerSpec) { p.Key.VPN = "vpn9" })
	if err := b.Prepare(context.Background(), []plan.Step{createPeer(nobody)}); err == nil {
		t.Error("a peer without an instance passes")
	}
}

func checkRefusal(t *testing.T, err error, key bgp.PeerKey, leaf, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var e *backend.Error
	if !errors.As(err, &e) || !errors.Is(err, backend.ErrUnsupported) || e.Leaf != leaf || e.Peer != key ||
		!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "FRR 8.4.4") {
		t.Errorf("%v, want a refusal of %s with %q and the version", err, leaf, want)
	}
}

func TestPrepareRefusesInstances(t *testing.T) {
	b := withConfig(t, "router bgp 65001 vrf blue\n bgp router-id 1.1.1.1\nexit\nrouter bgp 7\nexit\n")
	for _, c := range []struct {
		name, leaf, want string
		do               func(*bgp.InstanceSpec)
	}{
		{"in a block of the operator", "", "", func(*bgp.InstanceSpec) {}},
		{"another AS than that", "config/as", "has \"router bgp 65001 vrf blue\"", func(in *bgp.InstanceSpec) { in.AS = 2 }},
		{"default VRF of another AS", "config/as", "has \"router bgp 7\"", func(in *bgp.InstanceSpec) { in.Namespace = "" }},
		{"another router ID than that", "config/router-id", "set router-id 1.1.1.1", func(in *bgp.InstanceSpec) { in.RouterID = netip.MustParseAddr("2.2.2.2") }},
		{"device and namespace", "config/vrf-device", "one of", func(in *bgp.InstanceSpec) { in.Device = "red" }},
		{"name", "config/network-namespace", "no name of a VRF", func(in *bgp.InstanceSpec) { in.Namespace = "a b" }},
		{"address", "config/listen-address", "bgpd -l", func(in *bgp.InstanceSpec) { in.Listen = []netip.Addr{source(0)} }},
		{"port", "config/listen-port", "port 179", func(in *bgp.InstanceSpec) { in.Port = 1790 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := plainInstance()
			c.do(in)
			checkRefusal(t, b.Prepare(context.Background(), []plan.Step{putInstance(in)}), bgp.PeerKey{}, c.leaf, c.want)
		})
	}
}

// The kernel's room for MD5 keys on a listener is known before bgpd only logs
// that it is full (backends.md 1.2).
func TestPrepareRefusesTooManyKeys(t *testing.T) {
	const room = 963
	in := plainInstance()
	b := withConfig(t, show(in, instanceConf(in, false, restart{}), nil))
	b.room = func() int { return room }
	for _, over := range []int{0, 1} {
		var steps []plan.Step
		for i := range room + over {
			p := with(plainPeer(), func(p *bgp.PeerSpec) { p.Auth, p.Password = bgp.AuthMD5, "hush" })
			p.Key.Address = netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
			steps = append(steps, createPeer(p))
		}
		err := b.Prepare(context.Background(), steps)
		if (err != nil) != (over > 0) || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("room for %d", room)) {
			t.Errorf("%d over: %v", over, err)
		}
	}
}

// Not connected: Prepare says so.
func TestPrepareNeedsBGPD(t *testing.T) {
	b := New(Options{VtyDir: t.TempDir()})
	err := b.Prepare(context.Background(), []plan.Step{putInstance(plainInstance())})
	if err == nil || !strings.Contains(err.Error(), "bgpd does not answer") {
		t.Error(err)
	}
}

func TestNative(t *testing.T) {
	b := New(Options{})
	old := plainPeer()
	for _, c := range []struct {
		want bgp.Impact
		do   func(*bgp.PeerSpec)
	}{
		{bgp.ImpactNone, func(*bgp.PeerSpec) {}},
		{bgp.ImpactNone, func(p *bgp.PeerSpec) { p.ConnectRetry++; p.ConnectRetry += time.Second }},
		{bgp.ImpactNextSession, func(p *bgp.PeerSpec) { p.MSS = 900 }},
		{bgp.ImpactReset, func(p *bgp.PeerSpec) { p.Source = source(1) }},
	} {
		if got := b.Native(old, with(old, c.do)); got != c.want {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
	in := plainInstance()
	quiet, moved := *in, *in
	quiet.RD4 = "100:1"
	moved.Namespace = "green"
	if b.NativeInstance(in, &quiet) != bgp.ImpactNone || b.NativeInstance(in, &moved) != bgp.ImpactReset {
		t.Error("an RD costs nothing, a context everything")
	}
}
