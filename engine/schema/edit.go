package schema

// Op is an edit operation (RFC 6241 7.2).
type Op uint8

// The operations. OpRemove is a delete that forgives missing data; OpNone only
// leads to what is below.
const (
	OpMerge Op = iota
	OpReplace
	OpCreate
	OpDelete
	OpRemove
	OpNone
)

var opNames = [...]string{"merge", "replace", "create", "delete", "remove", "none"}

// String returns the name of RFC 6241 7.2.
func (o Op) String() string { return opNames[o] }

// ParseOp is the inverse of String for all operations but none.
func ParseOp(s string) (Op, bool) {
	for i, name := range opNames[:OpNone] {
		if name == s {
			return Op(i), true
		}
	}
	return 0, false
}

// creates says whether the operation makes what is not there.
func (o Op) creates() bool { return o <= OpCreate }

// deletes says whether the operation takes away what is there.
func (o Op) deletes() bool { return o == OpDelete || o == OpRemove }

// Edit is what to do with a node and with what is below it. Each Edit has its
// own effective operation: the decoders resolve inheritance.
//
// The edit of a list has the keys of one entry, or none for the whole list:
// its children are then entries. A leaf has a Value, a leaf-list Values. The
// edit of a leaf-list with OpReplace sets the whole leaf-list; with the other
// operations it speaks of the entries in Values. OpDelete and OpRemove without
// HasValue take the whole node.
type Edit struct {
	Node     *Node
	Op       Op
	Keys     []string
	Value    Value
	Values   []Value
	HasValue bool
	Children []*Edit
	Insert   Insert // of an entry of a list that is ordered-by user
	Anchor   string // the key of the entry that Insert speaks of
}

// editSlab is memory for the edits of one record, to be used again for the
// next.
type editSlab struct {
	edits []Edit
	used  int
}

// next returns an Edit without content.
func (s *editSlab) next(n *Node, op Op, keys []string) *Edit {
	if s.used == len(s.edits) {
		s.edits, s.used = make([]Edit, max(32, 2*len(s.edits))), 0 // parents hold those handed out before
	}
	e := &s.edits[s.used]
	s.used++
	*e = Edit{Node: n, Op: op, Keys: keys, Children: e.Children[:0], Values: e.Values[:0]}
	return e
}

// reset takes back all that was handed out.
func (s *editSlab) reset() { s.used = 0 }
