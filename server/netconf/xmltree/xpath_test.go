package xmltree

import (
	"testing"

	"mooring/engine/xpath"
)

// one is a source of one element.
type one struct{ e *Element }

func (o one) Top(test xpath.Name, fn func(xpath.Node) bool) bool {
	n := AsNode(o.e)
	return !test.Matches(n.Name()) || fn(n)
}

func (one) Owns(xpath.Node) bool { return true }

// netconf.md 46 for what the server tells of itself.
func TestPick(t *testing.T) {
	in := func(s string) string { return `<zoo xmlns="urn:zoo">` + s + "</zoo>" }
	tests := []struct{ expr, want string }{
		{"/z:zoo", in(cageA + cageB + "<empty/>")},
		{"//z:cage[z:name='a']/z:size", in("<cage><name>a</name><size>1</size></cage>")},
		{"//z:cage[2]", in(cageB)},
		{"//o:guest/z:size", ""},
		{"//o:guest/o:size/text()", in("<cage><name>b</name><guest xmlns=\"urn:other\"><size>&lt;2&gt;</size></guest></cage>")},
		{"//z:kind[.='k:cat']", in(`<cage><name>a</name><kind xmlns:k="urn:k">k:cat</kind></cage>`)},
		{"//z:kind[.='q:cat']", in(`<cage><name>a</name><kind xmlns:k="urn:k">k:cat</kind></cage>`)},
		{"//z:kind[derived-from-or-self(., 'q:cat')]", in(`<cage><name>a</name><kind xmlns:k="urn:k">k:cat</kind></cage>`)},
		{"//z:kind[derived-from(., 'q:cat')]", ""},
		{"//z:kind[.='z:cat']", ""},
		{"//z:size/following-sibling::*/..", in(cageA + cageB)},
		{"//z:nothing", ""},
	}
	scope := &xpath.Scope{Prefixes: map[string]string{"z": "urn:zoo", "o": "urn:other", "q": "urn:k"}}
	for _, tt := range tests {
		x, err := xpath.Compile(tt.expr, scope)
		if err != nil {
			t.Fatal(err)
		}
		e := zoo
		nodes, err := x.Nodes(t.Context(), xpath.Context{Document: xpath.NewDocument(one{&e})})
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		if picked, ok := e.Pick(nodes, 0); ok {
			got = picked.Append(nil, "")
		}
		if string(got) != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.expr, got, tt.want)
		}
	}
}
