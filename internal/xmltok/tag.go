package xmltok

import "fmt"

// tag reads the tag at d.pos, which is '<' and does not start other markup.
func (d *Decoder) tag(tok *Token) error {
	if d.pos+1 < len(d.data) && d.data[d.pos+1] == '/' {
		return d.endTag(tok)
	}
	return d.startTag(tok)
}

// endTag reads </name>, which must match the start tag byte by byte.
func (d *Decoder) endTag(tok *Token) error {
	if len(d.stack) == 0 {
		return d.fail(d.pos, "end tag without a start tag")
	}
	data, start := d.data, d.pos
	i := d.nameEnd(start + 2)
	if want := d.stack[len(d.stack)-1].name.raw; string(data[start+2:i]) != want {
		return d.fail(start, "end tag %q where %q must be", clip(data[start+2:i]), clip(want))
	}
	i = d.spaceEnd(i)
	if i == len(data) || data[i] != '>' {
		return d.fail(i, "end tag is not closed")
	}
	d.pos = i + 1
	d.endElement(tok, start)
	return nil
}

// endElement ends the top of the stack. It is taken off by leave, so that its declarations serve until the next token.
func (d *Decoder) endElement(tok *Token, start int) {
	top := &d.stack[len(d.stack)-1]
	d.ended = true
	tok.Kind, tok.Local, tok.Prefix, tok.Namespace, tok.Offset = EndElement, top.name.local, top.name.prefix, top.ns, start
}

// startTag reads <name attributes> or <name attributes/>.
func (d *Decoder) startTag(tok *Token) error {
	data, start := d.data, d.pos
	i := d.nameEnd(start + 1)
	name := d.names.get(data[start+1 : i])
	if name == nil {
		return d.fail(start+1, "%q is not a name", clip(data[start+1:i]))
	}
	if len(d.stack) >= d.maxDepth {
		d.err = &SyntaxError{Offset: start, Msg: fmt.Sprintf("more than %d elements nested", d.maxDepth), err: ErrTooDeep}
		return d.err
	}
	binds := len(d.scope.binds)
	d.attrs = d.attrs[:0]
	for {
		next := d.spaceEnd(i)
		if next == len(data) {
			return d.fail(start, "start tag %q is not closed", clip(name.raw))
		}
		if data[next] == '>' {
			d.pos = next + 1
			break
		}
		if data[next] == '/' && next+1 < len(data) && data[next+1] == '>' {
			d.pos, d.empty = next+2, true
			break
		}
		if next == i {
			return d.fail(i, "no white space before an attribute of %q", clip(name.raw))
		}
		if i = d.attribute(next); i < 0 {
			return d.err
		}
	}
	ns, ok := d.scope.lookup(name.prefix)
	if !ok && name.prefix != "" {
		return d.fail(start, "prefix %q is not declared", clip(name.prefix))
	}
	if !d.resolveAttrs(start) {
		return d.err
	}
	d.serial++
	d.stack = append(d.stack, element{name: name, ns: ns, binds: binds, serial: d.serial})
	d.rootSeen = true
	tok.Kind, tok.Local, tok.Prefix, tok.Namespace, tok.Attrs, tok.Offset = StartElement, name.local, name.prefix, ns, d.attrs, start
	return nil
}

