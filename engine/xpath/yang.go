package xpath

import (
	"math"
	"regexp"
	"strings"

	"mooring/internal/xsdre"
)

// reMatch is RFC 7950 10.2.1. Go's machine takes time that is linear in the
// text, whatever the pattern.
func reMatch(e *evaluation, _ focus, a []value) value {
	re := e.patterns[a[1].str]
	if re == nil {
		text, err := xsdre.Translate(a[1].str)
		if err == nil {
			re, err = regexp.Compile(text)
		}
		if err != nil {
			if e.err == nil {
				e.err = &Error{Expr: e.expr.text, Offset: -1, Reason: ErrSyntax, Detail: "re-match(): " + err.Error()}
			}
			return boolValue(false)
		}
		if e.patterns == nil {
			e.patterns = map[string]*regexp.Regexp{}
		}
		e.patterns[a[1].str] = re
	}
	return boolValue(e.spendText(a[0].str) && re.MatchString(a[0].str))
}

// deref is RFC 7950 10.3.1.
func deref(e *evaluation, _ focus, a []value) value {
	var out []Node
	if len(a[0].nodes) > 0 {
		if l, ok := a[0].nodes[0].(Linked); ok {
			l.Deref(func(n Node) bool {
				out = append(out, n)
				return e.spend(1)
			})
		}
	}
	return nodesValue(out...)
}

// derivedFrom is RFC 7950 10.4.1 and 10.4.2.
func derivedFrom(orSelf bool) func(*evaluation, focus, []value) value {
	return func(e *evaluation, _ focus, a []value) value {
		base, ok := e.expr.scope.identity(a[1].str)
		if !ok {
			return boolValue(false)
		}
		for _, n := range a[0].nodes {
			i, ok := n.(Identified)
			if !ok || !e.spend(1) {
				continue
			}
			id, ok := i.Identity()
			derived := e.expr.scope.Derived
			if ok && (orSelf && id == base || derived != nil && derived(id, base)) {
				return boolValue(true)
			}
		}
		return boolValue(false)
	}
}

// identity resolves the name of an identity as the expression writes it.
func (s *Scope) identity(qualified string) (Name, bool) {
	prefix, local, ok := strings.Cut(qualified, ":")
	if !ok {
		return Name{s.Default, prefix}, s.Default != ""
	}
	ns, ok := s.Prefixes[prefix]
	return Name{ns, local}, ok
}

// enumValue is RFC 7950 10.5.1.
func enumValue(_ *evaluation, _ focus, a []value) value {
	if len(a[0].nodes) > 0 {
		if n, ok := a[0].nodes[0].(Enumerated); ok {
			if v, ok := n.Enum(); ok {
				return numberValue(float64(v))
			}
		}
	}
	return numberValue(math.NaN())
}

// bitIsSet is RFC 7950 10.6.1.
func bitIsSet(_ *evaluation, _ focus, a []value) value {
	if len(a[0].nodes) == 0 {
		return boolValue(false)
	}
	n, ok := a[0].nodes[0].(Flagged)
	return boolValue(ok && n.Bit(a[1].str))
}
