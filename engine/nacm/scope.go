package nacm

import (
	"maps"
	"slices"
	"sync"

	"mooring/engine/schema"
)

// tree is the data rules of a user for one access operation, in order.
type tree struct {
	does      access
	permitted bool // by default
	rules     []dataRule
}

// dataRule is a rule for data nodes. Without steps it is for the whole module.
type dataRule struct {
	module string
	permit bool
	steps  []step
}

// step is a node on the way, with the key that chooses an entry.
type step struct {
	node  *schema.Node
	key   string
	keyed bool
}

// newTree returns the access to the root.
func newTree(r *Rights, does access) schema.Access {
	t := &tree{does: does, permitted: r.policy.permitted[does]}
	for i := range r.rules {
		rule := &r.rules[i]
		if !rule.does[does] || rule.about != anything && rule.about != dataNode {
			continue
		}
		if d := (dataRule{module: rule.module, permit: rule.permit}); d.follow(r, rule.path) {
			t.rules = append(t.rules, d)
		}
	}
	root := &scope{tree: t, node: schema.Root(), here: true}
	uniform := root.Child(root.node.Children[0])
	if uniform != nil && uniform != schema.Nothing {
		return root
	}
	for _, c := range root.node.Children[1:] {
		if root.Child(c) != uniform {
			return root
		}
	}
	return uniform
}

// follow takes the steps of a path over. It says whether the datastore has such
// nodes.
func (d *dataRule) follow(r *Rights, path schema.Instance) bool {
	for _, s := range path {
		if s.Node == nil {
			return false
		}
		next := step{node: s.Node}
		if len(s.Keys) > 0 { // lists of the model have one key
			next.key, next.keyed = r.value(s.Keys[0]), true
		}
		d.steps = append(d.steps, next)
	}
	return true
}

// live is a rule that the way so far agrees with, and the step that comes next.
type live struct{ rule, next int }

// scope is the access to a node to which no rule says the same for everything
// below. What is below is worked out when it is first asked for, so that a
// policy costs what is used of it.
type scope struct {
	tree    *tree
	node    *schema.Node
	list    bool // all entries of a list: no key is chosen yet
	here    bool
	matched int    // the first rule that matches the node, the number of rules for none
	live    []live // before matched; their next step is below the node, or is the list itself

	once     sync.Once
	children []schema.Access          // by index
	entries  map[string]schema.Access // of a list, by the keys that rules name
	other    schema.Access            // its other entries
}

// Here implements schema.Access.
func (s *scope) Here() bool { return s.here }

// Child implements schema.Access.
func (s *scope) Child(n *schema.Node) schema.Access {
	s.once.Do(s.expand)
	if s.list {
		s, ok := s.other.(*scope)
		if !ok {
			return s.other
		}
		return s.Child(n)
	}
	return s.children[n.Index()]
}

// Entry implements schema.Access.
func (s *scope) Entry(key string) schema.Access {
	s.once.Do(s.expand)
	if a, ok := s.entries[key]; ok {
		return a
	}
	return s.other
}

// Entries implements schema.Access.
func (s *scope) Entries() []string {
	s.once.Do(s.expand)
	return slices.Collect(maps.Keys(s.entries))
}

func (s *scope) expand() {
	if s.list {
		s.entries, s.other = s.tree.entries(s.node, s.live, s.matched)
		return
	}
	s.children = make([]schema.Access, len(s.node.Children))
	for i, c := range s.node.Children {
		matched, candidates := s.matched, s.live
		if s.node.Parent == nil {
			matched, candidates = s.tree.top(c)
		}
		var on []live
		for _, l := range candidates {
			if s.tree.rules[l.rule].steps[l.next].node == c {
				on = append(on, l)
			}
		}
		s.children[i] = s.tree.at(c, on, matched)
	}
	if s.tree.does == read && s.node == schema.KindOf(schema.KindPeer).Node {
		hideAliases(s.node, s.children)
	}
}

