package schema

import (
	"fmt"
	"reflect"

	"mooring/bgp"
)

// boundaries is where the data tree is cut into records. A letter is part of
// every stored key: it must never change its meaning. Kinds within the same
// parent are sorted by letter in the order of the model.
var boundaries = []struct {
	letter byte
	path   string
}{
	{'a', "/agent"},
	{'n', "/nacm"},
	{'V', "/vpn-instances/vpn-instance"},
	{'i', "/bgp/instances/instance"},
	{'v', "/bgp/instances/instance/vpn-instances/vpn-instance"},
	{'g', "/bgp/instances/instance/vpn-instances/vpn-instance/peer-groups/peer-group"},
	{'p', "/bgp/instances/instance/vpn-instances/vpn-instance/peers/peer"},
}

// The letters of the kinds that code outside this package names.
const (
	KindAgent          = 'a'
	KindNACM           = 'n'
	KindVPNInstance    = 'V'
	KindInstance       = 'i'
	KindBGPVPNInstance = 'v'
	KindPeerGroup      = 'g'
	KindPeer           = 'p'
)

// RecordKind is a kind of record: a list whose entries are records, or a
// container that is one.
type RecordKind struct {
	Letter    byte
	Node      *Node
	Parent    *RecordKind // nil at the top
	Children  []*RecordKind
	Singleton bool // a container: its keys hold no value

	typ  reflect.Type // of the struct
	path Path         // schema path with nil keys
}

// String returns the schema path.
func (k *RecordKind) String() string { return k.Node.Path() }

// Kinds returns all kinds, parents before children.
func Kinds() []*RecordKind { return compiled().kinds }

// KindOf returns the kind with a letter, nil for none.
func KindOf(letter byte) *RecordKind { return compiled().kindOf[letter] }

// Permanent returns the keys of the records that always exist: deleting one
// only empties it. A new store holds them from the start.
func Permanent() []Key {
	return []Key{MakeKey("", KindOf(KindVPNInstance), bgp.PublicVPN), MakeKey("", KindOf(KindAgent)), MakeKey("", KindOf(KindNACM))}
}

func permanent(k Key) bool {
	return k == "\x00a" || k == "\x00n" || k == "\x00V"+bgp.PublicVPN
}

// addKind declares n as a boundary.
func (t *tree) addKind(letter byte, n *Node) {
	if t.kindOf[letter] != nil || len(n.Keys) > 1 || n.OrderedByUser || n.Kind != Container && n.Kind != List {
		panic(fmt.Sprintf("schema: %s cannot be a record of kind %c", n.Path(), letter))
	}
	k := &RecordKind{Letter: letter, Node: n, Singleton: n.Kind == Container, typ: n.typ}
	for p := n.Parent; p != nil && k.Parent == nil; p = p.Parent {
		k.Parent = p.kind
	}
	if k.Parent != nil {
		if c := k.Parent.Children; len(c) > 0 && c[len(c)-1].Letter >= letter {
			panic(fmt.Sprintf("schema: kind %c does not sort after its siblings", letter))
		}
		k.Parent.Children = append(k.Parent.Children, k)
	}
	n.kind = k
	for p := n.Parent; p != nil; p = p.Parent {
		p.below = append(p.below, k)
		if p.kind != nil {
			break
		}
		p.spine = true
	}
	k.path = n.steps()
	t.kinds = append(t.kinds, k)
	t.kindOf[letter] = k
}
