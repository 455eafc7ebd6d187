package ocview

import (
	"fmt"
	"strings"

	"mooring/engine/schema"
)

// The modules of OpenConfig whose names stand in JSON_IETF. All nodes of the
// tree are in the first: it takes over the groupings of the BGP modules.
const (
	moduleName = "openconfig-network-instance"
	namespace  = "http://openconfig.net/yang/network-instance"

	bgpTypes      = "openconfig-bgp-types"
	policyTypes   = "openconfig-policy-types"
	instanceTypes = "openconfig-network-instance-types"
)

// The list entries of the tree.
const (
	atInstance       = "/network-instances/network-instance"
	atProtocol       = atInstance + "/protocols/protocol"
	atGroup          = atProtocol + "/bgp/peer-groups/peer-group"
	atGroupFamily    = atGroup + "/afi-safis/afi-safi"
	atNeighbor       = atProtocol + "/bgp/neighbors/neighbor"
	atNeighborFamily = atNeighbor + "/afi-safis/afi-safi"
)

// tree is what is compiled once from the table.
type tree struct {
	root   *schema.Node
	row    map[*schema.Node]*row
	nodes  map[string]*schema.Node // by schema path
	rows   []*row
	mirror map[*schema.Node]bool // a state leaf that repeats a configuration leaf

	instance, protocol, group, groupFamily, neighbor, neighborFamily *schema.Node
}

// model is the tree. It is made in init, since the table leads to functions
// that need it. A row that does not fit the native model is a broken
// invariant, so it panics, in every test.
var model *tree

func init() { model = newTree() }

func newTree() *tree {
	t := &tree{
		root: &schema.Node{Kind: schema.Container, Module: moduleName, Namespace: namespace, Config: true},
		row:  map[*schema.Node]*row{}, nodes: map[string]*schema.Node{}, mirror: map[*schema.Node]bool{},
	}
	for i := range table {
		r := table[i]
		r.order = i
		r.compile(t)
		t.rows = append(t.rows, &r)
		t.row[r.node] = &r
	}
	for _, r := range t.rows {
		if r.node.Config || r.node.Parent.Name != "state" {
			continue
		}
		config := t.nodes[r.node.Parent.Parent.Path()+"/config/"+r.node.Name]
		t.mirror[r.node] = config != nil
	}
	t.instance, t.protocol = t.nodes[atInstance], t.nodes[atProtocol]
	t.group, t.groupFamily = t.nodes[atGroup], t.nodes[atGroupFamily]
	t.neighbor, t.neighborFamily = t.nodes[atNeighbor], t.nodes[atNeighborFamily]
	return t
}

// lists are the keys of the list nodes.
var lists = map[string][]string{
	atInstance:       {"name"},
	atProtocol:       {"identifier", "name"},
	atGroup:          {"peer-group-name"},
	atGroupFamily:    {"afi-safi-name"},
	atNeighbor:       {"neighbor-address"},
	atNeighborFamily: {"afi-safi-name"},
}

// add makes the leaf at a schema path, and what leads to it.
func (t *tree) add(path string, kind schema.Kind) *schema.Node {
	at, here := t.root, ""
	names := strings.Split(path[1:], "/")
	for i, name := range names {
		here += "/" + name
		n := t.nodes[here]
		if n == nil {
			n = &schema.Node{
				Name: name, Module: moduleName, Namespace: namespace, Kind: schema.Container,
				Config: at.Config && name != "state", Parent: at,
			}
			switch {
			case i == len(names)-1:
				n.Kind = kind
			case lists[here] != nil:
				n.Kind = schema.List
			}
			at.Children = append(at.Children, n)
			t.nodes[here] = n
			if n.Kind == schema.List {
				for _, key := range lists[here] {
					n.Keys = append(n.Keys, t.add(here+"/"+key, schema.Leaf))
				}
			}
		}
		at = n
	}
	return at
}

// child returns the child of n with a name, nil for none.
func child(n *schema.Node, name string) *schema.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// native returns the node of this agent's model at a path below a record.
func native(letter byte, path string) *schema.Node {
	n := schema.KindOf(letter).Node
	for _, name := range strings.Split(path, "/") {
		if n = n.Child(name); n == nil {
			panic(fmt.Sprintf("ocview: the model has no %s in %s", path, schema.KindOf(letter)))
		}
	}
	return n
}

// nativePath returns the path below a record, with the key of the address
// family where the list of families is on it.
func nativePath(letter byte, path, family string) schema.Path {
	var p schema.Path
	n := schema.KindOf(letter).Node
	for _, name := range strings.Split(path, "/") {
		n = n.Child(name)
		s := schema.Step{Node: n}
		if n.Kind == schema.List {
			s.Keys = []string{family}
		}
		p = append(p, s)
	}
	return p
}
