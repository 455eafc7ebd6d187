package schema

import (
	"strings"
	"testing"
)

func TestParseInstance(t *testing.T) {
	const in = "/mooring-bgp:bgp/mooring-bgp:instances/mooring-bgp:instance"
	prefixes := func(prefix string) (string, bool) {
		return "mooring-bgp", prefix == "b"
	}
	tests := []struct {
		name, text string
		module     func(string) (string, bool)
		want       string // "!" and part of the error
	}{
		{"the root", "/", nil, "/"},
		{"modules", "/mooring-bgp:bgp/mooring-bgp:instances", nil, "/mooring-bgp:bgp/mooring-bgp:instances"},
		{"RFC 7951: the module is that of the parent", "/mooring-bgp:bgp/instances/instance", nil, in},
		{"no module: a name at the top is in one", "/bgp/instances", nil, "/mooring-bgp:bgp/mooring-bgp:instances"},
		{"prefixes", "/b:bgp/b:instances/b:instance[b:name='x']", prefixes, in + "[mooring-bgp:name='x']"},
		{"white space in a predicate", "/b:bgp/b:instances/b:instance[ b:name = \"x\" ]", prefixes, in + "[mooring-bgp:name='x']"},
		{"a quote in a value", `/bgp/instances/instance[name="it's"]`, nil, in + `[mooring-bgp:name="it's"]`},
		{"the user", "/bgp/instances/instance[name=$USER]", nil, in + "[mooring-bgp:name=$USER]"},
		{
			"a canonical key", "/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer[address='2001:DB8::1']", nil,
			in + "/mooring-bgp:vpn-instances/mooring-bgp:vpn-instance/mooring-bgp:peers/mooring-bgp:peer[mooring-bgp:address='2001:db8::1']",
		},
		{"a module that is not here", "/x:a/y:b[y:c='1']", nil, "/x:a/y:b[y:c='1']"},
		{"empty", "", nil, "!begins with /"},
		{"relative", "bgp", nil, "!expected /"},
		{"an empty step", "//bgp", nil, "!expected a name"},
		{"a step too much", "/bgp/", nil, "!expected a name"},
		{"an unknown prefix", "/z:bgp", prefixes, `!prefix "z" stands for no module`},
		{"a prefix without a name", "/b:", prefixes, "!expected a name behind"},
		{"no quotes", "/bgp/instances/instance[name=x]", nil, "!must be in quotes"},
		{"another variable", "/bgp/instances/instance[name=$HOME]", nil, "!must be in quotes"},
		{"no closing quote", "/bgp/instances/instance[name='x]", nil, "!no closing quote"},
		{"no closing bracket", "/bgp/instances/instance[name='x'", nil, "!expected ]"},
		{"a position", "/bgp/instances/instance[1]", nil, "!a predicate names a list key"},
		{"a value of a leaf-list", "/bgp[.='x']", nil, "!a predicate names a list key"},
		{"no key", "/bgp/instances/instance[as='1']", nil, "!as is not a key of instance"},
		{"a key twice", "/bgp/instances/instance[name='x'][name='y']", nil, "!given twice"},
		{"a wildcard", "/bgp/instances/instance[name='*']", nil, "!stands for any entry"},
		{"a bad key", "/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer[address='x']", nil, "!must be an IPv4 or IPv6 address"},
		{"too many steps", strings.Repeat("/a", maxElems+1), nil, "!at most"},
		{"too long", "/" + strings.Repeat("a", maxInstance), nil, "!at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseInstance(tt.text, tt.module)
			if part, fails := strings.CutPrefix(tt.want, "!"); fails {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("got %v, %v, want %s", got, err, tt.want)
			}
		})
	}
	for text, known := range map[string]bool{
		"/bgp/instances": true, "/bgp/nothing": false, "/ietf-netconf-monitoring:netconf-state/sessions": true, "/x:a": false, "/": true, "/nothing": false,
	} {
		if got, err := ParseInstance(text, nil); err != nil || (got.Known() == nil) != known {
			t.Errorf("%s: known %v, want %v", text, got.Known(), known)
		}
	}
}

// The canonical form of a path is that of itself.
func FuzzParseInstance(f *testing.F) {
	for _, s := range []string{
		"/", "/mooring-bgp:bgp/instances/instance[name='x']/vpn-instances", "/bgp/instances/instance[name=$USER]",
		`/a:b[c="d'e"][f='g']`, "//", "/bgp[", "/bgp/instances/instance[ name = 'x' ]", "/:", "/a:",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := ParseInstance(text, nil)
		if err != nil {
			return
		}
		again, err := ParseInstance(in.String(), nil)
		if err != nil || again.String() != in.String() {
			t.Errorf("%q is %q, and that is %q: %v", text, in, again, err)
		}
	})
}
