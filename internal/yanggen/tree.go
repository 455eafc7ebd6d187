package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/openconfig/goyang/pkg/yang"
	"github.com/openconfig/ygot/genutil"
)

// tree is a schema tree on its way to a flat slice of nodes.
type tree struct {
	nodes     []Node
	types     []*yang.Type // of the node with the same index, nil where it has none
	operation bool         // an RPC's or notification's tree
}

// choiceCase names the case that nodes are in.
type choiceCase struct{ choice, name string }

// addChildren adds what is below e, depth first and in YANG order.
func (t *tree) addChildren(e *yang.Entry, parent int, in choiceCase) error {
	names := map[string]bool{}
	for _, name := range childNames(e) {
		child := e.Dir[name]
		var err error
		switch {
		case child == nil || names[name]:
			err = fmt.Errorf("%s: child %s is not in the tree once", e.Path(), name)
		case child.IsChoice():
			err = t.addChildren(child, parent, choiceCase{choice: name})
		case child.IsCase():
			err = t.addChildren(child, parent, choiceCase{choice: in.choice, name: name})
		default:
			err = t.addNode(child, parent, in)
		}
		if err != nil {
			return err
		}
		names[name] = true
	}
	for name, child := range e.Dir {
		if !names[name] && child.RPC == nil && child.Kind != yang.NotificationEntry {
			return fmt.Errorf("%s: child %s was not found in the module's text", e.Path(), name)
		}
	}
	return nil
}

// addNode adds e and what is below it.
func (t *tree) addNode(e *yang.Entry, parent int, in choiceCase) error {
	n, err := newNode(e, parent, in, t.operation)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Path(), err)
	}
	if err := t.checkSiblings(n); err != nil {
		return fmt.Errorf("%s: %w", e.Path(), err)
	}
	var typ *yang.Type
	if leaf, ok := e.Node.(*yang.Leaf); ok { // goyang makes a Leaf of a leaf-list, too
		typ = leaf.Type
	}
	index := len(t.nodes)
	t.nodes = append(t.nodes, n)
	t.types = append(t.types, typ)
	return t.addChildren(e, index, choiceCase{})
}

// checkSiblings refuses a second node of one name. At the top that keeps paths
// without prefixes unique; elsewhere it keeps the struct fields unique.
func (t *tree) checkSiblings(n Node) error {
	for _, other := range t.nodes {
		if other.Parent == n.Parent && (other.Name == n.Name || n.GoName != "" && other.GoName == n.GoName) {
			return fmt.Errorf("name clashes with %s of module %s", other.Name, other.Module)
		}
	}
	return nil
}

// newNode fills everything but the type.
func newNode(e *yang.Entry, parent int, in choiceCase, operation bool) (Node, error) {
	module, err := e.InstantiatingModule()
	if err != nil {
		return Node{}, fmt.Errorf("module of the namespace: %w", err)
	}
	n := Node{
		Name: e.Name, Module: module, Parent: parent,
		Config:      !operation && !e.ReadOnly(),
		Mandatory:   e.Mandatory.Value(),
		Default:     e.DefaultValues(),
		Description: fold(e.Description),
		Choice:      in.choice, Case: in.name,
		Keys: strings.Fields(e.Key),
	}
	if !operation {
		n.GoName = genutil.EntryCamelCaseName(e)
	}
	switch {
	case e.IsLeaf():
		n.Kind = KindLeaf
	case e.IsLeafList():
		n.Kind = KindLeafList
	case e.IsList():
		n.Kind = KindList
	case e.IsContainer():
		n.Kind = KindContainer
	default:
		return Node{}, fmt.Errorf("a node of kind %s is not supported", e.Kind)
	}
	if a := e.ListAttr; a != nil {
		n.OrderedByUser = a.OrderedByUser
		n.MinElements = a.MinElements
		if a.MaxElements != math.MaxUint64 {
			n.MaxElements = a.MaxElements
		}
	}
	if err := addStatements(&n, e); err != nil {
		return Node{}, err
	}
	return n, checkImpact(e, &n)
}

// addStatements takes from the module's text what goyang leaves there.
func addStatements(n *Node, e *yang.Entry) error {
	if e.Type != nil {
		n.Units = e.Type.Units
	}
	for _, s := range e.Node.Statement().SubStatements() {
		switch s.Keyword {
		case "presence":
			n.Presence = true
		case "units":
			n.Units = s.Argument
		case "when":
			n.When = s.Argument
		case "unique":
			n.Unique = append(n.Unique, strings.Fields(s.Argument))
		case "must":
			n.Must = append(n.Must, Must{
				Expr:    s.Argument,
				Message: fold(argument(s, "error-message")),
				AppTag:  argument(s, "error-app-tag"),
			})
		default:
			prefix, name, found := strings.Cut(s.Keyword, ":")
			if !found {
				continue
			}
			module := ""
			if m := yang.FindModuleByPrefix(e.Node, prefix); m != nil {
				module = m.Name
			}
			switch module + ":" + name {
			case extensionModule + ":session-impact":
				n.Impact = s.Argument
			case extensionModule + ":secret":
				n.Secret = true
			case accessModule + ":" + denyAll, accessModule + ":default-deny-write":
				n.NACM = name
			default:
				return fmt.Errorf("extension %s is not known to the generator", s.Keyword)
			}
		}
	}
	return nil
}

// checkImpact demands an impact on every leaf of the configuration but keys
// that only point at a leaf of config, and takes it from state, where groupings
// leave it behind. A module that does not know the statement costs nothing.
func checkImpact(e *yang.Entry, n *Node) error {
	if n.Kind != KindLeaf && n.Kind != KindLeafList {
		return nil
	}
	if !n.Config {
		n.Impact = ""
		return nil
	}
	isKey := e.Parent.IsList() && strings.Contains(" "+e.Parent.Key+" ", " "+e.Name+" ")
	if isKey && e.Type.Kind == yang.Yleafref && e.Type.Path == "../config/"+e.Name {
		n.Impact = ""
		return nil
	}
	if n.Impact == "" && !slices.ContainsFunc(yang.RootNode(e.Node).Import, func(i *yang.Import) bool { return i.Name == extensionModule }) {
		n.Impact = "none" // of a standard's module: no session hangs on it
	}
	if n.Impact == "" {
		return fmt.Errorf("configuration without %s:session-impact: say what a change costs the session", extensionModule)
	}
	return nil
}

// childNames lists the children of e in YANG order, with groupings expanded in
// place.
func childNames(e *yang.Entry) []string {
	if e.IsCase() && e.Node.Statement().Keyword != "case" {
		return []string{e.Name} // the shorthand of RFC 7950 7.9.2
	}
	return statementNames(e.Node, e.Node.Statement())
}

// statementNames lists the names that the substatements of s define.
func statementNames(n yang.Node, s *yang.Statement) []string {
	var names []string
	for _, sub := range s.SubStatements() {
		switch sub.Keyword {
		case "container", "list", "leaf", "leaf-list", "choice", "case":
			names = append(names, sub.Argument)
		case "uses":
			if g := yang.FindGrouping(n, sub.Argument, map[string]bool{}); g != nil {
				names = append(names, statementNames(g, g.Source)...)
			}
		}
	}
	return names
}

// fold puts a text on one line.
func fold(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
