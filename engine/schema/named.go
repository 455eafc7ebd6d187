package schema

import (
	"reflect"
	"slices"

	"github.com/openconfig/ygot/ygot"
)

// Judged is a Tx whose maker may not do everything.
type Judged interface {
	Tx
	// Judge says what its maker may do, nil for everything.
	Judge() Judge
	// Was returns a record as it was when the transaction began.
	Was(k Key) ygot.GoStruct
}

// Judge is what the maker of a transaction may do.
type Judge interface {
	// Named refuses an edit that names what its maker may not name.
	Named(tx Judged, base Path, e *Edit) error
	// View returns what the maker may read of a View.
	View(v View) View
}

// judgeOf returns the judge of a transaction, nil for none.
func judgeOf(tx Tx) (Judged, Judge) {
	t, ok := tx.(Judged)
	if !ok {
		return nil, nil
	}
	return t, t.Judge()
}

// CheckNamed refuses an edit that names what the maker of the transaction may
// not name. Apply does so itself; who changes a transaction in another way asks.
func CheckNamed(tx Tx, base Path, e *Edit) error {
	if t, j := judgeOf(tx); j != nil {
		return j.Named(t, base, e)
	}
	return nil
}

// Seen returns what the maker of a transaction may read of it. An edit that
// depends on what there is looks only here, so that its answer does not depend
// on the rest.
func Seen(tx Tx) View {
	v := View(configurationOf{tx})
	if _, j := judgeOf(tx); j != nil {
		return j.View(v)
	}
	return v
}

// configurationOf is the configuration of a transaction as a View.
type configurationOf struct{ Reader }

// State returns nil: a transaction has no state.
func (configurationOf) State(Key) ygot.GoStruct { return nil }

// Permission is what somebody may read and write.
type Permission struct {
	Read Access
	WriteAccess
}

func (p Permission) all() bool { return p.Read == nil && p.WriteAccess.all() }

func (p Permission) hidden() bool { return p.Read == Nothing }

func (p Permission) child(n *Node) Permission {
	return p.each(func(a Access) Access { return a.Child(n) })
}

func (p Permission) entry(key string) Permission {
	return p.each(func(a Access) Access { return a.Entry(key) })
}

func (p Permission) each(fn func(Access) Access) Permission {
	if p.Read != nil {
		p.Read = fn(p.Read)
	}
	p.WriteAccess = p.WriteAccess.each(fn)
	return p
}

// permits says whether an access permits the node that it is for.
func permits(a Access) bool { return a == nil || a.Here() }

// Named returns the first node that an edit names although may, the permission
// for the whole tree, does not let it, and what may not be done to it. The path
// is nil where all is permitted. Whether there is such a node, and what it
// holds, makes a difference only where that may be read, so RFC 8341's rights to
// write what may not be read are of no use:
//
//   - A leaf or list entry that may not be read may not be named. A leaf takes
//     create or update, as it is unset or set, whatever the value; a list entry
//     takes create unless it is there. Containers and list entries that are there
//     only lead to what is below.
//   - Create and delete of a container or a whole list answer according to what
//     is in it: all of it must be readable unless something is seen there.
//   - A delete or replace of what may hold something that can neither be read
//     nor deleted is refused.
//
// What an edit changes without naming it is for Forbidden.
func Named(tx Judged, base Path, e *Edit, may Permission) (at Path, what string) {
	if may.all() {
		return nil, ""
	}
	w := namer{tx: tx}
	w.lead(base, e, may)
	if w.refused == "" {
		return nil, ""
	}
	return w.path, w.refused
}

// namer walks an edit. refused is set, and path leads to the node, once
// something may not be named.
type namer struct {
	tx      Judged
	path    Path
	refused string
}

// What may not be done to a node, for messages.
const (
	notNamed = "read or write"
	notSeen  = "read all of"
	notTake  = "read or delete all of"
)

func (w *namer) refuse(what string) { w.refused = what }

// need refuses unless the accesses permit the node at hand.
func (w *namer) need(what string, as ...Access) {
	if w.refused == "" && slices.ContainsFunc(as, func(a Access) bool { return !permits(a) }) {
		w.refuse(what)
	}
}

// spot is a struct in a record, as it was.
type spot struct {
	key Key // of the record
	sv  reflect.Value
}

// record is the spot of a record.
func (w *namer) record(k Key) spot { return spot{k, structOf(w.tx.Was(k))} }

