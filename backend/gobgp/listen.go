package gobgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"mooring/backend"
	"mooring/backend/transport"
	"mooring/bgp"
)

// checkListeners refuses two instances that would listen on one socket.
// Sockets of different VRF devices do not meet.
func checkListeners(instances []*bgp.InstanceSpec) error {
	type room struct {
		device string
		port   uint16
	}
	rooms := map[room][]*bgp.InstanceSpec{}
	slices.SortFunc(instances, func(a, b *bgp.InstanceSpec) int { return a.Key.Compare(b.Key) })
	for _, in := range instances {
		if in.Port == 0 {
			continue
		}
		r := room{in.Device, in.Port}
		for _, other := range rooms[r] {
			if a, ok := meet(other.Listen, in.Listen); ok {
				return &backend.Error{Instance: in.Key, Leaf: "config/listen-address", Err: fmt.Errorf(
					"would listen on %s like instance %s: give each its own listen-address or listen-port, a vrf-device, or listen-port 0",
					netip.AddrPortFrom(a, in.Port), other.Key)}
			}
		}
		rooms[r] = append(rooms[r], in)
	}
	return nil
}

// meet returns an address that is in both; no addresses are all of them.
func meet(a, b []netip.Addr) (netip.Addr, bool) {
	if len(a) == 0 {
		a = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	if len(b) == 0 {
		b = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	for _, x := range a {
		for _, y := range b {
			if x == y || x.Is4() == y.Is4() && (x.IsUnspecified() || y.IsUnspecified()) {
				return y, true
			}
		}
	}
	return netip.Addr{}, false
}

// probe tries the sockets that new needs beyond those that old has, so that
// a restart which cannot succeed is not begun.
func probe(ctx context.Context, old, new *bgp.InstanceSpec) error {
	if new.Port == 0 {
		return nil
	}
	same := old.Port == new.Port && old.Device == new.Device
	for _, a := range transport.ListenAddresses(new) {
		if _, met := meet(old.Listen, []netip.Addr{a}); same && met {
			continue
		}
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			if new.Device == "" {
				return nil
			}
			var err error
			if cerr := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), new.Device) }); cerr != nil {
				return cerr
			}
			return err
		}}
		network := "tcp4"
		if a.Is6() {
			network = "tcp6"
		}
		l, err := lc.Listen(ctx, network, netip.AddrPortFrom(a, new.Port).String())
		if err != nil {
			return transport.ListenError(new, err)
		}
		l.Close()
	}
	return nil
}
