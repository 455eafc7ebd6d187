package rpc

import "mooring/engine/xpath"

// bases are the identities of the modules that are published, each with the
// one that it is derived from.
var bases = func() map[xpath.Name]xpath.Name {
	m := map[xpath.Name]xpath.Name{}
	for base, names := range map[string][]string{
		"datastore": {"conventional", "dynamic", "operational"}, "conventional": {"running", "candidate", "startup", "intended"},
	} {
		for _, n := range names {
			m[xpath.Name{Namespace: datastoresNS, Local: n}] = xpath.Name{Namespace: datastoresNS, Local: base}
		}
	}
	return m
}()

// derived says whether an identity is derived from another one.
func derived(id, base xpath.Name) bool {
	for at, ok := bases[id]; ok; at, ok = bases[at] {
		if at == base {
			return true
		}
	}
	return false
}
