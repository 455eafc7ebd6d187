package rpc

import (
	"mooring/server/netconf/xmltree"
)

// datastoresPrefix is declared where a datastore is named by its identity.
var datastoresPrefix = []xmltree.Prefix{{Name: "ds", Namespace: datastoresNS}}

// libraryDatastores are those that operations can name, as identities of
// ietf-datastores. All have the same schema.
func (s *Server) libraryDatastores() []string {
	var out []string
	for _, ds := range s.datastores() {
		out = append(out, ds.String())
	}
	return append(out, "intended", "operational")
}

// The library has one set of modules and one schema, of this name.
const complete = "complete"

// yangLibrary is /yang-library (RFC 8525 4).
func yangLibrary(s *Server) xmltree.Element {
	set := xmltree.New("module-set", xmltree.Key("name", complete))
	var imported []xmltree.Element
	for _, m := range modules {
		ns := xmltree.Leaf("namespace", m.Namespace)
		if !m.Implemented {
			imported = append(imported, xmltree.New("import-only-module", xmltree.Key("name", m.Name), xmltree.Key("revision", m.Revision), ns))
			continue
		}
		e := xmltree.New("module", xmltree.Key("name", m.Name), xmltree.Leaf("revision", m.Revision), ns)
		for _, f := range s.featuresOf(m.Name) {
			e.Children = append(e.Children, xmltree.Leaf("feature", f))
		}
		for _, d := range deviations[m.Name] {
			e.Children = append(e.Children, xmltree.Leaf("deviation", d))
		}
		set.Children = append(set.Children, e)
	}
	set.Children = append(set.Children, imported...)
	library := xmltree.New("yang-library", set, xmltree.New("schema", xmltree.Key("name", complete), xmltree.Leaf("module-set", complete)))
	for _, name := range s.libraryDatastores() {
		key := xmltree.Key("name", "ds:"+name)
		key.Prefixes = datastoresPrefix
		library.Children = append(library.Children, xmltree.New("datastore", key, xmltree.Leaf("schema", complete)))
	}
	library.Children = append(library.Children, xmltree.Leaf("content-id", s.contentID))
	return library
}

// modulesState is /modules-state, which RFC 8525 keeps for clients of RFC 7895.
func modulesState(s *Server) xmltree.Element {
	state := xmltree.New("modules-state", xmltree.Leaf("module-set-id", s.contentID))
	for _, m := range modules {
		e := xmltree.New("module", xmltree.Key("name", m.Name), xmltree.Key("revision", m.Revision), xmltree.Leaf("namespace", m.Namespace))
		for _, f := range s.featuresOf(m.Name) {
			e.Children = append(e.Children, xmltree.Leaf("feature", f))
		}
		for _, d := range deviations[m.Name] {
			e.Children = append(e.Children, xmltree.New("deviation", xmltree.Key("name", d), xmltree.Key("revision", revisionOf(d))))
		}
		conformance := "import"
		if m.Implemented {
			conformance = "implement"
		}
		e.Children = append(e.Children, xmltree.Leaf("conformance-type", conformance))
		state.Children = append(state.Children, e)
	}
	return state
}
