package srcaddr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// errTruncated: a netlink message or attribute ends before its stated length.
var errTruncated = errors.New("truncated netlink message")

// Bits of an attribute type that are no part of its number (linux/netlink.h).
const attrFlags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER

// decode turns the body of one rtnetlink message into an event. It reports
// false for a message that does not concern the mirror.
func decode(msgType uint16, body []byte) (event, bool, error) {
	switch msgType {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		l, ok, err := decodeLink(body)
		if msgType == unix.RTM_DELLINK {
			return event{op: removeLink, link: l}, ok, err
		}
		return event{op: setLink, link: l}, ok, err
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		a, ok, err := decodeAddress(body)
		if msgType == unix.RTM_DELADDR {
			return event{op: removeAddress, addr: a}, ok, err
		}
		return event{op: setAddress, addr: a}, ok, err
	}
	return event{}, false, nil
}

// decodeLink reads struct ifinfomsg and its attributes. A bridge tells of its
// ports with the same message types and family AF_BRIDGE: such a "DELLINK" only
// says that the port left the bridge, so only AF_UNSPEC counts.
func decodeLink(body []byte) (link, bool, error) {
	if len(body) < unix.SizeofIfInfomsg {
		return link{}, false, fmt.Errorf("link: %w", errTruncated)
	}
	if body[0] != unix.AF_UNSPEC {
		return link{}, false, nil
	}
	flags := binary.NativeEndian.Uint32(body[8:])
	l := link{
		index:    int(int32(binary.NativeEndian.Uint32(body[4:]))),
		up:       flags&unix.IFF_UP != 0,
		loopback: flags&unix.IFF_LOOPBACK != 0,
	}
	err := eachAttr(body[unix.SizeofIfInfomsg:], func(kind uint16, v []byte) error {
		switch kind {
		case unix.IFLA_IFNAME:
			l.name = cString(v)
		case unix.IFLA_MASTER:
			if len(v) < 4 {
				return errTruncated
			}
			l.master = int(int32(binary.NativeEndian.Uint32(v)))
		case unix.IFLA_LINKINFO:
			return eachAttr(v, func(kind uint16, v []byte) error {
				if kind == unix.IFLA_INFO_KIND {
					l.kind = cString(v)
				}
				return nil
			})
		case unix.IFLA_PROP_LIST:
			return eachAttr(v, func(kind uint16, v []byte) error {
				if kind == unix.IFLA_ALT_IFNAME {
					l.altNames = append(l.altNames, cString(v))
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return link{}, false, fmt.Errorf("link %d: %w", l.index, err)
	}
	return l, l.index > 0, nil
}

// decodeAddress reads struct ifaddrmsg and its attributes. On a point-to-point
// link IFA_LOCAL is our address and IFA_ADDRESS the other end; elsewhere IPv4
// has the same in both and IPv6 only IFA_ADDRESS.
func decodeAddress(body []byte) (address, bool, error) {
	if len(body) < unix.SizeofIfAddrmsg {
		return address{}, false, fmt.Errorf("address: %w", errTruncated)
	}
	if f := body[0]; f != unix.AF_INET && f != unix.AF_INET6 {
		return address{}, false, nil
	}
	a := address{
		bits:  int(body[1]),
		flags: uint32(body[2]),
		link:  int(int32(binary.NativeEndian.Uint32(body[4:]))),
	}
	var local, other netip.Addr
	err := eachAttr(body[unix.SizeofIfAddrmsg:], func(kind uint16, v []byte) error {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		case unix.IFA_ADDRESS:
			other, _ = netip.AddrFromSlice(v)
		case unix.IFA_FLAGS: // all 32 bits; the header has room for 8
			if len(v) < 4 {
				return errTruncated
			}
			a.flags = binary.NativeEndian.Uint32(v)
		}
		return nil
	})
	if err != nil {
		return address{}, false, fmt.Errorf("address on link %d: %w", a.link, err)
	}
	a.ip = local
	if !local.IsValid() {
		a.ip = other
	} else if other != local {
		a.peer = other
	}
	if !a.ip.IsValid() || a.ip.Is4() != (body[0] == unix.AF_INET) {
		return address{}, false, fmt.Errorf("address on link %d: no address of family %d", a.link, body[0])
	}
	return a, a.link > 0, nil
}

// eachAttr calls f for each attribute in b (struct rtattr, aligned to 4 bytes).
func eachAttr(b []byte, f func(kind uint16, value []byte) error) error {
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return errTruncated
		}
		kind := binary.NativeEndian.Uint16(b[2:]) &^ uint16(attrFlags)
		if err := f(kind, b[unix.SizeofRtAttr:size]); err != nil {
			return err
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return nil
}

func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
