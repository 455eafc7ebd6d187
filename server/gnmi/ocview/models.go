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
