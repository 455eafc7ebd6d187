package xmltok

import "strings"

// Bounds of what a Decoder remembers, so that a hostile document cannot make it grow: beyond them names and values are simply not shared.
const (
	maxShared    = 4096
	maxSharedLen = 128
	// maxPrefixes is the number of different prefixes that a document may declare.
	maxPrefixes = 4096
)

// qname is a name as written. Each different one is checked and split once.
type qname struct{ raw, prefix, local string }

// names shares the strings of names and attribute values.
type names struct {
	qnames map[string]*qname
	values map[string]string
}

func (n *names) reset() {
	if n.qnames == nil || len(n.qnames) == maxShared {
		n.qnames = make(map[string]*qname)
	}
	if n.values == nil || len(n.values) == maxShared {
		n.values = make(map[string]string)
	}
}

// get returns the name written as p, nil if it is none (Namespaces in XML 1.0, 4).
func (n *names) get(p []byte) *qname {
	if q := n.qnames[string(p)]; q != nil {
		return q
	}
	q := &qname{raw: string(p)}
	prefix, local, ok := strings.Cut(q.raw, ":")
	if !ok {
		prefix, local = "", q.raw
	}
	if ok && !isNCName(prefix) || !isNCName(local) {
		return nil
	}
	q.prefix, q.local = prefix, local
	if len(n.qnames) < maxShared && len(p) <= maxSharedLen {
		n.qnames[q.raw] = q
	}
	return q
}

// value returns p as a string.
func (n *names) value(p []byte) string {
	if v, ok := n.values[string(p)]; ok {
		return v
	}
	v := string(p)
	if len(n.values) < maxShared && len(p) <= maxSharedLen {
		n.values[v] = v
	}
	return v
}

// scope holds the namespace declarations in force: a stack, and for each prefix its place there, so that a lookup costs the same however many
// declarations there are.
type scope struct {
	binds []bind
	last  map[string]int // prefix -> index in binds of its declaration in force, -1 for none now
}

// bind is one declaration.
type bind struct {
	prefix, ns string
	before     int // index of the declaration that it hides, -1 for none
}

// firstBind is the declaration that every document has.
var firstBind = bind{prefix: "xml", ns: XMLNamespace, before: -1}

func (s *scope) reset() {
	if s.last == nil || len(s.last) > maxPrefixes/16 {
		s.last = make(map[string]int)
	}
	for p := range s.last {
		s.last[p] = -1
	}
	s.binds = append(s.binds[:0], firstBind)
	s.last[firstBind.prefix] = 0
}

// declare binds prefix, "" for the default namespace, to ns. It returns what forbids that (Namespaces in XML 1.0, 3 and 2.2).
func (s *scope) declare(prefix, ns string) (fault string) {
	switch {
	case prefix == "xmlns" || ns == XMLNSNamespace:
		return "the prefix xmlns and its namespace cannot be declared"
	case (prefix == "xml") != (ns == XMLNamespace):
		return "the prefix xml and its namespace belong together"
	case prefix != "" && ns == "":
		return "prefix " + clip(prefix) + " is declared without a namespace"
	}
	before, known := s.last[prefix]
	if !known {
		if len(s.last) >= maxPrefixes {
			return "too many different prefixes"
		}
		before = -1
	}
	s.last[prefix] = len(s.binds)
	s.binds = append(s.binds, bind{prefix: prefix, ns: ns, before: before})
	return ""
}

// shrink takes the declarations from n on back.
func (s *scope) shrink(n int) {
	for i := len(s.binds) - 1; i >= n; i-- {
		s.last[s.binds[i].prefix] = s.binds[i].before
	}
	s.binds = s.binds[:n]
}

func (s *scope) lookup(prefix string) (ns string, ok bool) {
	i := len(s.binds) - 1
	if s.binds[i].prefix != prefix { // the latest declaration is the one asked for most
		if i, ok = s.last[prefix]; !ok || i < 0 {
			return "", false
		}
	}
	ns = s.binds[i].ns
	return ns, ns != ""
}

// LookupPrefix returns the namespace of prefix, "" for the default namespace, where the Decoder stands: for a prefix in a value, such as an
// identityref. After an EndElement the declarations of that element still hold until the next token is read. ok is false for a prefix without
// declaration, and for "" without a default namespace.
func (d *Decoder) LookupPrefix(prefix string) (ns string, ok bool) { return d.scope.lookup(prefix) }

// Scope returns all prefixes in scope with their namespaces, by the rules of LookupPrefix, as a map that the caller may keep: for an XPath
// expression that is evaluated later. The default namespace has the key "".
func (d *Decoder) Scope() map[string]string {
	all := make(map[string]string, len(d.scope.binds))
	for i, b := range d.scope.binds {
		if d.scope.last[b.prefix] == i && b.ns != "" {
			all[b.prefix] = b.ns
		}
	}
	return all
}
