package rpc

import (
	"strings"

	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

// basePrefix is what paths into the request itself use.
const basePrefix = "nc"

// errorPath is the text of an error-path, with the prefixes that it uses.
type errorPath struct {
	text     string
	prefixes []prefixOf // in the order of first use
}

type prefixOf struct{ prefix, namespace string }

// modulePrefixes are the prefixes of the modules by module name.
var modulePrefixes = func() map[string]prefixOf {
	m := make(map[string]prefixOf, len(modules))
	for _, mod := range modules {
		m[mod.Name] = prefixOf{mod.Prefix, mod.Namespace}
	}
	return m
}()

// dataPath is the absolute path of a data node: every step with its prefix,
// every list with its keys (RFC 6241 4.3, RFC 7950 9.13).
func dataPath(p schema.Path) errorPath {
	var x errorPath
	var b strings.Builder
	for _, step := range p {
		prefix := x.use(modulePrefixes[step.Node.Module])
		b.WriteString("/" + prefix + ":" + step.Node.Name)
		for i, key := range step.Keys {
			if key == "*" || i >= len(step.Node.Keys) {
				continue
			}
			b.WriteString("[" + prefix + ":" + step.Node.Keys[i].Name + "=" + literal(key) + "]")
		}
	}
	x.text = b.String()
	return x
}

// requestPath is the path of a parameter of an operation of NETCONF itself.
func requestPath(steps ...string) errorPath {
	return pathIn(prefixOf{basePrefix, BaseNamespace}, steps...)
}

// here is the path of the operation, or of a parameter of it.
func (c *call) here(param ...string) errorPath {
	return pathIn(prefixOfNamespace(c.req.op.namespace), append([]string{c.req.op.local}, param...)...)
}

func pathIn(p prefixOf, steps ...string) errorPath {
	var x errorPath
	x.text = "/" + x.use(prefixOf{basePrefix, BaseNamespace}) + ":rpc"
	step := "/" + x.use(p) + ":"
	for _, s := range steps {
		x.text += step + s
	}
	return x
}

// prefixOfNamespace is how paths name a namespace that operations are in.
func prefixOfNamespace(ns string) prefixOf {
	for _, p := range modulePrefixes {
		if p.namespace == ns {
			return p
		}
	}
	return prefixOf{basePrefix, BaseNamespace}
}

// use declares a prefix and returns it.
func (x *errorPath) use(p prefixOf) string {
	for _, have := range x.prefixes {
		if have == p {
			return p.prefix
		}
	}
	x.prefixes = append(x.prefixes, p)
	return p.prefix
}

func (x *errorPath) appendDeclarations(b []byte) []byte {
	for _, p := range x.prefixes {
		b = append(b, ` xmlns:`+p.prefix+`="`...)
		b = xmltok.AppendEscapedAttr(b, p.namespace)
		b = append(b, '"')
	}
	return b
}

// literal is a string in XPath 1.0, which has no escapes: a value with both
// quotes is put together.
func literal(s string) string {
	switch {
	case !strings.Contains(s, "'"):
		return "'" + s + "'"
	case !strings.Contains(s, `"`):
		return `"` + s + `"`
	}
	return `concat('` + strings.ReplaceAll(s, `'`, `',"'",'`) + `')`
}
