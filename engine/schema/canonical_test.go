package schema

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// The patterns of mooring-types say all that the agent checks, so that a client
// which reads the model knows what is taken.
func TestPatternsOfCanonicals(t *testing.T) {
	leaves := map[string]string{ // of each type
		"/bgp/instances/instance/config/router-id":                                                                        "router-id",
		"/bgp/instances/instance/vpn-instances/vpn-instance/config/listen-address":                                        "ip",
		"/vpn-instances/vpn-instance/ipv4-family/config/route-distinguisher":                                              "pair",
		"/vpn-instances/vpn-instance/ipv6-family/config/export-route-target":                                              "pair",
		"/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer/transport/connect-interface/config/source-address": "ip",
	}
	for path, kind := range leaves {
		n := Root()
		for name := range strings.SplitSeq(path[1:], "/") {
			n = n.Child(name)
		}
		match := patternsOf(n.Type)
		g := &randomDoc{Rand: rand.New(rand.NewPCG(1, 1))}
		taken, refused := 0, 0
		for range 20_000 {
			text := g.likeAddress(kind)
			_, err := n.Type.Parse(text)
			if err == nil {
				taken++
			} else {
				refused++
			}
			if match(text) != (err == nil) {
				t.Fatalf("%s: %q: the agent says %v, the patterns match: %v", path, text, err, match(text))
			}
		}
		if min(taken, refused) < 500 {
			t.Errorf("%s: %d taken, %d refused: the mix proves little", path, taken, refused)
		}
	}
}

// patternsOf says whether patterns and length of a type, or of one member of a
// union, fit.
func patternsOf(t *Type) func(string) bool {
	types := []*Type{t}
	if t.meta.Members != nil {
		types = nil
		for _, m := range t.meta.Members {
			types = append(types, &Type{meta: m})
		}
	}
	var all [][]*regexp.Regexp
	for _, t := range types {
		var of []*regexp.Regexp
		for _, p := range t.meta.Patterns {
			of = append(of, regexp.MustCompile(p.Regexp))
		}
		all = append(all, of)
	}
	return func(s string) bool {
		for i, of := range all {
			n, ok := countChars(s)
			fits := ok && (len(types[i].meta.Lengths) == 0 || inRanges(types[i].meta.Lengths, int64(n)))
			for _, re := range of {
				fits = fits && re.MatchString(s)
			}
			if fits {
				return true
			}
		}
		return false
	}
}

// likeAddress draws a text of a kind of odd, or from the pieces of one.
func (g *randomDoc) likeAddress(kind string) string {
	pool := odd[kind]
	if g.IntN(3) == 0 {
		if s := pool[g.IntN(len(pool))]; g.IntN(2) == 0 {
			return s
		} else {
			return g.mutate(s)
		}
	}
	if kind != "ip" {
		numbers := odd["number"]
		s := numbers[g.IntN(len(numbers))]
		for range g.IntN(4) {
			s += []string{":", ".", ":"}[g.IntN(3)] + []string{numbers[g.IntN(len(numbers))], "1", "65535"}[g.IntN(3)]
		}
		return s
	}
	pieces := []string{"0", "0", "000", "ffff", "FFFF", "fff", "1", "fe80", "ff02", "ffef", "", "1.2.3.4", "0.0.0.0", "255.255.255.256", "db8"}
	var b strings.Builder
	for i := range 1 + g.IntN(9) {
		if i > 0 || g.IntN(8) == 0 {
			b.WriteString(":")
		}
		b.WriteString(pieces[g.IntN(len(pieces))])
	}
	return b.String() + []string{"", "", "", "", "%eth0", "%", "%e h", "::", ":0"}[g.IntN(9)]
}
