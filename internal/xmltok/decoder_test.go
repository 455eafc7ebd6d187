package xmltok

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// render reads the rest of a document into one line a token: "+{ns}prefix:local raw=value{attr ns}", "-{ns}prefix:local", "text".
func render(d *Decoder) ([]string, error) {
	var lines []string
	for {
		tok, err := d.Next()
		if err != nil {
			return lines, err
		}
		lines = append(lines, line(tok))
	}
}

func line(tok Token) string {
	name := tok.Local
	if tok.Prefix != "" {
		name = tok.Prefix + ":" + name
	}
	if tok.Namespace != "" {
		name = "{" + tok.Namespace + "}" + name
	}
	switch tok.Kind {
	case StartElement:
		for _, a := range tok.Attrs {
			name += fmt.Sprintf(" %s=%q", a.Name, a.Value)
			if a.Namespace != "" && !a.IsNamespaceDecl() {
				name += "{" + a.Namespace + "}" + a.Local
			}
		}
		return "+" + name
	case EndElement:
		return "-" + name
	}
	return fmt.Sprintf("%q", tok.Text)
}

func TestDecoderAccepts(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"element", `<a/>`, []string{"+a", "-a"}},
		{"start and end tag", "<a ></a\n>", []string{"+a", "-a"}},
		{"BOM, declaration, white space", "\xef\xbb\xbf<?xml version='1.0' encoding=\"utf-8\" standalone = 'yes' ?>\r\n <a/>\n", []string{"+a", "-a"}},
		{"declaration without encoding", `<?xml version="1.0"?><a/>`, []string{"+a", "-a"}},
		{"comments and instructions", "<!--c--><?pi <a> ?><a>x<!-- - -->y<?pi?>z</a><!-- --> <?xml-stylesheet x?>", []string{"+a", `"xyz"`, "-a"}},
		{"CDATA joins text", "<a>x<![CDATA[<&]]]]><![CDATA[>\r\n]]>y</a>", []string{"+a", `"x<&]]>\ny"`, "-a"}},
		{"empty CDATA is no text", "<a><![CDATA[]]></a>", []string{"+a", "-a"}},
		{"brackets in text", "<a>]] ]>]</a>", []string{"+a", `"]] ]>]"`, "-a"}},
		{"references", "<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F600;&#xd;&#0065;</a>", []string{"+a", `"<>&\"'A😀\rA"`, "-a"}},
		{"line ends", "<a>1\r\n2\r3\n4</a>", []string{"+a", `"1\n2\n3\n4"`, "-a"}},
		{"white space stays", "<a> <b/>\t</a>", []string{"+a", `" "`, "+b", "-b", `"\t"`, "-a"}},
		{"not ASCII", "<é ü='ö·'>日本語\U0001F600\ufffd</é>", []string{`+é ü="ö·"`, `"日本語😀` + "\ufffd" + `"`, "-é"}},
		{"name characters", "<_a-.1·/>", []string{"+_a-.1·", "-_a-.1·"}},
		{"attribute values", "<a b = '\"\t\r\n\n&#10;&lt;>' c=\"'\"/>", []string{`+a b="\"   \n<>" c="'"`, "-a"}},
		{"default namespace", `<a xmlns="u"><b xmlns=""><c/></b><d/></a>`, []string{`+{u}a xmlns="u"`, `+b xmlns=""`, "+c", "-c", "-b", "+{u}d", "-{u}d", "-{u}a"}},
		{
			"prefixes", `<p:a xmlns:p="u" p:x="1" x="2"><p:b xmlns:p="v"/><p:c/></p:a>`,
			[]string{`+{u}p:a xmlns:p="u" p:x="1"{u}x x="2"`, `+{v}p:b xmlns:p="v"`, "-{v}p:b", "+{u}p:c", "-{u}p:c", "-{u}p:a"},
		},
		{"no default namespace for attributes", `<a xmlns="u" xmlns:p="u" b="1" p:b="2"/>`, []string{`+{u}a xmlns="u" xmlns:p="u" b="1" p:b="2"{u}b`, "-{u}a"}},
		{"prefix xml", `<a xml:lang="en" xmlns:xml="` + XMLNamespace + `"/>`, []string{`+a xml:lang="en"{` + XMLNamespace + `}lang xmlns:xml="` + XMLNamespace + `"`, "-a"}},
		{"attributes as written, for the reply", `<nc:rpc xmlns:nc='u' nc:message-id='&quot;1&#x9;' y="é"/>`, []string{`+{u}nc:rpc xmlns:nc="u" nc:message-id="\"1\t"{u}message-id y="é"`, "-{u}nc:rpc"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := render(NewDecoder([]byte(tc.in), Options{}))
			if d := cmp.Diff(tc.want, got); d != "" || err != io.EOF {
				t.Errorf("error %v (-want +got):\n%s", err, d)
			}
		})
	}
}

