package schema

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// members reads an object and calls fn at the value of each member, with the
// path standing at it.
func (d *jsonDecoder) members(n *Node, fn func(*Node) error) error {
	if d.peek() != '{' {
		return d.kindError(n, "an object")
	}
	d.pos++
	var seen uint64
	for first := true; ; first = false {
		more, err := d.more(first, '}')
		if err != nil || !more {
			return err
		}
		name, err := d.str()
		if err != nil {
			return err
		}
		c := n.byName[string(name)]
		if c == nil {
			var fault error
			if c, fault = n.resolveChild(d.path, string(name)); fault != nil {
				return detached(fault)
			}
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		d.push(c)
		if seen&(1<<c.index) != 0 {
			return d.fault(BadElement, c, "%s stands in the object twice", c.Name)
		}
		seen |= 1 << c.index
		if err := c.writable(d.path); err != nil && !d.input {
			return detached(err)
		}
		if err := fn(c); err != nil {
			return err
		}
		d.pop()
	}
}

// detached gives an error a path of its own.
func detached(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Path = slices.Clone(e.Path)
	}
	return err
}

// object reads the object of e's node: what belongs to its record becomes
// children, what is nested above other records is passed over and returned.
func (d *jsonDecoder) object(e *Edit) (later []nested, err error) {
	at := len(d.path) - 1 // of e itself
	err = d.members(e.Node, func(c *Node) error {
		switch {
		case c.spine || c.kind != nil:
			d.peek()
			later = append(later, nested{c, d.pos})
			return d.skip()
		case c.isKey:
			return d.key(e, c, at)
		}
		child := d.newEdit(c, OpMerge)
		if cap(e.Children) == 0 {
			e.Children = make([]*Edit, 0, min(len(e.Node.Children), 8))
		}
		e.Children = append(e.Children, child)
		switch c.Kind {
		case Container:
			_, err := d.object(child)
			return err
		case List:
			return d.list(child)
		}
		return d.leafEdit(child)
	})
	if err == nil && e.Node.Kind == List && e.Keys == nil {
		key := e.Node.Keys[0].Name
		missing := d.fault(MissingElement, e.Node, "the list entry has no key %s", key)
		missing.BadElement = key
		err = missing
	}
	return later, err
}

// key reads a key leaf of e, whose step in the path is at.
func (d *jsonDecoder) key(e *Edit, n *Node, at int) error {
	v, lexical, err := d.leaf(n)
	if err != nil {
		return err
	}
	key := v.String()
	if key == Wild {
		_, err := e.Node.ParseKey(0, key)
		err.Path = slices.Clone(d.path)
		return err
	}
	if e.Keys == nil {
		e.Keys = []string{key}
		d.path[at].Keys = e.Keys
	}
	if e.Keys[0] != key {
		return d.fault(InvalidValue, n, "%s contradicts the key %s of the path", clip(lexical), clip(e.Keys[0]))
	}
	return nil
}

// list reads the array of a list within a record. Its entries become children
// of the parent's edit, so e itself only gathers them.
func (d *jsonDecoder) list(e *Edit) error {
	at := len(d.path) - 1
	e.Op = OpMerge
	var seen keySet
	return d.array(e.Node, func() error {
		entry := d.newEdit(e.Node, OpMerge)
		d.path[at].Keys = nil
		start := d.pos
		if _, err := d.object(entry); err != nil {
			return d.named(err, entry, start)
		}
		if !seen.add(entry.Keys[0]) {
			return d.duplicate(e.Node)
		}
		e.Children = append(e.Children, entry)
		return nil
	})
}

// named puts the key of a list entry into the path of an error that came
// before the key was read.
func (d *jsonDecoder) named(err error, e *Edit, start int) error {
	fault, ok := errors.AsType[*Error](err)
	if !ok || e.Node.Kind != List || e.Keys != nil {
		return err
	}
	look := &jsonDecoder{scanner: scanner{data: d.data, pos: start}}
	key := e.Node.Keys[0]
	_ = look.members(e.Node, func(c *Node) error {
		if c != key {
			return look.skip()
		}
		v, _, err := look.leaf(key)
		if err != nil || v.String() == Wild {
			return err
		}
		for i := range fault.Path {
			if s := &fault.Path[i]; s.Node == e.Node && s.Keys == nil {
				s.Keys = []string{v.String()}
			}
		}
		return nil
	})
	return err
}

