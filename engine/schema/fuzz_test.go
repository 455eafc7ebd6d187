package schema

import (
	"errors"
	"testing"
)

// FuzzDecodeJSON holds that no input panics, that every refusal is an *Error
// with a tag and changes nothing, and that what is accepted can be encoded and
// read back to the same configuration.
func FuzzDecodeJSON(f *testing.F) {
	f.Add("/", []byte(sampleRoot))
	f.Add(peerPath, []byte(samplePeer))
	f.Add(peerPath+"/config/description", []byte(`"\u00e9\ud83d\ude00\n"`))
	f.Add(peerPath+"/config/as", []byte(`"007"`))
	f.Add("/bgp/instances", []byte(`{"instance":[{"vpn-instances":{"vpn-instance":[{"peers":{},"name":"_public_"}]},"name":"]\\["}]}`))
	f.Add("/vpn-instances", []byte(`{"vpn-instance":[{"name":"a","ipv6-family":{"config":{"export-route-target":["1:1"]}}}]}`))
	f.Add("/agent", []byte(`{"mooring-agent:history":{"config":{"size":"9"}}}`))
	f.Fuzz(func(t *testing.T, at string, data []byte) {
		cut, ok := cutPath(at)
		if !ok {
			return
		}
		p, err := Resolve(cut)
		if err != nil {
			return
		}
		for _, op := range []Op{OpMerge, OpReplace} {
			tx := newMemory()
			err := DecodeJSON(p, data, op, func(base Path, e *Edit) error { return Apply(tx, base, e) })
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Message == "" {
					t.Fatalf("refused with %#v", err)
				}
				continue
			}
			want := tx.hidden()
			for _, ietf := range []bool{true, false} {
				text := want.json(t, "/", JSONOptions{IETF: ietf})
				if got := newMemory().must(t, "/", text, OpReplace); !got.equal(want) {
					t.Fatalf("%s\nreads back as\n%s", text, got.json(t, "/", JSONOptions{}))
				}
			}
		}
	})
}

// FuzzResolve holds that no path panics, that a resolved path reads back from
// its own text, and that Expand agrees where there is nothing to expand.
func FuzzResolve(f *testing.F) {
	for _, at := range []string{
		"/", peerPath + "/config/as", "/mooring-bgp:bgp/instances", "/bgp/instances/instance[name=a\\]b\\\\]",
		vpnPath + "/peers/peer[address=2001:DB8::0]", "/.../config", "/*/*/*", "/bgp[name=x]", "/:", "/a:b:c",
	} {
		f.Add(at)
	}
	f.Fuzz(func(t *testing.T, at string) {
		cut, ok := cutPath(at)
		if !ok {
			return
		}
		expanded, expandErr := Expand(cut)
		for _, p := range expanded {
			if back := path(t, p.String()); !back.Equal(p) {
				t.Fatalf("%s reads back as %s", p, back)
			}
		}
		p, err := Resolve(cut)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		if !path(t, p.String()).Equal(p) {
			t.Fatalf("%q reads back otherwise", p)
		}
		if len(cut) <= maxElems && (expandErr != nil || len(expanded) != 1 || !expanded[0].Equal(p)) {
			t.Fatalf("%s expands to %v, %v", p, expanded, expandErr)
		}
		p.Record()
		AppendJSON(nil, newMemory(), p, JSONOptions{})
		Leaves(newMemory(), p, LeafOptions{Defaults: true}, func(l *LeafValue) bool { return l.Path().Node() == l.Node })
	})
}

// FuzzParse holds that a canonical form is a fixed point for every type.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "0", "-0", "+1", "10.0.0.1", "::FFFF:1.2.3.4", "fe80::1%e", "1:1", "065535:65536", "true", "both", "a\x00", "\xff", "1.2.3.4:70000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range compiled().data {
			if !n.IsLeaf() {
				continue
			}
			v, err := n.Type.Parse(s)
			if err != nil {
				continue
			}
			again, err := n.Type.Parse(v.String())
			if err != nil || again != v || string(v.Append(nil)) != v.String() {
				t.Fatalf("%s: %q is %q is %q, %v", n.Path(), s, v, again, err)
			}
		}
	})
}
