package schema

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"
)

// memory is a small Tx and View on a map, for tests.
type memory struct {
	records map[Key]ygot.GoStruct
	states  map[Key]ygot.GoStruct
	own     map[Key]bool // private copies
	touched map[Key][]string
}

func newMemory() *memory {
	m := &memory{
		records: map[Key]ygot.GoStruct{}, states: map[Key]ygot.GoStruct{},
		own: map[Key]bool{}, touched: map[Key][]string{},
	}
	for _, k := range Permanent() {
		m.records[k] = New(k)
	}
	return m
}

// begin returns a transaction on a copy.
func (m *memory) begin() *memory {
	return &memory{records: maps.Clone(m.records), states: m.states, own: map[Key]bool{}, touched: map[Key][]string{}}
}

func (m *memory) Get(k Key) ygot.GoStruct {
	if rec := m.records[k]; rec != nil {
		return rec
	}
	return nil
}

func (m *memory) State(k Key) ygot.GoStruct { return m.states[k] }

func (m *memory) Scan(prefix Key, fn func(Key, ygot.GoStruct) bool) {
	for _, k := range slices.Sorted(maps.Keys(m.records)) {
		if strings.HasPrefix(string(k), string(prefix)) && !fn(k, m.records[k]) {
			return
		}
	}
}

func (m *memory) Referrers(Key, func(Key) bool)          {}
func (m *memory) Holders(string, string, func(Key) bool) {}

func (m *memory) Mutable(k Key) ygot.GoStruct {
	switch {
	case m.records[k] == nil:
		m.records[k] = New(k)
	case !m.own[k]:
		m.records[k] = Clone(m.records[k])
	}
	m.own[k] = true
	return m.records[k]
}

func (m *memory) Delete(k Key) bool {
	_, ok := m.records[k]
	delete(m.records, k)
	delete(m.own, k)
	return ok
}

func (m *memory) Touch(k Key, leaf *Node) {
	m.touched[k] = append(m.touched[k], leaf.Path())
}

// equal compares the configurations.
func (m *memory) equal(o *memory) bool {
	return maps.EqualFunc(m.records, o.records, Equal)
}

// path reads a gNMI path from text.
func path(t testing.TB, text string) Path {
	t.Helper()
	p, err := Resolve(elems(t, text))
	if err != nil {
		t.Fatalf("Resolve(%s): %v", text, err)
	}
	return p
}

// elems cuts a path that Path.String could have made.
func elems(t testing.TB, text string) []Elem {
	t.Helper()
	out, ok := cutPath(text)
	if !ok {
		t.Fatalf("test path %q is malformed", text)
	}
	return out
}

func cutPath(text string) ([]Elem, bool) {
	var out []Elem
	for text != "" && text != "/" {
		if text[0] != '/' {
			return nil, false
		}
		text = text[1:]
		end := strings.IndexAny(text, "/[")
		if end < 0 {
			end = len(text)
		}
		e := Elem{Name: text[:end]}
		text = text[end:]
		for strings.HasPrefix(text, "[") {
			name, rest, ok := strings.Cut(text[1:], "=")
			if !ok {
				return nil, false
			}
			var value []byte
			i := 0
			for ; i < len(rest) && rest[i] != ']'; i++ {
				if rest[i] == '\\' {
					i++
				}
				if i < len(rest) {
					value = append(value, rest[i])
				}
			}
			if i >= len(rest) {
				return nil, false
			}
			if e.Keys == nil {
				e.Keys = map[string]string{}
			}
			e.Keys[name] = string(value)
			text = rest[i+1:]
		}
		out = append(out, e)
	}
	return out, true
}

// edit applies JSON to a copy and returns it.
func (m *memory) edit(t testing.TB, at, json string, op Op) (*memory, error) {
	t.Helper()
	tx := m.begin()
	err := DecodeJSON(path(t, at), []byte(json), op, func(base Path, e *Edit) error { return Apply(tx, base, e) })
	return tx, err
}

// must is edit that succeeds.
func (m *memory) must(t testing.TB, at, json string, op Op) *memory {
	t.Helper()
	tx, err := m.edit(t, at, json, op)
	if err != nil {
		t.Fatalf("%s %s: %v", op, at, err)
	}
	return tx
}

// json returns the value at a path.
func (m *memory) json(t testing.TB, at string, o JSONOptions) string {
	t.Helper()
	out, err := AppendJSON(nil, m, path(t, at), o)
	if err != nil {
		t.Fatalf("AppendJSON(%s): %v", at, err)
	}
	return string(out)
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
