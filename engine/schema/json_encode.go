package schema

import (
	"reflect"
	"strings"
)

// JSONOptions choose form and extent of AppendJSON.
type JSONOptions struct {
	IETF    bool // RFC 7951: module names, 64-bit numbers as strings; else plain JSON
	Content Content
	Depth   int // levels of containers and lists below the path, 0 for all
}

// AppendJSON appends the value at p: a bare value for a leaf, its default
// where that is in use, an array for a leaf-list or a list without keys, else
// an object. Members are in the order of the model, entries sorted by key.
// Secrets are left out. Only the last step of p may be without keys. What does
// not exist is an *Error with DataMissing; a container without presence always
// exists.
func AppendJSON(dst []byte, v View, p Path, o JSONOptions) ([]byte, error) {
	e := &jsonEncoder{dst: dst, view: v, ietf: o.IETF, content: o.Content}
	depth := unlimited(o.Depth)
	at, ok := find(v, p, o.Content)
	n := p.Node()
	switch {
	case !ok:
		return dst, missing(p)
	case n.IsLeaf():
		ok = e.bareLeaf(n, at)
	case n.Kind == List && p[len(p)-1].wild():
		ok = e.list(n, at, depth+1, true)
	default:
		e.dst = append(e.dst, '{')
		e.members(n, at, depth, true)
		e.dst = append(e.dst, '}')
	}
	if !ok {
		return dst, missing(p)
	}
	return e.dst, nil
}

func missing(p Path) *Error {
	return &Error{Tag: DataMissing, Path: p, Message: "there is no such data"}
}

// jsonEncoder appends JSON. A comma is due before a member or element unless
// the text so far ends in an opening bracket, so what turns out to be empty is
// cut off again.
type jsonEncoder struct {
	dst     []byte
	view    View
	content Content
	ietf    bool
	bare    bool                // no module names, for the store
	seal    func([]byte) []byte // writes secrets, for the store; nil leaves them out
	leaves  int                 // written so far, keys not counted
}

// members appends the members of the object of n.
func (e *jsonEncoder) members(n *Node, at place, depth int, top bool) {
	for _, c := range n.Children {
		qualify := e.ietf && !e.bare && (top || c.Module != n.Module)
		switch {
		case c.spine || c.kind != nil:
			if depth > 1 && e.view != nil {
				e.below(c, at.key, depth, qualify)
			}
		case c.IsLeaf():
			e.leaf(c, at, qualify)
		case depth == 1:
		case c.Kind == Container:
			if sub := at.sub(c); sub.valid() {
				e.container(c, sub, depth, qualify)
			}
		default:
			if c.isSet(at.cfg) || c.isSet(at.st) {
				e.innerList(c, at, depth, qualify)
			}
		}
	}
}

// comma separates from what stands before.
func (e *jsonEncoder) comma() {
	if c := e.dst[len(e.dst)-1]; c != '{' && c != '[' {
		e.dst = append(e.dst, ',')
	}
}

func (e *jsonEncoder) name(n *Node, qualify bool) {
	e.comma()
	if qualify {
		e.dst = append(e.dst, n.qualified...)
	} else {
		e.dst = append(e.dst, n.member...)
	}
}

func (e *jsonEncoder) container(n *Node, at place, depth int, qualify bool) {
	start := len(e.dst)
	e.name(n, qualify)
	open := len(e.dst)
	e.dst = append(e.dst, '{')
	e.members(n, at, depth-1, false)
	if len(e.dst) == open+1 && !(n.Presence && at.cfg.IsValid() && e.content.config()) {
		e.dst = e.dst[:start]
		return
	}
	e.dst = append(e.dst, '}')
}

// below appends what stands at n, which is a record or above records.
func (e *jsonEncoder) below(n *Node, key Key, depth int, qualify bool) {
	if n.kind != nil && n.kind.Singleton {
		k := MakeKey(key, n.kind)
		if at := recordAt(e.view, k, e.content); at.valid() {
			e.container(n, at, depth, qualify)
		}
		return
	}
	start := len(e.dst)
	e.name(n, qualify)
	if n.kind != nil {
		if !e.list(n, place{key: key}, depth, false) {
			e.dst = e.dst[:start]
		}
		return
	}
	open := len(e.dst)
	e.dst = append(e.dst, '{')
	e.members(n, place{key: key}, depth-1, false)
	if len(e.dst) == open+1 {
		e.dst = e.dst[:start]
		return
	}
	e.dst = append(e.dst, '}')
}

