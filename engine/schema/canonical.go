package schema

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// canonicals are the typedefs of mooring-types whose full syntax is beyond a
// pattern, or whose values have several spellings: each function checks a
// value and returns its one canonical form.
var canonicals = map[string]func(string) (string, error){
	"ip-address":          canonicalIP,
	"ipv4-address":        canonicalIPv4,
	"ipv6-address":        canonicalIPv6,
	"router-id":           canonicalRouterID,
	"route-distinguisher": canonicalRoute,
	"route-target":        canonicalRoute,
}

var (
	errIP       = errors.New("must be an IPv4 or IPv6 address")
	errIPv4     = errors.New("not an IPv4 address")
	errIPv6     = errors.New("not an IPv6 address")
	errMapped   = errors.New("an IPv4-mapped IPv6 address is written as IPv4 address")
	errZone     = errors.New("only a link-local IPv6 address has a zone, of letters, digits, '_', '.' and '-'")
	errRouterID = errors.New("the BGP identifier must not be zero")
	errRoute    = errors.New("must read AS:NUMBER or ADDRESS:NUMBER, with 2 and 4 octets (RFC 4364 4.2)")
)

// canonicalBits returns the function of a type bits: the names that are set,
// in YANG order (RFC 7950 9.7.2).
func canonicalBits(bits []string) func(string) (string, error) {
	return func(s string) (string, error) {
		set := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }) // no space of Unicode
		out := make([]string, 0, len(set))
		for _, bit := range bits {
			if slices.Contains(set, bit) {
				out = append(out, bit)
			}
		}
		if len(out) != len(set) {
			return "", errors.New("must be some of " + strings.Join(bits, ", ") + ", with spaces between")
		}
		return strings.Join(out, " "), nil
	}
}

func canonicalIP(s string) (string, error) {
	if strings.IndexByte(s, ':') < 0 {
		c, err := canonicalIPv4(s)
		if err != nil {
			return "", errIP
		}
		return c, nil
	}
	c, err := canonicalIPv6(s)
	if errors.Is(err, errIPv6) {
		err = errIP
	}
	return c, err
}

func canonicalIPv4(s string) (string, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return "", errIPv4
	}
	return s, nil // dotted decimal without leading zeros has one form
}

func canonicalIPv6(s string) (string, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil || !a.Is6() || len(s) > 63:
		return "", errIPv6
	case a.Is4In6():
		return "", errMapped
	case a.Zone() != "" && !validZone(a):
		return "", errZone
	}
	return a.String(), nil
}

func validZone(a netip.Addr) bool {
	if !a.IsLinkLocalUnicast() && !a.IsLinkLocalMulticast() {
		return false
	}
	for _, c := range []byte(a.Zone()) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

func canonicalRouterID(s string) (string, error) {
	c, err := canonicalIPv4(s)
	if err == nil && strings.Trim(c, "0.") == "" {
		err = errRouterID
	}
	return c, err
}

// canonicalRoute reads a route distinguisher or route target: the widths of
// both parts depend on each other (RFC 4364 4.2, RFC 4360 3, RFC 5668 2).
func canonicalRoute(s string) (string, error) {
	admin, number, ok := strings.Cut(s, ":")
	if !ok || len(number) > 10 || len(admin) > 15 {
		return "", errRoute
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return "", errRoute
	}
	if strings.IndexByte(admin, '.') >= 0 {
		if _, err := canonicalIPv4(admin); err != nil || !short(number, n) {
			return "", errRoute
		}
		return admin + ":" + strconv.FormatUint(n, 10), nil
	}
	as, err := strconv.ParseUint(admin, 10, 32)
	if err != nil || len(admin) > 10 || !short(admin, as) && !short(number, n) {
		return "", errRoute
	}
	return strconv.FormatUint(as, 10) + ":" + strconv.FormatUint(n, 10), nil
}

// short says whether a number is of 2 octets, and written as one.
func short(digits string, n uint64) bool { return n <= 65535 && len(digits) <= 5 }
