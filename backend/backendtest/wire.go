package backendtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"mooring/bgp"
)

// Message types and codes (RFC 4271 4.1, 4.2).
const (
	typeOpen         = 1
	typeUpdate       = 2
	typeNotification = 3
	typeKeepalive    = 4
	headerLen        = 19
	maxMessage       = 4096

	capMultiprotocol = 1  // RFC 4760
	capRouteRefresh  = 2  // RFC 2918
	capGraceful      = 64 // RFC 4724
	capFourOctetAS   = 65 // RFC 6793
	asTrans          = 23456
)

// Open is what a speaker said in its OPEN (RFC 4271 4.2).
type Open struct {
	AS          uint32
	HoldTime    time.Duration
	RouterID    netip.Addr
	Families    []bgp.Family
	Graceful    bool
	RestartTime time.Duration
	Notify      bool // the N bit (RFC 8538); sent with graceful restart of 120 s
}

var familyCodes = map[bgp.Family][2]uint16{ // AFI, SAFI
	bgp.IPv4Unicast:  {1, 1},
	bgp.IPv6Unicast:  {2, 1},
	bgp.VPNv4Unicast: {1, 128},
	bgp.VPNv6Unicast: {2, 128},
}

func message(kind byte, body []byte) []byte {
	m := make([]byte, headerLen, headerLen+len(body))
	for i := range 16 {
		m[i] = 0xff
	}
	binary.BigEndian.PutUint16(m[16:], uint16(headerLen+len(body)))
	m[18] = kind
	return append(m, body...)
}

func readMessage(r io.Reader) (kind byte, body []byte, err error) {
	var h [headerLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(h[16:]))
	if n < headerLen || n > maxMessage {
		return 0, nil, fmt.Errorf("message of %d octets", n)
	}
	body = make([]byte, n-headerLen)
	_, err = io.ReadFull(r, body)
	return h[18], body, err
}

func (o *Open) encode() []byte {
	var caps []byte
	for _, f := range o.Families {
		c := familyCodes[f]
		caps = append(caps, capMultiprotocol, 4, byte(c[0]>>8), byte(c[0]), 0, byte(c[1]))
	}
	caps = append(caps, capRouteRefresh, 0, capFourOctetAS, 4)
	caps = binary.BigEndian.AppendUint32(caps, o.AS)
	if o.Notify {
		caps = append(caps, capGraceful, byte(2+4*len(o.Families)), 0x40, 120)
		for _, f := range o.Families {
			c := familyCodes[f]
			caps = append(caps, byte(c[0]>>8), byte(c[0]), byte(c[1]), 0)
		}
	}

	as := uint16(asTrans)
	if o.AS < 1<<16 {
		as = uint16(o.AS)
	}
	b := []byte{4}
	b = binary.BigEndian.AppendUint16(b, as)
	b = binary.BigEndian.AppendUint16(b, uint16(o.HoldTime/time.Second))
	b = append(b, o.RouterID.AsSlice()...)
	b = append(b, byte(len(caps)+2), 2, byte(len(caps)))
	return message(typeOpen, append(b, caps...))
}

var errShortOpen = errors.New("OPEN is cut short")

func decodeOpen(b []byte) (*Open, error) {
	if len(b) < 10 || len(b) < 10+int(b[9]) {
		return nil, errShortOpen
	}
	id, _ := netip.AddrFromSlice(b[5:9])
	o := &Open{
		AS:       uint32(binary.BigEndian.Uint16(b[1:])),
		HoldTime: time.Duration(binary.BigEndian.Uint16(b[3:])) * time.Second,
		RouterID: id,
	}
	for params := b[10:]; len(params) >= 2; params = params[2+int(params[1]):] {
		if len(params) < 2+int(params[1]) {
			return nil, errShortOpen
		}
		if params[0] != 2 {
			continue
		}
		if err := o.capabilities(params[2 : 2+int(params[1])]); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *Open) capabilities(b []byte) error {
	for ; len(b) >= 2; b = b[2+int(b[1]):] {
		if len(b) < 2+int(b[1]) {
			return errShortOpen
		}
		v := b[2 : 2+int(b[1])]
		switch {
		case b[0] == capMultiprotocol && len(v) == 4:
			for f, c := range familyCodes {
				if c[0] == binary.BigEndian.Uint16(v) && c[1] == uint16(v[3]) {
					o.Families = append(o.Families, f)
				}
			}
		case b[0] == capFourOctetAS && len(v) == 4:
			o.AS = binary.BigEndian.Uint32(v)
		case b[0] == capGraceful && len(v) >= 2:
			o.Graceful, o.Notify = true, v[0]&0x40 != 0
			o.RestartTime = time.Duration(binary.BigEndian.Uint16(v)&0xfff) * time.Second
		}
	}
	return nil
}

// encodeUpdate announces one IPv4 prefix (RFC 4271 4.3).
func encodeUpdate(as uint32, nextHop netip.Addr, p netip.Prefix) []byte {
	attrs := []byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1} // ORIGIN IGP; AS_PATH, a sequence of one
	attrs = binary.BigEndian.AppendUint32(attrs, as)
	attrs = append(attrs, 0x40, 3, 4) // NEXT_HOP
	attrs = append(attrs, nextHop.AsSlice()...)
	b := []byte{0, 0} // nothing withdrawn
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	b = append(b, attrs...)
	b = append(b, byte(p.Bits()))
	return message(typeUpdate, append(b, p.Addr().AsSlice()[:(p.Bits()+7)/8]...))
}

func encodeNotification(n *bgp.Notification) []byte {
	b := []byte{n.Code, n.Subcode}
	if n.Text != "" { // RFC 9003 2
		b = append(b, byte(len(n.Text)))
		b = append(b, n.Text...)
	}
	return message(typeNotification, b)
}

func decodeNotification(b []byte) *bgp.Notification {
	if len(b) < 2 {
		return &bgp.Notification{}
	}
	n := &bgp.Notification{Code: b[0], Subcode: b[1]}
	if n.Code == bgp.CodeCease && n.Subcode == bgp.CeaseHardReset && len(b) >= 4 {
		n.Text = fmt.Sprintf("%d/%d", b[2], b[3]) // what it stands for (RFC 8538 3.1)
		if b = b[2:]; len(b) > 3 && len(b) >= 3+int(b[2]) {
			n.Text += " " + string(b[3:3+int(b[2])])
		}
		return n
	}
	if len(b) > 3 && len(b) >= 3+int(b[2]) {
		n.Text = string(b[3 : 3+int(b[2])])
	}
	return n
}
