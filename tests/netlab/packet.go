package netlab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"
)

// TCP header flags (RFC 9293 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const protoTCP = 6

// packet is the part of a captured TCP segment that the tracker needs.
type packet struct {
	src, dst netip.AddrPort
	seq      uint32
	flags    uint8
	ttl      uint8
	dscp     uint8
	df       bool   // IPv4 "don't fragment"
	mss      uint16 // 0: no such option
	payload  []byte
}

// parsePacket reads an IPv4 or IPv6 packet without link header; ok is false
// for all that is not a whole TCP segment.
func parsePacket(b []byte) (p packet, ok bool) {
	if len(b) < 1 {
		return p, false
	}
	var src, dst netip.Addr
	var tcp []byte
	switch b[0] >> 4 {
	case 4:
		src, dst, p.ttl, tcp = cutIPv4(b)
	case 6:
		src, dst, p.ttl, tcp = cutIPv6(b)
	}
	if len(tcp) < 20 {
		return p, false
	}
	offset := int(tcp[12]>>4) * 4
	if offset < 20 || offset > len(tcp) {
		return p, false
	}
	p.src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(tcp))
	p.dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(tcp[2:]))
	p.seq = binary.BigEndian.Uint32(tcp[4:])
	p.flags = tcp[13]
	// The traffic class begins in the middle of IPv6's first octet (RFC 8200 3).
	p.dscp, p.df = b[1]>>2, b[6]&0x40 != 0
	if b[0]>>4 == 6 {
		p.dscp, p.df = (b[0]&15)<<2|b[1]>>6, false
	}
	p.mss = findMSS(tcp[20:offset])
	p.payload = tcp[offset:]
	return p, true
}

// cutIPv4 returns no segment for other protocols, fragments and short packets.
func cutIPv4(b []byte) (src, dst netip.Addr, ttl uint8, tcp []byte) {
	if len(b) < 20 || b[9] != protoTCP || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || total < header || total > len(b) {
		return
	}
	return netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[8], b[header:total]
}

// cutIPv6 returns no segment when anything but TCP follows the fixed header:
// TCP of the hosts in a laboratory has no extension headers.
func cutIPv6(b []byte) (src, dst netip.Addr, hops uint8, tcp []byte) {
	if len(b) < 40 || b[6] != protoTCP {
		return
	}
	end := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if end > len(b) {
		return
	}
	return netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[7], b[40:end]
}

func findMSS(options []byte) uint16 {
	for len(options) > 0 {
		switch kind := options[0]; {
		case kind == 0:
			return 0
		case kind == 1:
			options = options[1:]
		case len(options) < 2 || options[1] < 2 || int(options[1]) > len(options):
			return 0
		case kind == 2 && options[1] == 4:
			return binary.BigEndian.Uint16(options[2:])
		default:
			options = options[options[1]:]
		}
	}
	return 0
}

// tracker turns packets into segments and messages. Both lists only grow, and
// an element never changes once it is in, so views may share them.
type tracker struct {
	port     uint16
	segments []Segment
	messages []Message
	flows    map[flowKey]*flow
	conns    int
}

type flowKey struct{ client, server netip.AddrPort }

type flow struct {
	conn     int
	isn      uint32 // of the client's SYN
	byClient stream
	byServer stream
}

// stream is one direction of a connection.
type stream struct {
	synced  bool   // next is known
	broken  bool   // something was not BGP: no way to find the next message
	fin     bool   // seen
	next    uint32 // sequence number after the last byte in buf
	buf     []byte // start of a message that is not complete
	pending []chunk
}

type chunk struct {
	seq  uint32
	data []byte
}

func newTracker(port uint16) *tracker {
	return &tracker{port: port, flows: map[flowKey]*flow{}}
}

