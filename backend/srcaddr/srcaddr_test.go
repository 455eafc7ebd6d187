package srcaddr

import (
	"log/slog"
	"net/netip"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func ips(ss ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range ss {
		out = append(out, ip(s))
	}
	return out
}

// eth returns the event for an interface that is up.
func eth(index int, name string, set ...func(*link)) event {
	l := link{index: index, name: name, up: true}
	for _, f := range set {
		f(&l)
	}
	return event{op: setLink, link: l}
}

func down(l *link)     { l.up = false }
func loopback(l *link) { l.loopback = true }
func vrf(l *link)      { l.kind = "vrf" }

func master(i int) func(*link)        { return func(l *link) { l.master = i } }
func alt(names ...string) func(*link) { return func(l *link) { l.altNames = names } }

// on returns the event for an address, given as a prefix, on a link.
func on(index int, prefix string, flags ...uint32) event {
	p := netip.MustParsePrefix(prefix)
	a := address{link: index, ip: p.Addr(), bits: p.Bits()}
	for _, f := range flags {
		a.flags |= f
	}
	return event{op: setAddress, addr: a}
}

// off turns an event that adds into the one that removes.
func off(e event) event {
	e.op++ // each remove follows its set
	return e
}
