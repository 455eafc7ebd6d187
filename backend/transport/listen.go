package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

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

// admission is a peer that takes connections in a space.
type admission struct {
	space  *space
	spec   *bgp.PeerSpec
	listen []netip.Addr // of its instance
	groups []*usedGroup // that know of it
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
	in.listen = &listening{space: s}
	for _, a := range ListenAddresses(in.spec) {
		if err := t.openGroup(s, a); err != nil {
			t.unlisten(in)
			return ListenError(in.spec, err)
		}
		in.listen.groups = append(in.listen.groups, a)
	}
	t.spaces[key] = s
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
	g.beside = func() []*group { return s.beside(a) }
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

// beside returns the other groups of the address's family.
func (s *space) beside(a netip.Addr) []*group {
	var gs []*group
	for other, g := range s.groups {
		if other != a && other.Is4() == a.Is4() {
			gs = append(gs, g.group)
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

// at says whether a connection to the local address can be one of the peer.
func (a *admission) at(local netip.Addr) bool {
	if a.spec.Source.IsValid() {
		return a.spec.Source.WithZone("") == local
	}
	return len(a.listen) == 0 || slices.Contains(a.listen, local)
}

// covered says whether connections of the peer can come in at a group.
func (a *admission) covered(group netip.Addr) bool {
	return group.Is4() == remoteOf(a.spec).Is4() && (group.IsUnspecified() || a.at(group))
}

// meets says whether one connection could be of either peer.
func (a *admission) meets(b *admission) bool {
	switch {
	case a.spec.Key.Address != b.spec.Key.Address: // one link-local address on two links
		return false
	case a.spec.Source.IsValid():
		return b.at(a.spec.Source.WithZone(""))
	case b.spec.Source.IsValid():
		return a.at(b.spec.Source.WithZone(""))
	case len(a.listen) == 0 || len(b.listen) == 0:
		return true
	}
	return slices.ContainsFunc(a.listen, b.at)
}

// admit makes the listening sockets ready for the peer's connections. A peer
// that takes none has no admission.
func admit(in *instance, p *bgp.PeerSpec) (*admission, error) {
	if in.listen == nil || p.ConnectMode == bgp.ConnectOnly {
		return nil, nil
	}
	a := &admission{space: in.listen.space, spec: p, listen: in.spec.Listen}
	remote := remoteOf(p)
	for _, b := range a.space.peers[remote] {
		if b.spec.Key != p.Key && a.meets(b) {
			return nil, fmt.Errorf("instance %s listens at the same address and has the same neighbour: "+
				"give the peers their own source-address, or the instances their own listen-address", b.spec.Key.InstanceKey())
		}
	}
	a.space.peers[remote] = append(a.space.peers[remote], a)
	for at, g := range a.space.groups {
		if !a.covered(at) {
			continue
		}
		if err := g.add(remote, authOf(p), p.MSS); err != nil {
			dismiss(a)
			return nil, fmt.Errorf("accept at %s: %w", g.at, err)
		}
		a.groups = append(a.groups, g)
	}
	return a, nil
}

// dismiss is the inverse of admit.
func dismiss(a *admission) {
	if a == nil {
		return
	}
	remote := remoteOf(a.spec)
	for _, g := range a.groups {
		g.remove(remote)
	}
	a.groups = nil
	as := a.space.peers[remote]
	if i := slices.Index(as, a); i >= 0 {
		as = slices.Delete(as, i, i+1)
	}
	if a.space.peers[remote] = as; len(as) == 0 {
		delete(a.space.peers, remote)
	}
}

// acceptPause is how long a listener rests after an error, as where no
// descriptor is left.
const acceptPause = 100 * time.Millisecond

func (t *Transport) acceptLoop(ctx context.Context, s *space, l *net.TCPListener) {
	for ctx.Err() == nil {
		tcp, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of that one connection, or no descriptor is left
			t.log.Warn("cannot accept a connection", "listener", l.Addr().String(), "err", err)
			if !sleep(ctx, acceptPause) {
				return
			}
			continue
		}
		t.incoming(s, tcp)
	}
}

// incoming finds the peer of a connection that came in and offers it.
func (t *Transport) incoming(s *space, tcp *net.TCPConn) {
	c, err := newConn(tcp)
	if err != nil {
		return // it has ended already
	}
	local, remote := c.local.Addr(), c.remote.Addr()
	zone := ""
	if remote.IsLinkLocalUnicast() && remote.Is6() {
		zone = t.zoneOf(s, c)
	}
	p := t.find(s, local, remote, zone)
	if p == nil {
		t.log.Debug("a connection of an unknown peer is refused", "remote", c.remote.String(), "local", c.local.String())
		c.reset()
		return
	}
	c.setZone(zone)
	t.offerIncoming(p, c)
}

// find returns the peer of a connection; nil, and counted, where there is none.
func (t *Transport) find(s *space, local, remote netip.Addr, zone string) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range s.peers[remote] {
		if p := t.peers[a.spec.Key]; a.at(local) && a.spec.Key.Address.Zone() == zone && p != nil {
			return p
		}
	}
	t.refused.Unknown++
	return nil
}

// zoneOf returns the name of the interface that a link-local connection is on.
func (t *Transport) zoneOf(s *space, c *conn) string {
	name := ""
	err := inNamespace(s.namespace, func(nsID) error {
		return c.control(func(fd int) error {
			sa, err := unix.Getpeername(fd)
			if err != nil {
				return err
			}
			_, id := addrPort(sa)
			i, err := net.InterfaceByIndex(int(id))
			if err == nil {
				name = i.Name
			}
			return err
		})
	})
	if err != nil {
		t.log.Debug("cannot tell the interface of a connection", "remote", c.remote.String(), "err", err)
	}
	return name
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
