package schema

import (
	"errors"
	"fmt"
	"slices"
)

// DecodeJSON reads the value of the node at base and emits what it asks for,
// one Edit per record, each with the path of the parent of its node. An edit is
// valid only until emit returns; a path may be kept. RFC 7951 and plain JSON are both taken: a module name
// before a member is optional but must be right, and a number may stand as a
// string and the reverse, as the leaf's type asks. op is OpMerge or OpReplace;
// a leaf-list is always replaced as a whole. The error of emit ends the
// decoding and is returned as it is; all others are an *Error.
func DecodeJSON(base Path, data []byte, op Op, emit func(base Path, e *Edit) error) error {
	if err := checkBase(base); err != nil {
		return err
	}
	d := &jsonDecoder{scanner: scanner{data: data}, path: slices.Clone(base), emit: emit}
	if err := d.top(base, op); err != nil {
		return d.wrap(err)
	}
	if err := d.end(); err != nil {
		return d.wrap(err)
	}
	return nil
}

// checkBase refuses paths that no value can be written to.
func checkBase(base Path) error {
	for i, s := range base {
		if s.wild() {
			return &Error{
				Tag: InvalidValue, Path: base[:i+1], BadElement: s.Node.Name,
				Message: "a value is written to one list entry: give all keys, without wildcards",
			}
		}
	}
	if err := base.Node().writable(base); err != nil {
		return err
	}
	return nil
}

// jsonDecoder reads values whose nodes it knows.
type jsonDecoder struct {
	scanner
	path Path // where it stands, for messages
	emit func(Path, *Edit) error
	open func([]byte) ([]byte, error) // opens secrets, of the store; nil: they are in the clear
	slab editSlab                     // of the record that is read
	// input marks the input of an operation, which is neither configuration nor
	// state.
	input bool
}

// emitted marks an error of emit, which is not the decoder's.
type emitted struct{ error }

// wrap makes an *Error of what went wrong.
func (d *jsonDecoder) wrap(err error) error {
	if e, ok := errors.AsType[emitted](err); ok {
		return e.error
	}
	if e, ok := errors.AsType[*syntaxError](err); ok {
		return &Error{Tag: MalformedMessage, Path: slices.Clone(d.path), Message: e.message}
	}
	return err
}

// fault returns an error where the decoder stands.
func (d *jsonDecoder) fault(tag Tag, n *Node, format string, args ...any) *Error {
	return &Error{Tag: tag, Path: slices.Clone(d.path), BadElement: n.Name, Message: fmt.Sprintf(format, args...)}
}

func (d *jsonDecoder) newEdit(n *Node, op Op) *Edit { return d.slab.next(n, op, nil) }

func (d *jsonDecoder) push(n *Node) { d.path = append(d.path, Step{Node: n}) }
func (d *jsonDecoder) pop()         { d.path = d.path[:len(d.path)-1] }

// send emits an edit, after which there is none.
func (d *jsonDecoder) send(base Path, e *Edit) error {
	d.slab.reset()
	if err := d.emit(base, e); err != nil {
		return emitted{err}
	}
	return nil
}

// top reads the value of the node at base.
func (d *jsonDecoder) top(base Path, op Op) error {
	n := base.Node()
	e := d.newEdit(n, op)
	switch {
	case n.IsLeaf():
		if err := d.leafEdit(e); err != nil {
			return err
		}
		return d.send(base.Parent(), e)
	case n.spine && n.kind == nil:
		if op == OpReplace { // clear first, then add record by record
			start := d.pos
			if err := d.skip(); err != nil {
				return err
			}
			d.pos = start
			if err := d.send(base.Parent(), e); err != nil {
				return err
			}
		}
		return d.spine(n)
	}
	if n.Kind == List {
		e.Keys = base[len(base)-1].Keys
		if op == OpReplace && d.emptyObject() {
			return d.fault(InvalidValue, n, "an empty object cannot replace a list entry: delete the entry instead")
		}
	}
	return d.entry(base.Parent(), e)
}

// nested is a value above records that is read after the record it is in.
type nested struct {
	node *Node
	pos  int
}

// entry reads an object that is one Edit, emits it, and then what it nests.
// The path already stands at it; the keys may still be unknown.
func (d *jsonDecoder) entry(base Path, e *Edit) error {
	start := d.pos
	later, err := d.object(e)
	if err != nil {
		return d.named(err, e, start)
	}
	if err := d.send(base, e); err != nil {
		return err
	}
	end := d.pos
	for _, v := range later {
		d.pos = v.pos
		d.push(v.node)
		if err := d.spine(v.node); err != nil {
			return err
		}
		d.pop()
	}
	d.pos = end
	return nil
}

// spine reads the value of a node above records: the object of a container or
// the array of a list of records.
func (d *jsonDecoder) spine(n *Node) error {
	if n.Kind == List {
		return d.records(n)
	}
	if n.kind != nil {
		return d.entry(slices.Clone(d.path[:len(d.path)-1]), d.newEdit(n, OpMerge))
	}
	return d.members(n, func(c *Node) error { return d.spine(c) })
}

// records reads the array of a list of records and emits each.
func (d *jsonDecoder) records(n *Node) error {
	base := slices.Clone(d.path[:len(d.path)-1])
	var seen keySet
	return d.array(n, func() error {
		e := d.newEdit(n, OpMerge)
		d.path[len(d.path)-1].Keys = nil
		if err := d.entry(base, e); err != nil {
			return err
		}
		if !seen.add(d.path[len(d.path)-1].Keys[0]) {
			return d.duplicate(n)
		}
		return nil
	})
}

func (d *jsonDecoder) duplicate(n *Node) *Error {
	e := d.fault(OperationFailed, n, "the list entry stands in the request twice")
	e.AppTag = AppNotUnique
	return e
}

// keySet finds keys, or entries of a leaf-list, that come twice. Sorted input, the usual case, needs no
// map.
type keySet struct {
	keys []string
	set  map[string]struct{}
}

func (s *keySet) add(key string) bool {
	if s.set == nil {
		if len(s.keys) == 0 || key > s.keys[len(s.keys)-1] {
			s.keys = append(s.keys, key)
			return true
		}
		s.set = make(map[string]struct{}, 2*len(s.keys))
		for _, k := range s.keys {
			s.set[k] = struct{}{}
		}
		s.keys = nil
	}
	if _, ok := s.set[key]; ok {
		return false
	}
	s.set[key] = struct{}{}
	return true
}

// array reads an array and calls fn at each element.
func (d *jsonDecoder) array(n *Node, fn func() error) error {
	if d.peek() != '[' {
		return d.kindError(n, "an array")
	}
	d.pos++
	for first := true; ; first = false {
		more, err := d.more(first, ']')
		if err != nil || !more {
			return err
		}
		if err := fn(); err != nil {
			return err
		}
	}
}

// kindError says that another kind of value was expected.
func (d *jsonDecoder) kindError(n *Node, want string) error {
	var have string
	switch b := d.peek(); {
	case b == '{':
		have = "an object"
	case b == '[':
		have = "an array"
	case b == '"':
		have = "a string"
	case b == 't' || b == 'f':
		have = "a boolean"
	case b == 'n':
		have = "null"
	case b == '-' || '0' <= b && b <= '9':
		have = "a number"
	default:
		return d.fail("expected a value")
	}
	return d.fault(InvalidValue, n, "expected %s, found %s", want, have)
}
