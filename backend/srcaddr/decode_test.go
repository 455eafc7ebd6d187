package srcaddr

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// linkMessage builds the body of an RTM_NEWLINK as the kernel does.
func linkMessage(family uint8, index int32, flags uint32, attrs ...*nl.RtAttr) []byte {
	m := nl.NewIfInfomsg(int(family))
	m.Index, m.Flags = index, flags
	return body(m.Serialize(), attrs)
}

func addressMessage(family, bits, flags uint8, index uint32, attrs ...*nl.RtAttr) []byte {
	m := nl.NewIfAddrmsg(int(family))
	m.Prefixlen, m.Flags, m.Index = bits, flags, index
	return body(m.Serialize(), attrs)
}

func body(b []byte, attrs []*nl.RtAttr) []byte {
	for _, a := range attrs {
		b = append(b, a.Serialize()...)
	}
	return b
}

func attr(kind int, v []byte) *nl.RtAttr { return nl.NewRtAttr(kind, v) }
func str(kind int, s string) *nl.RtAttr  { return attr(kind, nl.ZeroTerminated(s)) }
func num(kind int, n uint32) *nl.RtAttr  { return attr(kind, nl.Uint32Attr(n)) }

func raw(s string) []byte { return ip(s).AsSlice() }

func nest(kind int, in ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(kind, nil)
	for _, c := range in {
		a.AddChild(c)
	}
	return a
}

var fullLink = linkMessage(unix.AF_UNSPEC, 3, unix.IFF_UP|unix.IFF_LOOPBACK,
	str(unix.IFLA_IFNAME, "veA"), num(unix.IFLA_MTU, 1500), num(unix.IFLA_MASTER, 9),
	nest(unix.IFLA_LINKINFO, str(unix.IFLA_INFO_KIND, "veth"), nest(unix.IFLA_INFO_DATA)),
	nest(unix.IFLA_PROP_LIST|unix.NLA_F_NESTED, str(unix.IFLA_ALT_IFNAME, "LoopBack1"), str(unix.IFLA_ALT_IFNAME, "L")))