// list appends the array of all entries of n, and says whether there is one.
func (e *jsonEncoder) list(n *Node, at place, depth int, top bool) bool {
	open := len(e.dst)
	e.dst = append(e.dst, '[')
	if n.kind != nil {
		e.records(n, at.key, depth, top)
	} else {
		var few [fewEntries]placeEntry
		for _, entry := range at.entries(few[:0], n) {
			e.entry(n, entry.place, depth, top)
		}
	}
	if len(e.dst) == open+1 {
		return false
	}
	e.dst = append(e.dst, ']')
	return true
}

// records appends the entries of a list of records. A long list is written by
// several encoders.
func (e *jsonEncoder) records(n *Node, key Key, depth int, top bool) {
	blank := *e // what follows writes to e
	blank.dst, blank.leaves = nil, 0
	scanChunks(e.view, n, key.childPrefix(n.kind),
		func(r listRecord) bool {
			e.entry(n, recordOf(e.view, r.key, r.rec, e.content), depth, top)
			return true
		},
		func(v View, chunk []listRecord, used *jsonEncoder) *jsonEncoder {
			part := blank
			part.view = v
			if used != nil {
				part.dst = used.dst[:0]
			}
			part.dst = append(part.dst, '[')
			for _, r := range chunk {
				part.entry(n, recordOf(v, r.key, r.rec, part.content), depth, top)
			}
			return &part
		},
		func(part *jsonEncoder) bool {
			if len(part.dst) > 1 {
				e.comma()
				e.dst = append(e.dst, part.dst[1:]...)
				e.leaves += part.leaves
			}
			return true
		})
}

func (e *jsonEncoder) innerList(n *Node, at place, depth int, qualify bool) {
	start := len(e.dst)
	e.name(n, qualify)
	if !e.list(n, at, depth, false) {
		e.dst = e.dst[:start]
	}
}

// entry appends an element of an array. An entry without any state is left out
// where only state is asked for.
func (e *jsonEncoder) entry(n *Node, at place, depth int, top bool) {
	start, leaves := len(e.dst), e.leaves
	e.comma()
	e.dst = append(e.dst, '{')
	e.members(n, at, depth-1, top)
	e.dst = append(e.dst, '}')
	if !e.content.config() && leaves == e.leaves {
		e.dst = e.dst[:start]
	}
}

// leaf appends the leaf or leaf-list n as a member.
func (e *jsonEncoder) leaf(n *Node, at place, qualify bool) {
	f, set := n.lookup(at.holder(n))
	if !set || n.Secret && e.seal == nil || !n.isKey && !e.content.takes(n) {
		return
	}
	if !n.isKey {
		e.leaves++
	}
	e.name(n, qualify)
	e.leafValue(n, f)
}

// bareLeaf appends the value of the leaf at the end of a path, or its default.
func (e *jsonEncoder) bareLeaf(n *Node, at place) bool {
	f, set := n.lookup(at.holder(n))
	switch {
	case n.Secret || !e.content.takes(n):
		return false
	case set:
		e.leafValue(n, f)
		return true
	}
	if h := hiderOf(e.view); h != nil && h.Hides(at.key, n) {
		return false
	}
	defaults := n.defaults()
	for i, v := range defaults {
		if i > 0 {
			e.dst = append(e.dst, ',')
		} else if n.Kind == LeafList {
			e.dst = append(e.dst, '[')
		}
		e.dst = n.Type.appendJSON(e.dst, v, e.ietf)
	}
	if len(defaults) > 0 && n.Kind == LeafList {
		e.dst = append(e.dst, ']')
	}
	return len(defaults) > 0
}

func (e *jsonEncoder) leafValue(n *Node, f reflect.Value) {
	if n.Kind == LeafList {
		e.dst = append(e.dst, '[')
		for i := range f.Len() {
			if i > 0 {
				e.dst = append(e.dst, ',')
			}
			e.dst = n.Type.appendJSON(e.dst, n.Type.valueOf(f.Index(i)), e.ietf)
		}
		e.dst = append(e.dst, ']')
		return
	}
	v := n.valueAt(f)
	if n.Secret {
		v = StringValue(sealed(v.s, e.seal))
	}
	e.dst = n.Type.appendJSON(e.dst, v, e.ietf)
}

// appendJSON appends a value. RFC 7951 6.1: 64-bit numbers are strings.
func (t *Type) appendJSON(dst []byte, v Value, ietf bool) []byte {
	switch v.kind {
	case ValueString, ValueEnum:
		return appendString(dst, v.s)
	case ValueUint, ValueInt:
		if ietf && t.Bits == 64 {
			dst = append(dst, '"')
			return append(v.Append(dst), '"')
		}
	}
	return v.Append(dst)
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string (RFC 8259 7).
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// Text returns s without what is not UTF-8. It is for state leaves whose text
// comes from a peer or a daemon: the encoders write strings as they are, and
// only those of the configuration went through Type.Parse.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
