package xmltree

import (
	"testing"

	"mooring/internal/xmltok"
)

func read(text string) (Element, error) {
	dec := xmltok.NewDecoder([]byte(text), xmltok.Options{})
	tok, err := dec.Next()
	if err != nil {
		return Element{}, err
	}
	return Read(dec, tok)
}

// What is read is written again with the same names and namespaces.
func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		`<x:a xmlns:x="urn:a"><b xmlns=""> t<!-- c --> </b><x:c/></x:a>`: `<a xmlns="urn:a"><b xmlns="">t</b><c/></a>`,
		`<a xmlns="&lt;&quot;&#9;"><b>&lt;</b></a>`:                      `<a xmlns="&lt;&quot;&#x9;"><b>&lt;</b></a>`,
		`<a q="1"/>`: `<a xmlns=""/>`,
	} {
		e, err := read(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(e.Append(nil, "urn:x")); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
	if _, err := read("<a><b>"); err == nil {
		t.Error("half an element was read")
	}
}

// FuzzRead: what is read, written and read again is the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`<a xmlns="urn:a"><b xmlns="">t</b></a>`, `<x:a xmlns:x="&quot;"><x:b>&lt;</x:b>u</x:a>`, "<a/>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := read(text)
		if err != nil {
			return
		}
		once := string(e.Append(nil, ""))
		again, err := read(once)
		if err != nil {
			t.Fatalf("%v in %s", err, once)
		}
		if twice := string(again.Append(nil, "")); twice != once {
			t.Errorf("once  %s\ntwice %s", once, twice)
		}
	})
}