// netconf.md 22: the limit is exact and configurable, and a large leaf is one token.
func TestDecoderLimits(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("<a>", n) + strings.Repeat("</a>", n)) }
	for _, tc := range []struct {
		depth, limit int
		want         error
	}{{1000, 0, io.EOF}, {1001, 0, ErrTooDeep}, {3, 3, io.EOF}, {4, 3, ErrTooDeep}, {20_000, 0, ErrTooDeep}} {
		if _, err := render(NewDecoder(nested(tc.depth), Options{MaxDepth: tc.limit})); !errors.Is(err, tc.want) {
			t.Errorf("%d elements, limit %d: error %v, want %v", tc.depth, tc.limit, err, tc.want)
		}
	}

	leaf := bytes.Repeat([]byte("0123456789"), 2<<20)
	d := NewDecoder(slicesConcat("<a>", leaf, "</a>"), Options{})
	_, _ = d.Next()
	if tok, err := d.Next(); err != nil || !bytes.Equal(tok.Text, leaf) {
		t.Errorf("20 MB leaf: %d bytes, error %v", len(tok.Text), err)
	}

	var many strings.Builder
	for i := range maxPrefixes - 1 { // xml is one
		fmt.Fprintf(&many, " xmlns:p%d='u%d' a%d='1'", i, i, i)
	}
	if _, err := render(NewDecoder([]byte("<a"+many.String()+"/>"), Options{})); err != io.EOF {
		t.Errorf("%d prefixes: %v", maxPrefixes-1, err)
	}
	if _, err := render(NewDecoder([]byte("<a"+many.String()+" xmlns:one='more'/>"), Options{})); err == io.EOF {
		t.Errorf("%d prefixes accepted", maxPrefixes)
	}
	if _, err := render(NewDecoder([]byte("<a"+many.String()+" a7='2'/>"), Options{})); err == io.EOF {
		t.Error("duplicate among many attributes accepted")
	}
}

func slicesConcat(before string, middle []byte, after string) []byte {
	return append(append([]byte(before), middle...), after...)
}

func TestDecoderPlaces(t *testing.T) {
	const in = "<a>\n <b/>x<!-- --></a>\n"
	d := NewDecoder([]byte(in), Options{})
	type place struct {
		Token         string
		Start         int
		Offset, Depth int
	}
	var got []place
	for {
		tok, err := d.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, place{line(tok), tok.Offset, d.Offset(), d.Depth()})
	}
	want := []place{{"+a", 0, 3, 1}, {`"\n "`, 3, 5, 1}, {"+b", 5, 9, 2}, {"-b", 9, 9, 1}, {`"x"`, 9, 18, 1}, {"-a", 18, 22, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecoderSkip(t *testing.T) {
	const in = "<a><b><c>x</c><c/></b><d/>y</a>"
	tests := []struct {
		name   string
		before int // tokens read before Skip
		want   []string
	}{
		{"before the root", 0, []string{"+a", "+b", "+c", `"x"`, "-c", "+c", "-c", "-b", "+d", "-d", `"y"`, "-a"}},
		{"root", 1, nil},
		{"element with children", 2, []string{"+d", "-d", `"y"`, "-a"}},
		{"leaf", 3, []string{"+c", "-c", "-b", "+d", "-d", `"y"`, "-a"}},
		{"after text", 4, []string{"+c", "-c", "-b", "+d", "-d", `"y"`, "-a"}},
		{"rest of the parent", 5, []string{"+d", "-d", `"y"`, "-a"}},
		{"empty element", 6, []string{"-b", "+d", "-d", `"y"`, "-a"}},
		{"after the root", 12, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := NewDecoder([]byte(in), Options{})
			for range tc.before {
				if _, err := d.Next(); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Skip(); err != nil {
				t.Fatal(err)
			}
			got, err := render(d)
			if diff := cmp.Diff(tc.want, got); diff != "" || err != io.EOF {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
	d := NewDecoder([]byte("<a><b></c></a>"), Options{})
	_, _ = d.Next()
	var syntax *SyntaxError
	if err := d.Skip(); !errors.As(err, &syntax) {
		t.Errorf("skip over a fault: %v", err)
	}
}

// netconf.md 35: comments, instructions and CDATA are accepted, text not in ASCII survives, white space is left to the schema.
func TestDecoderItem35(t *testing.T) {
	in := "<a> <!-- c --><?pi x?><![CDATA[<é>]]> 日本 </a>"
	got, err := render(NewDecoder([]byte(in), Options{}))
	if d := cmp.Diff([]string{"+a", `" <é> 日本 "`, "-a"}, got); d != "" || err != io.EOF {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

// A session that reads message after message with one Decoder allocates nothing for names it has seen.
func TestDecoderAllocations(t *testing.T) {
	in := editConfig(50)
	d := NewDecoder(in, Options{})
	got := testing.AllocsPerRun(10, func() {
		d.Reset(in)
		for {
			if _, err := d.Next(); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
	if got != 0 {
		t.Errorf("%v allocations a message", got)
	}
}

// Names of former documents, also hostile ones, neither fill the memory nor count against a later document.
func TestDecoderReset(t *testing.T) {
	d := NewDecoder([]byte("<a><b xmlns:p='u'>"), Options{})
	if _, err := render(d); err == io.EOF {
		t.Fatal("accepted a document that is cut")
	}
	for doc := range 40 {
		var b strings.Builder
		b.WriteString("<a>")
		for i := range 250 {
			fmt.Fprintf(&b, "<e%d.%d xmlns:p%d.%d='u%d.%d'/>", doc, i, doc, i, doc, i)
		}
		b.WriteString("</a>")
		d.Reset([]byte(b.String()))
		if _, err := render(d); err != io.EOF {
			t.Fatalf("document %d: %v", doc, err)
		}
	}
	if len(d.names.qnames) > maxShared || len(d.names.values) > maxShared || len(d.scope.last) > maxPrefixes {
		t.Errorf("%d names, %d values, %d prefixes kept", len(d.names.qnames), len(d.names.values), len(d.scope.last))
	}
	d.Reset([]byte("<p:a/>"))
	if _, err := render(d); err == io.EOF {
		t.Error("a declaration of a former document is still in scope")
	}
}
