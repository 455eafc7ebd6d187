package main

import (
	"log/slog"
	"net"
	"net/netip"

	"mooring/engine/datastore"
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
	return routerID(found)
}

// routerIDNote is the name under which the store keeps the default router ID.
const routerIDNote = "router-id"

// keptRouterID returns the default router ID that the first start chose: an
// address that comes or goes later must not reset sessions at a restart.
func keptRouterID(store *datastore.Store, log *slog.Logger) (netip.Addr, error) {
	text, err := store.Note(routerIDNote)
	if err != nil {
		return netip.Addr{}, err
	}
	if id, err := netip.ParseAddr(string(text)); err == nil {
		log.Info("default router ID, chosen at the first start", "router-id", id)
		return id, nil
	}
	id := chooseRouterID(log)
	if id.IsLoopback() {
		// Nothing to keep: an address that comes later is better.
		log.Warn("default router ID is a loopback address: set router-id of the BGP instance", "router-id", id)
		return id, nil
	}
	log.Info("default router ID", "router-id", id)
	return id, store.SetNotes(map[string][]byte{routerIDNote: []byte(id.String())})
}
