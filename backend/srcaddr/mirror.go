package srcaddr

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// link is what classification needs to know of an interface.
type link struct {
	index    int
	name     string
	altNames []string
	up       bool // IFF_UP; the carrier does not matter for binding
	loopback bool
	master   int // index, 0 for none
	kind     string
}

func (l link) equal(o link) bool {
	return l.index == o.index && l.name == o.name && slices.Equal(l.altNames, o.altNames) &&
		l.up == o.up && l.loopback == o.loopback && l.master == o.master && l.kind == o.kind
}

// address is one address entry of the kernel. The kernel tells two entries
// apart by link, ip, peer and bits: the same ip may be on a link twice, and
// stays there until both entries are gone.
type address struct {
	link  int
	ip    netip.Addr
	peer  netip.Addr // other end of a point-to-point link, else invalid
	bits  int
	flags uint32 // unix.IFA_F_*
}

func (a address) sameEntry(o address) bool {
	return a.link == o.link && a.ip == o.ip && a.peer == o.peer && a.bits == o.bits
}

func (a address) is(flag uint32) bool { return a.flags&flag != 0 }

// dadFailed and tentative tell why an IPv6 address cannot be bound (yet). The
// kernel leaves the tentative flag set when detection has failed.
func (a address) dadFailed() bool { return a.ip.Is6() && a.is(unix.IFA_F_DADFAILED) }

func (a address) tentative() bool {
	return a.ip.Is6() && a.is(unix.IFA_F_TENTATIVE) && !a.is(unix.IFA_F_DADFAILED)
}

// operation says what an event does to the mirror.
type operation int

const (
	setLink operation = iota + 1
	removeLink
	setAddress
	removeAddress
)

// event is one change of a link or an address, as the kernel tells it.
type event struct {
	op   operation
	link link    // setLink, removeLink (index only)
	addr address // setAddress, removeAddress
}

// mirror is the links and addresses of one network namespace. It has no lock
// and does no I/O; its owner guards it.
type mirror struct {
	links map[int]link
	names map[string]int // names and alternative names
	// holders has the entries of an address, sorted by link, peer and bits.
	holders map[netip.Addr][]address
	onLink  map[int]map[netip.Addr]struct{}
}

// newMirror builds a mirror from the result of a full list.
func newMirror(list []event) *mirror {
	m := &mirror{
		links:   make(map[int]link),
		names:   make(map[string]int),
		holders: make(map[netip.Addr][]address),
		onLink:  make(map[int]map[netip.Addr]struct{}),
	}
	for _, e := range list {
		m.apply(e)
	}
	return m
}

// apply does e to the mirror and reports whether that changed anything. It may
// be given an event that a list has already taken into account.
func (m *mirror) apply(e event) bool {
	switch e.op {
	case setLink:
		return m.setLink(e.link)
	case removeLink:
		return m.removeLink(e.link.index)
	case setAddress:
		return m.setAddress(e.addr)
	case removeAddress:
		return m.removeAddress(e.addr)
	}
	return false
}

// setLink indexes the names even when the link is as before: an older event
// that came after a list may have taken the name away from it.
func (m *mirror) setLink(l link) bool {
	old, known := m.links[l.index]
	m.dropNames(old)
	m.links[l.index] = l
	m.names[l.name] = l.index
	for _, n := range l.altNames {
		m.names[n] = l.index
	}
	return !known || !l.equal(old)
}

// removeLink takes the addresses away too, even of a link that a list has
// already left out. The kernel tells of them before, but only a link that is
// clean may come again with the same index.
func (m *mirror) removeLink(index int) bool {
	old, known := m.links[index]
	if known {
		m.dropNames(old)
		delete(m.links, index)
	}
	had := len(m.onLink[index]) > 0
	for ip := range m.onLink[index] {
		m.keepHolders(ip, func(a address) bool { return a.link != index })
	}
	delete(m.onLink, index)
	return known || had
}

func (m *mirror) dropNames(l link) {
	for _, n := range append([]string{l.name}, l.altNames...) {
		if m.names[n] == l.index {
			delete(m.names, n)
		}
	}
}

func (m *mirror) setAddress(a address) bool {
	hs := m.holders[a.ip]
	if i := slices.IndexFunc(hs, a.sameEntry); i >= 0 {
		changed := hs[i].flags != a.flags
		hs[i].flags = a.flags
		return changed
	}
	i, _ := slices.BinarySearchFunc(hs, a, compareEntries)
	m.holders[a.ip] = slices.Insert(hs, i, a)
	if m.onLink[a.link] == nil {
		m.onLink[a.link] = make(map[netip.Addr]struct{})
	}
	m.onLink[a.link][a.ip] = struct{}{}
	return true
}

func (m *mirror) removeAddress(a address) bool {
	before := len(m.holders[a.ip])
	m.keepHolders(a.ip, func(h address) bool { return !h.sameEntry(a) })
	if !slices.ContainsFunc(m.holders[a.ip], func(h address) bool { return h.link == a.link }) {
		delete(m.onLink[a.link], a.ip)
		if len(m.onLink[a.link]) == 0 {
			delete(m.onLink, a.link)
		}
	}
	return len(m.holders[a.ip]) != before
}

func (m *mirror) keepHolders(ip netip.Addr, keep func(address) bool) {
	hs := slices.DeleteFunc(m.holders[ip], func(a address) bool { return !keep(a) })
	if len(hs) == 0 {
		delete(m.holders, ip)
		return
	}
	m.holders[ip] = hs
}

func compareEntries(a, b address) int {
	return cmp.Or(cmp.Compare(a.link, b.link), a.peer.Compare(b.peer), cmp.Compare(a.bits, b.bits))
}

// equal reports whether both mirrors give the same answers.
func (m *mirror) equal(o *mirror) bool {
	return m != nil && o != nil && maps.EqualFunc(m.links, o.links, link.equal) &&
		maps.EqualFunc(m.holders, o.holders, slices.Equal)
}

// find returns the link with that name or alternative name.
func (m *mirror) find(name string) (link, bool) {
	l, ok := m.links[m.names[name]]
	return l, ok
}

// addresses returns the addresses of a link, each once, in order. Of several
// entries of one ip on the link any will do: their flags do not differ in IPv6,
// and do not matter in IPv4.
func (m *mirror) addresses(index int) []address {
	out := make([]address, 0, len(m.onLink[index]))
	for ip := range m.onLink[index] {
		i := slices.IndexFunc(m.holders[ip], func(a address) bool { return a.link == index })
		out = append(out, m.holders[ip][i])
	}
	slices.SortFunc(out, func(a, b address) int { return a.ip.Compare(b.ip) })
	return out
}

// vrfOf returns the VRF that l belongs to: its master, or itself if it is a VRF.
func (m *mirror) vrfOf(l link) (link, bool) {
	if l.kind == "vrf" {
		return l, true
	}
	master, ok := m.links[l.master]
	return master, ok && master.kind == "vrf"
}