func TestDecode(t *testing.T) {
	full := link{index: 3, name: "veA", altNames: []string{"LoopBack1", "L"}, up: true, loopback: true, master: 9, kind: "veth"}
	tests := []struct {
		name string
		kind uint16
		body []byte
		want event
		ok   bool
		err  string
	}{
		{name: "new link", kind: unix.RTM_NEWLINK, body: fullLink, want: event{op: setLink, link: full}, ok: true},
		{name: "deleted link", kind: unix.RTM_DELLINK, body: fullLink, want: event{op: removeLink, link: full}, ok: true},
		{
			name: "down", kind: unix.RTM_NEWLINK, body: linkMessage(0, 4, unix.IFF_BROADCAST, str(unix.IFLA_IFNAME, "b")),
			want: event{op: setLink, link: link{index: 4, name: "b"}}, ok: true,
		},
		{name: "bridge port left its bridge", kind: unix.RTM_DELLINK, body: linkMessage(unix.AF_BRIDGE, 3, 0, str(unix.IFLA_IFNAME, "veA"))},
		{
			name: "IPv4", kind: unix.RTM_NEWADDR,
			body: addressMessage(unix.AF_INET, 24, 0x80, 3, attr(unix.IFA_ADDRESS, raw("10.0.0.1")), attr(unix.IFA_LOCAL, raw("10.0.0.1")), num(unix.IFA_FLAGS, 0x281)),
			want: event{op: setAddress, addr: address{link: 3, ip: ip("10.0.0.1"), bits: 24, flags: 0x281}}, ok: true,
		},
		{
			name: "IPv4 point-to-point", kind: unix.RTM_NEWADDR,
			body: addressMessage(unix.AF_INET, 32, 0x80, 3, attr(unix.IFA_ADDRESS, raw("10.0.0.2")), attr(unix.IFA_LOCAL, raw("10.0.0.1"))),
			want: event{op: setAddress, addr: address{link: 3, ip: ip("10.0.0.1"), peer: ip("10.0.0.2"), bits: 32, flags: 0x80}}, ok: true,
		},
		{
			name: "IPv6", kind: unix.RTM_DELADDR,
			body: addressMessage(unix.AF_INET6, 64, 0xc0, 3, attr(unix.IFA_ADDRESS, raw("2001:db8::1"))),
			want: event{op: removeAddress, addr: address{link: 3, ip: ip("2001:db8::1"), bits: 64, flags: 0xc0}}, ok: true,
		},
		{
			name: "IPv6 point-to-point", kind: unix.RTM_NEWADDR,
			body: addressMessage(unix.AF_INET6, 128, 0, 3, attr(unix.IFA_LOCAL, raw("2001:db8::1")), attr(unix.IFA_ADDRESS, raw("2001:db8::2"))),
			want: event{op: setAddress, addr: address{link: 3, ip: ip("2001:db8::1"), peer: ip("2001:db8::2"), bits: 128}}, ok: true,
		},
		{name: "other family", kind: unix.RTM_NEWADDR, body: addressMessage(unix.AF_MPLS, 0, 0, 3)},
		{name: "other message", kind: unix.RTM_NEWROUTE, body: []byte{1}},
		{name: "no link index", kind: unix.RTM_NEWLINK, body: linkMessage(0, 0, 0), want: event{op: setLink}},
		{name: "short link", kind: unix.RTM_NEWLINK, body: make([]byte, 15), err: "truncated"},
		{name: "short address", kind: unix.RTM_NEWADDR, body: make([]byte, 7), err: "truncated"},
		{name: "attribute too long", kind: unix.RTM_NEWLINK, body: append(linkMessage(0, 3, 0), 9, 0, 3, 0), err: "truncated"},
		{name: "attribute too short", kind: unix.RTM_NEWLINK, body: append(linkMessage(0, 3, 0), 3, 0, 3, 0), err: "truncated"},
		{name: "short master", kind: unix.RTM_NEWLINK, body: linkMessage(0, 3, 0, attr(unix.IFLA_MASTER, []byte{1, 2})), err: "truncated"},
		{name: "short flags", kind: unix.RTM_NEWADDR, body: addressMessage(unix.AF_INET, 8, 0, 3, attr(unix.IFA_FLAGS, []byte{1})), err: "truncated"},
		{name: "no address", kind: unix.RTM_NEWADDR, body: addressMessage(unix.AF_INET, 8, 0, 3), err: "no address"},
		{
			name: "address of another family", kind: unix.RTM_NEWADDR,
			body: addressMessage(unix.AF_INET, 8, 0, 3, attr(unix.IFA_LOCAL, raw("2001:db8::1"))), err: "no address",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok, err := decode(tt.kind, tt.body)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || ok {
					t.Fatalf("got %v, %v, want error with %q", ok, err, tt.err)
				}
				return
			}
			if err != nil || ok != tt.ok {
				t.Fatalf("got %v, %v, want %v", ok, err, tt.ok)
			}
			if !ok {
				return
			}
			opts := []cmp.Option{cmp.AllowUnexported(event{}, link{}, address{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
			if diff := cmp.Diff(tt.want, got, opts...); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func inotifyEvent(mask uint32, name string) []byte {
	b := make([]byte, unix.SizeofInotifyEvent)
	binary.NativeEndian.PutUint32(b[4:], mask)
	if name == "" {
		return b
	}
	padded := make([]byte, (len(name)/16+1)*16)
	copy(padded, name)
	binary.NativeEndian.PutUint32(b[12:], uint32(len(padded)))
	return append(b, padded...)
}

func TestDecodeNames(t *testing.T) {
	two := append(inotifyEvent(unix.IN_CREATE, "vpn1"), inotifyEvent(unix.IN_DELETE, "a-name-of-more-than-16-bytes")...)
	got, err := decodeNames(two)
	if diff := cmp.Diff([]string{"vpn1", "a-name-of-more-than-16-bytes"}, got); diff != "" || err != nil {
		t.Errorf("error %v, diff %s", err, diff)
	}
	for name, bad := range map[string][]byte{
		"overflow":  inotifyEvent(unix.IN_Q_OVERFLOW, ""),
		"removed":   inotifyEvent(unix.IN_DELETE_SELF, ""),
		"ignored":   append(inotifyEvent(unix.IN_CREATE, "vpn1"), inotifyEvent(unix.IN_IGNORED, "")...),
		"truncated": two[:20],
	} {
		if got, err := decodeNames(bad); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

// Whatever the bytes: no panic, an error or a sound event, and only truncation
// or a missing address is an error.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, kind uint16, b []byte) {
		e, ok, err := decode(kind, b)
		switch {
		case err != nil && ok:
			t.Fatalf("event %+v and error %v", e, err)
		case err != nil && !errors.Is(err, errTruncated) && !strings.Contains(err.Error(), "no address"):
			t.Fatalf("unknown error %v", err)
		case ok && e.op >= setAddress && (!e.addr.ip.IsValid() || e.addr.link <= 0):
			t.Fatalf("address event %+v", e)
		case ok && e.op < setAddress && e.link.index <= 0:
			t.Fatalf("link event %+v", e)
		}
		if ok { // the mirror and classification stand it too
			m := newMirror([]event{e, eth(1, "lo", loopback)})
			classify(m, Query{Interface: "lo", Peer: ip("192.0.2.1")})
			classify(m, Query{Source: ip("10.0.0.1"), Peer: ip("192.0.2.1")})
		}
	})
}

func FuzzDecodeNames(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := decodeNames(b)
		if err != nil && names != nil {
			t.Fatalf("names %q and error %v", names, err)
		}
		if len(names)*unix.SizeofInotifyEvent > len(b) {
			t.Fatalf("%d names in %d bytes", len(names), len(b))
		}
	})
}
