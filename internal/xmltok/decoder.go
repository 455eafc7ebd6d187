package xmltok

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

const defaultMaxDepth = 1000

// Options are the limits of a Decoder.
type Options struct {
	// MaxDepth is the deepest nesting accepted. 0 means 1000.
	MaxDepth int
}

// Decoder reads one document. It is not safe for concurrent use.
type Decoder struct {
	data     []byte
	pos      int
	maxDepth int
	stack    []element
	serial   uint64 // of the element opened last
	rootSeen bool
	empty    bool // the EndElement of an empty-element tag comes next
	ended    bool // the top of the stack has ended, but stays in scope until the next token
	err      error

	names names
	scope scope
	attrs []Attr
	text  []byte // character data that could not be a slice of data
	value []byte // the same for an attribute value
}

// element is an open element.
type element struct {
	name   *qname
	ns     string
	binds  int // length of scope.binds before its start tag
	serial uint64
}

// NewDecoder returns a Decoder of the document in data, which must not change while the Decoder is used.
func NewDecoder(data []byte, o Options) *Decoder {
	if o.MaxDepth <= 0 {
		o.MaxDepth = defaultMaxDepth
	}
	d := &Decoder{maxDepth: o.MaxDepth}
	d.Reset(data)
	return d
}

// Reset starts a new document and keeps what was learned about names, which spares the allocations when a session reads many messages.
func (d *Decoder) Reset(data []byte) {
	d.data, d.pos, d.err = data, 0, nil
	d.stack, d.rootSeen, d.empty, d.ended = d.stack[:0], false, false, false
	d.names.reset()
	d.scope.reset()
}

// Offset returns the byte of the input right after the token returned last.
func (d *Decoder) Offset() int { return d.pos }

// Depth returns the number of open elements: after a StartElement that element counts, after its EndElement not.
func (d *Decoder) Depth() int {
	if d.ended {
		return len(d.stack) - 1
	}
	return len(d.stack)
}

// Next returns the next token. After the EndElement of the root it checks that only comments and white space follow, then returns io.EOF.
// Every other error is a *SyntaxError. Errors are final: further calls return them again.
func (d *Decoder) Next() (tok Token, err error) {
	if d.err != nil {
		return tok, d.err
	}
	d.leave()
	switch {
	case d.empty:
		d.empty = false
		d.endElement(&tok, d.pos)
	case len(d.stack) == 0:
		err = d.outside(&tok)
	default:
		err = d.inside(&tok)
	}
	return tok, err
}

// Skip reads to the end of the innermost open element, its EndElement included: called after a StartElement it skips that element, called
// after an EndElement the rest of the parent. Without an open element it does nothing.
func (d *Decoder) Skip() error {
	for depth := d.Depth(); d.Depth() >= depth && depth > 0; {
		if _, err := d.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Mark is a place in a document, see Save.
type Mark struct {
	pos, depth, binds int
	serial            uint64
	rootSeen, empty   bool
}

// Save notes the place between the token returned last and the next one, at no cost. After an EndElement it ends the scope of that element, as
// Next would.
func (d *Decoder) Save() Mark {
	d.leave()
	m := Mark{pos: d.pos, depth: len(d.stack), binds: len(d.scope.binds), rootSeen: d.rootSeen, empty: d.empty}
	if m.depth > 0 {
		m.serial = d.stack[m.depth-1].serial
	}
	return m
}

// Restore goes back to m. Since Save no token may have been read beyond the EndElement of the element that was the innermost then; that is
// enough to look for a list key and come back, and anything else is a bug of the caller: Restore panics. An error found since Save stays.
func (d *Decoder) Restore(m Mark) {
	if len(d.stack) < m.depth || m.depth > 0 && d.stack[m.depth-1].serial != m.serial {
		panic("xmltok: Restore after the element that was open at Save had been left")
	}
	d.scope.shrink(m.binds)
	d.stack = d.stack[:m.depth]
	d.pos, d.rootSeen, d.empty, d.ended = m.pos, m.rootSeen, m.empty, false
}

// leave takes an element that has ended off the stack.
func (d *Decoder) leave() {
	if d.ended {
		d.ended = false
		top := len(d.stack) - 1
		d.scope.shrink(d.stack[top].binds)
		d.stack = d.stack[:top]
	}
}

// fail makes a fault at off final.
func (d *Decoder) fail(off int, format string, args ...any) error {
	d.err = &SyntaxError{Offset: off, Msg: fmt.Sprintf(format, args...)}
	return d.err
}

// inside reads the next token inside the root.
func (d *Decoder) inside(tok *Token) error {
	data, start := d.data, d.pos
	d.text = d.text[:0]
	i, run := start, start // data[run:i] is text not yet copied to d.text
	for {
		for i < len(data) && class[data[i]]&inText == 0 {
			i++
		}
		if i == len(data) {
			return d.fail(i, "document ends inside element %q", clip(d.stack[len(d.stack)-1].name.raw))
		}
		var end int
		switch c := data[i]; {
		case c == '<' && i+1 < len(data) && (data[i+1] == '!' || data[i+1] == '?'):
			d.text = append(d.text, data[run:i]...)
			if end = d.markup(i); end < 0 {
				return d.err
			}
			run = end
		case c == '<':
			d.pos = i
			text := data[run:i]
			if len(d.text) > 0 {
				d.text = append(d.text, text...)
				text = d.text
			}
			if len(text) > 0 {
				tok.Kind, tok.Text, tok.Offset = Text, text, start
				return nil
			}
			return d.tag(tok)
		case c == ']':
			if bytes.HasPrefix(data[i:], []byte("]]>")) {
				return d.fail(i, "]]> in text")
			}
			end = i + 1
		case c == '&':
			r, n, fault := reference(data[i:])
			if n == 0 {
				return d.fail(i, "%s", fault)
			}
			d.text = utf8.AppendRune(append(d.text, data[run:i]...), r)
			end = i + n
			run = end
		case c == '\r': // XML 1.0 2.11
			d.text = append(append(d.text, data[run:i]...), '\n')
			end = i + 1
			if end < len(data) && data[end] == '\n' {
				end++
			}
			run = end
		default:
			n := charAt(data[i:])
			if n == 0 {
				return d.badChar(i)
			}
			end = i + n
		}
		i = end
	}
}

// outside reads the root's StartElement, or returns io.EOF after it.
func (d *Decoder) outside(tok *Token) error {
	if d.pos == 0 && !d.rootSeen {
		if !d.declaration() {
			return d.err
		}
	}
	for {
		for d.pos < len(d.data) && isSpace(d.data[d.pos]) {
			d.pos++
		}
		rest := d.data[d.pos:]
		switch {
		case len(rest) == 0 && d.rootSeen:
			d.err = io.EOF
			return d.err
		case len(rest) == 0:
			return d.fail(d.pos, "document without an element")
		case rest[0] != '<':
			return d.fail(d.pos, "text outside the root element")
		case len(rest) > 1 && (rest[1] == '!' || rest[1] == '?'):
			end := d.markup(d.pos)
			if end < 0 {
				return d.err
			}
			d.pos = end
		case d.rootSeen:
			return d.fail(d.pos, "second root element")
		default:
			return d.tag(tok)
		}
	}
}

func (d *Decoder) badChar(off int) error {
	r, n := utf8.DecodeRune(d.data[off:])
	if r == utf8.RuneError && n <= 1 {
		return d.fail(off, "byte %#x is not UTF-8", d.data[off])
	}
	return d.fail(off, "character %U is not allowed in XML", r)
}
