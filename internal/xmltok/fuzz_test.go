package xmltok

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecoder feeds in any bytes: no panic, no hang, no more tokens than bytes allow. What is accepted must be accepted by encoding/xml too, with
// the same elements, attributes and text. Documented exceptions, all of encoding/xml: it knows fewer characters of names than the fifth edition
// of XML 1.0, does not normalize white space in attributes, gives an element called xmlns no namespace, and reports text around the root.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{
		"\xef\xbb\xbf<?xml version='1.0' encoding=\"utf-8\"?>\r\n<a/>", "<a>x<![CDATA[<&]]]]><![CDATA[>\r\n]]>y&#65;&lt;</a>",
		`<p:a xmlns:p="u" p:x="1" x="2"><p:b xmlns:p="v"/><p:c/></p:a>`, `<a xmlns="u"><b xmlns=""><c/></b></a>`,
		"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><!-- - --><?pi x?></a>", "<a b='\"\t\r\n&#10;>'/>", "<é>日本</é>",
		string(editConfig(1)),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := events(NewDecoder(in, Options{}))
		if len(got) > 2*len(in)+2 {
			t.Fatalf("%d tokens from %d bytes", len(got), len(in))
		}
		if err != io.EOF {
			if _, ok := err.(*SyntaxError); !ok {
				t.Fatalf("error %v of type %T", err, err)
			}
			return
		}
		want, err := stdEvents(in)
		if err != nil {
			if strings.Contains(err.Error(), "invalid XML name") && !isASCII(in) {
				return
			}
			t.Fatalf("accepted, but encoding/xml: %v", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-encoding/xml +got):\n%s", d)
		}

		// Looking ahead at every element changes nothing.
		d := NewDecoder(in, Options{})
		var again []string
		for {
			tok, err := d.Next()
			if err != nil {
				break
			}
			again = append(again, event(tok))
			if tok.Kind == StartElement {
				m := d.Save()
				_ = d.Skip()
				d.Restore(m)
			}
		}
		if d := cmp.Diff(got, again); d != "" && len(in) < 1<<12 {
			t.Errorf("with looking ahead (-without +with):\n%s", d)
		}
	})
}

func isASCII(p []byte) bool {
	return !slices.ContainsFunc(p, func(b byte) bool { return b >= 0x80 })
}

func events(d *Decoder) ([]string, error) {
	var out []string
	for {
		tok, err := d.Next()
		if err != nil {
			return out, err
		}
		out = append(out, event(tok))
	}
}

func event(tok Token) string {
	ns := tok.Namespace
	if tok.Local == "xmlns" && tok.Prefix == "" {
		ns = ""
	}
	switch tok.Kind {
	case StartElement:
		s := fmt.Sprintf("start {%s}%s", ns, tok.Local)
		for _, a := range tok.Attrs {
			space := a.Namespace
			if a.IsNamespaceDecl() {
				space = a.Prefix
			}
			s += fmt.Sprintf(" {%s}%s=%q", space, a.Local, normalized(a.Value))
		}
		return s
	case EndElement:
		return fmt.Sprintf("end {%s}%s", ns, tok.Local)
	}
	return fmt.Sprintf("text %q", tok.Text)
}

// normalized hides the one difference in values: which white space is a space.
func normalized(s string) string {
	return strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(s)
}

func stdEvents(in []byte) ([]string, error) {
	d := xml.NewDecoder(bytes.NewReader(in))
	var out []string
	var text []byte
	depth := 0
	flush := func() {
		if len(text) > 0 {
			out = append(out, fmt.Sprintf("text %q", text))
			text = nil
		}
	}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			flush()
			depth++
			s := fmt.Sprintf("start {%s}%s", tok.Name.Space, tok.Name.Local)
			for _, a := range tok.Attr {
				s += fmt.Sprintf(" {%s}%s=%q", a.Name.Space, a.Name.Local, normalized(a.Value))
			}
			out = append(out, s)
		case xml.EndElement:
			flush()
			depth--
			out = append(out, fmt.Sprintf("end {%s}%s", tok.Name.Space, tok.Name.Local))
		case xml.CharData:
			if depth > 0 {
				text = append(text, tok...)
			}
		}
	}
}

// FuzzEscape writes any string and reads it back: the output is ASCII, cannot be taken for framing, and loses nothing that XML can carry.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a<b&c>\"'", "]]>]]>", "\n##\n", "\r\n\t é日\U0001F600", "\x00\xff\uffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		want := strings.Map(func(r rune) rune {
			if !isChar(r) {
				return '\ufffd'
			}
			return r
		}, in)
		text, attr := AppendEscaped(nil, in), AppendEscapedAttr(nil, in)
		for _, out := range [][]byte{text, attr} {
			if !isASCII(out) || bytes.Contains(out, []byte("]]>")) || bytes.Contains(out, []byte("##")) || bytes.ContainsAny(out, "\r<") {
				t.Errorf("%q is escaped as %q", in, out)
			}
		}
		d := NewDecoder([]byte(fmt.Sprintf(`<a b="%s">%s</a>`, attr, text)), Options{})
		tok, err := d.Next()
		if err != nil || tok.Attrs[0].Value != want {
			t.Fatalf("attribute %q read as %v, %v", want, tok.Attrs, err)
		}
		if tok, err = d.Next(); err != nil || string(tok.Text) != want {
			t.Errorf("text %q read as %q, %v", want, tok.Text, err)
		}
	})
}
