package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

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
	c.setZone(p.key.Address.Zone()) // the speaker knows the peer by that
	t.offerIncoming(p, c)
}

// find returns the peer of a connection; nil, and counted, where there is none.
func (t *Transport) find(s *space, local, remote netip.Addr, zone string) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range s.peers[remote] {
		if p := t.peers[a.spec.Key]; a.at(local) && a.spec.Remote().Zone() == zone && p != nil {
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
