package srcaddr

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

func TestMirrorApply(t *testing.T) {
	ptp := func(peer string) event {
		return event{op: setAddress, addr: address{link: 2, ip: ip("10.0.0.1"), peer: ip(peer), bits: 32}}
	}
	base := []event{eth(1, "lo", loopback), eth(2, "a", alt("x")), on(2, "10.0.0.1/24"), on(2, "2001:db8::1/64", tentative)}
	tests := []struct {
		name    string
		event   event
		changed bool
		query   Query
		want    Status
	}{
		{"same link", eth(2, "a", alt("x")), false, Query{Interface: "a"}, Resolved},
		{"renamed: old name", eth(2, "b", alt("x")), true, Query{Interface: "a"}, InterfaceMissing},
		{"renamed: new name", eth(2, "b", alt("x")), true, Query{Interface: "b"}, Resolved},
		{"altname gone", eth(2, "a"), true, Query{Interface: "x"}, InterfaceMissing},
		{"altname new", eth(2, "a", alt("x", "y")), true, Query{Interface: "y"}, Resolved},
		{"down", eth(2, "a", alt("x"), down), true, Query{Interface: "a"}, InterfaceDown},
		{"removed", off(eth(2, "a")), true, Query{Interface: "x"}, InterfaceMissing},
		{"removed with its addresses", off(eth(2, "a")), true, Query{Source: ip("10.0.0.1")}, SourceMissing},
		{"unknown removed", off(eth(7, "q")), false, Query{Interface: "a"}, Resolved},
		{"same address", on(2, "10.0.0.1/24"), false, Query{Interface: "a"}, Resolved},
		{"second address", on(2, "10.0.0.2/24"), true, Query{Interface: "a"}, Ambiguous},
		{"same address, other prefix", on(2, "10.0.0.1/32"), true, Query{Interface: "a"}, Resolved},
		{"address gone", off(on(2, "10.0.0.1/24")), true, Query{Interface: "a"}, NoAddress},
		{"address of another entry gone", off(ptp("10.0.0.9")), false, Query{Interface: "a"}, Resolved},
		{"address of another link gone", off(on(1, "10.0.0.1/24")), false, Query{Interface: "a"}, Resolved},
		{"detection ended", on(2, "2001:db8::1/64"), true, Query{Interface: "a", Peer: ip("2001:db8::2")}, Resolved},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMirror(base)
			if got := m.apply(tt.event); got != tt.changed {
				t.Errorf("changed %v, want %v", got, tt.changed)
			}
			if got := m.equal(newMirror(base)); got == tt.changed {
				t.Errorf("equal to before: %v", got)
			}
			q := tt.query
			if !q.Peer.IsValid() {
				q.Peer = ip("192.0.2.1")
			}
			if got := classify(m, q); got.Status != tt.want {
				t.Errorf("got %v (%s), want %v", got.Status, got.Detail, tt.want)
			}
		})
	}
}

// An address with two entries is there until both are gone.
func TestMirrorKeepsAddressOfSecondEntry(t *testing.T) {
	first, second := on(2, "10.0.0.1/24"), on(2, "10.0.0.1/32")
	m := newMirror([]event{eth(2, "a"), first, second})
	q := Query{Interface: "a", Peer: ip("192.0.2.1")}
	m.apply(off(first))
	if got := classify(m, q); got.Status != Resolved {
		t.Fatalf("after the first: %v, want %v", got.Status, Resolved)
	}
	m.apply(off(second))
	if got := classify(m, q); got.Status != NoAddress {
		t.Fatalf("after the second: %v, want %v", got.Status, NoAddress)
	}
}

// A mirror that got a list, and then the events before and after the list, ends
// like the kernel, names that moved between interfaces included.
func TestMirrorConverges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		truth, events := newMirror(nil), []event(nil)
		for range 40 {
			e := randomEvent(rng, truth)
			truth.apply(e)
			events = append(events, e)
		}
		cut := rng.IntN(len(events))
		state := newMirror(events[:cut])
		replay := events[rng.IntN(cut+1):]
		for _, e := range replay {
			state.apply(e)
		}
		if !state.equal(truth) {
			t.Fatalf("round %d: links %v holders %v, want %v %v", round, state.links, state.holders, truth.links, truth.holders)
		}
		for _, l := range truth.links {
			for _, n := range append([]string{l.name}, l.altNames...) {
				if got, ok := state.find(n); !ok || got.index != l.index {
					t.Fatalf("round %d: name %s finds %v, want link %d", round, n, got, l.index)
				}
			}
		}
		if len(state.names) != len(truth.names) || len(state.onLink) != len(truth.onLink) {
			t.Fatalf("round %d: leftovers: %v %v, want %v %v", round, state.names, state.onLink, truth.names, truth.onLink)
		}
	}
}

// randomEvent is one that the kernel could send: a name belongs to one link,
// and addresses are on links that are there.
func randomEvent(rng *rand.Rand, m *mirror) event {
	var indexes []int
	for i := range m.links {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	var free []string
	for _, n := range names {
		if _, taken := m.names[n]; !taken {
			free = append(free, n)
		}
	}
	switch k := rng.IntN(8); {
	case len(indexes) == 0 || k < 2 && len(free) > 0:
		e := eth(1+rng.IntN(4), free[rng.IntN(len(free))])
		if other := free[rng.IntN(len(free))]; other != e.link.name {
			e.link.altNames = []string{other}
		}
		return e
	case k == 2:
		return event{op: removeLink, link: link{index: indexes[rng.IntN(len(indexes))]}}
	default:
		a := address{
			link: indexes[rng.IntN(len(indexes))], bits: 24 + rng.IntN(2),
			ip: netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(3))}), flags: uint32(rng.IntN(2)),
		}
		return event{op: setAddress + operation(rng.IntN(2)), addr: a}
	}
}
