package netlab

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"
	"time"
)

// Kind says which flag made a TCP segment worth recording.
type Kind uint8

// The kinds of segments. KindSYN is a SYN without ACK.
const (
	KindSYN Kind = iota + 1
	KindSYNACK
	KindFIN
	KindRST
)

// String returns the flags.
func (k Kind) String() string {
	names := [...]string{"none", "SYN", "SYN-ACK", "FIN", "RST"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Segment is a captured TCP segment that opens or ends a connection.
type Segment struct {
	Time     time.Time // the kernel's time stamp
	From, To netip.AddrPort
	Kind     Kind
	MSS      uint16 // the option's value, 0 without the option
	TTL      uint8  // or hop limit, at the place of the capture
	DSCP     uint8
	// DontFragment is the flag of IPv4 by which path MTU discovery works.
	DontFragment bool
	Retransmit   bool // the same segment was seen before

	conn int
}

// String says in one line what the segment is.
func (s Segment) String() string {
	r := ""
	if s.Retransmit {
		r = " retransmitted"
	}
	return fmt.Sprintf("%s %s > %s %s mss %d ttl %d%s", s.Time.Format("15:04:05.000000"), s.From, s.To, s.Kind, s.MSS, s.TTL, r)
}

// Connection is a TCP connection that was opened (SYN, SYN-ACK) while the
// capture ran, and on which the client sent an OPEN.
type Connection struct {
	Time           time.Time // of the first SYN
	Client, Server netip.AddrPort
	MSS            uint16 // of the SYN
	TTL            uint8  // of the SYN
	ClientOpen     Open
	ServerOpen     *Open // nil: none seen
}

// View is what a capture saw up to the moment the view was taken. It does not
// change any more.
type View struct {
	segments []Segment
	messages []Message
	since    time.Time
}

// Mark is a moment; see Capture.Mark.
type Mark struct{ at time.Time }

// Since returns the part of the view from the mark on. A connection belongs
// to it when its SYN does.
func (v View) Since(m Mark) View {
	v.since = m.at
	return v
}

// From is a filter for SYNs: those that came from the address.
func From(source netip.Addr) func(Segment) bool {
	return func(s Segment) bool { return s.From.Addr() == source }
}

// SYNs returns the SYNs that the filter keeps (nil: all), retransmitted ones included.
func (v View) SYNs(filter func(Segment) bool) []Segment { return v.kind(KindSYN, filter) }

// SYNACKs returns the SYN-ACKs that the filter keeps (nil: all).
func (v View) SYNACKs(filter func(Segment) bool) []Segment { return v.kind(KindSYNACK, filter) }

// FINs returns the FINs that the filter keeps (nil: all).
func (v View) FINs(filter func(Segment) bool) []Segment { return v.kind(KindFIN, filter) }

// RSTs returns the RSTs that the filter keeps (nil: all).
func (v View) RSTs(filter func(Segment) bool) []Segment { return v.kind(KindRST, filter) }

func (v View) kind(k Kind, filter func(Segment) bool) []Segment {
	var out []Segment
	for _, s := range v.segments {
		if s.Kind == k && !s.Time.Before(v.since) && (filter == nil || filter(s)) {
			out = append(out, s)
		}
	}
	return out
}

// Messages returns the BGP messages that the filter keeps (nil: all), those
// of type TypeMalformed included.
func (v View) Messages(filter func(Message) bool) []Message {
	var out []Message
	for _, m := range v.messages {
		if !m.Time.Before(v.since) && (filter == nil || filter(m)) {
			out = append(out, m)
		}
	}
	return out
}

// Opens returns the OPEN messages.
func (v View) Opens() []Message { return v.ofType(TypeOpen) }

// Notifications returns the NOTIFICATION messages.
func (v View) Notifications() []Message { return v.ofType(TypeNotification) }

// Keepalives returns the number of KEEPALIVE messages sent from the address.
func (v View) Keepalives(from netip.Addr) int {
	return len(v.Messages(func(m Message) bool { return m.Type == TypeKeepalive && m.From.Addr() == from }))
}

func (v View) ofType(t MessageType) []Message {
	return v.Messages(func(m Message) bool { return m.Type == t })
}

// Connections returns the connections in the order of their SYNs.
func (v View) Connections() []Connection {
	type state struct {
		Connection
		answered, opened bool
	}
	byConn := map[int]*state{}
	var order []int
	for _, s := range v.segments {
		c := byConn[s.conn]
		switch {
		case s.Kind == KindSYN && c == nil && !s.Time.Before(v.since):
			byConn[s.conn] = &state{Connection: Connection{Time: s.Time, Client: s.From, Server: s.To, MSS: s.MSS, TTL: s.TTL}}
			order = append(order, s.conn)
		case s.Kind == KindSYNACK && c != nil:
			c.answered = true
		}
	}
	for _, m := range v.messages {
		c := byConn[m.conn]
		if c == nil || m.Type != TypeOpen {
			continue
		}
		if m.From == c.Client {
			c.ClientOpen, c.opened = m.Open, true
		} else {
			o := m.Open
			c.ServerOpen = &o
		}
	}
	var out []Connection
	for _, id := range order {
		if c := byConn[id]; c.answered && c.opened {
			out = append(out, c.Connection)
		}
	}
	return out
}

// String lists everything in the order of time, KEEPALIVE and UPDATE
// messages aside, for the report of a test that failed.
func (v View) String() string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	for _, s := range v.segments {
		if !s.Time.Before(v.since) {
			lines = append(lines, line{s.Time, s.String()})
		}
	}
	for _, m := range v.Messages(func(m Message) bool { return m.Type != TypeKeepalive && m.Type != TypeUpdate }) {
		lines = append(lines, line{m.Time, m.String()})
	}
	sort.SliceStable(lines, func(i, j int) bool { return lines[i].at.Before(lines[j].at) })
	if len(lines) == 0 {
		return "nothing was captured"
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}
