package xmltok

import (
	"strconv"
	"unicode/utf8"
)

// plain tells which bytes AppendEscaped, plainAttr which bytes AppendEscapedAttr, copies as they are.
var plain, plainAttr = func() (text, attr [256]bool) {
	for b := 0x20; b < 0x80; b++ {
		text[b] = true
	}
	for _, b := range "&<>#" {
		text[b] = false
	}
	attr = text
	attr['"'] = false
	text['\t'], text['\n'] = true, true
	return text, attr
}()

// AppendEscaped appends s as character data. The output is ASCII only: some clients break on a multi-byte character that is split over two
// reads. It holds no '>', so never ]]> (RFC 6242 4.3), and no '#' but inside references, so never a line ##, which some clients take for the
// end of the message even when it is content. A CR is written as a reference, because a reader would turn it into a LF. What XML cannot carry
// (control characters, bytes that are no UTF-8) becomes U+FFFD.
func AppendEscaped(dst []byte, s string) []byte { return appendEscaped(dst, s, &plain) }

// AppendEscapedAttr appends s as an attribute value, for double quotes around it. It escapes what AppendEscaped does, and the quote and all
// white space but spaces, which a reader would turn into spaces.
func AppendEscapedAttr(dst []byte, s string) []byte { return appendEscaped(dst, s, &plainAttr) }

func appendEscaped(dst []byte, s string, keep *[256]bool) []byte {
	run := 0 // s[run:i] is to be copied
	for i := 0; i < len(s); {
		if keep[s[i]] {
			i++
			continue
		}
		dst = append(dst, s[run:i]...)
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isChar(r) {
			r = utf8.RuneError
		}
		switch r {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '"':
			dst = append(dst, "&quot;"...)
		case '#':
			dst = append(dst, "&#35;"...)
		default:
			dst = append(dst, "&#x"...)
			dst = appendHex(dst, r)
			dst = append(dst, ';')
		}
		i += n
		run = i
	}
	return append(dst, s[run:]...)
}

// appendHex appends r in upper-case hexadecimal digits.
func appendHex(dst []byte, r rune) []byte {
	from := len(dst)
	dst = strconv.AppendUint(dst, uint64(r), 16)
	for i := from; i < len(dst); i++ {
		if dst[i] >= 'a' {
			dst[i] -= 'a' - 'A'
		}
	}
	return dst
}
