package transport

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"mooring/bgp"
)

const (
	ipv6MinHopCount = 73 // linux/in6.h, RFC 5082; x/sys does not know it
	kernelsTTL      = -1 // IP_TTL and IPV6_UNICAST_HOPS: back to the default
	gtsmTTL         = 255

	// networkControl is the DSCP of the SYN-ACKs of a listener, which is
	// shared: CS6 (RFC 2474 4.2.2.2, RFC 4594 3.1). Of a peer's own
	// connection the peer's is used.
	networkControl = 48
)

// family holds the names that a socket option has in IPv4 and in IPv6.
type family struct {
	domain, level             int
	ttl, minTTL, dscp, pmtu   int
	pmtuWant, pmtuDo, pmtuOff int
}

var (
	family4 = family{
		unix.AF_INET, unix.IPPROTO_IP, unix.IP_TTL, unix.IP_MINTTL, unix.IP_TOS, unix.IP_MTU_DISCOVER,
		unix.IP_PMTUDISC_WANT, unix.IP_PMTUDISC_DO, unix.IP_PMTUDISC_DONT,
	}
	family6 = family{
		unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ipv6MinHopCount, unix.IPV6_TCLASS, unix.IPV6_MTU_DISCOVER,
		unix.IPV6_PMTUDISC_WANT, unix.IPV6_PMTUDISC_DO, unix.IPV6_PMTUDISC_DONT,
	}
)

func familyOf(a netip.Addr) family {
	if a.Unmap().Is4() {
		return family4
	}
	return family6
}

// The leaves that the kernel lets change on a live connection.
const (
	leafMaxHop = "transport/config/ebgp-max-hop"
	leafHops   = "transport/config/valid-ttl-hops"
	leafPMTU   = "transport/config/path-mtu-discovery"
	leafDSCP   = "transport/config/dscp"
	leafMode   = "transport/config/connect-mode"
)

// Live are the settings that Put applies to an open connection without
// ending it, in the order of the model. The mode is no socket's: it says what
// is done about the next.
var Live = []string{leafMode, leafMaxHop, leafHops, leafPMTU, leafDSCP}

// ttls returns the TTL to send with and the least to accept (RFC 5082 3).
func ttls(p *bgp.PeerSpec) (send, least int) {
	switch {
	case p.MinTTL != 0:
		return gtsmTTL, int(p.MinTTL)
	case p.TTL != 0:
		return int(p.TTL), 0
	}
	return kernelsTTL, 0
}

// setLive sets the options that may be set at any time. pmtuDefault is what
// the socket had when it was made.
func setLive(fd int, p *bgp.PeerSpec, pmtuDefault int) error {
	f := familyOf(p.Key.Address)
	send, least := ttls(p)
	pmtu := pmtuDefault
	switch p.PathMTU {
	case bgp.ToggleOn:
		pmtu = f.pmtuDo
	case bgp.ToggleOff:
		pmtu = f.pmtuOff
	case bgp.ToggleDefault:
	}
	return errors.Join(
		option("TTL", send, unix.SetsockoptInt(fd, f.level, f.ttl, send)),
		option("minimum TTL", least, unix.SetsockoptInt(fd, f.level, f.minTTL, least)),
		option("DSCP", int(p.DSCP), unix.SetsockoptInt(fd, f.level, f.dscp, int(p.DSCP)<<2)),
		option("path MTU discovery", pmtu, unix.SetsockoptInt(fd, f.level, f.pmtu, pmtu)),
	)
}

func option(what string, v int, err error) error {
	if err != nil {
		return fmt.Errorf("set the %s to %d: %w", what, v, err)
	}
	return nil
}

// newSocket makes a TCP socket in the thread's namespace: plain TCP, because
// MPTCP excludes MD5.
func newSocket(f family, device string) (int, error) {
	fd, err := unix.Socket(f.domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	if device != "" {
		if err := unix.BindToDevice(fd, device); err != nil {
			unix.Close(fd)
			return -1, deviceError(device, err)
		}
	}
	if f.domain == unix.AF_INET6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("make an IPv6 socket: %w", err)
		}
	}
	return fd, nil
}

func deviceError(device string, err error) error {
	advice := ""
	switch {
	case errors.Is(err, unix.ENODEV):
		advice = fmt.Sprintf(": there is no device %q: create it (a VRF device needs a kernel with CONFIG_NET_VRF), or set vrf-device or network-namespace", device)
	case errors.Is(err, unix.EPERM):
		advice = ": this needs the capability CAP_NET_RAW"
	}
	return fmt.Errorf("bind to device %q: %w%s", device, err, advice)
}

// sockaddr returns the address for bind and connect. index finds the number
// of a link-local address's interface in the thread's namespace.
func sockaddr(a netip.AddrPort, index func(zone string) (uint32, error)) (unix.Sockaddr, error) {
	ip := a.Addr().Unmap()
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: ip.As16()}
	if ip.Zone() != "" {
		id, err := index(ip.Zone())
		if err != nil {
			return nil, err
		}
		sa.ZoneId = id
	}
	return sa, nil
}

// addrPort is the inverse of sockaddr, with the number of the zone.
func addrPort(sa unix.Sockaddr) (a netip.AddrPort, zone uint32) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), 0
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)), sa.ZoneId
	}
	return netip.AddrPort{}, 0
}
