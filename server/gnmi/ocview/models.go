package ocview

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
