package srcaddr

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func refuse(s Status, format string, args ...any) Answer {
	return Answer{Status: s, Detail: fmt.Sprintf(format, args...)}
}

func ambiguous(candidates []netip.Addr, format string, args ...any) Answer {
	slices.SortFunc(candidates, netip.Addr.Compare)
	a := refuse(Ambiguous, format, args...)
	a.Candidates = candidates
	return a
}

// has says which addresses of the family of ip the interface has.
func has(m *mirror, l link, ip netip.Addr) string {
	var got []netip.Addr
	for _, a := range m.addresses(l.index) {
		if a.ip.Is4() == ip.Is4() {
			got = append(got, a.ip)
		}
	}
	if len(got) == 0 {
		return ""
	}
	return " (it has " + list(got) + ")"
}

// list names at most the first eight addresses.
func list(addrs []netip.Addr) string {
	const most = 8
	var b strings.Builder
	for i, a := range addrs {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(addrs)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.String())
	}
	return b.String()
}

// label names the interface as the operator asked for it, and as the kernel does.
func label(l link, asked string) string {
	if l.name == asked {
		return asked
	}
	return asked + " (" + l.name + ")"
}

func place(netns string) string {
	if netns == "" {
		return "the agent's network namespace"
	}
	return "network namespace " + netns
}

func family(ip netip.Addr) string {
	if ip.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
