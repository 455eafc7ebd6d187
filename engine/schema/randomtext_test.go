package schema

import (
	"maps"
	"slices"
	"strings"
)

// usual are good values, by the name of a leaf or of a type, where the type
// alone does not give them or a must asks for more.
var usual = map[string][]string{
	"address": {"10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.1"}, "source-address": {"10.9.9.9"}, "listen-address": {"10.0.0.1", "::1", "fe80::1%eth0"},
	"ebgp-max-hop": {"1"}, "hold-time": {"0", "90", "180"}, "keepalive-interval": {"1", "30"}, "size": {"1", "100"}, "key-id": {"0", "1", "7"},
	"send-id": {"0", "1", "2", "3", "4", "5"}, "receive-id": {"0", "1", "2", "3", "4", "5"}, "secret": {"s"}, "password": {"secret"},
	"path": {"/"}, "module-name": {"*", "mooring-bgp"}, "rpc-name": {"*", "get"}, "notification-name": {"*", "x"},
	"access-operations": {"*", "read", "read create"}, "group": {"*", "admin"}, "user-name": {"ann", "bob", "eve", "joe", "kim"},
	"name": {"a", "b", "c", "d"}, "interface-name": {"LoopBack1", "eth0.5"},
	"kernel-interface-name": {"red", "blue"}, "router-id": {"1.1.1.1", "192.0.2.1"},
	"route-distinguisher": {"100:1", "100:2", "70000:3", "1.1.1.1:4", "5:5", "6:6", "7:7", "8:8"}, "route-target": {"100:1", "100:2", "70000:3", "1.1.1.1:4"},
}

// odd are texts beside the types: boundaries, other spellings of the same value,
// and what is almost a value.
var odd = map[string][]string{
	"ip": {
		"0.0.0.0", "255.255.255.255", "256.1.1.1", "1.1.1", "1.1.1.1.", "01.1.1.1", "1.1.1.1%eth0", "1.1.1.1%", "1.1.1.1/32", "::", "::1", "::%1", "1::2::3",
		"2001:DB8::0", "2001:db8:0:0:0:0:0:1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:1.2.3.4",
		"::1.2.3.256", "1:2:3:4:5:6:1.2.3.4", "::1.2.3", "00001::", "fe80::1%eth0", "fe80::1%eth_0-1.2", "fe80::1%eth 0", "fe80::1%é", "fe80::1%", "g::", ":", ":::", "::1:", ":1",
		"2001:db8::" + strings.Repeat("0", 60), "fe80::1%" + strings.Repeat("z", 60),
	},
	"number": {
		"0", "-0", "+0", "1", "+1", "-1", "01", "0001", "0x10", "0xFF", "010", "08", "1.0", "1e1", "1 ", " 1", "1_0", "", "٣", "1,0", "255", "256", "65535", "65536",
		"4294967295", "4294967296", "18446744073709551615", "18446744073709551616", "99999999999999999999999", "-2147483648", "NaN", "Infinity", "0b1", "1u",
	},
	"boolean":     {"true", "false", "True", "TRUE", "1", "0", "", " true", "true ", "yes"},
	"enumeration": {"", " ", "none", "NONE", "md5 ", "MD5", "both", "0", "1"},
	"pair": {
		"0:0", "0:1", "65535:4294967295", "65536:65535", "65536:65536", "4294967295:65535", "4294967296:1", "65535:4294967296", "1.2.3.4:65535", "1.2.3.4:65536",
		"256.1.1.1:1", "1:1:1", "01:1", "1:01", ":1", "1:", "1 :1", "1", "-1:1", "+1:1", "a:b", "1.2.3.4:01", "01.2.3.4:1", "target:1:1", "1.2.3:4", "0.0.0.0:0", "70000:0",
	},
	"router-id": {"0.0.0.0", "0.0.0.1", "00.0.0.1", "255.255.255.255", "256.0.0.1", "1.1.1", "1.1.1.1.1", "1.1.1.1 ", "1.1.1.1%eth0", "100", "010.1.1.1"},
	"name": {
		"", " ", ".", "..", "a/b", "a b", "a ", " a", "é", "a\u00a0", "\U0001F600", strings.Repeat("n", 15), strings.Repeat("n", 16), strings.Repeat("n", 63), strings.Repeat("n", 64),
		strings.Repeat("é", 63), "~", "!", "-", "a\tb", "a\nb", "]", "'", "\"", "'\"", "[name='x']", "\\", "a=b", "*", "%", "<a>", "&amp;", "]]>", "default", "_public_", "_Public_", "_x_", "\u200b", "\ufeff", "\uffff", "\u0085",
	},
	"matchall": {"*", "**", "* ", "", " ", "read", "read read", "create read", "read  create", "read,create", "exec", "Read", " read", "create delete exec read update", "create update delete read exec"},
	// libyang takes any XPath here, we what RFC 8341 has; so only what is neither.
	"path": {"", "/bgp[", "[", "1+", "/x:bgp"},
}

// kindOf chooses the texts of odd.
func kindOf(n *Node) string {
	t := n.Type
	switch {
	case strings.Contains(t.Typedef, "ip-address"):
		return "ip"
	case t.Typedef == "route-distinguisher", t.Typedef == "route-target":
		return "pair"
	case t.Typedef == "router-id":
		return "router-id"
	case t.Typedef == "node-instance-identifier":
		return "path"
	case n.Name == "access-operations":
		return "matchall"
	case t.Kind == ValueBool:
		return "boolean"
	case t.Kind == ValueEnum:
		return "enumeration"
	case t.Kind == ValueUint, t.Kind == ValueInt:
		return "number"
	}
	return "name"
}

// near draws a text that is in the type of n or almost so.
func (g *randomDoc) near(n *Node) string {
	pool := odd[kindOf(n)]
	switch g.IntN(8) {
	case 0: // what is right for another type
		kinds := slices.Sorted(maps.Keys(odd)) // a seed stands for one document
		pool = odd[kinds[g.IntN(len(kinds))]]
	case 1, 2, 3:
		return g.mutate(pool[g.IntN(len(pool))])
	}
	return pool[g.IntN(len(pool))]
}

// mutate changes a character or two.
func (g *randomDoc) mutate(s string) string {
	const letters = "0123456789abcfxAFZ.:%/-_+* \t\n'\"&<>é\u2028"
	alphabet, rs := []rune(letters), []rune(s)
	for range 1 + g.IntN(2) {
		at := g.IntN(len(rs) + 1)
		c := alphabet[g.IntN(len(alphabet))]
		switch g.IntN(3) {
		case 0:
			rs = append(rs[:at:at], append([]rune{c}, rs[at:]...)...)
		case 1:
			if at < len(rs) {
				rs[at] = c
			}
		default:
			if at < len(rs) {
				rs = append(rs[:at:at], rs[at+1:]...)
			}
		}
	}
	return string(rs)
}
