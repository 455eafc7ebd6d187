package frr

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring/bgp"
)

// The defaults of FRR that its configuration does not show.
const (
	defaultPort        = 179
	defaultDSCP        = 48 // CS6, in all that bgpd sends
	defaultRestartTime = 120 * time.Second
	defaultStaleTime   = 360 * time.Second
)

var afNames = [...]string{
	bgp.IPv4Unicast:  "ipv4 unicast",
	bgp.IPv6Unicast:  "ipv6 unicast",
	bgp.VPNv4Unicast: "ipv4 vpn",
	bgp.VPNv6Unicast: "ipv6 vpn",
}

// render returns a peer as FRR's configuration shows it. It is pure, and
// parsePeer is its inverse.
func render(in *bgp.InstanceSpec, p *bgp.PeerSpec) conf {
	var c conf
	add := func(key, format string, args ...any) {
		c = append(c, line{key: key, text: fmt.Sprintf(format, args...)})
	}
	add("remote-as", "remote-as %d", p.RemoteAS)
	add("description", "description %s", peerMark(p))
	if p.Down != bgp.DownNone {
		add("shutdown", "shutdown")
	}
	if zone := p.Remote().Zone(); zone != "" {
		add("interface", "interface %s", zone)
	}
	if p.LocalAS != in.AS {
		add("local-as", "local-as %d no-prepend replace-as", p.LocalAS)
	}
	if p.ConnectMode == bgp.ListenOnly {
		add("passive", "passive")
	}
	if p.RemotePort != defaultPort {
		add("port", "port %d", p.RemotePort)
	}
	switch {
	case p.MinTTL != 0:
		add("ttl-security", "ttl-security hops %d", 256-int(p.MinTTL))
	case p.RemoteAS != p.LocalAS && p.TTL > 1:
		add("ebgp-multihop", "ebgp-multihop %d", p.TTL)
	}
	if p.Source.IsValid() {
		add("update-source", "update-source %s", p.Source.WithZone(""))
	}
	if p.Auth == bgp.AuthMD5 {
		add("password", "password %s", string(p.Password))
	}
	if p.MSS != 0 {
		add("tcp-mss", "tcp-mss %d", p.MSS)
	}
	add("timers", "timers %d %d", keepalive(p)/time.Second, p.HoldTime/time.Second)
	add("timers connect", "timers connect %d", p.ConnectRetry/time.Second)
	if p.GracefulRestart {
		add("graceful-restart", "graceful-restart")
	} else {
		// FRR's default is to announce the capability as a helper.
		add("graceful-restart", "graceful-restart-disable")
	}
	for _, f := range p.Families {
		c = append(c, line{afNames[f], "activate", "activate"})
	}
	slices.SortFunc(c, compareLines)
	return c
}

// keepalive is what FRR makes of the interval: at most a third of the hold
// time, and 0 with it.
func keepalive(p *bgp.PeerSpec) time.Duration {
	return min(p.Keepalive, (p.HoldTime / 3).Truncate(time.Second))
}

// place returns the FRR context of an instance: what stands behind
// "router bgp AS".
func place(in *bgp.InstanceSpec) string {
	switch {
	case in.Device != "":
		return "vrf " + in.Device
	case in.Namespace != "":
		return "vrf " + in.Namespace
	}
	return ""
}

// within puts the context of a router block into a show or clear command.
func within(place string) string {
	if place == "" {
		return ""
	}
	return place + " "
}

func router(as uint32, place string) string {
	return strings.TrimSpace(fmt.Sprintf("router bgp %d %s", as, place))
}

// group is the peer group without members that marks a router block as ours:
// a router block has no description.
const group = "mooring"

// restart is what FRR has once for all peers of a router block.
type restart struct{ time, stale time.Duration }

// instanceConf returns the lines of a router block as FRR shows them. A
// shared block has only our mark.
func instanceConf(in *bgp.InstanceSpec, shared bool, gr restart) []string {
	mark := []string{
		"neighbor " + group + " peer-group",
		"neighbor " + group + " description " + instanceMark(in, shared),
	}
	if shared {
		return mark
	}
	lines := []string{
		"bgp router-id " + in.RouterID.String(),
		// The model has no policies: with RFC 8212 a session without one
		// would come up and exchange nothing.
		"no bgp ebgp-requires-policy",
		"no bgp default ipv4-unicast",
	}
	if gr.stale != 0 && gr.stale != defaultStaleTime {
		lines = append(lines, fmt.Sprintf("bgp graceful-restart stalepath-time %d", gr.stale/time.Second))
	}
	if gr.time != 0 && gr.time != defaultRestartTime {
		lines = append(lines, fmt.Sprintf("bgp graceful-restart restart-time %d", gr.time/time.Second))
	}
	return append(lines, mark...)
}

// instanceKey names what a line of a router block sets, "" for one that is
// not ours.
func instanceKey(text string) string {
	for _, p := range []string{
		"bgp router-id ", "bgp graceful-restart stalepath-time ", "bgp graceful-restart restart-time ",
		"neighbor " + group + " description ",
	} {
		if strings.HasPrefix(text, p) {
			return strings.TrimSpace(p)
		}
	}
	switch text {
	case "no bgp ebgp-requires-policy", "no bgp default ipv4-unicast", "neighbor " + group + " peer-group":
		return text
	}
	return ""
}

// changeInstance returns the commands that lead a router block from the
// lines that it has to those that it should have.
func changeInstance(have, want []string) []command {
	var out []command
	for _, h := range have {
		key := instanceKey(h)
		if key == "" || slices.ContainsFunc(want, func(w string) bool { return instanceKey(w) == key }) {
			continue
		}
		if rest, ok := strings.CutPrefix(key, "no "); ok {
			out = append(out, command{"", rest})
		} else {
			out = append(out, command{"", "no " + key})
		}
	}
	for _, w := range want {
		if !slices.Contains(have, w) {
			out = append(out, command{"", w})
		}
	}
	return out
}

// vpnCommands returns the commands that set the VPN's own settings of a VRF.
// What they are now is in the mark: FRR shows route targets in a form of its
// own. Without `export vpn` and `import vpn`, which are the operator's, they
// have no effect yet.
func vpnCommands(old, new *bgp.InstanceSpec) []command {
	if place(new) == "" {
		return nil
	}
	var out []command
	family := func(af, verb string, was, is []string) {
		if slices.Equal(was, is) {
			return
		}
		if len(was) > 0 {
			// 8.4.4 wants the value: without it, it answers "Internal CLI error".
			out = append(out, command{af, "no " + verb + " " + strings.Join(was, " ")})
		}
		if len(is) > 0 {
			out = append(out, command{af, verb + " " + strings.Join(is, " ")})
		}
	}
	one := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	if old == nil {
		old = &bgp.InstanceSpec{}
	}
	family("ipv4 unicast", "rd vpn export", one(old.RD4), one(new.RD4))
	family("ipv4 unicast", "rt vpn import", old.Import4, new.Import4)
	family("ipv4 unicast", "rt vpn export", old.Export4, new.Export4)
	family("ipv6 unicast", "rd vpn export", one(old.RD6), one(new.RD6))
	family("ipv6 unicast", "rt vpn import", old.Import6, new.Import6)
	family("ipv6 unicast", "rt vpn export", old.Export6, new.Export6)
	return out
}