// top returns the rules for the module of a top-level node: the first that is
// for all of it, and those before.
func (t *tree) top(n *schema.Node) (matched int, candidates []live) {
	for i, r := range t.rules {
		switch {
		case r.module != all && r.module != n.Module:
		case len(r.steps) == 0:
			return i, candidates
		default:
			candidates = append(candidates, live{rule: i})
		}
	}
	return len(t.rules), candidates
}

// at returns the access to a node, whose step the candidates stand at: all of
// its entries for a list.
func (t *tree) at(n *schema.Node, candidates []live, matched int) schema.Access {
	if n.Kind != schema.List {
		return t.enter(n, candidates, matched, "")
	}
	entries, other := t.entries(n, candidates, matched)
	s, partly := other.(*scope)
	for _, a := range entries {
		partly = partly || a != other
	}
	if !partly {
		return other
	}
	here := other == nil || s != nil && s.here
	return &scope{tree: t, node: n, list: true, here: here, matched: matched, live: candidates}
}

// entries returns the access to the entries that rules name, and to the others.
func (t *tree) entries(n *schema.Node, candidates []live, matched int) (named map[string]schema.Access, other schema.Access) {
	for _, l := range candidates {
		s := t.rules[l.rule].steps[l.next]
		if _, known := named[s.key]; !s.keyed || known {
			continue
		}
		if named == nil {
			named = map[string]schema.Access{}
		}
		named[s.key] = t.enter(n, candidates, matched, s.key)
	}
	// No list has a key with this character.
	return named, t.enter(n, candidates, matched, "\x00")
}

// enter returns the access to a container, leaf or list entry.
func (t *tree) enter(n *schema.Node, candidates []live, matched int, key string) schema.Access {
	var on []live
	for _, l := range candidates {
		r := &t.rules[l.rule]
		switch s := r.steps[l.next]; {
		case l.rule > matched || s.keyed && s.key != key:
		case l.next == len(r.steps)-1:
			matched = min(matched, l.rule)
		default:
			on = append(on, live{l.rule, l.next + 1})
		}
	}
	on = slices.DeleteFunc(on, func(l live) bool { return l.rule > matched })
	here := t.permitted && !t.deniedByDefault(n)
	if matched < len(t.rules) {
		here = t.rules[matched].permit
	}
	same := !slices.ContainsFunc(on, func(l live) bool { return t.rules[l.rule].permit != here })
	if same && (matched < len(t.rules) || t.defaultHolds(n)) {
		if here {
			return nil
		}
		return schema.Nothing
	}
	return &scope{tree: t, node: n, here: here, matched: matched, live: on}
}

// deniedByDefault says whether a statement of the model denies the node, or one
// above it, where no rule does anything.
func (t *tree) deniedByDefault(n *schema.Node) bool {
	for ; n.Parent != nil; n = n.Parent {
		if t.denies(n) {
			return true
		}
	}
	return false
}

func (t *tree) denies(n *schema.Node) bool {
	switch n.Meta.NACM {
	case "default-deny-all":
		return true
	case "default-deny-write":
		return t.does != read
	}
	return false
}

// defaultHolds says whether what holds by default for a node holds for all
// below it.
func (t *tree) defaultHolds(n *schema.Node) bool {
	if !t.permitted || t.deniedByDefault(n) {
		return true
	}
	return !slices.ContainsFunc(stated()[n], t.denies)
}

// stated lists, for each node, those below it with a statement of their own.
var stated = sync.OnceValue(func() map[*schema.Node][]*schema.Node {
	m := map[*schema.Node][]*schema.Node{}
	var visit func(n *schema.Node)
	visit = func(n *schema.Node) {
		if n.Meta != nil && n.Meta.NACM != "" {
			for up := n.Parent; up != nil; up = up.Parent {
				m[up] = append(m[up], n)
			}
		}
		for _, c := range n.Children {
			visit(c)
		}
	}
	visit(schema.Root())
	return m
})
