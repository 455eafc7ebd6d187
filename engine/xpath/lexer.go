package xpath

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is a kind of token (XPath 1.0 3.7).
type tokenKind uint8

const (
	tokenEnd      tokenKind = iota
	tokenSymbol             // ( ) [ ] . .. @ , :: / // | + - = != < <= > >= *
	tokenOperator           // and, or, mod, div, and * where it multiplies
	tokenName               // of a node, with a prefix or a wildcard perhaps
	tokenFunction           // a name before (
	tokenNodeType           // node, text, comment, processing-instruction before (
	tokenAxis               // a name before ::
	tokenLiteral
	tokenNumber
	tokenVariable // without its $
)

type token struct {
	kind   tokenKind
	text   string // of a literal, what stands between the quotes
	offset int
}

// lexer cuts an expression into tokens.
type lexer struct {
	text string
	pos  int
	last token // the one before, which tells operators from names
}

// symbols are tried in this order: the longer ones first.
var symbols = []string{"::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=", "<", ">"}

func (l *lexer) fail(offset int, format string, args ...any) error {
	return &Error{Expr: l.text, Offset: offset, Reason: ErrSyntax, Detail: fmt.Sprintf(format, args...)}
}

// next returns the next token.
func (l *lexer) next() (token, error) {
	l.space()
	t := token{offset: l.pos}
	var err error
	switch rest := l.text[l.pos:]; {
	case rest == "":
	case rest[0] == '"' || rest[0] == '\'':
		t.kind = tokenLiteral
		t.text, err = l.literal()
	case digit(rest[0]) || rest[0] == '.' && len(rest) > 1 && digit(rest[1]):
		t.kind, t.text = tokenNumber, l.number()
	case rest[0] == '$':
		l.pos++
		t.kind = tokenVariable
		t.text, err = l.name(false)
	case rest[0] == '*':
		l.pos++
		t.kind, t.text = tokenName, "*"
		if l.operatorNext() {
			t.kind = tokenOperator
		}
	default:
		if s := symbolAt(rest); s != "" {
			l.pos += len(s)
			t.kind, t.text = tokenSymbol, s
			break
		}
		t, err = l.word()
	}
	l.last = t
	return t, err
}

// operatorNext says whether an operator must follow what was read so far
// (XPath 1.0 3.7, the rules on disambiguation).
func (l *lexer) operatorNext() bool {
	switch l.last.kind {
	case tokenEnd, tokenOperator, tokenAxis, tokenFunction, tokenNodeType:
		return false
	case tokenSymbol:
		return l.last.text == ")" || l.last.text == "]" || l.last.text == "." || l.last.text == ".."
	}
	return true
}

// word reads a token that begins as a name does.
func (l *lexer) word() (token, error) {
	t := token{kind: tokenName, offset: l.pos}
	if l.operatorNext() {
		name, err := l.ncName()
		if err != nil {
			return t, err
		}
		switch name {
		case "and", "or", "mod", "div":
			t.kind, t.text = tokenOperator, name
			return t, nil
		}
		return t, l.fail(t.offset, "an operator must stand here")
	}
	var err error
	if t.text, err = l.name(true); err != nil {
		return t, err
	}
	after := l.pos
	l.space()
	switch rest := l.text[l.pos:]; {
	case strings.HasPrefix(rest, "::"):
		t.kind = tokenAxis
	case strings.HasPrefix(rest, "("):
		t.kind = tokenFunction
		switch t.text {
		case "node", "text", "comment", "processing-instruction":
			t.kind = tokenNodeType
		}
	}
	l.pos = after
	return t, nil
}

// name reads a QName, or prefix:* where wild allows it.
func (l *lexer) name(wild bool) (string, error) {
	start := l.pos
	if _, err := l.ncName(); err != nil {
		return "", err
	}
	if rest := l.text[l.pos:]; strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::") {
		l.pos++
		if wild && strings.HasPrefix(rest, ":*") {
			l.pos++
		} else if _, err := l.ncName(); err != nil {
			return "", err
		}
	}
	return l.text[start:l.pos], nil
}

func (l *lexer) ncName() (string, error) {
	start := l.pos
	for l.pos < len(l.text) {
		r, size := utf8.DecodeRuneInString(l.text[l.pos:])
		first := unicode.IsLetter(r) || r == '_'
		if !first && (l.pos == start || !unicode.IsDigit(r) && r != '-' && r != '.' && r != '\u00b7' && !unicode.Is(unicode.M, r)) {
			break
		}
		l.pos += size
	}
	if l.pos == start {
		return "", l.fail(start, "a name or a value must stand here")
	}
	return l.text[start:l.pos], nil
}

func (l *lexer) literal() (string, error) {
	start := l.pos
	text, rest, ok := strings.Cut(l.text[start+1:], l.text[start:start+1])
	if !ok {
		return "", l.fail(start, "the string has no end")
	}
	l.pos = len(l.text) - len(rest)
	return text, nil
}

func (l *lexer) number() string {
	start := l.pos
	l.digits()
	if strings.HasPrefix(l.text[l.pos:], ".") {
		l.pos++
		l.digits()
	}
	return l.text[start:l.pos]
}

func (l *lexer) digits() {
	for l.pos < len(l.text) && digit(l.text[l.pos]) {
		l.pos++
	}
}

func (l *lexer) space() {
	for l.pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.pos]) >= 0 {
		l.pos++
	}
}

func symbolAt(text string) string {
	for _, s := range symbols {
		if strings.HasPrefix(text, s) {
			return s
		}
	}
	return ""
}

func digit(b byte) bool { return b >= '0' && b <= '9' }
