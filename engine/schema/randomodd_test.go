package schema

import (
	"strings"

	"mooring/internal/xmltok"
)

// oddXML are disturbances of XML alone.
var oddXML = []disturbance{
	{"spaces around", leafOnly, func(g *randomDoc, p located) { p.text = " \n" + p.text + "\t " }},
	{"CDATA", leafOnly, func(_ *randomDoc, p located) {
		if !strings.Contains(p.text, "]]>") {
			p.raw = "<![CDATA[" + p.text + "]]>"
		}
	}},
	{"comment", inner, func(_ *randomDoc, p located) { p.before = "<!-- x -->" }},
	{"text beside", inner, func(_ *randomDoc, p located) { p.before = "x" }},
	{"element in a leaf", leafOnly, func(_ *randomDoc, p located) { p.kids = []*element{{name: "x", module: p.module}} }},
	{"other namespace", any1, func(g *randomDoc, p located) {
		p.module = []string{"nowhere", "mooring-bgp", "mooring-vpn-instance", "mooring-extensions"}[g.IntN(4)]
	}},
	{"character references", leafOnly, func(_ *randomDoc, p located) {
		if p.text != "" {
			p.raw = "&#" + decimal([]rune(p.text)[0]) + ";" + escaped(string([]rune(p.text)[1:]))
		}
	}},
	{"prefix declared", any1, func(_ *randomDoc, p located) { p.attr = ` xmlns:q="urn:q"` }},
}

// oddJSON are disturbances of JSON alone.
var oddJSON = []disturbance{
	{"null", any1, func(_ *randomDoc, p located) { p.raw = "null" }},
	{"number", func(p located) bool { return p.leaf() && p.node.Type.Kind != ValueString }, func(g *randomDoc, p located) {
		p.raw = []string{"1.5", "1e400", "-1", "1e0", "10e-1", "15e-1", "1.50e1", "2E+1", "0e9", "01", "1.", ".5", "+1", "-"}[g.IntN(14)]
	}},
	{"array", any1, func(g *randomDoc, p located) {
		p.raw = []string{"[]", "[null]", "[{}]", "[1]", `["a"]`, "[[]]"}[g.IntN(6)]
	}},
	{"object", any1, func(g *randomDoc, p located) { p.raw = []string{"{}", `{"a":1}`, "{", "}", `{"":1}`}[g.IntN(5)] }},
	{"escapes", leafOnly, func(g *randomDoc, p located) {
		p.raw = []string{`"\u0061"`, `"\ud800"`, `"\u0000"`, `"\u000a"`, `"\/"`, `"\x"`, `"a` + "\n" + `b"`, `"\b\f\n\r\t"`, `"\u00"`, `"unclosed`}[g.IntN(10)]
	}},
	{"wrong module", any1, func(g *randomDoc, p located) {
		p.module = []string{"nowhere", "mooring-bgp", "mooring-vpn-instance", "mooring-extensions"}[g.IntN(4)]
	}},
}

// tame gives a leaf a value that both judge alike.
func (e *element) tame(inXML bool) {
	switch {
	case !e.leaf():
	case e.node.Type.Instance:
		e.text = xmltok.TrimSpace(e.text)
	case e.text == Wild && e.node.isKey && e.module == accessModule:
		e.text = "star"
	case inXML && e.node.Type.Kind != ValueInt && e.node.Type.Kind != ValueUint:
		e.text = e.node.Type.trim(e.text)
	}
}

// whole takes out of a document what is judged in two ways with reason:
//   - An entry without config/<key>, to which its key leaf refers: the key alone
//     says enough here, the other leaf is set with it.
//   - An entry that stands twice in XML, which an edit-config edits twice.
//   - White space in XML around what is no string or number: libyang wants none.
//   - NACM's lists with the key "*", gNMI's wildcard.
//
// The texts and disturbances leave out more of the kind: NACM's paths (libyang
// takes any XPath, RFC 8341 has less), numbers of JSON for strings and the
// reverse (gNMI's plain JSON), and faults of libyang 2.1.30:
// it refuses text behind a comment, surrogate pairs in JSON, 1.0, and a space
// behind a path; it takes a member of JSON that stands twice and is a container.
func whole(doc []*element, once bool) {
	for _, e := range doc {
		e.tame(once)
		seen := map[string]bool{}
		kept := e.kids[:0:0]
		for _, c := range e.kids {
			if c.node != nil && c.node.Kind == Container && !once {
				if seen[c.module+c.name] {
					continue
				}
				seen[c.module+c.name] = true
			}
			if c.node != nil && c.node.Kind == List && once {
				id := c.module + c.name + c.child(c.node.Keys[0].Name).id()
				if seen[id] {
					continue
				}
				seen[id] = true
			}
			kept = append(kept, c)
		}
		e.kids = kept
		whole(e.kids, once)
		if e.node == nil || e.node.Kind != List || e.node.Keys[0].twin == nil {
			continue
		}
		key, config := e.child(e.node.Keys[0].Name), e.child("config")
		if key == nil {
			continue
		}
		if config == nil {
			config = newElement(e.node.Child("config"))
			e.kids = append(e.kids, config)
		}
		if config.raw == "{}" {
			config.raw = ""
		}
		if config.child(key.name) == nil && config.raw == "" {
			twin := *key
			twin.node = key.node.twin
			config.kids = append(config.kids, &twin)
		}
	}
}

func (e *element) child(name string) *element {
	for _, c := range e.kids {
		if c.name == name && c.module == e.module {
			return c
		}
	}
	return nil
}

// id is the value of a key, in XML too.
func (e *element) id() string {
	if e == nil {
		return ""
	}
	return e.text // raw is another spelling of it
}
