package xmltree

import (
	"errors"
	"strings"
	"testing"

	"mooring/internal/xmltok"
)

// zoo is a tree with a list.
var zoo = New("zoo",
	New("cage", Key("name", "a"), Leaf("size", "1"), Element{Name: "kind", Text: "k:cat", Prefixes: []Prefix{{"k", "urn:k"}}}),
	New("cage", Key("name", "b"), Leaf("size", "2"), New("guest", Leaf("size", "<2>")).In("urn:other")),
	Leaf("empty", ""),
).In("urn:zoo")

const (
	cageA = `<cage><name>a</name><size>1</size><kind xmlns:k="urn:k">k:cat</kind></cage>`
	cageB = `<cage><name>b</name><size>2</size><guest xmlns="urn:other"><size>&lt;2&gt;</size></guest></cage>`
)

func parse(text string) (*Filter, error) {
	dec := xmltok.NewDecoder([]byte(text), xmltok.Options{})
	if _, err := dec.Next(); err != nil {
		return nil, err
	}
	return ParseFilter(dec, All)
}

// netconf.md 44, 45 for what the server tells of itself.
func TestFilter(t *testing.T) {
	in := func(s string) string { return `<zoo xmlns="urn:zoo">` + s + "</zoo>" }
	tests := []struct{ name, filter, want string }{
		{"nothing", "", ""},
		{"selection of all", `<zoo xmlns="urn:zoo"/>`, in(cageA + cageB + "<empty/>")},
		{"any namespace", `<zoo xmlns=""><empty/></zoo>`, in("<empty/>")},
		{"other namespace", `<zoo xmlns="urn:x"/>`, ""},
		{"other name", `<park xmlns="urn:zoo"/>`, ""},
		{"attribute match", `<zoo xmlns="urn:zoo" a="b"/>`, ""},
		{
			"containment keeps keys", `<zoo xmlns="urn:zoo"><cage><size/></cage></zoo>`,
			in("<cage><name>a</name><size>1</size></cage><cage><name>b</name><size>2</size></cage>"),
		},
		{"keys alone are nothing", `<zoo xmlns="urn:zoo"><cage><nothing/></cage></zoo>`, ""},
		{"keys that are asked for", `<zoo xmlns="urn:zoo"><cage><name/></cage></zoo>`, in("<cage><name>a</name></cage><cage><name>b</name></cage>")},
		{"content match", `<zoo xmlns="urn:zoo"><cage><name> b </name></cage></zoo>`, in(cageB)},
		{
			"content match with selection", `<zoo xmlns="urn:zoo"><cage><size>1</size><kind/></cage></zoo>`,
			in(`<cage><name>a</name><size>1</size><kind xmlns:k="urn:k">k:cat</kind></cage>`),
		},
		{"several content matches", `<zoo xmlns="urn:zoo"><cage><name>a</name><size>2</size></cage></zoo>`, ""},
		{"content match of another namespace", `<zoo xmlns="urn:zoo"><cage><name xmlns="urn:x">a</name></cage></zoo>`, ""},
		{
			"union", `<zoo xmlns="urn:zoo"><cage><name>a</name></cage><cage><name>b</name><size/></cage></zoo>`,
			in(cageA + "<cage><name>b</name><size>2</size></cage>"),
		},
		{
			"child of another namespace", `<zoo xmlns="urn:zoo"><cage><guest xmlns="urn:other"/></cage></zoo>`,
			in(`<cage><name>b</name><guest xmlns="urn:other"><size>&lt;2&gt;</size></guest></cage>`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parse("<filter>" + tt.filter + "</filter>")
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			e, ok := f.Apply(zoo)
			if ok {
				got = e.Append(nil, "")
			}
			if string(got) != tt.want || ok != (tt.want != "") {
				t.Errorf("got  %s, %v\nwant %s", got, ok, tt.want)
			}
		})
	}
	if _, err := parse("<filter><zoo>text<cage/></zoo></filter>"); !errors.Is(err, ErrMixed) {
		t.Errorf("text and elements: %v", err)
	}
	if _, err := parse("<filter><zoo>"); err == nil {
		t.Error("half a filter was read")
	}
}

func TestFilterWanted(t *testing.T) {
	dec := xmltok.NewDecoder([]byte(`<filter><a><b/></a><zoo xmlns="urn:zoo"/></filter>`), xmltok.Options{})
	if _, err := dec.Next(); err != nil {
		t.Fatal(err)
	}
	f, err := ParseFilter(dec, func(_, name string) bool { return name == "zoo" })
	if err != nil || !f.Selects("urn:zoo", "zoo") || f.Selects("urn:x", "zoo") || f.Selects("", "a") {
		t.Errorf("%+v, %v", f, err)
	}
}

// FuzzFilter: no filter panics, and what is selected is well-formed and not
// more than there is.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"<filter/>", `<filter><zoo xmlns="urn:zoo"><cage><name>a</name></cage></zoo></filter>`, "<filter><zoo><cage><size/></cage></zoo></filter>",
		"<filter><zoo>x<cage/></zoo></filter>", `<filter><zoo a="b"/></filter>`, "<filter><zoo><cage><guest><size>&lt;2&gt;</size></guest></cage></zoo></filter>",
	} {
		f.Add(seed)
	}
	all := len(zoo.Append(nil, ""))
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := parse(text)
		if err != nil {
			return
		}
		e, ok := filter.Apply(zoo)
		if !ok {
			return
		}
		got := e.Append(nil, "")
		if len(got) > all || !strings.HasPrefix(string(got), `<zoo xmlns="urn:zoo"`) {
			t.Errorf("selected %s", got)
		}
		dec := xmltok.NewDecoder(got, xmltok.Options{})
		if _, err := dec.Next(); err != nil {
			t.Fatal(err)
		}
		if err := dec.Skip(); err != nil {
			t.Errorf("%v in %s", err, got)
		}
	})
}
