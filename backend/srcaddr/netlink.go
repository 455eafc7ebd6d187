package srcaddr

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"mooring/internal/netspace"
)

const (
	// receiveBuffer holds some thousand events; the kernel's default of 208 KiB
	// is soon full when a script makes interfaces.
	receiveBuffer = 2 << 20
	// skipStats is RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h.
	skipStats = 1 << 3
	// listTimeout bounds a list, which takes milliseconds.
	listTimeout = 5 * time.Second
)

// linux is the kernel by rtnetlink and /run/netns.
type linux struct{}

func (linux) open(name string, subscribe bool) (conn, error) {
	ns, id, err := openNamespace(name)
	if err != nil {
		return nil, err
	}
	c := &netlinkConn{ns: ns, nsID: id}
	if !subscribe {
		return c, nil
	}
	err = inNamespace(ns, func() error {
		// One socket for all groups: the kernel's order of link and address
		// events is kept.
		c.events, err = nl.SubscribeAt(ns, netns.None(), unix.NETLINK_ROUTE,
			unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
		return err
	})
	if err != nil {
		c.close()
		return nil, fmt.Errorf("subscribe to netlink: %w", err)
	}
	// Without CAP_NET_ADMIN the size is capped by net.core.rmem_max. A small
	// buffer is no fault: it only makes a full resync more likely.
	if c.events.SetReceiveBufferSize(receiveBuffer, true) != nil {
		_ = c.events.SetReceiveBufferSize(receiveBuffer, false)
	}
	return c, nil
}

func (linux) identify(name string) (namespaceID, error) {
	ns, id, err := openNamespace(name)
	if err != nil {
		return namespaceID{}, err
	}
	return id, closeNamespace(ns)
}

// openNamespace opens a named namespace; the name "" is the agent's own, which
// needs no handle.
func openNamespace(name string) (netns.NsHandle, namespaceID, error) {
	if name == "" {
		return netns.None(), namespaceID{}, nil
	}
	if strings.Contains(name, "/") || name == "." || name == ".." {
		return netns.None(), namespaceID{}, fmt.Errorf("%q is not a name: %w", name, errNoNamespace)
	}
	ns, err := netns.GetFromName(name)
	if errors.Is(err, unix.ENOENT) {
		return netns.None(), namespaceID{}, errNoNamespace
	}
	if err != nil {
		return netns.None(), namespaceID{}, fmt.Errorf("open network namespace: %w", err)
	}
	id, err := identifyHandle(ns)
	if err != nil {
		_ = closeNamespace(ns)
		return netns.None(), namespaceID{}, err
	}
	return ns, id, nil
}

func identifyHandle(ns netns.NsHandle) (namespaceID, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(ns), &fs); err != nil {
		return namespaceID{}, fmt.Errorf("statfs network namespace: %w", err)
	}
	if int64(fs.Type) != unix.NSFS_MAGIC {
		return namespaceID{}, errNoNamespace // the file is there, the mount not yet
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(ns), &st); err != nil {
		return namespaceID{}, fmt.Errorf("stat network namespace: %w", err)
	}
	return namespaceID{dev: uint64(st.Dev), ino: st.Ino}, nil
}

func closeNamespace(ns netns.NsHandle) error {
	if !ns.IsOpen() {
		return nil
	}
	return ns.Close()
}

// inNamespace calls open, which enters ns for the time of a system call, on a
// thread that ends afterwards. So no goroutine ever runs in a foreign
// namespace, even if the way back should fail.
func inNamespace(ns netns.NsHandle, open func() error) error {
	if !ns.IsOpen() {
		return open()
	}
	return netspace.OnOwnThread(open)
}

// netlinkConn is a conn on a namespace. Its handle and socket keep the
// namespace alive, so the owner must close it when the name is gone.
type netlinkConn struct {
	ns     netns.NsHandle
	nsID   namespaceID
	events *nl.NetlinkSocket // nil without subscription
}

func (c *netlinkConn) id() namespaceID { return c.nsID }

func (c *netlinkConn) close() {
	if c.events != nil {
		c.events.Close()
	}
	_ = closeNamespace(c.ns) // read only: nothing to lose
}

func (c *netlinkConn) receive() ([]event, error) {
	msgs, from, err := c.events.Receive()
	if err != nil {
		return nil, fmt.Errorf("receive netlink events: %w", err)
	}
	if from.Pid != nl.PidKernel {
		return nil, nil // any process may send here; only the kernel is believed
	}
	var out []event
	for _, m := range msgs {
		e, ok, err := decode(m.Header.Type, m.Data)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, e)
		}
	}
	return out, nil
}

func (c *netlinkConn) list() ([]event, error) {
	var s *nl.NetlinkSocket
	err := inNamespace(c.ns, func() (err error) {
		s, err = nl.GetNetlinkSocketAt(c.ns, netns.None(), unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	defer s.Close()
	limit := unix.NsecToTimeval(listTimeout.Nanoseconds())
	if err := errors.Join(s.SetSendTimeout(&limit), s.SetReceiveTimeout(&limit)); err != nil {
		return nil, fmt.Errorf("set netlink timeout: %w", err)
	}
	sh := &nl.SocketHandle{Socket: s}
	links, err := dump(sh, unix.RTM_GETLINK, unix.RTM_NEWLINK)
	if err != nil && !errors.Is(err, errInterrupted) {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	addrs, err2 := dump(sh, unix.RTM_GETADDR, unix.RTM_NEWADDR)
	if err2 != nil && !errors.Is(err2, errInterrupted) {
		return nil, fmt.Errorf("list addresses: %w", err2)
	}
	return append(links, addrs...), errors.Join(err, err2)
}

func dump(sh *nl.SocketHandle, request int, reply uint16) ([]event, error) {
	req := nl.NewNetlinkRequest(request, unix.NLM_F_DUMP)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: sh}
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC)) // GETADDR reads only its family
	if request == unix.RTM_GETLINK {
		req.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)))
	}
	var out []event
	var bad error
	err := req.ExecuteIter(unix.NETLINK_ROUTE, reply, func(body []byte) bool {
		var e event
		var ok bool
		if e, ok, bad = decode(reply, body); ok {
			out = append(out, e)
		}
		return bad == nil
	})
	switch {
	case bad != nil:
		return nil, bad
	case errors.Is(err, nl.ErrDumpInterrupted):
		return out, errInterrupted
	}
	return out, err
}
