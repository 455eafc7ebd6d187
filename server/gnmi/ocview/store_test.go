package ocview

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// store is a Tx and a View without validation.
type store struct {
	records map[schema.Key]ygot.GoStruct
	states  map[schema.Key]ygot.GoStruct
	touched []string
}

func newStore() *store {
	s := &store{records: map[schema.Key]ygot.GoStruct{}, states: map[schema.Key]ygot.GoStruct{}}
	for _, k := range schema.Permanent() {
		s.records[k] = schema.New(k)
	}
	return s
}

func (s *store) Get(k schema.Key) ygot.GoStruct   { return s.records[k] }
func (s *store) State(k schema.Key) ygot.GoStruct { return s.states[k] }

func (s *store) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	for _, k := range slices.Sorted(maps.Keys(s.records)) {
		if strings.HasPrefix(string(k), string(prefix)) && !fn(k, s.records[k]) {
			return
		}
	}
}

func (s *store) Referrers(schema.Key, func(schema.Key) bool)   {}
func (s *store) Holders(string, string, func(schema.Key) bool) {}
func (s *store) Touch(k schema.Key, leaf *schema.Node) {
	s.touched = append(s.touched, k.String()+" "+leaf.Path())
}

func (s *store) Mutable(k schema.Key) ygot.GoStruct {
	if s.records[k] == nil {
		s.records[k] = schema.New(k)
	}
	return s.records[k]
}

func (s *store) Delete(k schema.Key) bool {
	_, ok := s.records[k]
	delete(s.records, k)
	return ok
}

// elems reads /a/b[k=v]; it knows no model.
func elems(text string) []schema.Elem {
	var out []schema.Elem
	for text = strings.Trim(text, "/"); text != ""; {
		end, open := len(text), false
		for i, c := range text {
			switch c {
			case '[':
				open = true
			case ']':
				open = false
			}
			if c == '/' && !open {
				end = i
				break
			}
		}
		name, keys, _ := strings.Cut(text[:end], "[")
		e := schema.Elem{Name: name}
		for _, kv := range strings.Split(strings.TrimSuffix(keys, "]"), "][") {
			if k, v, ok := strings.Cut(kv, "="); ok {
				if e.Keys == nil {
					e.Keys = map[string]string{}
				}
				e.Keys[k] = v
			}
		}
		out = append(out, e)
		text = strings.TrimPrefix(text[end:], "/")
	}
	return out
}

func oc(t testing.TB, text string) schema.Path {
	t.Helper()
	p, err := Resolve(elems(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func (s *store) write(t testing.TB, op schema.Op, at, json string) {
	t.Helper()
	if err := WriteJSON(s, oc(t, at), []byte(json), op); err != nil {
		t.Fatalf("%v %s %s: %v", op, at, json, err)
	}
}

func (s *store) refuse(t testing.TB, op schema.Op, at, json string) string {
	t.Helper()
	err := WriteJSON(s, oc(t, at), []byte(json), op)
	if err == nil {
		t.Fatalf("%v %s %s: no error", op, at, json)
	}
	return err.Error()
}

func (s *store) remove(t testing.TB, at string) {
	t.Helper()
	paths, err := Expand(elems(at))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if err := Delete(s, p); err != nil {
			t.Fatalf("delete %s: %v", at, err)
		}
	}
}

// native writes JSON of this agent's model.
func (s *store) native(t testing.TB, at, json string) {
	t.Helper()
	p, err := schema.Resolve(elems(at))
	if err != nil {
		t.Fatal(err)
	}
	err = schema.DecodeJSON(p, []byte(json), schema.OpMerge, func(base schema.Path, e *schema.Edit) error { return schema.Apply(s, base, e) })
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
}

// state gives the record of a native path a state leaf.
func (s *store) state(t testing.TB, at, value string) {
	t.Helper()
	p, err := schema.Resolve(elems(at))
	if err != nil {
		t.Fatal(err)
	}
	k, rest, ok := p.Record()
	if !ok {
		t.Fatalf("%s is in no record", at)
	}
	if s.states[k] == nil {
		s.states[k] = schema.New(k)
	}
	v, err := p.Node().Type.Parse(value)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	schema.SetLeaf(s.states[k], rest, v)
}

// nativeJSON reads this agent's model, secrets not shown.
func (s *store) nativeJSON(t testing.TB, at string) string {
	t.Helper()
	p, err := schema.Resolve(elems(at))
	if err != nil {
		t.Fatal(err)
	}
	text, err := schema.AppendJSON(nil, s, p, schema.JSONOptions{Content: schema.ConfigOnly})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (s *store) read(t testing.TB, at string, c schema.Content) string {
	t.Helper()
	text, err := AppendJSON(nil, s, oc(t, at), schema.JSONOptions{Content: c})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

const (
	theInstance = "/network-instances/network-instance[name=vpn1]"
	theProtocol = theInstance + "/protocols/protocol[identifier=BGP][name=default]"
	theNeighbor = theProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.1.1.2]"
	theGroup    = theProtocol + "/bgp/peer-groups/peer-group[peer-group-name=g1]"

	nativeVPN      = "/vpn-instances/vpn-instance[name=vpn1]"
	nativeInstance = "/bgp/instances/instance[name=default]"
	nativeBGPVPN   = nativeInstance + "/vpn-instances/vpn-instance[name=vpn1]"
	nativePeer     = nativeBGPVPN + "/peers/peer[address=10.1.1.2]"
	nativeGroup    = nativeBGPVPN + "/peer-groups/peer-group[name=g1]"
)

// example has one of each list entry.
func example(t testing.TB) *store {
	t.Helper()
	s := newStore()
	s.native(t, nativeVPN, `{}`)
	s.native(t, nativeInstance, `{"config":{"as":100}}`)
	s.native(t, nativeBGPVPN, `{}`)
	s.native(t, nativeGroup, `{}`)
	s.native(t, nativePeer, `{}`)
	return s
}
