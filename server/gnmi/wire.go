package gnmi

import (
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/protobuf/encoding/protowire"

	"mooring/engine/schema"
	"mooring/server/gnmi/ocview"
)

// Notifications of a Subscribe are written in wire form as they come: a record
// has some 70 leaves, and a message struct for each of them costs more than
// everything else that is done for it. The numbers are those of gnmi.proto; a
// test holds what is written here to what leafValue, elemsOut and the protobuf
// library make of the same.
const (
	responseUpdate  = 1 // SubscribeResponse
	getNotification = 1 // GetResponse

	notificationTimestamp = 1
	notificationPrefix    = 2
	notificationUpdate    = 4
	notificationDelete    = 5
	notificationAtomic    = 6

	updatePath       = 1
	updateVal        = 3
	updateDuplicates = 4

	pathOrigin = 2
	pathElem   = 3
	pathTarget = 4

	elemName = 1
	elemKey  = 2
	mapKey   = 1
	mapValue = 2

	valString   = 1
	valInt      = 2
	valUint     = 3
	valBool     = 4
	valLeaflist = 8
	valJSON     = 10
	valJSONIETF = 11

	arrayElement = 1
)

// notice is a SubscribeResponse with a Notification, in wire form while it
// grows. The zero notice has not begun.
type notice struct {
	buf  []byte // room for the outer length, then the fields of the Notification
	says bool   // an update or a delete
}

// headroom is what the tag and the length of the Notification take at most.
const headroom = 1 + 5

// heading is what a notice begins with.
type heading struct {
	time           int64 // ns since the epoch
	origin, target string
	at             schema.Path // what the paths below start from
	atomic         bool
}

// begin starts a notice in buf, which is taken over.
func (n *notice) begin(buf []byte, h heading) {
	b := append(buf[:0], make([]byte, headroom)...)
	b = protowire.AppendTag(b, notificationTimestamp, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(h.time))
	b = protowire.AppendTag(b, notificationPrefix, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(textSize(pathOrigin, h.origin)+elemsSize(h.at)+textSize(pathTarget, h.target)))
	b = appendText(b, pathOrigin, h.origin)
	b = appendElems(b, h.at)
	b = appendText(b, pathTarget, h.target)
	if h.atomic {
		b = protowire.AppendTag(b, notificationAtomic, protowire.VarintType)
		b = protowire.AppendVarint(b, 1)
	}
	n.buf = b
}

func (n *notice) begun() bool { return n.buf != nil }

