package netlab

import (
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// encode writes p as an IP packet, with TCP options.
func encode(p packet, options ...byte) []byte {
	tcp := binary.BigEndian.AppendUint16(nil, p.src.Port())
	tcp = binary.BigEndian.AppendUint16(tcp, p.dst.Port())
	tcp = binary.BigEndian.AppendUint32(tcp, p.seq)
	tcp = append(tcp, 0, 0, 0, 0, byte((20+len(options))/4)<<4, p.flags, 0, 0, 0, 0, 0, 0)
	tcp = append(append(tcp, options...), p.payload...)
	var ip []byte
	if p.src.Addr().Is4() {
		ip = []byte{0x45, 0, 0, 0, 0, 0, 0, 0, p.ttl, protoTCP, 0, 0}
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(tcp)))
	} else {
		ip = []byte{0x60, 0, 0, 0, 0, 0, protoTCP, p.ttl}
		binary.BigEndian.PutUint16(ip[4:], uint16(len(tcp)))
	}
	ip = append(append(ip, p.src.Addr().AsSlice()...), p.dst.Addr().AsSlice()...)
	return append(ip, tcp...)
}

var comparePackets = cmp.Options{sameAddr, cmp.AllowUnexported(packet{})}

func TestParsePacket(t *testing.T) {
	v4 := packet{src: addrPort("10.0.0.1:40000"), dst: addrPort("10.0.0.2:179"), seq: 7, flags: flagSYN, ttl: 255, mss: 1000}
	v6 := packet{src: addrPort("[2001:db8::1]:179"), dst: addrPort("[2001:db8::2]:40000"), seq: 8, flags: flagACK | flagPSH, ttl: 1, payload: []byte("hello")}
	noMSS := v4
	noMSS.mss = 0
	change := func(b []byte, i int, to byte) []byte { b[i] = to; return b }
	for _, tc := range []struct {
		name string
		in   []byte
		want packet
		ok   bool
	}{
		{"IPv4", encode(v4, 1, 2, 4, 3, 232, 0, 0, 0), v4, true},
		{"IPv4 padded by the link", append(encode(v4, 2, 4, 3, 232), 0, 0), v4, true},
		{"IPv6", encode(v6), v6, true},
		{"MSS after another option", encode(v4, 3, 3, 7, 2, 4, 3, 232, 0), v4, true},
		{"no MSS", encode(v4, 0, 2, 4, 3, 232, 0, 0, 0), noMSS, true},
		{"option without end", encode(v4, 8, 9, 0, 0), noMSS, true},
		{"option of length 0", encode(v4, 8, 0, 0, 0), noMSS, true},
		{"empty", nil, packet{}, false},
		{"no IP", []byte{0, 1, 2}, packet{}, false},
		{"UDP", change(encode(v4), 9, 17), packet{}, false},
		{"fragment", change(encode(v4), 7, 1), packet{}, false},
		{"longer than captured", encode(v6)[:62], packet{}, false},
		{"TCP header too long", change(encode(v4), 32, 0xf0), packet{}, false},
		{"IPv6 hop-by-hop", change(encode(v6), 6, 0), packet{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := parsePacket(tc.in)
			if ok != tc.ok {
				t.Fatalf("ok = %v, want %v", ok, tc.ok)
			}
			if diff := cmp.Diff(tc.want, got, comparePackets); ok && diff != "" {
				t.Errorf("packet (-want +got):\n%s", diff)
			}
		})
	}
}

