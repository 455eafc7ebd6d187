package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"mooring/bgp"
)

// spaceKey is where listening sockets and peers can meet: sockets of
// different network namespaces, devices or ports never do.
type spaceKey struct {
	ns     nsID
	device string
	port   uint16
}

// space has the groups of listening sockets and the peers behind them.
// Connections find their peer here: by the remote address, and where several
// instances share the space, by the local one.
type space struct {
	key       spaceKey
	namespace string
	groups    map[netip.Addr]*usedGroup
	peers     map[netip.Addr][]*admission // by remote address without zone
}

type usedGroup struct {
	*group
	uses int // instances that listen there
}

// listening is the part of an instance in a space.
type listening struct {
	space  *space
	groups []netip.Addr
}

// listen opens what the instance needs beyond what is open.
func (t *Transport) listen(in *instance) error {
	if in.spec.Port == 0 {
		return nil
	}
	var id nsID
	if err := inNamespace(in.spec.Namespace, func(n nsID) error { id = n; return nil }); err != nil {
		return err
	}
	key := spaceKey{id, in.spec.Device, in.spec.Port}
	s := t.spaces[key]
	if s == nil {
		s = &space{
			key: key, namespace: in.spec.Namespace,
			groups: map[netip.Addr]*usedGroup{},
			peers:  map[netip.Addr][]*admission{},
		}
	}
	t.spaces[key] = s // unlisten takes an empty one away
	in.listen = &listening{space: s}
	for _, a := range ListenAddresses(in.spec) {
		if err := t.openGroup(s, a); err != nil {
			t.unlisten(in)
			return ListenError(in.spec, err)
		}
		in.listen.groups = append(in.listen.groups, a)
	}
	return nil
}

// listenAgain opens what could not be opened when the instance was put, or
// was in a namespace that has been replaced since.
func (t *Transport) listenAgain(in *instance) error {
	if in.spec.Port == 0 || in.spec.Namespace == "" && in.listen != nil {
		return nil
	}
	var id nsID
	if err := inNamespace(in.spec.Namespace, func(n nsID) error { id = n; return nil }); err != nil {
		return err
	}
	if in.listen != nil && in.listen.space.key.ns == id {
		return nil
	}
	fresh := &instance{spec: in.spec}
	if err := t.listen(fresh); err != nil {
		return err
	}
	for _, p := range t.peersOf(in.spec.Key) {
		dismiss(p.admits)
		var err error
		if p.admits, err = admit(fresh, p.spec); err != nil {
			t.log.Error("a peer is not accepted in the new network namespace", "peer", p.spec.Key.String(), "err", err)
		}
	}
	t.unlisten(in)
	in.listen = fresh.listen
	return nil
}

func (t *Transport) openGroup(s *space, a netip.Addr) error {
	if g := s.groups[a]; g != nil {
		g.uses++
		return nil
	}
	g := &usedGroup{uses: 1, group: &group{
		at: netip.AddrPortFrom(a, s.key.port), device: s.key.device, auth: t.auth,
		make: func(f func() error) error {
			return inNamespace(s.namespace, func(id nsID) error {
				if id != s.key.ns {
					return errNoNamespace // another one has the name by now
				}
				return f()
			})
		},
		accept: func(l *net.TCPListener) {
			t.spawn(func(ctx context.Context) { t.acceptLoop(ctx, s, l) })
		},
	}}
	g.beside = func() []*group { return t.beside(s.key, a) }
	if err := g.listen(); err != nil {
		return err
	}
	s.groups[a] = g
	for remote, as := range s.peers {
		for _, ad := range as {
			if !ad.covered(a) {
				continue
			}
			if err := g.add(remote, authOf(ad.spec), ad.spec.MSS); err != nil {
				g.close()
				delete(s.groups, a)
				return fmt.Errorf("peer %s: %w", ad.spec.Key, err)
			}
			ad.groups = append(ad.groups, g)
		}
	}
	return nil
}

// beside returns the other groups of the address's family in the namespace and
// at the port: also those of other devices, because a socket without a device
// overlaps them all.
func (t *Transport) beside(at spaceKey, a netip.Addr) []*group {
	var gs []*group
	for key, s := range t.spaces {
		if key.ns != at.ns || key.port != at.port {
			continue
		}
		for other, g := range s.groups {
			if (key != at || other != a) && other.Is4() == a.Is4() {
				gs = append(gs, g.group)
			}
		}
	}
	return gs
}

func (t *Transport) unlisten(in *instance) {
	if in.listen == nil {
		return
	}
	s := in.listen.space
	for _, a := range in.listen.groups {
		g := s.groups[a]
		if g.uses--; g.uses == 0 {
			g.close()
			delete(s.groups, a)
		}
	}
	if len(s.groups) == 0 && t.spaces[s.key] == s {
		delete(t.spaces, s.key)
	}
	in.listen = nil
}

func (s *space) close() {
	for _, g := range s.groups {
		g.close()
	}
}

// ListenAddresses returns where an instance listens: its addresses, or every
// address of the families that the kernel has.
func ListenAddresses(in *bgp.InstanceSpec) []netip.Addr {
	if len(in.Listen) > 0 {
		return in.Listen
	}
	all := []netip.Addr{netip.IPv4Unspecified()}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return all // a kernel without IPv6
	}
	unix.Close(fd)
	return append(all, netip.IPv6Unspecified())
}

// ListenError adds what to do to an error of starting to listen.
func ListenError(in *bgp.InstanceSpec, err error) error {
	advice := ""
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		advice = "another process listens there: stop it, or set listen-address or listen-port"
	case errors.Is(err, unix.EACCES) && in.Port < 1024:
		advice = "a port below 1024 needs the capability CAP_NET_BIND_SERVICE: grant it, or set listen-port"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		advice = "this host has no such address: set listen-address"
	case errors.Is(err, unix.ENODEV):
		advice = fmt.Sprintf("there is no device %q: create it, or set vrf-device", in.Device)
	case errors.Is(err, unix.EPERM):
		advice = fmt.Sprintf("binding to device %q needs the capability CAP_NET_RAW", in.Device)
	default:
		return fmt.Errorf("start: %w", err)
	}
	return fmt.Errorf("%w: %s", err, advice)
}
