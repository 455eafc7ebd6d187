package schema

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) from memory, one token after the other. It
// makes no tree: the callers know from the model what comes.
type scanner struct {
	data []byte
	pos  int
	buf  []byte // of the last string with escapes
}

// syntaxError is a fault of the text, not of its meaning.
type syntaxError struct{ message string }

func (e *syntaxError) Error() string { return e.message }

func (s *scanner) fail(what string) error {
	return &syntaxError{fmt.Sprintf("malformed JSON at byte %d: %s", s.pos, what)}
}

// peek returns the first byte of the next token, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch b := s.data[s.pos]; b {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return b
		}
	}
	return 0
}

// expect reads one structural byte.
func (s *scanner) expect(b byte) error {
	if s.peek() != b || s.pos == len(s.data) {
		return s.fail(fmt.Sprintf("expected %q", b))
	}
	s.pos++
	return nil
}

// more says whether another element follows in an array or object that ends
// with end, and reads the comma before it or the end.
func (s *scanner) more(first bool, end byte) (bool, error) {
	switch b := s.peek(); {
	case b == end && s.pos < len(s.data):
		s.pos++
		return false, nil
	case first:
		return true, nil
	case b == ',':
		s.pos++
		if s.peek() == end {
			return false, s.fail("a comma before the end")
		}
		return true, nil
	}
	return false, s.fail(fmt.Sprintf("expected a comma or %q", end))
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.peek() != 0 || s.pos < len(s.data) {
		return s.fail("text after the value")
	}
	return nil
}

// str reads a string. The bytes are valid until the next call.
func (s *scanner) str() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	start := s.pos
	ascii := true
	for ; s.pos < len(s.data); s.pos++ {
		switch b := s.data[s.pos]; {
		case b == '"':
			text := s.data[start:s.pos]
			s.pos++
			if !ascii && !utf8.Valid(text) {
				return nil, s.fail("a string is not UTF-8")
			}
			return text, nil
		case b == '\\':
			return s.escaped(start)
		case b < 0x20:
			return nil, s.fail("a control character in a string")
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, s.fail("a string does not end")
}

// escaped reads the rest of a string from its first backslash.
func (s *scanner) escaped(start int) ([]byte, error) {
	s.buf = append(s.buf[:0], s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		b := s.data[s.pos]
		s.pos++
		switch {
		case b == '"':
			if !utf8.Valid(s.buf) {
				return nil, s.fail("a string is not UTF-8")
			}
			return s.buf, nil
		case b < 0x20:
			return nil, s.fail("a control character in a string")
		case b != '\\':
			s.buf = append(s.buf, b)
		default:
			if err := s.escape(); err != nil {
				return nil, err
			}
		}
	}
	return nil, s.fail("a string does not end")
}

// escape reads what follows a backslash.
func (s *scanner) escape() error {
	if s.pos == len(s.data) {
		return s.fail("a string does not end")
	}
	b := s.data[s.pos]
	s.pos++
	switch b {
	case '"', '\\', '/':
		s.buf = append(s.buf, b)
	case 'b':
		s.buf = append(s.buf, '\b')
	case 'f':
		s.buf = append(s.buf, '\f')
	case 'n':
		s.buf = append(s.buf, '\n')
	case 'r':
		s.buf = append(s.buf, '\r')
	case 't':
		s.buf = append(s.buf, '\t')
	case 'u':
		r, ok := s.hex4()
		if ok && utf16.IsSurrogate(r) {
			low := rune(0)
			if ok = s.pos+1 < len(s.data) && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u'; ok {
				s.pos += 2
				low, ok = s.hex4()
			}
			r = utf16.DecodeRune(r, low)
			ok = ok && r != utf8.RuneError
		}
		if !ok {
			return s.fail(`\u does not name a character`)
		}
		s.buf = utf8.AppendRune(s.buf, r)
	default:
		return s.fail("an unknown escape")
	}
	return nil
}

func (s *scanner) hex4() (r rune, ok bool) {
	if s.pos+4 > len(s.data) {
		return 0, false
	}
	for _, b := range s.data[s.pos : s.pos+4] {
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	s.pos += 4
	return r, true
}

// number reads a number and returns its text.
func (s *scanner) number() ([]byte, error) {
	start := s.pos
	s.take('-')
	switch {
	case s.take('0'):
	case s.digits():
	default:
		return nil, s.fail("expected a value")
	}
	if s.take('.') && !s.digits() {
		return nil, s.fail("a number without digits after its point")
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return nil, s.fail("a number without digits in its exponent")
		}
	}
	return s.data[start:s.pos], nil
}

func (s *scanner) take(b byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == b {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// word reads true, false or null.
func (s *scanner) word(w string) bool {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return true
}

// skip passes over a value that will be read later. It only finds the end: it
// pairs brackets and strings without recursion, whatever the depth.
func (s *scanner) skip() error {
	depth := 0
	for {
		switch b := s.peek(); b {
		case 0:
			return s.fail("a value does not end")
		case '{', '[':
			depth++
			s.pos++
		case '}', ']':
			depth--
			s.pos++
		case ',', ':':
			if depth == 0 {
				return s.fail("expected a value")
			}
			s.pos++
			continue
		case '"':
			if err := s.skipString(); err != nil {
				return err
			}
		default:
			start := s.pos
			for s.pos < len(s.data) && isWord(s.data[s.pos]) {
				s.pos++
			}
			if s.pos == start {
				return s.fail("expected a value")
			}
		}
		if depth <= 0 {
			if depth < 0 {
				return s.fail("expected a value")
			}
			return nil
		}
	}
}

func isWord(b byte) bool {
	return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '+' || b == '.' || b == 'E'
}

func (s *scanner) skipString() error {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch s.data[s.pos] {
		case '"':
			s.pos++
			return nil
		case '\\':
			s.pos++
		}
	}
	return s.fail("a value does not end")
}
