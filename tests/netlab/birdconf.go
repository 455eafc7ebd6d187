package netlab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// BIRDConfig is the configuration of one BIRD.
type BIRDConfig struct {
	Release   Release // whose BIRD it is: bird3 of Trixie; "" is the host's
	RouterID  netip.Addr
	Protocols []BIRDPeer
	Static    []netip.Prefix // announced to all peers, as blackholes
}

// BIRDPeer is one BGP protocol of BIRD. Times are short (connect delay, retry
// and error wait of 1 s) so that tests are; a line in ExtraLines overrides.
type BIRDPeer struct {
	Name          string     // no keyword of BIRD's, as remote
	LocalAddr     netip.Addr // invalid: BIRD chooses
	LocalAS       uint32
	NeighborAddr  netip.Addr
	NeighborRange netip.Prefix // instead of NeighborAddr: any source in it is accepted; implies Passive
	NeighborAS    uint32
	Passive       bool
	HoldTime      time.Duration // 0: BIRD's default, 240 s
	MultihopTTL   int           // 0: directly connected
	Password      string        // TCP MD5 (RFC 2385)
	IPv4, IPv6    bool          // unicast families; neither: the neighbor address's own
	ExtraLines    []string      // more statements of the protocol, as "local port 1179;"
}

// dynamicName is the start of the names of the protocols that BIRD makes for
// the neighbors in the range of the named protocol.
func dynamicName(name string) string { return name + "_dyn" }

// text is the configuration file.
func (c BIRDConfig) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "log stderr all;\nrouter id %s;\nprotocol device {}\n", c.RouterID)
	for _, family := range []string{"ipv4", "ipv6"} {
		fmt.Fprintf(&b, "protocol static static_%s {\n\t%s;\n", family, family)
		for _, p := range c.Static {
			if channel(p.Addr()) == family {
				fmt.Fprintf(&b, "\troute %s blackhole;\n", p)
			}
		}
		b.WriteString("}\n")
	}
	for _, p := range c.Protocols {
		p.write(&b)
	}
	return b.String()
}

func channel(a netip.Addr) string {
	if a.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

func (p BIRDPeer) write(b *strings.Builder) {
	line := func(format string, args ...any) { fmt.Fprintf(b, "\t"+format+"\n", args...) }
	fmt.Fprintf(b, "protocol bgp %s {\n", p.Name)
	line("connect delay time 1; connect retry time 1; error wait time 1, 1;")
	if p.LocalAddr.IsValid() {
		line("local %s as %d;", p.LocalAddr, p.LocalAS)
	} else {
		line("local as %d;", p.LocalAS)
	}
	remote := p.NeighborAddr
	if p.NeighborRange.IsValid() {
		remote = p.NeighborRange.Addr()
		line("neighbor range %s as %d;", p.NeighborRange, p.NeighborAS)
		line("dynamic name %q;", dynamicName(p.Name))
	} else {
		line("neighbor %s as %d;", p.NeighborAddr, p.NeighborAS)
	}
	if p.Passive {
		line("passive on;")
	}
	if p.HoldTime > 0 {
		line("hold time %d;", p.HoldTime/time.Second)
	}
	if p.MultihopTTL > 0 {
		line("multihop %d;", p.MultihopTTL)
	}
	if p.Password != "" {
		line("password %q;", p.Password)
	}
	for _, extra := range p.ExtraLines {
		line("%s", extra)
	}
	v4, v6 := p.IPv4, p.IPv6
	if !v4 && !v6 {
		v4, v6 = remote.Is4(), !remote.Is4()
	}
	if v4 {
		line("ipv4 { import all; export where source = RTS_STATIC; };")
	}
	if v6 {
		line("ipv6 { import all; export where source = RTS_STATIC; };")
	}
	b.WriteString("}\n")
}