// leafEdit reads the value of a leaf or leaf-list into e.
func (d *jsonDecoder) leafEdit(e *Edit) (err error) {
	n := e.Node
	e.HasValue = true
	if n.Kind == Leaf {
		e.Value, _, err = d.leaf(n)
		return err
	}
	e.Op = OpReplace
	var seen keySet
	return d.array(n, func() error {
		v, lexical, err := d.leaf(n)
		if err != nil {
			return err
		}
		if len(e.Values) == maxLeafList { // max-elements is for Validate (RFC 7950 8.3.3)
			return tooMany(n, slices.Clone(d.path)) // here, before the comparisons get many
		}
		if !seen.add(v.String()) {
			return d.fault(InvalidValue, n, "%s stands in the leaf-list twice", clip(lexical))
		}
		e.Values = append(e.Values, v)
		return nil
	})
}

// leaf reads one value of n, and returns also its text.
func (d *jsonDecoder) leaf(n *Node) (Value, string, error) {
	var text []byte
	var err error
	switch b := d.peek(); {
	case b == '"' && n.Type.Kind != ValueBool:
		text, err = d.str()
	case (b == '-' || '0' <= b && b <= '9') && n.Type.Kind != ValueBool && n.Type.Kind != ValueEnum:
		text, err = d.number()
		if n.Type.Kind != ValueString {
			text = withoutExponent(text)
		}
	case n.Type.Kind == ValueBool && d.word("true"):
		return BoolValue(true), "true", nil
	case n.Type.Kind == ValueBool && d.word("false"):
		return BoolValue(false), "false", nil
	default:
		return Value{}, "", d.kindError(n, n.Type.jsonName())
	}
	if err != nil {
		return Value{}, "", err
	}
	if n.Secret && d.open != nil {
		if text, err = unsealed(text, d.open); err != nil {
			return Value{}, "", d.fault(OperationFailed, n, "%s cannot be opened: %v", n.Name, err)
		}
	}
	if n.Type.Kind == ValueEnum {
		if number, ok := n.Type.enumOf[string(text)]; ok {
			return Value{kind: ValueEnum, s: n.Type.nameOf[number], n: uint64(number)}, n.Type.nameOf[number], nil
		}
	}
	lexical := string(text)
	v, err := n.Type.Parse(lexical)
	if err != nil {
		return Value{}, "", n.valueError(slices.Clone(d.path), lexical, err)
	}
	return v, lexical, nil
}

// withoutExponent writes an integer with an exponent as YANG has it: 1e1 is 10
// (RFC 7951 6.1 asks for a JSON number, no matter which form). All else is
// returned as it is.
func withoutExponent(number []byte) []byte {
	const most = 20 // digits of an integer of 64 bits
	mantissa, exponent, found := bytes.Cut(bytes.ToLower(number), []byte("e"))
	shift, err := strconv.Atoi(string(exponent))
	if !found || err != nil {
		return number
	}
	digits, negative := bytes.CutPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(digits, []byte("."))
	digits = bytes.TrimLeft(slices.Concat(whole, fraction), "0")
	if len(digits) == 0 {
		return []byte("0")
	}
	for shift -= len(fraction); shift < 0 && digits[len(digits)-1] == '0'; shift++ {
		digits = digits[:len(digits)-1]
	}
	if shift < 0 || shift+len(digits) > most {
		return number
	}
	digits = append(digits, bytes.Repeat([]byte("0"), shift)...)
	if negative {
		digits = append([]byte("-"), digits...)
	}
	return digits
}

// jsonName names the JSON form of a value for messages.
func (t *Type) jsonName() string {
	switch t.Kind {
	case ValueBool:
		return "true or false"
	case ValueUint, ValueInt:
		return "an integer"
	case ValueEnum:
		return "one of the strings " + strings.Join(t.Enums, ", ")
	}
	return "a string"
}

// emptyObject says whether an object without members comes.
func (d *jsonDecoder) emptyObject() bool {
	start := d.pos
	defer func() { d.pos = start }()
	return d.peek() == '{' && d.expect('{') == nil && d.peek() == '}'
}
