package schema

import (
	"fmt"
	"reflect"
	"sync"

	"mooring/bgp"
	"mooring/gen"
)

// tree is everything that is compiled once from the generated tables.
type tree struct {
	root          *Node
	kinds         []*RecordKind
	kindOf        [256]*RecordKind
	rpcs          map[string]*Operation
	notifications map[string]*Node

	data       []*Node // as gen.Nodes
	namespaces map[string]string
	types      map[*gen.Type]*Type
}

// compiled returns the tree. A model that this package cannot hold is a broken
// invariant between generator and code, so it panics, in every test.
var compiled = sync.OnceValue(func() *tree {
	t := &tree{
		rpcs: map[string]*Operation{}, notifications: map[string]*Node{},
		namespaces: map[string]string{}, types: map[*gen.Type]*Type{},
	}
	for _, m := range gen.Modules {
		t.namespaces[m.Name] = m.Namespace
	}
	t.root = &Node{Kind: Container, Config: true}
	t.root.typ = reflect.TypeFor[gen.Root]()
	t.data = t.grow(t.root, gen.Nodes)
	for i := range t.data {
		t.addType(t.data[i])
	}
	for _, b := range boundaries {
		t.addKind(b.letter, t.find(b.path))
	}
	for _, n := range t.data {
		n.setRecord()
		n.setTwin()
		n.setMirror()
		n.setState()
		n.setNested()
		n.setDefaults()
	}
	for _, r := range gen.RPCs {
		op := &Operation{Name: r.Name, Module: r.Module, Namespace: t.namespaces[r.Module]}
		op.Input = t.operation("input", r.Module, r.Input)
		op.Output = t.operation("output", r.Module, r.Output)
		t.rpcs[r.Name] = op
	}
	for _, e := range gen.Notifications {
		t.notifications[e.Name] = t.operation(e.Name, e.Module, e.Nodes)
	}
	return t
})

// operation makes the tree of an RPC or notification.
func (t *tree) operation(name, module string, metas []gen.Node) *Node {
	top := &Node{Name: name, Module: module, Namespace: t.namespaces[module], Kind: Container}
	for _, n := range t.grow(top, metas) {
		t.addType(n)
	}
	return top
}

// grow makes the nodes of metas below top.
func (t *tree) grow(top *Node, metas []gen.Node) []*Node {
	nodes := make([]*Node, len(metas))
	for i := range metas {
		m := &metas[i]
		parent := top
		if m.Parent >= 0 {
			parent = nodes[m.Parent]
		}
		nodes[i] = t.newNode(parent, m)
	}
	for _, n := range nodes {
		for _, key := range n.Meta.Keys {
			k := n.Child(key)
			k.isKey = true
			n.Keys = append(n.Keys, k)
		}
	}
	return nodes
}

func (t *tree) newNode(parent *Node, m *gen.Node) *Node {
	n := &Node{
		Name: m.Name, Module: m.Module, Namespace: t.namespaces[m.Module], Kind: Kind(m.Kind),
		Config: m.Config, Presence: m.Presence, Mandatory: m.Mandatory, Secret: m.Secret, OrderedByUser: m.OrderedByUser,
		Parent: parent, Default: m.Default, Choice: m.Choice, Case: m.Case, Meta: m,
	}
	if m.Impact != "" {
		impact, err := bgp.ParseImpact(m.Impact)
		if err != nil {
			panic(fmt.Sprintf("schema: %s: %v", n.Path(), err))
		}
		n.Impact = impact
	}
	n.field, n.index, n.goKind = -1, len(parent.Children), m.GoKind
	n.member, n.qualified = `"`+n.Name+`":`, `"`+n.Module+":"+n.Name+`":`
	n.startTag, n.endTag = "<"+n.Name, "</"+n.Name+">"
	if parent.typ != nil {
		f, ok := parent.typ.FieldByName(m.GoName)
		if !ok {
			panic(fmt.Sprintf("schema: %s: no field %s", n.Path(), m.GoName))
		}
		n.field, n.typ = f.Index[0], f.Type
		switch n.Kind {
		case Container:
			n.typ = f.Type.Elem()
		case List:
			n.typ = elementType(f.Type)
		}
	}
	if len(parent.Children) == 64 || n.Kind == List && n.typ != nil && len(m.Keys) != 1 {
		panic(fmt.Sprintf("schema: %s: needs more than this package does", n.Path()))
	}
	parent.Children = append(parent.Children, n)
	if parent.byName == nil {
		parent.byName = map[string]*Node{}
	}
	parent.byName[n.Name] = n
	return n
}

// find returns the node with a schema path.
func (t *tree) find(path string) *Node {
	for _, n := range t.data {
		if n.Path() == path {
			return n
		}
	}
	panic("schema: no node " + path)
}

// setRecord finds the record in which n lives.
func (n *Node) setRecord() {
	if n.Record = n.kind; n.kind == nil {
		n.Record = n.Parent.Record
	}
}

// setTwin pairs a key leaf with config/<key>.
func (n *Node) setTwin() {
	if !n.isKey {
		return
	}
	if config := n.Parent.Child("config"); config != nil && config.Child(n.Name) != nil {
		n.twin = config.Child(n.Name)
		n.twin.twin = n
	}
}

// setMirror finds out whether n is a leaf of a state container that stands
// beside a config container with the same leaf.
func (n *Node) setMirror() {
	if !n.IsLeaf() || n.Config || n.Parent.Name != "state" {
		return
	}
	config := n.Parent.Parent.Child("config")
	n.mirror = config != nil && config.Child(n.Name) != nil
}

// setState marks what leads to a state leaf, up to the record.
func (n *Node) setState() {
	if !n.IsLeaf() || n.Config {
		return
	}
	for ; !n.state; n = n.Parent {
		if n.state = true; n.kind != nil {
			return
		}
	}
}

// setNested lists n with its parent. What is only above records holds no data
// of its own.
func (n *Node) setNested() {
	switch {
	case n.kind != nil || n.spine:
	case n.Parent.spine && n.Parent.kind == nil:
		panic("schema: " + n.Path() + " is in no record: add a boundary")
	case !n.IsLeaf():
		n.Parent.nested = append(n.Parent.nested, n)
	}
}

func (n *Node) setDefaults() {
	for _, d := range n.Default {
		v, err := n.Type.Parse(d)
		if err != nil {
			panic(fmt.Sprintf("schema: default of %s: %v", n.Path(), err))
		}
		n.defaultValues = append(n.defaultValues, v)
	}
}
