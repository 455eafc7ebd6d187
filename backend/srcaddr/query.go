package srcaddr

import (
	"fmt"
	"net/netip"
)

// Query says what the connect-interface of one peer asks for. Its zero fields
// mean "not configured".
type Query struct {
	// NetNS is the named network namespace (as in ip-netns(8)) of the VPN
	// instance; empty for Options.Home.
	NetNS string
	// VRFDevice is the VRF device of the VPN instance; empty for none.
	VRFDevice string
	// Interface is an interface name or a Linux alternative name.
	Interface string
	// Source is the configured source address.
	Source netip.Addr
	// Peer is the address of the peer. It decides the address family, and a
	// link-local peer gets a link-local source.
	Peer netip.Addr
}

// Answer is the result of a Query. Source is set only when Status is Resolved,
// and then Detail is empty; otherwise Detail says what is wrong and what to do.
type Answer struct {
	Status Status
	// Source is the address to bind. A link-local one carries its interface as zone.
	Source netip.Addr
	// Interface and Index are the kernel's name (not the alternative name) and
	// index of the interface that has Source. They inform: binding a socket to
	// that device is not what connect-interface asks for, and fails for a
	// loopback interface.
	Interface string
	Index     int
	// Zone is the kernel's name of the interface that a link-local peer is on, where
	// there is one: that of its zone, which may be a name or an index (RFC 4007
	// 11.2), or else that of the source.
	Zone      string
	ZoneIndex int
	// Candidates is set only when Status is Ambiguous: the addresses to choose
	// from, sorted.
	Candidates []netip.Addr
	// Detail is a sentence for people.
	Detail string
}

// Status is the kind of an Answer.
type Status int

// The zero Status is no answer at all.
const (
	// Resolved: Source is the address to bind.
	Resolved Status = iota + 1
	// Unbound: neither interface nor source is configured; the kernel's route
	// lookup chooses.
	Unbound
	// InterfaceMissing: no interface has that name or alternative name.
	InterfaceMissing
	// InterfaceDown: the interface is administratively down. The kernel would
	// still let its IPv4 addresses be bound; the command does not use them.
	InterfaceDown
	// NoAddress: the interface has no usable address of the peer's family.
	NoAddress
	// Tentative: the address is still in duplicate address detection (RFC 4862 5.4).
	Tentative
	// Ambiguous: several addresses would do and no source address is configured.
	Ambiguous
	// SourceMissing: the configured source address is not on the interface, or
	// on no interface that is up.
	SourceMissing
	// NamespaceMissing: the network namespace does not exist or cannot be read.
	NamespaceMissing
	// WrongVRF: the interface or address is not in the VRF of the VPN instance.
	WrongVRF
)

// String returns the name of s in the YANG model.
func (s Status) String() string {
	switch s {
	case Resolved:
		return "resolved"
	case Unbound:
		return "unbound"
	case InterfaceMissing:
		return "interface-missing"
	case InterfaceDown:
		return "interface-down"
	case NoAddress:
		return "no-address"
	case Tentative:
		return "address-tentative"
	case Ambiguous:
		return "ambiguous-source"
	case SourceMissing:
		return "source-missing"
	case NamespaceMissing:
		return "namespace-missing"
	case WrongVRF:
		return "wrong-vrf"
	default:
		return fmt.Sprintf("Status(%d)", int(s))
	}
}

// Usable reports whether a session can be started with the answer.
func (a Answer) Usable() bool { return a.Status == Resolved || a.Status == Unbound }
