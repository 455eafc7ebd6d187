package xmltok

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestDecoderRefuses(t *testing.T) {
	tests := []struct {
		name   string
		item   int // of netconf.md
		in     string
		offset int
		msg    string
	}{
		{"nothing", 17, "", 0, "without an element"},
		{"only white space", 17, " \n", 2, "without an element"},
		{"text before the root", 17, "x<a/>", 0, "outside the root"},
		{"text after the root", 17, "<a/>x", 4, "outside the root"},
		{"reference after the root", 17, "<a/>&#32;", 4, "outside the root"},
		{"CDATA after the root", 17, "<a/><![CDATA[]]>", 4, "neither a comment"},
		{"second root", 17, "<a/><b/>", 4, "second root"},
		{"end tag only", 17, "</a>", 0, "without a start tag"},
		{"end tag after the root", 17, "<a/></a>", 4, "second root"},
		{"mismatched end tag", 17, "<a><b></a></b>", 6, `end tag "a" where "b"`},
		{"end tag with another prefix", 17, `<p:a xmlns:p="u" xmlns:q="u"></q:a>`, 29, "where"},
		{"missing end tag", 17, "<a><b></b>", 10, "ends inside"},
		{"end tag not closed", 17, "<a></a", 6, "not closed"},
		{"attribute on an end tag", 17, "<a></a b='1'>", 7, "not closed"},
		{"start tag not closed", 17, "<a b='1'", 0, "not closed"},
		{"lone <", 17, "<", 1, "not a name"},
		{"space before the name", 17, "< a/>", 1, "not a name"},
		{"digit before the name", 17, "<1a/>", 1, "not a name"},
		{"two colons", 17, "<a:b:c xmlns:a='u'/>", 1, "not a name"},
		{"no local name", 17, "<a: xmlns:a='u'/>", 1, "not a name"},
		{"no prefix before the colon", 17, "<:a/>", 1, "not a name"},
		{"multiplication sign in a name", 17, "<a×/>", 1, "not a name"},
		{"attribute without value", 17, "<a b/>", 4, "without ="},
		{"attribute without quotes", 17, "<a b=1/>", 5, "without quotes"},
		{"attribute without space", 17, "<a b='1'c='2'/>", 8, "no white space"},
		{"attribute not closed", 17, "<a b='1/>", 5, "not closed"},
		{"attribute name", 17, "<a 1='1'/>", 3, "not a name"},
		{"slash alone", 17, "<a / >", 3, "not a name"},
		{"< in an attribute", 17, "<a b='<'/>", 6, "< in an attribute"},
		{"duplicate attribute", 17, "<a b='1' b='1'/>", 0, "twice"},
		{"duplicate expanded name", 17, "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='1'/>", 0, "twice"},
		{"duplicate declaration", 17, "<a xmlns='u' xmlns='v'/>", 0, "twice"},
		{"undeclared prefix of an element", 17, "<p:a/>", 0, `prefix "p"`},
		{"undeclared prefix of an attribute", 17, "<a p:b='1'/>", 0, `prefix "p"`},
		{"prefix out of scope", 17, "<a><b xmlns:p='u'/><p:c/></a>", 19, `prefix "p"`},
		{"prefix without a namespace", 17, "<a xmlns:p=''/>", 3, "without a namespace"},
		{"prefix xml for something else", 17, "<a xmlns:xml='u'/>", 3, "belong together"},
		{"namespace xml for something else", 17, "<a xmlns:p='" + XMLNamespace + "'/>", 3, "belong together"},
		{"prefix xmlns", 17, "<a xmlns:xmlns='u'/>", 3, "cannot be declared"},
		{"namespace xmlns", 17, "<a xmlns='" + XMLNSNamespace + "'/>", 3, "cannot be declared"},
		{"element with prefix xmlns", 17, "<xmlns:a/>", 0, "not declared"},
		{"]]> in text", 17, "<a>]]]></a>", 4, "]]> in text"},
		{"entity", 17, "<a>&nbsp;</a>", 3, "not one of the five"},
		{"entity in an attribute", 17, "<a b='&nbsp;'/>", 6, "not one of the five"},
		{"empty entity", 17, "<a>&;</a>", 3, "not one of the five"},
		{"lone &", 17, "<a>& </a>", 3, "does not start a reference"},
		{"reference to NUL", 17, "<a>&#0;</a>", 3, "not a character"},
		{"reference to a control character", 17, "<a>&#x1;</a>", 3, "not a character"},
		{"reference to a surrogate", 17, "<a>&#xD800;</a>", 3, "not a character"},
		{"reference to U+FFFE", 17, "<a>&#xFFFE;</a>", 3, "not a character"},
		{"reference above Unicode", 17, "<a>&#x110000;</a>", 3, "not a character"},
		{"reference that overflows", 17, "<a>&#99999999999999999999;</a>", 3, "not a character"},
		{"reference without digits", 17, "<a>&#x;</a>", 3, "not a character"},
		{"reference with X", 17, "<a>&#X41;</a>", 3, "not a character"},
		{"reference with a sign", 17, "<a>&#+65;</a>", 3, "not a character"},
		{"DOCTYPE", 17, "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 0, "DOCTYPE"},
		{"DOCTYPE after the declaration", 17, "<?xml version='1.0'?>\n<!DOCTYPE a><a/>", 22, "DOCTYPE"},
		{"DOCTYPE inside", 17, "<a><!DOCTYPE a></a>", 3, "DOCTYPE"},
		{"other markup", 17, "<a><!ELEMENT a></a>", 3, "neither a comment"},
		{"encoding Latin 1", 17, "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", 0, "not UTF-8"},
		{"UTF-16", 17, "\xff\xfe<\x00a\x00", 0, "outside the root"},
		{"version 1.1", 17, "<?xml version='1.1'?><a/>", 0, "version"},
		{"declaration without version", 17, "<?xml encoding='UTF-8'?><a/>", 0, "not well-formed"},
		{"empty declaration", 17, "<?xml ?><a/>", 0, "not well-formed"},
		{"declaration in the wrong order", 17, "<?xml version='1.0' standalone='no' encoding='UTF-8'?><a/>", 0, "not well-formed"},
		{"declaration without space", 17, "<?xml version='1.0'encoding='UTF-8'?><a/>", 0, "not well-formed"},
		{"declaration without quotes", 17, "<?xml version=1.0?><a/>", 0, "not well-formed"},
		{"declaration with more", 17, "<?xml version='1.0' x='y'?><a/>", 0, "not well-formed"},
		{"declaration with something else", 17, "<?xml version='1.0' standalone='maybe'?><a/>", 0, "standalone"},
		{"declaration not closed", 17, "<?xml version='1.0'><a/>", 0, "not closed"},
		{"declaration not at the start", 17, " <?xml version='1.0'?><a/>", 1, "cannot be the target"},
		{"declaration twice", 17, "<?xml version='1.0'?><?xml version='1.0'?><a/>", 21, "cannot be the target"},
		{"bad UTF-8 in text", 17, "<a>\xe9</a>", 3, "not UTF-8"},
		{"overlong UTF-8", 17, "<a>\xc0\xbc</a>", 3, "not UTF-8"},
		{"surrogate in UTF-8", 17, "<a>\xed\xa0\x80</a>", 3, "not UTF-8"},
		{"bad UTF-8 in an attribute", 17, "<a b='\xe9'/>", 6, "not UTF-8"},
		{"bad UTF-8 in a name", 17, "<a\xe9/>", 1, "not a name"},
		{"bad UTF-8 in a comment", 17, "<!--\xe9--><a/>", 4, "not UTF-8"},
		{"bad UTF-8 in CDATA", 17, "<a><![CDATA[\xe9]]></a>", 12, "not UTF-8"},
		{"bad UTF-8 in an instruction", 17, "<?a \xe9?><a/>", 4, "not UTF-8"},
		{"control character in text", 17, "<a>\x01</a>", 3, "U+0001"},
		{"NUL", 17, "<a>\x00</a>", 3, "U+0000"},
		{"control character in an attribute", 17, "<a b='\x1f'/>", 6, "U+001F"},
		{"control character in a comment", 17, "<a><!--\x02--></a>", 7, "U+0002"},
		{"U+FFFF", 17, "<a>\uffff</a>", 3, "U+FFFF"},
		{"-- in a comment", 17, "<!-- a -- b --><a/>", 9, "-- inside"},
		{"comment ends with --->", 17, "<!-- a ---><a/>", 9, "-- inside"},
		{"comment not closed", 17, "<a/><!-- a", 4, "not closed"},
		{"CDATA not closed", 17, "<a><![CDATA[ ]]", 3, "not closed"},
		{"instruction not closed", 17, "<?a b", 0, "not closed"},
		{"instruction without target", 17, "<? a?><a/>", 0, "cannot be the target"},
		{"instruction without space", 17, "<?a$?><a/>", 3, "no white space"},
		{"too deep", 22, strings.Repeat("<a>", 1001), 3000, "more than 1000"},
	}
	for _, tc := range tests {
		t.Run(fmt.Sprintf("%d %s", tc.item, tc.name), func(t *testing.T) {
			d := NewDecoder([]byte(tc.in), Options{})
			_, err := render(d)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v, want a SyntaxError", err)
			}
			if !strings.Contains(syntax.Msg, tc.msg) || syntax.Offset != tc.offset {
				t.Errorf("got %v, want %q at byte %d", err, tc.msg, tc.offset)
			}
			if deep := errors.Is(err, ErrTooDeep); deep != (tc.item == 22) {
				t.Errorf("ErrTooDeep: %v", deep)
			}
			if _, again := d.Next(); again != err {
				t.Errorf("next call: error %v, want %v again", again, err)
			}
		})
	}
}
