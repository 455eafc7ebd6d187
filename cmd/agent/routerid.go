package main

import (
	"log/slog"
	"net"
	"net/netip"
)

// networkInterface is what the choice of a router ID needs of an interface.
type networkInterface struct {
	loopback, up bool
	addresses    []netip.Addr
}

// routerID chooses the BGP identifier of instances that configure none: the
// highest IPv4 address of a loopback interface outside 127.0.0.0/8, else the
// highest of any interface that is up, else 127.0.0.1.
func routerID(interfaces []networkInterface) netip.Addr {
	var loopback, other netip.Addr // the zero Addr is less than any
	for _, i := range interfaces {
		for _, a := range i.addresses {
			if !i.up || !a.Is4() || a.IsLoopback() || a.IsUnspecified() {
				continue
			}
			if i.loopback && loopback.Less(a) {
				loopback = a
			}
			if other.Less(a) {
				other = a
			}
		}
	}
	switch {
	case loopback.IsValid():
		return loopback
	case other.IsValid():
		return other
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// chooseRouterID asks the kernel. It is called once: an identifier that
// followed the addresses would reset sessions.
func chooseRouterID(log *slog.Logger) netip.Addr {
	var found []networkInterface
	interfaces, err := net.Interfaces()
	if err != nil {
		log.Warn("interfaces cannot be listed for the default router ID", "err", err)
	}
	for _, i := range interfaces {
		n := networkInterface{loopback: i.Flags&net.FlagLoopback != 0, up: i.Flags&net.FlagUp != 0}
		addrs, err := i.Addrs()
		if err != nil {
			log.Warn("addresses cannot be listed for the default router ID", "interface", i.Name, "err", err)
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				n.addresses = append(n.addresses, p.Addr().Unmap())
			}
		}
		found = append(found, n)
	}
	id := routerID(found)
	log.Info("default router ID", "router-id", id)
	return id
}
