package xmltok

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Classes of bytes, for the inner loops.
const (
	inText = 1 << iota // may need a look inside character data
	inAttr             // may need a look inside an attribute value
	inMisc             // may need a look inside a comment, processing instruction or CDATA section
	inName             // may be part of a name; bytes above ASCII are checked when a name is seen for the first time
)

var class = func() (c [256]uint8) {
	for b := range c {
		switch {
		case b >= 0x80:
			c[b] = inText | inAttr | inMisc | inName
		case b < 0x20 && b != '\t' && b != '\n':
			c[b] = inText | inAttr | inMisc
		}
	}
	for _, b := range "<&]" {
		c[b] |= inText
	}
	for _, b := range "<&\t\n\"'" {
		c[b] |= inAttr
	}
	for b := 'a'; b <= 'z'; b++ {
		c[b] |= inName
		c[b-'a'+'A'] |= inName
	}
	for _, b := range "_:-.0123456789" {
		c[b] |= inName
	}
	return c
}()

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// isChar reports whether r may stand in a document (XML 1.0 2.2).
func isChar(r rune) bool {
	return r >= 0x20 && r <= 0xd7ff || r == '\t' || r == '\n' || r == '\r' || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= unicode.MaxRune
}

// charAt returns the length of the character at the start of p, 0 if there is none that a document may have.
func charAt(p []byte) int {
	r, n := utf8.DecodeRune(p)
	if r == utf8.RuneError && n <= 1 || !isChar(r) {
		return 0
	}
	return n
}

// nameStart are the characters above ASCII that may start a name (XML 1.0 2.3); nameMore may follow as well.
var (
	nameStart = &unicode.RangeTable{
		R16: []unicode.Range16{
			{0xc0, 0xd6, 1},
			{0xd8, 0xf6, 1},
			{0xf8, 0x2ff, 1},
			{0x370, 0x37d, 1},
			{0x37f, 0x1fff, 1},
			{0x200c, 0x200d, 1},
			{0x2070, 0x218f, 1},
			{0x2c00, 0x2fef, 1},
			{0x3001, 0xd7ff, 1},
			{0xf900, 0xfdcf, 1},
			{0xfdf0, 0xfffd, 1},
		},
		R32:         []unicode.Range32{{0x10000, 0xeffff, 1}},
		LatinOffset: 2,
	}
	nameMore = &unicode.RangeTable{R16: []unicode.Range16{{0xb7, 0xb7, 1}, {0x300, 0x36f, 1}, {0x203f, 0x2040, 1}}, LatinOffset: 1}
)

// isNCName reports whether s is a name without a colon (Namespaces in XML 1.0, 3).
func isNCName(s string) bool {
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != 0xef: // no UTF-8: a U+FFFD that is really there starts with EF
			return false
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_':
		case '0' <= r && r <= '9' || r == '-' || r == '.':
			if i == 0 {
				return false
			}
		case r < 0x80:
			return false
		case unicode.Is(nameStart, r):
		case i == 0 || !unicode.Is(nameMore, r):
			return false
		}
	}
	return s != ""
}

// reference resolves the reference at the start of p, which is '&'. It returns the character and the length of the reference, or what is
// wrong with it.
func reference(p []byte) (r rune, n int, fault string) {
	const longest = 64 // leading zeros of a character reference have no limit in XML; ours is far above any use
	for n = 1; ; n++ {
		if n == len(p) || n == longest {
			return 0, 0, "& does not start a reference"
		}
		if p[n] == ';' {
			break
		}
	}
	body := p[1:n]
	n++
	if len(body) > 1 && body[0] == '#' {
		r, ok := charRef(body[1:])
		if !ok {
			return 0, 0, "character reference &" + clip(body) + "; is not a character of XML"
		}
		return r, n, ""
	}
	switch string(body) {
	case "lt":
		return '<', n, ""
	case "gt":
		return '>', n, ""
	case "amp":
		return '&', n, ""
	case "quot":
		return '"', n, ""
	case "apos":
		return '\'', n, ""
	}
	return 0, 0, "entity &" + clip(body) + "; is not one of the five of XML"
}

// charRef evaluates the part of a character reference between # and the semicolon.
func charRef(p []byte) (rune, bool) {
	base := rune(10)
	if p[0] == 'x' {
		base, p = 16, p[1:]
	}
	var r rune
	for _, c := range p {
		var digit rune
		switch {
		case '0' <= c && c <= '9':
			digit = rune(c - '0')
		case base == 16 && 'a' <= c && c <= 'f':
			digit = rune(c-'a') + 10
		case base == 16 && 'A' <= c && c <= 'F':
			digit = rune(c-'A') + 10
		default:
			return 0, false
		}
		if r = r*base + digit; r > unicode.MaxRune {
			return 0, false
		}
	}
	return r, isChar(r) // no digits give 0, which is not a character
}

// TrimSpace removes the white space of XML (XML 1.0, 2.3) around a text, which
// is less than that of Unicode.
func TrimSpace(text string) string { return strings.Trim(text, " \t\r\n") }
