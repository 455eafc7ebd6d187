package ocview

import (
	"slices"

	"mooring/engine/schema"
)

// Model is a module of OpenConfig as Capabilities names it.
type Model struct{ Name, Organization, Version string }

// Models are the modules whose names and structure the tree has: the one that
// its nodes are in, and the one whose groupings it takes over. Both stand for
// the whole tree.
func Models() []Model {
	const organization = "OpenConfig working group"
	return []Model{
		{Name: "openconfig-bgp", Organization: organization, Version: "9.8.0"},
		{Name: moduleName, Organization: organization, Version: "2.0.0"},
	}
}

// Root is the node above the tree. A path to it is empty.
func Root() *schema.Node { return model.root }

// Top is the path of the tree's only top-level node.
func Top() schema.Path { return schema.Path{{Node: model.root.Children[0]}} }

// Native returns the native leaf whose value an OpenConfig leaf shows, nil for
// other nodes.
func Native(n *schema.Node) *schema.Node {
	if r := model.row[n]; r != nil {
		return r.leaf
	}
	return nil
}

// Owned says whether a module is one of Models.
func Owned(module string) bool {
	return slices.ContainsFunc(Models(), func(m Model) bool { return m.Name == module })
}

// NativePath is the native path of what an OpenConfig path, without wildcards,
// names: a leaf, or the record that an entry and what is below it is made of.
// It is the root for what is above all records.
func NativePath(p schema.Path) schema.Path {
	e := top(nil)
	for _, s := range p {
		if s.Node.Kind == schema.List && !isFamily(s.Node) {
			e = e.at(s.Node, s.Keys)
		}
	}
	r := model.row[p.Node()]
	switch {
	case e.list == nil:
		return nil
	case r == nil || len(r.paths) == 0:
		return e.key.Path()
	}
	return append(e.keyOf(r.record).Path(), r.paths[0][0]...)
}
