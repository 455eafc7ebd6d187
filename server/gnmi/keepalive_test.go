package gnmi

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// frames is a client of HTTP/2 that says nothing by itself.
type frames struct {
	*testing.T
	net.Conn
	acks   int           // of PINGs that it sent
	goAway int           // the error code, -1 for none
	ended  chan struct{} // closed when the server has closed the connection
}

const (
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7
	flagAck       = 1

	enhanceYourCalm = 11 // RFC 9113 7
)

// http2 opens a connection to a server.
func (b *bench) http2() *frames {
	b.Helper()
	conn := b.serve(Config{Engine: b.engine}).connect()
	f := &frames{T: b.T, Conn: conn, goAway: -1, ended: make(chan struct{})}
	b.Cleanup(func() {
		_ = conn.Close()
		<-f.ended
	})
	go f.read()
	f.write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.frame(frameSettings, 0, nil)
	f.frame(frameSettings, flagAck, nil)
	return f
}

func (f *frames) write(b []byte) {
	f.Helper()
	if _, err := f.Write(b); err != nil {
		f.Logf("write: %v", err) // the server may have had enough
	}
}

func (f *frames) frame(kind, flags byte, payload []byte) {
	f.Helper()
	head := []byte{0, 0, byte(len(payload)), kind, flags, 0, 0, 0, 0}
	f.write(append(head, payload...))
}

func (f *frames) ping() {
	f.Helper()
	f.frame(framePing, 0, make([]byte, 8))
}

// read counts what the server sends until it closes the connection.
func (f *frames) read() {
	defer close(f.ended)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(f, head); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(f, payload); err != nil {
			return
		}
		switch head[3] {
		case framePing:
			if head[4]&flagAck != 0 {
				f.acks++
			}
		case frameGoAway:
			f.goAway = int(binary.BigEndian.Uint32(payload[4:8]))
		}
	}
}

// gnmi.md 107: a collector may ping every ten seconds, also with no RPC open;
// one that pings without a pause is thrown out, and one that is gone without a
// word is noticed within a minute.
func TestKeepalivePolicy(t *testing.T) {
	tests := []struct {
		name   string
		every  time.Duration // between two PINGs of the client
		lives  time.Duration // at most; an hour for all of the test
		goAway int
	}{
		{"every ten seconds", 10 * time.Second, time.Hour, -1},
		{"as often as it may", minClientPing, time.Hour, -1},
		{"without a pause", time.Second, 10 * time.Second, enhanceYourCalm},
		{"gone", time.Hour, time.Minute, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(b *bench) {
				f := b.http2()
				start := time.Now()
				sent := 0
				for alive := true; alive && time.Since(start) < time.Hour; {
					pause := time.NewTimer(tt.every)
					select {
					case <-f.ended:
						alive = false
					case <-pause.C:
						f.ping()
						sent++
					}
					pause.Stop()
				}
				lived := time.Since(start)
				_ = f.Close()
				<-f.ended
				if lived > tt.lives || tt.lives == time.Hour && (lived < time.Hour || f.acks < sent-1) { // the last answer may be on its way
					t.Errorf("it lived for %v of %v, and %d of %d pings were answered", lived, tt.lives, f.acks, sent)
				}
				if f.goAway != tt.goAway {
					t.Errorf("sent away with code %d, want %d", f.goAway, tt.goAway)
				}
			})
		})
	}
}
