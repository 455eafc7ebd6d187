package authority

import (
	"errors"
	"fmt"
	"net"
	"testing"
)

// A client that comes from elsewhere finds the address that it dialled in the
// certificate.
func TestCertifiedAddresses(t *testing.T) {
	list := func(texts ...string) func() ([]net.Addr, error) {
		var all []net.Addr
		for _, text := range texts {
			ip, n, err := net.ParseCIDR(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		return func() ([]net.Addr, error) { return all, nil }
	}
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("192.0.2.%d/24", i)
	}
	tests := []struct {
		name string
		list func() ([]net.Addr, error)
		want int
		has  string // the last one
	}{
		{"no list", func() ([]net.Addr, error) { return nil, errors.New("not permitted") }, 2, "::1"},
		{"loopback only", list("127.0.0.1/8", "::1/128"), 2, "::1"},
		{"routable ones", list("127.0.0.1/8", "192.0.2.1/24", "fe80::1/64", "2001:db8::1/64", "169.254.1.1/16"), 4, "2001:db8::1"},
		{"very many", list(many...), maxCertified, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := certifiedAddresses(tt.list)
			if len(got) != tt.want || tt.has != "" && !got[len(got)-1].Equal(net.ParseIP(tt.has)) {
				t.Errorf("got %v", got)
			}
		})
	}
}
