package rpc

import (
	"strings"

	"mooring/engine/schema"
	"mooring/engine/xpath"
)

const originNS = schema.OriginNamespace

// bases are the identities of the modules that are published, each with the
// one that it is derived from.
var bases = func() map[xpath.Name]xpath.Name {
	m := map[xpath.Name]xpath.Name{}
	add := func(namespace, base string, names ...string) {
		for _, n := range names {
			m[xpath.Name{Namespace: namespace, Local: n}] = xpath.Name{Namespace: namespace, Local: base}
		}
	}
	add(datastoresNS, "datastore", "conventional", "dynamic", "operational")
	add(datastoresNS, "conventional", "running", "candidate", "startup", "intended")
	add(originNS, "origin", "intended", "dynamic", "system", "learned", "default", "unknown")
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

// identityNamed resolves the name of an identity as a value writes it, where
// scope has the prefixes that are declared (RFC 7950 9.10.3).
func identityNamed(text string, scope map[string]string) xpath.Name {
	prefix, local, ok := strings.Cut(text, ":")
	if !ok {
		prefix, local = "", text
	}
	return xpath.Name{Namespace: scope[prefix], Local: local}
}
