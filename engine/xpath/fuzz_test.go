package xpath

import (
	"errors"
	"testing"

	"mooring/engine/schema"
)

// plainNode is an item without an index, to compare with one that has it.
type plainNode struct{ i item }

func wrap(n Node) Node { return plainNode{n.(item)} }

func (p plainNode) Name() Name           { return p.i.Name() }
func (p plainNode) Leaf() (string, bool) { return p.i.Leaf() }
func (p plainNode) Enum() (int64, bool)  { return p.i.Enum() }

func (p plainNode) Canonical(v string, s *Scope) string { return p.i.Canonical(v, s) }

func (p plainNode) Parent() Node {
	if up := p.i.Parent(); up != nil {
		return wrap(up)
	}
	return nil
}

func (p plainNode) Children(test Name, fn func(Node) bool) bool {
	return p.i.Children(test, func(n Node) bool { return fn(wrap(n)) })
}

func (p plainNode) Deref(fn func(Node) bool) bool {
	return p.i.Deref(func(n Node) bool { return fn(wrap(n)) })
}

func (p plainNode) Compare(o Node) int {
	if o, ok := o.(plainNode); ok {
		return p.i.Compare(o.i)
	}
	return 0
}

type plainRecords struct{ records }

func (p plainRecords) Top(test Name, fn func(Node) bool) bool {
	return p.records.Top(test, func(n Node) bool { return fn(wrap(n)) })
}

func (plainRecords) Owns(n Node) bool { _, ok := n.(plainNode); return ok }

// FuzzExpr: no expression panics or goes on for ever, and the index changes no
// answer.
func FuzzExpr(f *testing.F) {
	for _, seed := range []string{
		"/bgp", "//peer[address='10.1.1.2']/config/as", peers + "[address='2001:DB8::1'][1]", "//*[. = 'one']", "deref(//peer-group)/..",
		"//peer[config/as > 200]/address | //v:name", "count(//peer[last()]/preceding::*)", "re-match('a', '[a-z]+')", "//peer[address=//address]",
		"-(1 div 0) * substring('12345', 2, 3)", "//config[address='10.1.1.3']/../@x", "//peer[not(config/as)]//text()", "enum-value(//method)",
		"//key[key-id=9 and config]", "translate(string(//peer), 'abc', 'A')", "id('x')|current()", "//peer[$PEER=address]", "((((1))))",
		"ancestor-or-self::node()", "//peer[position() mod 2 = 1]/following-sibling::b:*", "derived-from(/, 'b:x') or bit-is-set(/, 'x')",
	} {
		f.Add(seed)
	}
	data := load(f, network)
	f.Fuzz(func(t *testing.T, text string) {
		x, err := Compile(text, bgpScope)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		src := records{(&schema.Tree{View: data, Content: schema.ConfigOnly}).Root()}
		var got [2]string
		for i, s := range []Source{src, plainRecords{src}} {
			c := Context{Document: NewDocument(s), Variables: map[string]string{"PEER": "10.1.1.3"}, Steps: 200_000}
			if x.NodeSet() {
				set, err := x.Nodes(t.Context(), c)
				if err != nil {
					return
				}
				got[i] = show(set)
			} else if got[i], err = x.Text(t.Context(), c); err != nil {
				return
			}
		}
		if got[0] != got[1] {
			t.Errorf("%q\nwith an index    %s\nwithout an index %s", text, got[0], got[1])
		}
	})
}