// update adds a leaf: the Path and the TypedValue are in wire form.
func (n *notice) update(path, value []byte, duplicates uint32) {
	size := bytesSize(updatePath, len(path)) + bytesSize(updateVal, len(value))
	if duplicates > 0 {
		size += protowire.SizeTag(updateDuplicates) + protowire.SizeVarint(uint64(duplicates))
	}
	b := protowire.AppendTag(n.buf, notificationUpdate, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = appendBytes(b, updatePath, path)
	b = appendBytes(b, updateVal, value)
	if duplicates > 0 {
		b = protowire.AppendTag(b, updateDuplicates, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(duplicates))
	}
	n.buf, n.says = b, true
}

// delete adds the removal of what stands at a Path in wire form.
func (n *notice) delete(path []byte) {
	n.buf, n.says = appendBytes(n.buf, notificationDelete, path), true
}

// bytes ends the notice and returns the SubscribeResponse.
func (n *notice) bytes() []byte {
	size := uint64(len(n.buf) - headroom)
	start := headroom - bytesTag(responseUpdate) - protowire.SizeVarint(size)
	protowire.AppendVarint(protowire.AppendTag(n.buf[:start], responseUpdate, protowire.BytesType), size)
	return n.buf[start:]
}

func bytesTag(field protowire.Number) int { return protowire.SizeTag(field) }

// bytesSize is the size of a field with n octets.
func bytesSize(field protowire.Number, n int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(n)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// textSize is the size of a string field, which is left out where it is empty.
func textSize(field protowire.Number, s string) int {
	if s == "" {
		return 0
	}
	return bytesSize(field, len(s))
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

// elemsSize is the size of the elements of a Path.
func elemsSize(p schema.Path) int {
	n := 0
	for i := range p {
		n += bytesSize(pathElem, elemSize(&p[i]))
	}
	return n
}

func elemSize(s *schema.Step) int {
	n := bytesSize(elemName, len(s.Node.Name))
	for i, k := range s.Keys {
		n += bytesSize(elemKey, bytesSize(mapKey, len(s.Node.Keys[i].Name))+bytesSize(mapValue, len(k)))
	}
	return n
}

// appendElems appends the elements of a Path.
func appendElems(b []byte, p schema.Path) []byte {
	for i := range p {
		s := &p[i]
		b = protowire.AppendTag(b, pathElem, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(elemSize(s)))
		b = protowire.AppendString(protowire.AppendTag(b, elemName, protowire.BytesType), s.Node.Name)
		for j, k := range s.Keys {
			name := s.Node.Keys[j].Name
			b = protowire.AppendTag(b, elemKey, protowire.BytesType)
			b = protowire.AppendVarint(b, uint64(bytesSize(mapKey, len(name))+bytesSize(mapValue, len(k))))
			b = protowire.AppendString(protowire.AppendTag(b, mapKey, protowire.BytesType), name)
			b = protowire.AppendString(protowire.AppendTag(b, mapValue, protowire.BytesType), k)
		}
	}
	return b
}

// appendValue appends the TypedValue of a leaf (gnmi.md 20, 21, 56).
func appendValue(b []byte, enc gpb.Encoding, l *schema.LeafValue) []byte {
	list := l.Node.Kind == schema.LeafList
	switch {
	case enc != gpb.Encoding_PROTO:
		return appendJSONValue(b, enc, l, list)
	case !list:
		return appendScalar(b, l.Value)
	}
	size := 0
	for _, v := range l.Values {
		size += bytesSize(arrayElement, scalarSize(v))
	}
	b = protowire.AppendTag(b, valLeaflist, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	for _, v := range l.Values {
		b = protowire.AppendTag(b, arrayElement, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(scalarSize(v)))
		b = appendScalar(b, v)
	}
	return b
}

func scalarSize(v schema.Value) int {
	switch v.Kind() {
	case schema.ValueInt:
		return protowire.SizeTag(valInt) + protowire.SizeVarint(uint64(v.Int()))
	case schema.ValueUint:
		return protowire.SizeTag(valUint) + protowire.SizeVarint(v.Uint())
	case schema.ValueBool:
		return protowire.SizeTag(valBool) + 1
	}
	return bytesSize(valString, len(v.String()))
}

func appendScalar(b []byte, v schema.Value) []byte {
	switch v.Kind() {
	case schema.ValueInt:
		return protowire.AppendVarint(protowire.AppendTag(b, valInt, protowire.VarintType), uint64(v.Int()))
	case schema.ValueUint:
		return protowire.AppendVarint(protowire.AppendTag(b, valUint, protowire.VarintType), v.Uint())
	case schema.ValueBool:
		return protowire.AppendVarint(protowire.AppendTag(b, valBool, protowire.VarintType), protowire.EncodeBool(v.Bool()))
	}
	return protowire.AppendString(protowire.AppendTag(b, valString, protowire.BytesType), v.String())
}

// appendJSONValue appends a TypedValue of JSON text. Most texts are shorter
// than 128 octets, whose length takes one octet; others are moved.
func appendJSONValue(b []byte, enc gpb.Encoding, l *schema.LeafValue, list bool) []byte {
	field, ietf := protowire.Number(valJSON), enc == gpb.Encoding_JSON_IETF
	if ietf {
		field = valJSONIETF
	}
	b = append(protowire.AppendTag(b, field, protowire.BytesType), 0)
	from := len(b)
	b = appendLeafJSON(b, l, list, ietf)
	size := len(b) - from
	if size < 1<<7 {
		b[from-1] = byte(size)
		return b
	}
	more := protowire.SizeVarint(uint64(size)) - 1
	b = append(b, make([]byte, more)...)
	copy(b[from+more:], b[from:from+size])
	protowire.AppendVarint(b[:from-1], uint64(size))
	return b
}

func appendLeafJSON(b []byte, l *schema.LeafValue, list, ietf bool) []byte {
	if !list {
		return ocview.AppendValue(b, l.Node.Type, l.Value, ietf)
	}
	b = append(b, '[')
	for i, v := range l.Values {
		if i > 0 {
			b = append(b, ',')
		}
		b = ocview.AppendValue(b, l.Node.Type, v, ietf)
	}
	return append(b, ']')
}

// relPaths are the Paths from a record to its leaves that no list is on: most
// leaves, and always the same.
var relPaths = func() map[*schema.Node][]byte {
	m := map[*schema.Node][]byte{}
	var grow func(n *schema.Node, p schema.Path)
	grow = func(n *schema.Node, p schema.Path) {
		for _, c := range n.Children {
			rel := p.Append(c)
			switch {
			case c.IsRecord():
				grow(c, nil)
			case c.IsLeaf():
				m[c] = appendElems(nil, rel)
			case c.Kind == schema.Container:
				grow(c, rel)
			}
		}
	}
	grow(schema.Root(), nil)
	return m
}()

// atomicPaths are the Paths of the leaves in the atomic container.
var atomicPaths = func() map[*schema.Node][]byte {
	m := map[*schema.Node][]byte{}
	for _, c := range atomicNode.Children {
		m[c] = appendElems(nil, schema.Path{{Node: c}})
	}
	return m
}()

// knownPath is the Path from a record, or from the atomic container, to a leaf,
// where it is always the same.
func knownPath(n *schema.Node) ([]byte, bool) {
	if isAtomic(n) {
		return atomicPaths[n], true
	}
	p, ok := relPaths[n]
	return p, ok
}

// relPath is the Path from a record, or from the atomic container, to a leaf.
func relPath(n *schema.Node, rel schema.Path) []byte {
	if p, ok := knownPath(n); ok {
		return p
	}
	return appendElems(nil, rel)
}