// lead follows the path above the node that is edited. List entries on it are
// made where the operation makes data, and must be there where it does not.
func (w *namer) lead(base Path, e *Edit, may Permission) {
	op := OpNone
	switch {
	case e.Op.creates():
		op = OpMerge
	case e.Op == OpRemove:
		op = OpRemove
	}
	at := spot{}
	for _, s := range base {
		may = may.child(s.Node)
		w.path = append(w.path, s)
		if s.Node.Kind == List && !s.wild() {
			may = may.entry(s.Keys[0])
			at = w.into(s.Node, s.Keys, at)
			if op != OpRemove { // which says nothing of what is above
				w.entry(op, nil, s.Node, at, may)
			}
		} else {
			at = w.into(s.Node, nil, at)
		}
		if w.refused != "" {
			return
		}
	}
	if e.Node.Parent == nil { // the root
		w.inner(e, at, may)
		return
	}
	w.node(e, at, may.child(e.Node))
}

// into returns the spot of a child of a spot.
func (w *namer) into(n *Node, keys []string, at spot) spot {
	switch {
	case n.IsLeaf():
		return at
	case n.kind != nil && n.kind.Singleton:
		return w.record(MakeKey(at.key, n.kind))
	case n.kind != nil && keys != nil:
		return w.record(MakeKey(at.key, n.kind, keys...))
	case n.spine || n.kind != nil:
		return spot{key: at.key}
	case n.Kind == List && keys != nil:
		return spot{at.key, n.entry(at.sv, keys[0])}
	case n.Kind == List:
		return at
	}
	return spot{at.key, n.sub(at.sv)}
}

// node checks the edit of a node below a spot.
func (w *namer) node(e *Edit, above spot, may Permission) {
	if may.all() {
		return
	}
	n := e.Node
	w.path = append(w.path, Step{Node: n, Keys: e.Keys})
	switch {
	case n.IsLeaf():
		w.leaf(e, above.sv, may)
	case n.Kind == List && e.Keys != nil:
		may = may.entry(e.Keys[0])
		at := w.into(n, e.Keys, above)
		w.entry(e.Op, e, n, at, may)
		w.children(e, at, may)
	default:
		w.inner(e, w.into(n, nil, above), may)
	}
	if w.refused == "" {
		w.path = w.path[:len(w.path)-1]
	}
}

func (w *namer) children(e *Edit, at spot, may Permission) {
	if e.Op.deletes() {
		return
	}
	for _, c := range e.Children {
		if w.refused != "" {
			return
		}
		if c.Node == e.Node { // an entry of the whole list
			w.path = w.path[:len(w.path)-1]
			w.node(c, at, may)
			if w.refused == "" {
				w.path = append(w.path, Step{Node: e.Node})
			}
			continue
		}
		w.node(c, at, may.child(c.Node))
	}
}

// inner checks the edit of a container, of a whole list, or of the root.
func (w *namer) inner(e *Edit, at spot, may Permission) {
	switch e.Op {
	case OpCreate, OpDelete:
		if may.Read != nil && !w.seen(e.Node, at, may) {
			w.refuse(notSeen)
			return
		}
	case OpMerge, OpReplace, OpRemove, OpNone:
	}
	if e.Op.deletes() && may.Delete == Nothing {
		w.refuse("delete")
		return
	}
	if (e.Op.deletes() || e.Op == OpReplace) && w.blindAt(e.Node, at, may) {
		w.refuse(notTake)
		return
	}
	w.children(e, at, may)
}

// entry checks an operation on a list entry; e is nil for one on the way.
func (w *namer) entry(op Op, e *Edit, n *Node, at spot, may Permission) {
	there := at.sv.IsValid()
	switch {
	case may.all():
	case may.hidden():
		w.refuse(notNamed)
	case op == OpNone:
	case op.deletes():
		w.need("delete", may.Delete)
	case !there:
		w.need("create", may.Create)
	case op == OpReplace && w.blind(n, at, may):
		w.refuse(notTake)
	}
	if w.refused == "" && there && op.deletes() && w.blind(n, at, may) {
		w.refuse(notTake)
	}
	if e != nil && e.Insert != InsertNowhere {
		w.need("update", may.Update)
	}
}

// leaf checks the edit of a leaf or leaf-list. A key cannot change.
func (w *namer) leaf(e *Edit, sv reflect.Value, may Permission) {
	n := e.Node
	switch {
	case e.Op == OpNone || n.isKey || n.twin != nil:
	case may.Read != nil:
		w.refuse(notNamed)
	case e.Op.deletes():
		w.need("delete", may.Delete)
	case n.Kind == LeafList && slices.ContainsFunc(e.Values, func(v Value) bool { return !slices.Contains(n.values(sv), v) }):
		w.need("create", may.Create)
	case n.Kind == LeafList && permits(may.Create):
	case n.isSet(sv):
		w.need("update", may.Update)
	default:
		w.need("create", may.Create)
	}
}
