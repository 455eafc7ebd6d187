package schema

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"sync"

	"github.com/openconfig/ygot/ygot"
)

// AppendRecord appends a configuration record in the form in which it is
// stored: RFC 7951 JSON with names, not numbers, of enums. Secrets are sealed
// and in base64.
func AppendRecord(dst []byte, rec ygot.GoStruct, seal func([]byte) []byte) []byte {
	e := &jsonEncoder{dst: append(dst, '{'), ietf: true, bare: true, seal: seal, content: ConfigOnly}
	e.members(kindOfRecord(rec).Node, place{cfg: structOf(rec)}, unlimited(0), false)
	return append(e.dst, '}')
}

func sealed(secret string, seal func([]byte) []byte) string {
	return base64.StdEncoding.EncodeToString(seal([]byte(secret)))
}

// DecodeRecord is the inverse of AppendRecord. It checks types as it does for
// a client's input, so that nothing that is stored can be worse.
func DecodeRecord(kind *RecordKind, data []byte, open func([]byte) ([]byte, error)) (ygot.GoStruct, error) {
	d := recordDecoders.Get().(*jsonDecoder)
	defer recordDecoders.Put(d)
	defer d.forget()
	d.data, d.pos, d.open, d.path = data, 0, open, append(d.path[:0], kind.path...)
	rec, err := d.record(kind)
	if err != nil {
		return nil, fmt.Errorf("stored record of kind %c: %w", kind.Letter, err)
	}
	return rec, nil
}

// recordDecoders keeps decoders for the next record: at the start of the agent
// all of them come through here, and none of their edits outlives its call.
var recordDecoders = sync.Pool{New: func() any { return new(jsonDecoder) }}

// forget drops what the decoder read, which may be secret, but keeps memory.
func (d *jsonDecoder) forget() {
	d.slab.reset()
	for i := range d.slab.edits {
		e := &d.slab.edits[i]
		clear(e.Values)
		*e = Edit{Values: e.Values[:0], Children: e.Children[:0]}
	}
	clear(d.buf)
	d.data, d.open = nil, nil
}

// record reads the object of a whole record.
func (d *jsonDecoder) record(kind *RecordKind) (ygot.GoStruct, error) {
	e := d.newEdit(kind.Node, OpMerge)
	later, err := d.object(e)
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return nil, d.wrap(err)
	}
	if len(later) > 0 {
		return nil, d.fault(BadElement, later[0].node, "a stored record holds no other records")
	}
	sv := reflect.New(kind.typ).Elem()
	kind.Node.fill(sv, e)
	return record(sv), nil
}

// fill writes the values of e, all of which are new, to the struct of n.
func (n *Node) fill(sv reflect.Value, e *Edit) {
	if n.Kind == List {
		v, _ := n.Keys[0].Type.Parse(e.Keys[0])
		n.setKeys(sv, v)
	}
	for _, c := range e.Children {
		switch c.Node.Kind {
		case Leaf:
			c.Node.set(sv, c.Value)
		case LeafList:
			c.Node.setValues(sv, c.Values)
		case Container:
			c.Node.fill(c.Node.ensure(sv), c)
		case List:
			for _, entry := range c.Children {
				c.Node.fill(c.Node.ensureEntry(sv, entry.Keys[0]), entry)
			}
		}
	}
}

// unsealed opens a stored secret.
func unsealed(text []byte, open func([]byte) ([]byte, error)) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return nil, err
	}
	return open(raw)
}
