package ocview

import (
	"errors"
	"strings"
	"testing"

	"mooring/engine/schema"
)

// FuzzPath resolves any text: what is accepted has one spelling.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", theNeighbor + "/config/peer-as", "/.../peer-as", theInstance + "/*", "/network-instances/network-instance[name=*]/...", "/a:b[c=d]", "/openconfig-network-instance:network-instances"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 500 || strings.Count(text, "...") > 3 {
			return
		}
		es := elems(text)
		if _, err := Expand(es); err != nil {
			wantError(t, err)
		}
		p, err := Resolve(es)
		if err != nil {
			wantError(t, err)
			return
		}
		var again []schema.Elem
		for _, s := range p {
			e := schema.Elem{Name: s.Node.Name}
			for i, k := range s.Keys {
				if e.Keys == nil {
					e.Keys = map[string]string{}
				}
				e.Keys[s.Node.Keys[i].Name] = k
			}
			again = append(again, e)
		}
		if q, err := Resolve(again); err != nil || !q.Equal(p) {
			t.Fatalf("%s: %s, then %s %v", text, p, q, err)
		}
		s := newStore()
		_, _ = AppendJSON(nil, s, p, schema.JSONOptions{})
		if err := Delete(s, p); err != nil {
			wantError(t, err)
		}
	})
}

func wantError(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*schema.Error](err); !ok {
		t.Fatalf("%T: %v", err, err)
	}
}

// FuzzJSON writes any text: what is accepted is read back as it then is.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"network-instances":{"network-instance":[{"name":"vpn1","protocols":{"protocol":[{"identifier":"BGP","name":"a","bgp":{"neighbors":{"neighbor":[{"neighbor-address":"10.1.1.2","config":{"peer-as":1}}]}}}]}}]}}`,
		`{}`, `[]`, `{"network-instances":null}`, `{"openconfig-network-instance:network-instances":{}}`, "{\"network-instances\":{\"network-instance\":[{\"name\":\"DEFAULT\"}]}}",
	} {
		f.Add(true, []byte(s))
		f.Add(false, []byte(s))
	}
	f.Fuzz(func(t *testing.T, replace bool, data []byte) {
		op := schema.OpMerge
		if replace {
			op = schema.OpReplace
		}
		s := newStore()
		if err := WriteJSON(s, nil, data, op); err != nil {
			wantError(t, err)
			return
		}
		text, err := AppendJSON(nil, s, nil, schema.JSONOptions{IETF: true, Content: schema.ConfigOnly})
		if err != nil {
			t.Fatal(err)
		}
		again := newStore()
		if err := WriteJSON(again, nil, text, schema.OpReplace); err != nil {
			t.Fatalf("%s is read, but not taken: %v", text, err)
		}
		back, err := AppendJSON(nil, again, nil, schema.JSONOptions{IETF: true, Content: schema.ConfigOnly})
		if err != nil || string(back) != string(text) {
			t.Fatalf("%s, then %s %v", text, back, err)
		}
	})
}
