package schema

import (
	"math/rand/v2"
	"reflect"
	"strconv"
)

// randomValue draws a value of a leaf's type.
func randomValue(r *rand.Rand, t *Type) Value {
	samples := map[string][]string{
		"ip-address": {"10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1%eth0"}, "ipv4-address": {"1.2.3.4"}, "ipv6-address": {"::1"},
		"router-id": {"1.1.1.1", "2.2.2.2"}, "route-distinguisher": {"1:1", "70000:2", "1.1.1.1:3"}, "route-target": {"1:1", "1:2", "70000:2", "1.1.1.1:3"},
		"node-instance-identifier": {"/", "/bgp", "/mooring-bgp:bgp/instances/instance[name=$USER]"},
	}
	for {
		var text string
		switch t.Kind {
		case ValueBool:
			text = strconv.FormatBool(r.IntN(2) == 0)
		case ValueEnum:
			text = t.Enums[r.IntN(len(t.Enums))]
		case ValueUint:
			text = strconv.FormatUint(r.Uint64()>>(64-1-r.IntN(t.Bits)), 10)
		default:
			if len(t.members) > 0 && t.members[0].Typedef == "matchall-string-type" { // RFC 8341
				text = []string{"*", "read create", "delete"}[r.IntN(3)]
			} else if s := samples[t.Typedef]; s != nil {
				text = s[r.IntN(len(s))]
			} else {
				text = legalName(r)
			}
		}
		if v, err := t.Parse(text); err == nil && (text != Wild || t.members != nil) {
			return v
		}
	}
}

// randomFill fills a struct of n with random configuration.
func randomFill(r *rand.Rand, n *Node, sv reflect.Value) {
	cases := map[string]string{}
	for _, c := range n.Children {
		if !c.Config || c.spine || c.kind != nil || c.isKey || c.twin != nil || r.IntN(3) == 0 {
			continue
		}
		if c.Choice != "" {
			if chosen, ok := cases[c.Choice]; ok && chosen != c.Case {
				continue
			}
			cases[c.Choice] = c.Case
			c.clearOtherCases(sv)
		}
		switch c.Kind {
		case Leaf:
			c.set(sv, randomValue(r, c.Type))
		case LeafList:
			set := map[Value]bool{}
			for range r.IntN(4) {
				set[randomValue(r, c.Type)] = true
			}
			var vs []Value
			for v := range set {
				vs = append(vs, v)
			}
			c.setValues(sv, vs)
		case Container:
			randomFill(r, c, c.ensure(sv))
		case List:
			for range r.IntN(3) {
				randomFill(r, c, c.ensureEntry(sv, randomValue(r, c.Keys[0].Type).String()))
			}
		}
	}
}

// randomStore draws a configuration.
func randomStore(r *rand.Rand) *memory {
	m := newMemory()
	var below func(parent Key, kinds []*RecordKind, most int)
	below = func(parent Key, kinds []*RecordKind, most int) {
		for _, kind := range kinds {
			for range r.IntN(most + 1) {
				var values []string
				if !kind.Singleton {
					values = []string{randomValue(r, kind.Node.Keys[0].Type).String()}
				}
				k := MakeKey(parent, kind, values...)
				if r.IntN(4) > 0 {
					randomFill(r, kind.Node, structOf(m.Mutable(k)))
				} else {
					m.Mutable(k)
				}
				below(k, kind.Children, most)
			}
		}
	}
	below("", Root().below, 2)
	m.own = map[Key]bool{}
	return m
}