// attribute reads name="value" at i, adds it to d.attrs, and declares the prefix if it is a declaration. It returns the end, -1 on a fault.
func (d *Decoder) attribute(i int) int {
	data, start := d.data, i
	i = d.nameEnd(i)
	name := d.names.get(data[start:i])
	if name == nil {
		d.fail(start, "%q is not a name", clip(data[start:i]))
		return -1
	}
	i = d.spaceEnd(i)
	if i == len(data) || data[i] != '=' {
		d.fail(i, "attribute %q without =", clip(name.raw))
		return -1
	}
	i = d.spaceEnd(i + 1)
	if i == len(data) || data[i] != '"' && data[i] != '\'' {
		d.fail(i, "value of attribute %q without quotes", clip(name.raw))
		return -1
	}
	value, i := d.attrValue(i)
	if i < 0 {
		return -1
	}
	a := Attr{Name: name.raw, Local: name.local, Prefix: name.prefix, Value: value}
	if name.raw == "xmlns" || name.prefix == "xmlns" {
		a.Namespace = XMLNSNamespace
		prefix := ""
		if name.prefix != "" {
			prefix = name.local
		}
		if fault := d.scope.declare(prefix, value); fault != "" {
			d.fail(start, "%s", fault)
			return -1
		}
	}
	d.attrs = append(d.attrs, a)
	return i
}

// attrValue reads the quoted value at i and returns it with its end, -1 on a fault.
func (d *Decoder) attrValue(i int) (string, int) {
	data, quote := d.data, d.data[i]
	start := i
	i++
	run := i
	d.value = d.value[:0]
	for {
		for i < len(data) && class[data[i]]&inAttr == 0 {
			i++
		}
		if i == len(data) {
			d.fail(start, "attribute value is not closed")
			return "", -1
		}
		switch c := data[i]; c {
		case '"', '\'':
			if c != quote {
				i++
				continue
			}
			if len(d.value) == 0 {
				return d.names.value(data[run:i]), i + 1
			}
			d.value = append(d.value, data[run:i]...)
			return d.names.value(d.value), i + 1
		case '<':
			d.fail(i, "< in an attribute value")
			return "", -1
		case '&':
			r, n, fault := reference(data[i:])
			if n == 0 {
				d.fail(i, "%s", fault)
				return "", -1
			}
			d.value = append(d.value, data[run:i]...)
			d.value = append(d.value, string(r)...)
			i += n
			run = i
		case '\t', '\n', '\r': // XML 1.0 3.3.3; CR LF is one line end (2.11)
			d.value = append(append(d.value, data[run:i]...), ' ')
			if i++; c == '\r' && i < len(data) && data[i] == '\n' {
				i++
			}
			run = i
		default:
			n := charAt(data[i:])
			if n == 0 {
				d.badChar(i)
				return "", -1
			}
			i += n
		}
	}
}

// manyAttrs is from where on duplicates are found with a map: the pairwise search is quadratic.
const manyAttrs = 16

// resolveAttrs sets the namespaces of d.attrs and refuses two of the same expanded name (Namespaces in XML 1.0, 6.3).
func (d *Decoder) resolveAttrs(start int) bool {
	type expanded struct{ ns, local string }
	var seen map[expanded]bool
	if len(d.attrs) > manyAttrs {
		seen = make(map[expanded]bool, len(d.attrs))
	}
	for i := range d.attrs {
		a := &d.attrs[i]
		if a.Prefix != "" && a.Namespace == "" {
			ns, ok := d.scope.lookup(a.Prefix)
			if !ok {
				d.fail(start, "prefix %q is not declared", clip(a.Prefix))
				return false
			}
			a.Namespace = ns
		}
		twice := false
		if seen != nil {
			key := expanded{a.Namespace, a.Local}
			twice = seen[key]
			seen[key] = true
		} else {
			for j := range i {
				twice = twice || a.Local == d.attrs[j].Local && a.Namespace == d.attrs[j].Namespace
			}
		}
		if twice {
			d.fail(start, "attribute %q twice", clip(a.Name))
			return false
		}
	}
	return true
}

// nameEnd returns the end of the bytes at i that may be a name.
func (d *Decoder) nameEnd(i int) int {
	for i < len(d.data) && class[d.data[i]]&inName != 0 {
		i++
	}
	return min(i, len(d.data))
}

// spaceEnd returns the end of the white space at i.
func (d *Decoder) spaceEnd(i int) int {
	for i < len(d.data) && isSpace(d.data[i]) {
		i++
	}
	return i
}
