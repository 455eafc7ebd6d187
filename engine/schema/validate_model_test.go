package schema

import (
	"testing"

	"mooring/gen"
)

// Every must and when of the model has a condition, and no condition outlives
// its statement; every unique is in the index or a rule.
func TestConditionsCoverTheModel(t *testing.T) {
	stated := map[statement]bool{}
	uniques := 0
	for i := range gen.Nodes {
		m, n := &gen.Nodes[i], compiled().data[i]
		if !m.Config {
			if m.When != "" || len(m.Must) > 0 || len(m.Unique) > 0 {
				t.Errorf("%s: a constraint on state is not checked", n.Path())
			}
			continue
		}
		for _, must := range m.Must {
			stated[statement{n.Path(), must.Expr}] = true
		}
		if m.When != "" {
			stated[statement{n.Path(), m.When}] = true
		}
		uniques += len(m.Unique)
		if m.Kind == gen.KindLeafList && m.MaxElements == 0 && m.Module != accessModule {
			t.Errorf("%s: needs max-elements, so that comparing its entries stays cheap", n.Path())
		}
	}
	for s := range stated {
		if conditions[s] == nil {
			t.Errorf("%s has no condition for %q", s.path, s.text)
		}
	}
	for s := range conditions {
		if !stated[s] {
			t.Errorf("the model has no %q at %s any more", s.text, s.path)
		}
	}
	held := 0
	for _, k := range Kinds() {
		held += len(linkages()[k].uniques)
		var count func(*rules)
		count = func(r *rules) {
			if r == nil {
				return
			}
			held += len(r.uniques)
			for _, c := range r.children {
				count(c)
			}
		}
		count(allRules()[k])
	}
	if held != uniques {
		t.Errorf("%d of %d unique statements are checked", held, uniques)
	}
}

// Every leafref of the configuration names another record, or pairs a key with
// config/<key>.
func TestReferencesCoverTheModel(t *testing.T) {
	want := 0
	for _, n := range compiled().data {
		if n.Config && n.IsLeaf() && n.Type.Leafref != nil && n.twin != n.Type.Leafref {
			want++
		}
	}
	got := 0
	for _, l := range linkages() {
		got += len(l.references)
	}
	if got != want || want == 0 {
		t.Errorf("%d of %d leafrefs are checked", got, want)
	}
}