// The stream of bytes is the same whatever TCP does to carry it, also across
// the wrap of the sequence space.
func TestTracker(t *testing.T) {
	client, server := addrPort("10.0.0.1:40000"), addrPort("10.0.0.2:179")
	open := marshalOpen(Open{AS: 100, RouterID: addr("1.1.1.1")})
	data := append(append(open, marshalKeepalive()...), marshalNotification(Notification{Code: 6, Subcode: 6})...)
	size := uint32(len(data))
	const isn = math.MaxUint32 - 20
	type part struct{ from, to uint32 }
	for _, tc := range []struct {
		name  string
		parts []part
		want  int // messages
	}{
		{"one segment", []part{{0, size}}, 3},
		{"small segments", []part{{0, 5}, {5, 30}, {30, 31}, {31, size}}, 3},
		{"retransmission", []part{{0, 40}, {0, 40}, {40, size}, {40, size}, {0, size}}, 3},
		{"overlap", []part{{0, 40}, {20, 60}, {50, size}}, 3},
		{"out of order", []part{{0, 10}, {60, size}, {30, 60}, {10, 30}}, 3},
		{"a gap", []part{{0, uint32(len(open))}, {60, size}}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := newTracker(179)
			add := func(from, to netip.AddrPort, seq uint32, flags uint8, payload []byte) {
				tr.add(time.Now(), packet{src: from, dst: to, seq: seq, flags: flags, payload: payload})
			}
			add(client, server, isn, flagSYN, nil)
			add(client, server, isn, flagSYN, nil)
			add(server, client, 1, flagSYN|flagACK, nil)
			add(server, client, 1, flagSYN|flagACK, nil)
			for _, p := range tc.parts {
				add(client, server, isn+1+p.from, flagACK, data[p.from:p.to])
			}
			add(client, server, isn+1+size, flagFIN|flagACK, nil)
			add(server, client, 2, flagRST, nil)
			add(client, addrPort("10.0.0.2:80"), 1, flagSYN, nil)
			v := View{segments: tr.segments, messages: tr.messages}
			if got := len(v.Messages(nil)); got != tc.want {
				t.Errorf("%d messages, want %d:\n%s", got, tc.want, v)
			}
			if syns := v.SYNs(nil); len(syns) != 2 || syns[0].Retransmit || !syns[1].Retransmit {
				t.Errorf("SYNs %v, want one and its retransmission", syns)
			}
			if len(v.SYNACKs(nil)) != 2 || len(v.FINs(From(client.Addr()))) != 1 || len(v.RSTs(From(server.Addr()))) != 1 {
				t.Errorf("segments:\n%s", v)
			}
			if got := v.Connections(); len(got) != 1 || got[0].ClientOpen.AS != 100 || got[0].ServerOpen != nil {
				t.Errorf("connections %+v", got)
			}
			// The same ports again: another connection.
			add(client, server, 5, flagSYN, nil)
			add(server, client, 9, flagSYN|flagACK, nil)
			add(client, server, 6, flagACK, open)
			if got := (View{segments: tr.segments, messages: tr.messages}).Connections(); len(got) != 2 {
				t.Errorf("connections %+v, want 2", got)
			}
		})
	}
}

// A session older than the capture shows its messages, and is no connection.
func TestTrackerMidstream(t *testing.T) {
	client, server := addrPort("10.0.0.1:40000"), addrPort("10.0.0.2:179")
	tr := newTracker(179)
	tr.add(time.Now(), packet{src: server, dst: client, seq: 100, flags: flagACK, payload: []byte("the rest of an UPDATE")})
	tr.add(time.Now(), packet{src: server, dst: client, seq: 200, flags: flagACK, payload: marshalKeepalive()})
	tr.add(time.Now(), packet{src: client, dst: server, seq: 300, flags: flagACK, payload: marshalNotification(Notification{Code: 6, Subcode: 4})})
	tr.add(time.Now(), packet{src: client, dst: server, seq: 323, flags: flagACK, payload: []byte("no BGP")})
	v := View{messages: tr.messages}
	var got []MessageType
	for _, m := range v.Messages(nil) {
		got = append(got, m.Type)
	}
	if diff := cmp.Diff([]MessageType{TypeKeepalive, TypeNotification}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	tr.add(time.Now(), packet{src: client, dst: server, seq: 321, flags: flagACK, payload: []byte("no BGP at all")})
	v = View{messages: tr.messages}
	if got := v.Messages(nil); len(got) != 3 || got[2].Type != TypeMalformed {
		t.Errorf("messages %v, want a malformed one at the end", got)
	}
	if v.Connections() != nil || v.Keepalives(server.Addr()) != 1 || v.Keepalives(client.Addr()) != 0 {
		t.Errorf("seen:\n%s", v)
	}
}

func FuzzParsePacket(f *testing.F) {
	f.Add(encode(packet{src: addrPort("10.0.0.1:40000"), dst: addrPort("10.0.0.2:179"), flags: flagSYN, ttl: 1}, 2, 4, 5, 180))
	f.Add(encode(packet{src: addrPort("[2001:db8::1]:179"), dst: addrPort("[2001:db8::2]:4"), flags: flagACK, payload: marshalKeepalive()}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePacket(b)
		if !ok {
			return
		}
		if len(p.payload)+40 > len(b) {
			t.Errorf("payload of %d bytes in a packet of %d", len(p.payload), len(b))
		}
		newTracker(p.dst.Port()).add(time.Now(), p)
	})
}
