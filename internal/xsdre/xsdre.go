// Package xsdre reads the regular expressions of XML Schema, which are those of
// YANG. It owns their translation into Go's and must never guess: what Go has
// no counterpart for is an error.
package xsdre

import (
	"fmt"
	"regexp"
	"strings"
)

// Translate turns an XML Schema regular expression (RFC 7950 9.4.5) into an
// anchored Go one. What has no counterpart, or means something else in
// Go, is an error rather than a wrong match.
func Translate(xsd string) (string, error) {
	var out strings.Builder
	out.WriteString("^(?:")
	inClass := false
	for i := 0; i < len(xsd); i++ {
		c := xsd[i]
		switch {
		case c == '\\':
			if i++; i == len(xsd) {
				return "", fmt.Errorf("pattern %q: ends in a backslash", xsd)
			}
			esc, err := translateEscape(xsd[i], inClass)
			if err != nil {
				return "", fmt.Errorf("pattern %q: %w", xsd, err)
			}
			out.WriteString(esc)
		case inClass:
			if c == '[' {
				return "", fmt.Errorf("pattern %q: class subtraction is not supported", xsd)
			}
			inClass = c != ']'
			out.WriteByte(c)
		default:
			if strings.HasPrefix(xsd[i:], "(?") {
				return "", fmt.Errorf("pattern %q: (? is not supported", xsd)
			}
			inClass = c == '['
			out.WriteString(plain(c))
		}
	}
	out.WriteString(")$")
	if _, err := regexp.Compile(out.String()); err != nil {
		return "", fmt.Errorf("pattern %q: %w", xsd, err)
	}
	return out.String(), nil
}

// plain translates a character outside a class: ^ and $ are ordinary in XML
// Schema, groups never capture, and the dot excludes both line ends.
func plain(c byte) string {
	switch c {
	case '^', '$':
		return `\` + string(c)
	case '(':
		return "(?:"
	case '.':
		return `[^\n\r]`
	}
	return string(c)
}

// translateEscape translates the escape \c.
func translateEscape(c byte, inClass bool) (string, error) {
	switch c {
	case 'n', 'r', 't', '\\', '|', '.', '-', '^', '?', '*', '+', '{', '}', '(', ')', '[', ']', '$':
		return `\` + string(c), nil
	case 'd':
		return `\p{Nd}`, nil
	case 'D':
		return `\P{Nd}`, nil
	case 's':
		if inClass {
			return ` \t\n\r`, nil
		}
		return `[ \t\n\r]`, nil
	case 'p', 'P':
		return `\` + string(c), nil
	}
	return "", fmt.Errorf(`escape \%c is not supported`, c)
}
