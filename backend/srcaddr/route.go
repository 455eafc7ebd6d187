package srcaddr

import (
	"cmp"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"mooring/internal/netspace"
)

// Route returns the source address that the kernel's route lookup gives a
// connection to the peer of q now, where q names neither interface nor source;
// the zero Addr where there is no route. It asks the kernel each time.
func (r *Resolver) Route(q Query) netip.Addr {
	var found netip.Addr
	err := netspace.In(cmp.Or(q.NetNS, r.home), func(netspace.ID) (err error) {
		found, err = routed(q.Peer.Unmap(), q.VRFDevice)
		return err
	})
	if err != nil {
		return netip.Addr{} // no namespace, no device or no route: there is no address either
	}
	return found
}

// routed connects a UDP socket, which sends nothing, and looks at its address.
func routed(peer netip.Addr, device string) (netip.Addr, error) {
	domain := unix.AF_INET6
	if peer.Is4() {
		domain = unix.AF_INET
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}, err
	}
	defer unix.Close(fd)
	if device != "" {
		if err := unix.BindToDevice(fd, device); err != nil {
			return netip.Addr{}, err
		}
	}
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: bgpPort}
	if peer.Is4() {
		to.(*unix.SockaddrInet4).Addr = peer.As4()
	} else {
		v6 := &unix.SockaddrInet6{Port: bgpPort, Addr: peer.As16()}
		if zone := peer.Zone(); zone != "" {
			i, err := net.InterfaceByName(zone)
			if err != nil {
				return netip.Addr{}, err
			}
			v6.ZoneId = uint32(i.Index)
		}
		to = v6
	}
	if err := unix.Connect(fd, to); err != nil {
		return netip.Addr{}, err
	}
	own, err := unix.Getsockname(fd)
	switch own := own.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(own.Addr), nil
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(own.Addr).WithZone(peer.Zone()), nil
	}
	return netip.Addr{}, err
}

// bgpPort is any port: the route does not depend on it, but where a rule says so.
const bgpPort = 179
