package schema

import (
	"slices"

	"mooring/internal/xmltok"
)

// leaf reads a leaf, or an entry of a leaf-list.
func (d *xmlDecoder) leaf(parent *Edit, c child) error {
	text, err := d.text(c.n)
	if err != nil {
		return err
	}
	if c.n.Type.Instance {
		if text, err = d.instance(text, c.n); err != nil {
			return err
		}
	}
	if d.dry || c.n.isKey {
		return nil // the key was read with its entry
	}
	if c.op.deletes() && c.n.Kind == Leaf {
		d.add(parent, c, nil)
		return nil
	}
	v, err := d.value(text, c.n)
	if err != nil {
		return err
	}
	switch {
	case c.n.Kind == LeafList:
		if c.op == OpReplace {
			c.op = OpMerge // of one entry; that of the whole list is its parent's
		}
		return d.leafListEntry(parent, c, v)
	case c.isDefault:
		if !slices.Contains(c.n.Default, v.String()) {
			return &Error{Tag: InvalidValue, Path: d.at(c.n), BadElement: c.n.Name, Message: "is marked as default, but that is not its default (RFC 6243 4.5)"}
		}
		c.op = OpRemove
		d.add(parent, c, nil)
	default:
		e := d.add(parent, c, nil)
		e.Value, e.HasValue = v, true
	}
	return nil
}

// leafListEntry adds a value to the edit of the leaf-list.
func (d *xmlDecoder) leafListEntry(parent *Edit, c child, v Value) error {
	e := sameLeafList(parent, c)
	if e == nil {
		e = d.add(parent, c, nil)
	}
	switch {
	case slices.Contains(e.Values, v):
		return &Error{Tag: BadElement, Path: d.at(c.n), BadElement: c.n.Name, Message: clip(v.String()) + " stands twice"}
	case len(e.Values) == maxLeafList: // max-elements is for Validate (RFC 7950 8.3.3)
		return tooMany(c.n, d.at(c.n)) // here, before the comparisons get many
	}
	e.Values, e.HasValue = append(e.Values, v), true
	return nil
}

// sameLeafList returns the edit for earlier entries of a leaf-list, nil for
// none.
func sameLeafList(parent *Edit, c child) *Edit {
	for i := len(parent.Children) - 1; i >= 0; i-- {
		if e := parent.Children[i]; e.Node == c.n && e.Op == c.op {
			return e
		}
	}
	return nil
}

// text reads the content of a leaf up to its end tag.
func (d *xmlDecoder) text(n *Node) (string, error) {
	text := ""
	for {
		tok, err := d.dec.Next()
		switch {
		case err != nil:
			return "", malformed(err)
		case tok.Kind == xmltok.EndElement:
			return text, nil
		case tok.Kind == xmltok.StartElement:
			return "", &Error{Tag: UnknownElement, Path: d.at(n), BadElement: tok.Local, Message: "is a leaf and holds no element " + tok.Local}
		}
		text = string(tok.Text)
	}
}

// value reads the value of a leaf.
func (d *xmlDecoder) value(text string, below ...*Node) (Value, error) {
	n := below[len(below)-1]
	v, err := n.Type.Parse(n.Type.trim(text))
	if err != nil {
		return v, &Error{Tag: InvalidValue, Path: d.at(below...), BadElement: n.Name, Message: err.Error()}
	}
	return v, nil
}

// instance puts names of modules for the prefixes of a path, which are those
// that are declared where it stands. A name of a module does without.
func (d *xmlDecoder) instance(text string, n *Node) (string, error) {
	in, err := ParseInstance(xmltok.TrimSpace(text), func(prefix string) (string, bool) {
		if ns, declared := d.dec.LookupPrefix(prefix); declared {
			return moduleOf(ns)
		}
		_, known := namespaceOf(prefix)
		return prefix, known
	})
	if err != nil {
		return "", &Error{Tag: InvalidValue, Path: d.at(n), BadElement: n.Name, Message: err.Error()}
	}
	return in.String(), nil
}

// trim removes the white space around a value where it has no meaning: around
// numbers, booleans, enums, addresses, but not around strings (RFC 7950 9.4).
func (t *Type) trim(s string) string {
	if t.Kind == ValueString && t.custom == nil {
		return s
	}
	return xmltok.TrimSpace(s)
}

// keys looks ahead for the keys of the entry of the list n whose start tag was
// read last: they may stand anywhere in it. A container has none.
func (d *xmlDecoder) keys(n *Node) ([]string, error) {
	if len(n.Keys) == 0 {
		return nil, nil
	}
	mark := d.dec.Save()
	key := n.Keys[0]
	for {
		tok, err := d.dec.Next()
		switch {
		case err != nil:
			return nil, malformed(err)
		case tok.Kind == xmltok.EndElement:
			return nil, &Error{Tag: MissingElement, Path: d.at(n), BadElement: key.Name, Message: "list key " + key.Name + " is missing"}
		case tok.Kind == xmltok.Text:
		case tok.Local != key.Name || tok.Namespace != key.Namespace:
			if err := d.dec.Skip(); err != nil {
				return nil, malformed(err)
			}
		default:
			text, err := d.text(key)
			if err != nil {
				return nil, err
			}
			v, err := d.value(text, n, key)
			if err != nil {
				return nil, err
			}
			if v.String() == Wild {
				return nil, &Error{Tag: InvalidValue, Path: d.at(n, key), BadElement: key.Name, Message: "'*' stands for any entry and cannot be a key"}
			}
			d.dec.Restore(mark)
			return []string{v.String()}, nil
		}
	}
}
