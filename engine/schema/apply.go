package schema

import (
	"reflect"
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// Apply does an edit below base, the path of the parent of e's node, with the
// semantics of RFC 6241 7.2 and RFC 7950 7.5.8, 7.6.7, 7.7.9, 7.8.6 and 7.9.5.
// Where the operation of e makes data, list entries that base names are made
// too; where it does not, they must be there. The values of e are of their
// leaves' types, as the decoders make them. The error is an *Error, after
// which the transaction is to be thrown away. What the maker of the transaction
// may not name is refused before anything is looked at (Judge).
//
//   - A container without presence exists where there is something in it.
//   - Keys cannot be changed or deleted; config/<key> may be written with the
//     value that it has.
//   - Records of Permanent are emptied where others are deleted.
func Apply(tx Tx, base Path, e *Edit) error {
	if err := CheckNamed(tx, base, e); err != nil {
		return err
	}
	a := &applier{tx: tx, path: append(make(Path, 0, len(base)+editDepth), base...)}
	if err := a.top(base, e); err != nil {
		return err
	}
	return nil
}

// editDepth is how many levels most edits go below their base.
const editDepth = 6

// applier holds where an edit stands.
type applier struct {
	tx    Tx
	path  Path // for messages
	key   Key  // of the record at hand
	fresh bool // the list entry at hand was made by this edit
}

func (a *applier) push(e *Edit) {
	a.path = append(a.path, Step{Node: e.Node, Keys: e.Keys})
}
func (a *applier) pop() { a.path = a.path[:len(a.path)-1] }

// fault returns an error where the edit stands.
func (a *applier) fault(tag Tag, message string) *Error {
	e := &Error{Tag: tag, Path: slices.Clone(a.path), Message: message}
	if len(e.Path) > 0 {
		e.BadElement = e.Path.Node().Name
	}
	return e
}

func (a *applier) missing() *Error { return a.fault(DataMissing, "it does not exist") }

func (a *applier) exists() *Error {
	return a.fault(DataExists, "it exists already and cannot be created")
}

// top applies the edit that was handed in.
func (a *applier) top(base Path, e *Edit) *Error {
	if base.Wildcard() {
		return a.fault(InvalidValue, "an edit is of one list entry: give all keys, without wildcards")
	}
	key, rest, _ := base.Record()
	here, err := a.parents(key, e.Op)
	if err != nil || !here {
		return err
	}
	if e.Node.spine || e.Node.kind != nil {
		if e.Node.Parent != nil {
			a.push(e)
		}
		return a.above(key, e)
	}
	a.key = key
	sv := structOf(a.tx.Mutable(key))
	full := a.path
	for i, s := range rest {
		a.path = full[:len(full)-len(rest)+i+1]
		if !e.Op.creates() && !s.in(sv).IsValid() && (s.Node.Kind == List || s.Node.Presence) {
			if e.Op == OpRemove {
				return nil
			}
			return a.missing()
		}
		if err := s.Node.writable(a.path); err != nil {
			return err
		}
		sv = s.ensure(sv)
	}
	return a.child(sv, e)
}

// parents sees to the record of a key and those above it. It says whether
// there is anything to go on with.
func (a *applier) parents(key Key, op Op) (bool, *Error) {
	if key == "" {
		return true, nil
	}
	if here, err := a.parents(key.Parent(), op); !here {
		return false, err
	}
	switch {
	case a.tx.Get(key) != nil || key.Kind().Singleton:
	case op.creates():
		a.tx.Mutable(key)
	case op == OpRemove:
		return false, nil
	default:
		err := a.missing()
		err.Path = key.Path()
		return false, err
	}
	return true, nil
}

// above applies an edit of a node that is a record or above records, below the
// record of key. The path stands at it.
func (a *applier) above(key Key, e *Edit) *Error {
	n := e.Node
	if n.kind != nil && (n.kind.Singleton || e.Keys != nil) {
		return a.record(MakeKey(key, n.kind, e.Keys...), e)
	}
	switch e.Op {
	case OpDelete, OpRemove, OpReplace:
		if !a.clear(key, n) && e.Op == OpDelete {
			return a.missing()
		}
		if e.Op.deletes() {
			return nil
		}
	case OpCreate:
		if a.holds(key, n) {
			return a.exists()
		}
	}
	for _, c := range e.Children {
		if n.kind == nil {
			a.push(c)
		} else {
			a.path[len(a.path)-1].Keys = c.Keys // an entry of the list itself
		}
		if err := a.above(key, c); err != nil {
			return err
		}
		if n.kind == nil {
			a.pop()
		}
	}
	return nil
}

// recordsBelow returns the keys of all records at n and below, below the
// record of key.
func (a *applier) recordsBelow(key Key, n *Node) []Key {
	kinds := n.below
	if n.kind != nil {
		kinds = []*RecordKind{n.kind}
	}
	var keys []Key
	for _, kind := range kinds {
		a.tx.Scan(key.childPrefix(kind), func(k Key, _ ygot.GoStruct) bool {
			keys = append(keys, k)
			return true
		})
	}
	return keys
}

// clear deletes the records at n and below, and says whether there was
// something to delete.
func (a *applier) clear(key Key, n *Node) bool {
	found := false
	for _, k := range a.recordsBelow(key, n) {
		found = a.drop(k) || found
	}
	return found
}

// drop deletes one record, or empties it, and says whether there was something
// to delete.
func (a *applier) drop(k Key) bool {
	if !permanent(k) {
		return a.tx.Delete(k)
	}
	rec := a.tx.Get(k)
	if rec == nil || Empty(rec) {
		return false
	}
	a.reset(k)
	return true
}

// reset takes everything but its keys out of a record.
func (a *applier) reset(k Key) { structOf(a.tx.Mutable(k)).Set(structOf(New(k))) }

// holds says whether there is data at n or below.
func (a *applier) holds(key Key, n *Node) bool {
	for _, k := range a.recordsBelow(key, n) {
		if !permanent(k) || !Empty(a.tx.Get(k)) {
			return true
		}
	}
	return false
}

// dropTree deletes a record and all below it.
func (a *applier) dropTree(k Key) {
	var keys []Key
	a.tx.Scan(k+"\x00", func(k Key, _ ygot.GoStruct) bool {
		keys = append(keys, k)
		return true
	})
	for _, below := range keys {
		a.tx.Delete(below)
	}
	a.drop(k)
}

// record applies the edit of the record k.
func (a *applier) record(k Key, e *Edit) *Error {
	rec := a.tx.Get(k)
	there := rec != nil
	if k.Kind().Singleton {
		there = !Empty(rec)
	}
	fresh := !there
	switch e.Op {
	case OpDelete, OpRemove:
		if !there && e.Op == OpDelete {
			return a.missing()
		}
		if there {
			a.dropTree(k)
		}
		return nil
	case OpCreate:
		if there {
			return a.exists()
		}
	case OpReplace:
		a.dropTree(k)
		fresh = true
	case OpNone:
		if !there && !k.Kind().Singleton {
			return a.missing()
		}
	}
	var sv reflect.Value
	if e.Op.creates() && (rec == nil || e.Op == OpReplace) {
		sv = structOf(a.tx.Mutable(k))
	}
	defer a.enter(k, fresh)()
	if err := a.choices(e); err != nil {
		return err
	}
	for _, c := range e.Children {
		var err *Error
		if c.Node.spine || c.Node.kind != nil {
			a.push(c)
			err = a.above(k, c)
			a.pop()
		} else {
			if !sv.IsValid() {
				sv = structOf(a.tx.Mutable(k))
			}
			err = a.child(sv, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enter makes k the record at hand, and returns the function that ends this.
func (a *applier) enter(k Key, fresh bool) func() {
	oldKey, oldFresh := a.key, a.fresh
	a.key, a.fresh = k, fresh
	return func() { a.key, a.fresh = oldKey, oldFresh }
}
