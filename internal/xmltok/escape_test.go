package xmltok

import (
	"fmt"
	"testing"
)

func TestAppendEscaped(t *testing.T) {
	tests := []struct {
		ref, in, text, attr string
	}{
		{"nothing", "", "", ""},
		{"plain", "Eth0/1.5 -- x='y'", "Eth0/1.5 -- x='y'", "Eth0/1.5 -- x='y'"},
		{"netconf.md 35", "a<b&c>d\"e", "a&lt;b&amp;c&gt;d\"e", "a&lt;b&amp;c&gt;d&quot;e"},
		{"netconf.md 13", "]]>]]>", "]]&gt;]]&gt;", "]]&gt;]]&gt;"},
		{"netconf.md 35, section 3 (d)", "é日\U0001F600\u00ff", "&#xE9;&#x65E5;&#x1F600;&#xFF;", "&#xE9;&#x65E5;&#x1F600;&#xFF;"},
		{"section 4, scrapligo", "a\n##\n#1 b#", "a\n&#35;&#35;\n&#35;1 b&#35;", "a&#xA;&#35;&#35;&#xA;&#35;1 b&#35;"},
		{"white space", "\t\n\r ", "\t\n&#xD; ", "&#x9;&#xA;&#xD; "},
		{"not for XML", "\x00\x1f\xff\uffff", "&#xFFFD;&#xFFFD;&#xFFFD;&#xFFFD;", "&#xFFFD;&#xFFFD;&#xFFFD;&#xFFFD;"},
		{"DEL and C1", "\u007f\u0085", "\x7f&#x85;", "\x7f&#x85;"},
	}
	for _, tc := range tests {
		t.Run(tc.ref, func(t *testing.T) {
			if got := string(AppendEscaped([]byte("+"), tc.in)); got != "+"+tc.text {
				t.Errorf("text %q, want %q", got, "+"+tc.text)
			}
			if got := string(AppendEscapedAttr([]byte("+"), tc.in)); got != "+"+tc.attr {
				t.Errorf("attribute %q, want %q", got, "+"+tc.attr)
			}
		})
	}
}

// netconf.md 15: what was read of the attributes of an rpc writes them again.
func TestAttributesEcho(t *testing.T) {
	const in = `<nc:rpc xmlns:nc="urn:x?a=1&amp;b=2" xmlns="u" nc:message-id="&lt;&quot;&#x9;&#xE9;&gt;" other="'"/>`
	tok, err := NewDecoder([]byte(in), Options{}).Next()
	if err != nil {
		t.Fatal(err)
	}
	out := "<nc:rpc"
	for _, a := range tok.Attrs {
		out += fmt.Sprintf(` %s="%s"`, a.Name, AppendEscapedAttr(nil, a.Value))
	}
	if out += "/>"; out != in {
		t.Errorf("got %s, want %s", out, in)
	}
}
