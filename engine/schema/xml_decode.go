package schema

import (
	"slices"

	"mooring/internal/xmltok"
)

// baseNamespace is the namespace of the attribute operation (RFC 6241 3.1).
const baseNamespace = "urn:ietf:params:xml:ns:netconf:base:1.0"

// TxidNamespace is that of the attribute etag, which names a state of the
// configuration (draft-ietf-netconf-transaction-id).
const TxidNamespace = "urn:ietf:params:xml:ns:netconf:txid:1.0"

// XMLDecodeOptions are the parameters of an edit-config.
type XMLDecodeOptions struct {
	DefaultOp Op // default-operation: OpMerge, OpReplace or OpNone
	// Etag is called for each attribute etag (TxidNamespace), with the element
	// that has it; nil: they are unknown attributes.
	Etag func(at Path, value string) error
}

// DecodeXML reads the content of <config> (RFC 6241 7.2), in which dec stands,
// up to its end tag, and hands it over as edits, in the order in which Apply
// must see them: one for each record, and one for each container above records
// that is to be replaced, created or deleted. With OpReplace as the default the
// first edit replaces the root, that is, the whole datastore.
//
// An edit and its path are valid only until emit returns. Memory grows with the largest
// record, not with the document. The error is an *Error or that of emit.
//
// What the standards leave open: a list entry that stands twice is edited
// twice, in document order; a container or leaf that stands twice, and text
// between elements, is a bad-element; state data is an unknown-element.
func DecodeXML(dec *xmltok.Decoder, o XMLDecodeOptions, emit func(base Path, e *Edit) error) error {
	d := &xmlDecoder{dec: dec, emit: emit, etag: o.Etag}
	if o.DefaultOp == OpReplace {
		if err := emit(nil, &Edit{Node: Root(), Op: OpReplace}); err != nil {
			return err
		}
	}
	return d.spine(Root(), o.DefaultOp)
}

// xmlDecoder walks the document along the model.
type xmlDecoder struct {
	dec  *xmltok.Decoder
	emit func(base Path, e *Edit) error
	etag func(at Path, value string) error
	path Path // of the element whose content is read
	dry  bool // inside something that is deleted: checked, not edited

	slab editSlab // of the record that is read
}

// malformed is the fault of a document that is no XML.
func malformed(err error) error { return &Error{Tag: MalformedMessage, Message: err.Error()} }

// at returns a path that can be kept.
func (d *xmlDecoder) at(below ...*Node) Path {
	p := make(Path, len(d.path), len(d.path)+len(below))
	copy(p, d.path)
	for _, n := range below {
		p = append(p, Step{Node: n})
	}
	return p
}

func (d *xmlDecoder) push(n *Node, keys []string) { d.path = append(d.path, Step{Node: n, Keys: keys}) }
func (d *xmlDecoder) pop()                        { d.path = d.path[:len(d.path)-1] }

// spine reads the content of a node above records.
func (d *xmlDecoder) spine(n *Node, op Op) error {
	l := level{n: n, op: op}
	for {
		c, ok, err := d.next(&l)
		if !ok {
			return err
		}
		if err := d.above(c); err != nil {
			return err
		}
	}
}

// above reads a child that is a record, or a container above records.
func (d *xmlDecoder) above(c child) error {
	if c.n.kind != nil {
		return d.record(c)
	}
	if c.explicit && c.op != OpMerge && !d.dry {
		if err := d.emit(d.at(), &Edit{Node: c.n, Op: c.op}); err != nil {
			return err
		}
	}
	dry := d.dry
	d.dry = dry || c.op.deletes()
	d.push(c.n, nil)
	err := d.spine(c.n, c.op)
	d.pop()
	d.dry = dry
	return err
}

// record reads a record. Its edit is handed over before the records in it, and
// a second one for what stands after those.
func (d *xmlDecoder) record(c child) error {
	keys, err := d.keys(c.n)
	if err != nil {
		return err
	}
	base := slices.Clip(d.path) // it stays as it is until the record ends
	dry := d.dry
	d.push(c.n, keys)
	var top *Edit
	if !dry {
		top = d.slab.next(c.n, c.op, keys)
	}
	flush := func() error {
		if top == nil {
			return nil
		}
		e := top
		top = nil
		d.slab.reset()
		return d.emit(base, e)
	}
	if c.op.deletes() {
		if err := flush(); err != nil {
			return err
		}
		d.dry = true
	}
	l := level{n: c.n, op: c.op}
	for {
		in, ok, err := d.next(&l)
		switch {
		case err != nil:
			return err
		case !ok:
			d.pop()
			d.dry = dry
			return flush()
		case in.n.spine || in.n.kind != nil:
			if err = flush(); err == nil {
				err = d.above(in)
			}
		default:
			if top == nil && !d.dry {
				again := c.op
				if again.creates() {
					again = OpMerge // the first edit has replaced or created it
				}
				top = d.slab.next(c.n, again, keys)
			}
			err = d.inner(top, in)
		}
		if err != nil {
			return err
		}
	}
}

// add appends an edit to those of its parent. It returns nil where nothing is
// edited.
func (d *xmlDecoder) add(parent *Edit, c child, keys []string) *Edit {
	if d.dry {
		return nil
	}
	e := d.slab.next(c.n, c.op, keys)
	parent.Children = append(parent.Children, e)
	return e
}

// inner reads a node within a record.
func (d *xmlDecoder) inner(parent *Edit, c child) error {
	if c.n.IsLeaf() {
		return d.leaf(parent, c)
	}
	var keys []string
	if c.n.Kind == List {
		var err error
		if keys, err = d.keys(c.n); err != nil {
			return err
		}
	}
	e := d.add(parent, c, keys)
	if e != nil {
		e.Insert, e.Anchor = c.insert, c.anchor
	}
	dry := d.dry
	d.dry = dry || c.op.deletes()
	d.push(c.n, keys)
	l := level{n: c.n, op: c.op}
	for {
		in, ok, err := d.next(&l)
		if err == nil && ok {
			err = d.inner(e, in)
		}
		if err != nil {
			return err
		}
		if !ok {
			break
		}
	}
	d.pop()
	d.dry = dry
	return nil
}
