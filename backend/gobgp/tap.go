package gobgp

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"mooring/bgp"
)

// What GoBGP logs and tells nowhere else. A test of each pins the words.
const (
	logDialFailed = "failed to connect"     // Debug; attribute Error
	logReceived   = "received notification" // Info; attributes Code, Subcode, Communicated-Reason
	logPeerDown   = "Peer Down"             // Info; after the last octet has been written
)

// logClosed is a Warn that a remote can cause as often as it dials.
const logClosed = "Closed an accepted connection"

// tap is the slog.Handler of one BgpServer. It picks out the records above
// by the address of their peer and passes the rest on: warnings and worse as
// they are, the rest as debugging.
type tap struct {
	next slog.Handler
	peer string // value of the attribute Key
	*tapped
}

// tapped is what all handlers derived from one share.
type tapped struct {
	dialFailed func(peer netip.Addr, reason string)

	mu      sync.Mutex                       // guards all below
	heard   map[netip.Addr]*bgp.Notification // received last in a session
	waiting map[netip.Addr]chan struct{}     // closed when the peer's session is down
}

func newTap(next slog.Handler, dialFailed func(netip.Addr, string)) *tap {
	return &tap{next: next, tapped: &tapped{
		dialFailed: dialFailed,
		heard:      map[netip.Addr]*bgp.Notification{},
		waiting:    map[netip.Addr]chan struct{}{},
	}}
}

// takeHeard returns the NOTIFICATION received from a peer, once, nil for none.
func (t *tapped) takeHeard(peer netip.Addr) *bgp.Notification {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.heard[peer]
	delete(t.heard, peer)
	return n
}

// expectDown returns a channel that is closed when the session of peer is
// down and its Cease has been written.
func (t *tapped) expectDown(peer netip.Addr) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ch := make(chan struct{})
	t.waiting[peer] = ch
	return ch
}

// Enabled implements slog.Handler. Debug records are needed for dial errors.
func (t *tap) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler. GoBGP calls it from its state machines.
func (t *tap) Handle(ctx context.Context, r slog.Record) error {
	if addr, err := netip.ParseAddr(t.peer); err == nil {
		t.pick(addr, &r)
	}
	if r.Level < slog.LevelWarn || r.Message == logClosed {
		r.Level = slog.LevelDebug
	}
	if !t.next.Enabled(ctx, r.Level) {
		return nil
	}
	return t.next.Handle(ctx, r)
}

func (t *tapped) pick(peer netip.Addr, r *slog.Record) {
	switch r.Message {
	case logDialFailed:
		t.dialFailed(peer, attr(r, "Error"))
	case logReceived:
		t.mu.Lock()
		t.heard[peer] = &bgp.Notification{
			Code: number(attr(r, "Code")), Subcode: number(attr(r, "Subcode")), Text: attr(r, "Communicated-Reason"),
		}
		t.mu.Unlock()
	case logPeerDown:
		t.mu.Lock()
		if ch, ok := t.waiting[peer]; ok {
			close(ch)
			delete(t.waiting, peer)
		}
		t.mu.Unlock()
	}
}

// failure is the kind of a dial error of GoBGP's own dialer.
func failure(text string) bgp.ConnectFailure {
	for _, k := range []struct {
		words string
		kind  bgp.ConnectFailure
	}{
		{"connection refused", bgp.FailedRefused},
		{"i/o timeout", bgp.FailedTimeout},
		{"no route to host", bgp.FailedNoRoute},
		{"network is unreachable", bgp.FailedNoRoute},
		{"cannot assign requested address", bgp.FailedAddress},
		{"address already in use", bgp.FailedAddress},
	} {
		if strings.Contains(text, k.words) {
			return k.kind
		}
	}
	return bgp.FailedOther
}

func number(s string) uint8 {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0
	}
	return uint8(n)
}

func attr(r *slog.Record, key string) (value string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != key {
			return true
		}
		value = a.Value.String()
		return false
	})
	return value
}

// WithAttrs implements slog.Handler.
func (t *tap) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *t
	c.next = t.next.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == "Key" {
			c.peer = a.Value.String()
		}
	}
	return &c
}

// WithGroup implements slog.Handler.
func (t *tap) WithGroup(name string) slog.Handler {
	c := *t
	c.next = t.next.WithGroup(name)
	return &c
}
