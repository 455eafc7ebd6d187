package xpath

import (
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/ygot/ygot"

	"mooring/engine/schema"
)

// element is a Node made from XML, with the fewest abilities that a Node may
// have.
type element struct {
	name     Name
	parent   *element
	children []*element
	text     string
	index    int
}

func (e *element) Name() Name { return e.name }

func (e *element) Parent() Node {
	if e.parent == nil || e.parent.parent == nil {
		return nil
	}
	return e.parent
}

func (e *element) Children(test Name, fn func(Node) bool) bool {
	for _, c := range e.children {
		if test.Matches(c.name) && !fn(c) {
			return false
		}
	}
	return true
}

func (e *element) Leaf() (string, bool) { return e.text, len(e.children) == 0 }

func (e *element) Compare(o Node) int { return cmp.Compare(e.index, o.(*element).index) }

func (e *element) Top(test Name, fn func(Node) bool) bool { return e.Children(test, fn) }

func (e *element) Owns(n Node) bool { _, ok := n.(*element); return ok }

// parseXML returns a tree as a source.
func parseXML(t testing.TB, text string) *element {
	t.Helper()
	at := &element{}
	for dec := xml.NewDecoder(strings.NewReader(text)); ; {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return at
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			c := &element{name: Name{tok.Name.Space, tok.Name.Local}, parent: at, index: len(at.children)}
			at.children = append(at.children, c)
			at = c
		case xml.EndElement:
			at = at.parent
		case xml.CharData:
			at.text += strings.TrimSpace(string(tok))
		}
	}
}

// memory is a small Tx and View on a map.
type memory map[schema.Key]ygot.GoStruct

func (m memory) Get(k schema.Key) ygot.GoStruct {
	if rec := m[k]; rec != nil {
		return rec
	}
	return nil
}

func (m memory) State(k schema.Key) ygot.GoStruct { return m.Get("state" + k) }

func (m memory) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(string(k), string(prefix)) && !fn(k, m[k]) {
			return
		}
	}
}

func (memory) Referrers(schema.Key, func(schema.Key) bool)   {}
func (memory) Holders(string, string, func(schema.Key) bool) {}
func (memory) Touch(schema.Key, *schema.Node)                {}
func (m memory) Delete(k schema.Key) bool                    { delete(m, k); return true }
func (m memory) Mutable(k schema.Key) ygot.GoStruct {
	if m[k] == nil {
		m[k] = schema.New(k)
	}
	return m[k]
}

// load returns a configuration in JSON as records.
func load(t testing.TB, json string) memory {
	t.Helper()
	m := memory{}
	for _, k := range schema.Permanent() {
		m[k] = schema.New(k)
	}
	merge(t, m, json)
	return m
}

// merge adds to a configuration.
func merge(t testing.TB, m memory, json string) {
	t.Helper()
	err := schema.DecodeJSON(nil, []byte(json), schema.OpMerge, func(base schema.Path, e *schema.Edit) error { return schema.Apply(m, base, e) })
	if err != nil {
		t.Fatal(err)
	}
}

// show tells which nodes a set holds.
func show(set []Node) string {
	out := make([]string, len(set))
	for i, n := range set {
		text, leaf := n.Leaf()
		out[i] = n.Name().Local
		if _, ok := n.(*Document); ok {
			out[i] = "/"
		}
		if leaf {
			out[i] += "=" + text
		}
	}
	return strings.Join(out, " ")
}

// ordered is a View whose Scan needs no sorting, for benchmarks.
type ordered struct {
	memory
	keys []schema.Key
}

func sorted(m memory) ordered { return ordered{m, slices.Sorted(maps.Keys(m))} }

func (o ordered) Scan(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	i, _ := slices.BinarySearch(o.keys, prefix)
	for ; i < len(o.keys) && strings.HasPrefix(string(o.keys[i]), string(prefix)); i++ {
		if !fn(o.keys[i], o.memory[o.keys[i]]) {
			return
		}
	}
}

// ScanEntries passes over what is below an entry.
func (o ordered) ScanEntries(prefix schema.Key, fn func(schema.Key, ygot.GoStruct) bool) {
	for i, _ := slices.BinarySearch(o.keys, prefix); i < len(o.keys) && strings.HasPrefix(string(o.keys[i]), string(prefix)); {
		if !fn(o.keys[i], o.memory[o.keys[i]]) {
			return
		}
		i, _ = slices.BinarySearch(o.keys, o.keys[i]+"\x01")
	}
}
