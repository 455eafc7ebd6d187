package ocview

import (
	"slices"
	"strings"

	"mooring/engine/schema"
)

// both turns settings into rows: one for config and one for state.
func both(at string, record byte, settings []setting) []row {
	var rows []row
	for _, s := range settings {
		kinds := []string{"config", "state"}
		if s.only != "" {
			kinds = []string{s.only}
		}
		for _, kind := range kinds {
			r := row{path: at + strings.Replace(s.oc, "*", kind, 1), record: record, as: s.as, key: s.key}
			for _, n := range s.native {
				r.native = append(r.native, strings.Replace(n, "*", kind, 1))
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// compile finds the nodes of a row and gives the OpenConfig leaf its type.
func (r *row) compile(t *tree) {
	kind := schema.Leaf
	if r.as != nil && r.as.list {
		kind = schema.LeafList
	}
	r.node = t.add(r.path, kind)
	r.inFamily = strings.Contains(r.path, "/afi-safi/")
	names := []string{""}
	if r.inFamily {
		names = names[:0]
		for _, f := range families {
			names = append(names, f.native)
		}
	}
	for _, name := range names {
		var paths []schema.Path
		for _, n := range r.native {
			native(r.record, n)
			paths = append(paths, nativePath(r.record, n, name))
		}
		r.paths = append(r.paths, paths)
	}
	if len(r.native) > 0 {
		r.leaf = native(r.record, r.native[0])
		r.node.Type, r.node.Secret = r.leaf.Type, r.leaf.Secret
	}
	switch {
	case r.key == protocolIdentifier:
		r.node.Type = identityType(policyTypes, identifierBGP)
	case r.key == familyName:
		var all []string
		for _, f := range families {
			all = append(all, f.oc)
		}
		r.node.Type = identityType(bgpTypes, all...)
	case r.as != nil && r.as.typ != nil:
		r.node.Type = r.as.typ
	case r.as == nil && r.key == noKey && r.leaf.Config:
		r.node.Default = r.leaf.Default
	}
}

// Modules of the types of identities, for JSON_IETF.
var identityModules = map[*schema.Type]string{}

// identityType is the type of a leaf that holds one of some identities.
func identityType(module string, names ...string) *schema.Type {
	t := &schema.Type{Kind: schema.ValueString, Enums: slices.Clone(names)}
	identityModules[t] = module
	return t
}

// Identity returns the module whose identities a type holds; empty where it
// holds none. RFC 7951 6.8 puts it before the value.
func Identity(t *schema.Type) string { return identityModules[t] }
