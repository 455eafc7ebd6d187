package schema

import (
	"fmt"
	"slices"
	"sync"
)

// condition evaluates an XPath expression of the model. The context node is on
// top of the stack.
type condition func(v *validator) bool

// statement names a must or when: the data path of the node that has it, and
// its text as written.
type statement struct{ path, text string }

// rule is a must or when with its condition.
type rule struct {
	holds                 condition
	text, message, appTag string
}

// rules is what is checked at an instance of a container or list entry. Nodes
// without rules, and without any below, have none.
type rules struct {
	node      *Node
	when      *rule
	musts     []*rule
	mandatory []*Node     // leaves
	counted   []*Node     // lists within the record with limits, and leaf-lists
	leaves    []leafRules // leaves with a when
	choices   []*Node     // children that are in a choice
	instances []*Node     // leaves that are paths of data nodes
	uniques   [][]*Node   // of a list within a record: the way to a leaf that is unique
	children  []*rules    // containers and lists within the record
}

// leafRules is a leaf with a condition.
type leafRules struct {
	node *Node
	when *rule
}

// allRules holds the rules of each kind of record.
var allRules = sync.OnceValue(func() map[*RecordKind]*rules {
	all := map[*RecordKind]*rules{}
	for _, k := range Kinds() {
		all[k] = newRules(k.Node)
	}
	return all
})

// newRules compiles the rules of n and of what is below within its record,
// nil for none.
func newRules(n *Node) *rules {
	r := &rules{node: n, when: whenRule(n)}
	for _, m := range n.Meta.Must {
		r.musts = append(r.musts, newRule(n, m.Expr, m.Message, m.AppTag))
	}
	for _, c := range n.Children {
		if c.Config && c.Record == n.Record {
			r.add(c)
		}
	}
	if n.IsRecord() && n.Meta.MinElements+n.Meta.MaxElements > 0 || n.Kind == Container && n.Meta.When != "" {
		panic("schema: " + n.Path() + ": limits of records and a when of a container are not checked")
	}
	if n.Kind == List && !n.IsRecord() {
		for _, u := range n.Meta.Unique {
			if len(u) != 1 {
				panic(fmt.Sprintf("schema: %s: unique over several leaves is not checked", n.Path()))
			}
			leaf := n.descendant(u[0])
			r.uniques = append(r.uniques, append(routeTo(n, leaf), leaf))
		}
	}
	if r.when == nil && len(r.musts)+len(r.mandatory)+len(r.counted)+len(r.leaves)+len(r.choices)+len(r.uniques)+len(r.instances)+len(r.children) == 0 {
		return nil
	}
	return r
}

// add adds what is to check at the child c. Containers that only lead to
// records have no data.
func (r *rules) add(c *Node) {
	if c.Choice != "" {
		r.choices = append(r.choices, c)
	}
	if c.Kind == LeafList || c.Kind == List && (c.Meta.MaxElements > 0 || c.Meta.MinElements > 0) {
		r.counted = append(r.counted, c)
	}
	if !c.IsLeaf() {
		if sub := newRules(c); sub != nil {
			r.children = append(r.children, sub)
		}
		return
	}
	// A mandatory leaf that is all of its case is there if the case is.
	if len(c.Meta.Must) > 0 || c.Mandatory && c.Choice != "" && !c.aloneInCase() {
		panic("schema: " + c.Path() + ": a must of a leaf and a mandatory leaf in a case are not checked")
	}
	if c.Mandatory && c.Choice == "" {
		r.mandatory = append(r.mandatory, c)
	}
	if c.Type.Instance {
		r.instances = append(r.instances, c)
	}
	if w := whenRule(c); w != nil {
		r.leaves = append(r.leaves, leafRules{c, w})
	}
}

// aloneInCase says whether the case that n is in has no other node.
func (n *Node) aloneInCase() bool {
	return !slices.ContainsFunc(n.Parent.Children, func(o *Node) bool { return o != n && o.Choice == n.Choice && o.Case == n.Case })
}

func whenRule(n *Node) *rule {
	if n.Meta.When == "" {
		return nil
	}
	return newRule(n, n.Meta.When, "", "")
}

// newRule finds the condition of a statement. A model with one that nobody
// wrote in Go must not run.
func newRule(n *Node, text, message, appTag string) *rule {
	holds := conditions[statement{n.Path(), text}]
	if holds == nil {
		panic(fmt.Sprintf("schema: %s: no condition for %q", n.Path(), text))
	}
	if message == "" {
		message = "must be: " + text
	}
	if appTag == "" {
		appTag = AppMustViolation
	}
	return &rule{holds: holds, text: text, message: message, appTag: appTag}
}
