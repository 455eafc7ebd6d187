package netlab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// MessageType is the type code of a BGP message (RFC 4271 4.1, RFC 2918 3).
type MessageType uint8

// The message types. Malformed is ours: bytes on the wire that are not BGP.
const (
	TypeMalformed    MessageType = 0
	TypeOpen         MessageType = 1
	TypeUpdate       MessageType = 2
	TypeNotification MessageType = 3
	TypeKeepalive    MessageType = 4
	TypeRouteRefresh MessageType = 5
)

// String returns the name that the RFC uses.
func (t MessageType) String() string {
	names := [...]string{"malformed", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Family is an address family of the multiprotocol capability (RFC 4760 8).
type Family struct {
	AFI  uint16
	SAFI uint8
}

// The unicast families.
var (
	IPv4Unicast = Family{AFI: 1, SAFI: 1}
	IPv6Unicast = Family{AFI: 2, SAFI: 1}
)

// Open is what the laboratory keeps of an OPEN message (RFC 4271 4.2).
type Open struct {
	AS       uint32 // of the 4-octet AS capability where present (RFC 6793)
	HoldTime time.Duration
	RouterID netip.Addr
	Families []Family
}

// Notification is the body of a NOTIFICATION message (RFC 4271 4.5).
type Notification struct {
	Code, Subcode uint8
	Data          []byte
}

// Message is one BGP message seen on the wire or by a Remote. Open and
// Notification hold the fields of those types and are zero for the others.
type Message struct {
	Time     time.Time
	From, To netip.AddrPort
	Type     MessageType
	Open
	Notification

	conn int // of the capture: which TCP connection
}

// String says in one line what the message is.
func (m Message) String() string {
	s := fmt.Sprintf("%s %s > %s %s", m.Time.Format("15:04:05.000000"), m.From, m.To, m.Type)
	switch m.Type {
	case TypeOpen:
		s += fmt.Sprintf(" AS %d hold %s id %s", m.AS, m.HoldTime, m.RouterID)
	case TypeNotification:
		s += fmt.Sprintf(" %d/%d %q", m.Code, m.Subcode, m.Data)
	}
	return s
}

const (
	headerLen     = 19
	asTrans       = 23456 // RFC 6793 4.2.3
	paramCaps     = 2     // RFC 5492 4
	capMP         = 1
	capFourOctets = 65
)

var (
	marker       = bytes.Repeat([]byte{0xff}, 16)
	errMalformed = errors.New("not a BGP message")
)

// parseMessage reads the first message of b and returns its length. A length
// of 0 without an error means that more bytes are needed. Lengths over 4096
// are accepted (RFC 8654).
func parseMessage(b []byte) (m Message, n int, err error) {
	if k := min(len(b), len(marker)); !bytes.Equal(b[:k], marker[:k]) {
		return m, 0, fmt.Errorf("marker: %w", errMalformed)
	}
	if len(b) < headerLen {
		return m, 0, nil
	}
	n = int(binary.BigEndian.Uint16(b[16:]))
	if n < headerLen {
		return m, 0, fmt.Errorf("length %d: %w", n, errMalformed)
	}
	if len(b) < n {
		return m, 0, nil
	}
	body := b[headerLen:n]
	m.Type = MessageType(b[18])
	switch m.Type {
	case TypeOpen:
		m.Open, err = parseOpen(body)
	case TypeNotification:
		if len(body) < 2 {
			return Message{}, 0, fmt.Errorf("NOTIFICATION of %d bytes: %w", len(body), errMalformed)
		}
		m.Notification = Notification{Code: body[0], Subcode: body[1], Data: bytes.Clone(body[2:])}
	case TypeKeepalive:
		if len(body) != 0 {
			err = fmt.Errorf("KEEPALIVE with a body of %d bytes: %w", len(body), errMalformed)
		}
	case TypeUpdate, TypeRouteRefresh:
	default:
		err = fmt.Errorf("message %v: %w", m.Type, errMalformed)
	}
	if err != nil {
		return Message{}, 0, err
	}
	return m, n, nil
}

func parseOpen(b []byte) (Open, error) {
	if len(b) < 10 || b[0] != 4 || len(b) != 10+int(b[9]) {
		return Open{}, fmt.Errorf("OPEN of %d bytes: %w", len(b), errMalformed)
	}
	o := Open{
		AS:       uint32(binary.BigEndian.Uint16(b[1:])),
		HoldTime: time.Duration(binary.BigEndian.Uint16(b[3:])) * time.Second,
		RouterID: netip.AddrFrom4([4]byte(b[5:9])),
	}
	for params := b[10:]; len(params) > 0; {
		kind, value, rest, err := cutTLV(params)
		if err != nil {
			return Open{}, fmt.Errorf("OPEN parameter: %w", err)
		}
		params = rest
		for kind == paramCaps && len(value) > 0 {
			code, body, next, err := cutTLV(value)
			if err != nil {
				return Open{}, fmt.Errorf("OPEN capability: %w", err)
			}
			value = next
			switch {
			case code == capMP && len(body) == 4:
				o.Families = append(o.Families, Family{AFI: binary.BigEndian.Uint16(body), SAFI: body[3]})
			case code == capFourOctets && len(body) == 4:
				o.AS = binary.BigEndian.Uint32(body)
			}
		}
	}
	return o, nil
}

// cutTLV splits off the first element with one octet of type and one of length.
func cutTLV(b []byte) (kind uint8, value, rest []byte, err error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return 0, nil, nil, errMalformed
	}
	end := 2 + int(b[1])
	return b[0], b[2:end], b[end:], nil
}

func appendHeader(b []byte, t MessageType, body []byte) []byte {
	b = append(b, marker...)
	b = binary.BigEndian.AppendUint16(b, uint16(headerLen+len(body)))
	b = append(b, byte(t))
	return append(b, body...)
}

func marshalOpen(o Open) []byte {
	var caps []byte
	for _, f := range o.Families {
		caps = append(caps, capMP, 4)
		caps = binary.BigEndian.AppendUint16(caps, f.AFI)
		caps = append(caps, 0, f.SAFI)
	}
	caps = append(caps, capFourOctets, 4)
	caps = binary.BigEndian.AppendUint32(caps, o.AS)

	as2 := o.AS
	if as2 > 0xffff {
		as2 = asTrans
	}
	body := []byte{4}
	body = binary.BigEndian.AppendUint16(body, uint16(as2))
	body = binary.BigEndian.AppendUint16(body, uint16(o.HoldTime/time.Second))
	id := o.RouterID.As4()
	body = append(body, id[:]...)
	body = append(body, byte(len(caps)+2), paramCaps, byte(len(caps)))
	return appendHeader(nil, TypeOpen, append(body, caps...))
}

func marshalKeepalive() []byte { return appendHeader(nil, TypeKeepalive, nil) }

func marshalNotification(n Notification) []byte {
	return appendHeader(nil, TypeNotification, append([]byte{n.Code, n.Subcode}, n.Data...))
}