// add takes a packet to or from the BGP port; the others are ignored.
func (t *tracker) add(now time.Time, p packet) {
	if p.src.Port() != t.port && p.dst.Port() != t.port {
		return
	}
	seg := Segment{Time: now, From: p.src, To: p.dst, MSS: p.mss, TTL: p.ttl, DSCP: p.dscp, DontFragment: p.df}
	if p.flags&(flagSYN|flagACK) == flagSYN {
		t.addSYN(seg, p.seq)
		return
	}
	f, s := t.flow(p)
	seg.conn = f.conn
	if p.flags&flagSYN != 0 {
		seg.Kind, seg.Retransmit = KindSYNACK, s.synced
		if !s.synced {
			s.synced, s.next = true, p.seq+1
		}
		t.segments = append(t.segments, seg)
		return
	}
	if len(p.payload) > 0 {
		s.push(p.seq, p.payload)
		t.drain(now, p, f.conn, s)
	}
	if p.flags&flagFIN != 0 {
		fin := seg
		fin.Kind, fin.Retransmit = KindFIN, s.fin
		s.fin = true
		t.segments = append(t.segments, fin)
	}
	if p.flags&flagRST != 0 {
		seg.Kind = KindRST
		t.segments = append(t.segments, seg)
	}
}

func (t *tracker) addSYN(seg Segment, isn uint32) {
	key := flowKey{client: seg.From, server: seg.To}
	f := t.flows[key]
	if f != nil && f.isn == isn && f.byClient.synced {
		seg.Retransmit = true
	} else {
		t.conns++
		f = &flow{conn: t.conns, isn: isn, byClient: stream{synced: true, next: isn + 1}}
		t.flows[key] = f
	}
	seg.Kind, seg.conn = KindSYN, f.conn
	t.segments = append(t.segments, seg)
}

// flow finds the connection and direction of p, which is no plain SYN. A
// connection older than the capture gets an entry here; its client is then
// taken to be the side that does not use the BGP port.
func (t *tracker) flow(p packet) (*flow, *stream) {
	if f := t.flows[flowKey{client: p.src, server: p.dst}]; f != nil {
		return f, &f.byClient
	}
	if f := t.flows[flowKey{client: p.dst, server: p.src}]; f != nil {
		return f, &f.byServer
	}
	t.conns++
	f := &flow{conn: t.conns}
	if p.dst.Port() == t.port {
		t.flows[flowKey{client: p.src, server: p.dst}] = f
		return f, &f.byClient
	}
	t.flows[flowKey{client: p.dst, server: p.src}] = f
	return f, &f.byServer
}

// drain appends the whole messages that s holds to the list.
func (t *tracker) drain(now time.Time, p packet, conn int, s *stream) {
	for len(s.buf) > 0 && !s.broken {
		m, n, err := parseMessage(s.buf)
		if err == nil && n == 0 {
			return
		}
		if err != nil {
			s.broken, s.buf, s.pending = true, nil, nil
		} else {
			s.buf = s.buf[n:]
		}
		m.Time, m.From, m.To, m.conn = now, p.src, p.dst, conn
		t.messages = append(t.messages, m)
	}
}

// push adds the bytes at seq to the stream: what it already has is cut off,
// what comes too early waits. A stream whose start was not seen begins at the
// first segment that starts with a message.
func (s *stream) push(seq uint32, data []byte) {
	if s.broken {
		return
	}
	if !s.synced {
		if len(data) < headerLen || !bytes.HasPrefix(data, marker) {
			return
		}
		s.synced, s.next = true, seq
	}
	if !s.accept(seq, data) {
		s.pending = append(s.pending, chunk{seq: seq, data: bytes.Clone(data)})
		return
	}
	for i := 0; i < len(s.pending); {
		c := s.pending[i]
		if !s.accept(c.seq, c.data) {
			i++
			continue
		}
		s.pending = append(s.pending[:i], s.pending[i+1:]...)
		i = 0 // an earlier one may fit now
	}
}

// accept appends the new part of the bytes at seq, and is false for a gap.
func (s *stream) accept(seq uint32, data []byte) bool {
	have := int32(s.next - seq) // the difference is right across the wrap of the sequence space
	if have < 0 {
		return false
	}
	if int(have) < len(data) {
		s.buf = append(s.buf, data[have:]...)
		s.next += uint32(len(data)) - uint32(have)
	}
	return true
}
