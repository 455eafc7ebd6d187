package schema

import (
	"encoding/json"
	"encoding/xml"
	"strings"
)

// asXML writes a random document.
func asXML(b *strings.Builder, all []*element, parent string) {
	for _, e := range all {
		b.WriteString("<" + e.name)
		if e.module != parent {
			ns, ok := namespaceOf(e.module)
			if !ok {
				ns = "urn:" + e.module
			}
			b.WriteString(` xmlns="` + ns + `"`)
		}
		b.WriteString(e.attr + ">" + e.before)
		if e.raw != "" {
			b.WriteString(e.raw)
		} else if err := xml.EscapeText(b, []byte(e.text)); err != nil {
			panic(err)
		}
		asXML(b, e.kids, e.module)
		b.WriteString("</" + e.name + ">")
	}
}

// asJSON writes a random document as RFC 7951 has it.
func asJSON(b *strings.Builder, all []*element, parent string) {
	b.WriteString("{")
	done := map[string]bool{}
	for i, e := range all {
		name := e.name
		if e.module != parent {
			name = e.module + ":" + name
		}
		many := e.node != nil && (e.node.Kind == List || e.node.Kind == LeafList)
		if many && done[name] {
			continue
		}
		if len(done) > 0 || i > 0 && b.String()[b.Len()-1] != '{' {
			b.WriteString(",")
		}
		done[name] = true
		b.WriteString(quoted(name) + ":")
		if !many {
			jsonElement(b, e)
			continue
		}
		b.WriteString("[")
		first := true
		for _, entry := range all[i:] {
			if entry.name != e.name || entry.module != e.module {
				continue
			}
			if !first {
				b.WriteString(",")
			}
			first = false
			jsonElement(b, entry)
		}
		b.WriteString("]")
	}
	b.WriteString("}")
}

func jsonElement(b *strings.Builder, e *element) {
	switch {
	case e.raw != "":
		b.WriteString(e.raw)
	case e.leaf() && len(e.kids) == 0:
		b.WriteString(jsonText(e.node.Type, e.text))
	default:
		asJSON(b, e.kids, e.module)
	}
}

// jsonText writes a value in the form of its type (RFC 7951 6).
func jsonText(t *Type, text string) string {
	switch {
	case t.Kind == ValueBool && (text == "true" || text == "false"):
		return text
	case (t.Kind == ValueUint || t.Kind == ValueInt) && t.Bits < 64:
		return text
	}
	return quoted(text)
}

func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// all returns the elements of a document, parents first, with where they are.
func all(in *[]*element) (found []located) {
	for i, e := range *in {
		found = append(found, located{e, in, i})
		found = append(found, all(&e.kids)...)
	}
	return found
}

// located is an element and its place among its siblings.
type located struct {
	*element
	among *[]*element
	at    int
}

// disturb changes a document in one place, so that it may not fit the model any
// more, and returns the name of the change.
func (g *randomDoc) disturb(doc *[]*element, own []disturbance) string {
	places := all(doc)
	if len(places) == 0 {
		return "none"
	}
	d := append(disturbances[:len(disturbances):len(disturbances)], own...)[g.IntN(len(disturbances)+len(own))]
	for range 20 {
		p := places[g.IntN(len(places))]
		if d.fits(p) {
			d.change(g, p)
			return d.name
		}
	}
	return "none"
}

// disturbance is a kind of change.
type disturbance struct {
	name   string
	fits   func(located) bool
	change func(*randomDoc, located)
}

func any1(located) bool       { return true }
func leafOnly(p located) bool { return p.leaf() }
func inner(p located) bool    { return !p.leaf() }

func (p located) insert(e *element) {
	*p.among = append((*p.among)[:p.at:p.at], append([]*element{e}, (*p.among)[p.at:]...)...)
}

var disturbances = []disturbance{
	{"twice", any1, func(g *randomDoc, p located) {
		again := *p.element
		p.insert(&again)
	}},
	{"removed", any1, func(g *randomDoc, p located) {
		*p.among = append((*p.among)[:p.at:p.at], (*p.among)[p.at+1:]...)
	}},
	{"swapped", any1, func(g *randomDoc, p located) {
		other := g.IntN(len(*p.among))
		(*p.among)[p.at], (*p.among)[other] = (*p.among)[other], (*p.among)[p.at]
	}},
	{"unknown element", any1, func(g *randomDoc, p located) {
		p.insert(&element{name: "nothing", module: p.module, text: "x"})
	}},
	{"state", inner, func(g *randomDoc, p located) {
		for _, c := range p.node.Children {
			if !c.Config {
				e := newElement(c)
				if c.IsLeaf() {
					e.text = g.text(c)
				}
				p.kids = append(p.kids, e)
				return
			}
		}
	}},
	{"emptied", any1, func(g *randomDoc, p located) { p.text, p.kids = "", nil }},
	{"other text", leafOnly, func(g *randomDoc, p located) { p.text = g.near(p.node) }},
	{"mutated text", leafOnly, func(g *randomDoc, p located) { p.text = g.mutate(p.text) }},
	{"moved", any1, func(g *randomDoc, p located) {
		moved := p.element
		*p.among = append((*p.among)[:p.at:p.at], (*p.among)[p.at+1:]...)
		*p.among = append(*p.among, &element{node: moved.node, name: moved.name, module: moved.module, kids: []*element{moved}})
	}},
}
