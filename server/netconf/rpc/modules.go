package rpc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"mooring/engine/schema"
	"mooring/gen"
	"mooring/yang"
)

// The namespaces of the standard modules whose trees are made here.
const (
	monitoringNS   = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
	libraryNS      = "urn:ietf:params:xml:ns:yang:ietf-yang-library"
	datastoresNS   = "urn:ietf:params:xml:ns:yang:ietf-datastores"
	withDefaultsNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"
)

// modules are all that the server publishes, by name. hello, the library, the
// list of schemas and get-schema all read this table, because clients give up
// where one of them names a module that another one lacks.
var modules = func() []gen.Module {
	all := slices.Concat(schema.Modules(), gen.Standard)
	slices.SortFunc(all, func(a, b gen.Module) int { return strings.Compare(a.Name, b.Name) })
	return all
}()

// features are those that are supported, by module. The others' modules have
// none.
var features = map[string][]string{
	"ietf-netconf-nmda":              {"origin", "with-defaults"},
	"ietf-netconf":                   {"candidate", "confirmed-commit", "rollback-on-error", "validate", "writable-running", "xpath"},
	"ietf-netconf-private-candidate": {"private-candidate"},
	"ietf-subscribed-notifications":  {"encode-xml", "replay", "subtree", "xpath"},
	"ietf-yang-push":                 {"on-change"},
}

// deviations are the modules that change a module, by module: where the server
// does less than a standard says.
var deviations = map[string][]string{
	"ietf-subscribed-notifications": {"mooring-deviations"},
}

// featuresOf are the features of a module with those that are settings.
func (s *Server) featuresOf(module string) []string {
	f := slices.Clone(features[module])
	if module != "ietf-netconf" {
		return f
	}
	if s.startup {
		f = append(f, "startup")
	}
	if s.files != nil {
		f = append(f, "url")
	}
	slices.Sort(f)
	return f
}

// hashModules makes the content-id, which changes exactly when something that
// the library tells changes, and when the text of a module does (RFC 8525 3).
func (s *Server) hashModules() string {
	h := sha256.New()
	for _, m := range modules {
		text, err := moduleText(m)
		if err != nil {
			panic(err) // it is compiled in
		}
		fmt.Fprintf(h, "%s %s %s %v %v %v %d\n", m.Name, m.Revision, m.Namespace, m.Implemented, s.featuresOf(m.Name), deviations[m.Name], len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// moduleText is a module as it stands in the repository, byte for byte.
func moduleText(m gen.Module) ([]byte, error) { return yang.FS.ReadFile(m.File) }

// Capabilities are what hello announces: what works, nothing more. They are the
// same as long as the server runs.
func (s *Server) Capabilities() []string {
	caps := []string{
		"urn:ietf:params:netconf:base:1.0",
		"urn:ietf:params:netconf:base:1.1",
		"urn:ietf:params:netconf:capability:writable-running:1.0",
		"urn:ietf:params:netconf:capability:candidate:1.0",
		"urn:ietf:params:netconf:capability:confirmed-commit:1.1",
		PrivateCapability + "?supported-resolution-modes=revert-on-conflict,prefer-candidate,prefer-running",
		"urn:ietf:params:netconf:capability:rollback-on-error:1.0",
		"urn:ietf:params:netconf:capability:validate:1.0",
		"urn:ietf:params:netconf:capability:validate:1.1",
		"urn:ietf:params:netconf:capability:with-defaults:1.0?basic-mode=explicit&also-supported=report-all,report-all-tagged,trim",
		"urn:ietf:params:netconf:capability:with-operational-defaults:1.0?basic-mode=report-all&also-supported=explicit,report-all-tagged,trim",
		"urn:ietf:params:netconf:capability:notification:1.0",
		"urn:ietf:params:netconf:capability:interleave:1.0",
		"urn:ietf:params:netconf:capability:xpath:1.0",
		"urn:ietf:params:netconf:capability:partial-lock:1.0",
		"urn:ietf:params:netconf:capability:yang-library:1.1?revision=2019-01-04&content-id=" + s.contentID,
	}
	caps = append(caps, "urn:ietf:params:netconf:capability:txid:1.0", "urn:ietf:params:netconf:capability:txid:etag:1.0")
	if s.startup {
		caps = append(caps, "urn:ietf:params:netconf:capability:startup:1.0")
	}
	if s.files != nil {
		caps = append(caps, "urn:ietf:params:netconf:capability:url:1.0?scheme=file")
	}
	for _, m := range modules {
		uri := m.Namespace + "?module=" + m.Name + "&revision=" + m.Revision
		if f := s.featuresOf(m.Name); len(f) > 0 {
			uri += "&features=" + strings.Join(f, ",")
		}
		if d := deviations[m.Name]; len(d) > 0 {
			uri += "&deviations=" + strings.Join(d, ",")
		}
		caps = append(caps, uri)
	}
	return caps
}

// revisionOf is the revision of a module that is published.
func revisionOf(name string) string {
	i := slices.IndexFunc(modules, func(m gen.Module) bool { return m.Name == name })
	return modules[i].Revision
}

func knownNamespace(ns string) bool {
	return slices.ContainsFunc(modules, func(m gen.Module) bool { return m.Namespace == ns })
}
