package ocview

import (
	"encoding/json"

	"mooring/engine/schema"
)

// AppendJSON appends the value at p, as schema.AppendJSON does. In JSON_IETF
// the top members carry the module's name and identities that of theirs.
func AppendJSON(dst []byte, v schema.View, p schema.Path, o schema.JSONOptions) ([]byte, error) {
	enc := &encoder{dst: dst, ietf: o.IETF, content: o.Content}
	e, n := top(v), nodeOf(p)
	path := p
	list := n.Kind == schema.List && p[len(p)-1].Keys == nil
	if n.IsLeaf() || list {
		path = p.Parent()
	}
	e, ok := locate(e, path, withState(o.Content))
	depth := unlimited(o.Depth)
	switch {
	case !ok:
	case n.IsLeaf():
		ok = enc.bare(n, e)
	case list:
		ok = enc.list(n, e, depth+1, true)
	default:
		enc.dst = append(enc.dst, '{')
		enc.members(n, e, depth, true)
		enc.dst = append(enc.dst, '}')
	}
	if !ok {
		return dst, &schema.Error{Tag: schema.DataMissing, Path: p, Message: "there is no such data"}
	}
	return enc.dst, nil
}

// locate returns the innermost list entry on a concrete path, where it exists.
func locate(e *entry, p schema.Path, state bool) (*entry, bool) {
	for _, s := range p {
		if s.Node.Kind != schema.List {
			continue
		}
		if wildKeys(s.Node, s.Keys) || s.Keys[0] == schema.Wild {
			return nil, false
		}
		var found *entry
		e.entries(s.Node, s.Keys, state, func(at *entry) bool {
			found = at
			return false
		})
		if found == nil {
			return nil, false
		}
		e = found
	}
	return e, true
}

// encoder appends JSON. A comma is due before a member or element unless the
// text so far ends in an opening bracket, so what turns out to be empty is cut
// off again.
type encoder struct {
	dst     []byte
	content schema.Content
	ietf    bool
	leaves  int // written so far, keys not counted
}

func (c *encoder) members(n *schema.Node, e *entry, depth int, top bool) {
	for _, m := range n.Children {
		switch {
		case m.IsLeaf():
			c.leaf(m, e, top)
		case depth == 1:
		case m.Kind == schema.Container:
			start := len(c.dst)
			c.name(m, top)
			open := len(c.dst)
			c.dst = append(c.dst, '{')
			c.members(m, e, depth-1, false)
			if len(c.dst) == open+1 {
				c.dst = c.dst[:start]
				continue
			}
			c.dst = append(c.dst, '}')
		default:
			start := len(c.dst)
			c.name(m, top)
			if !c.list(m, e, depth, false) {
				c.dst = c.dst[:start]
			}
		}
	}
}

func (c *encoder) comma() {
	if last := c.dst[len(c.dst)-1]; last != '{' && last != '[' {
		c.dst = append(c.dst, ',')
	}
}

func (c *encoder) name(n *schema.Node, top bool) {
	c.comma()
	c.dst = append(c.dst, '"')
	if c.ietf && top {
		c.dst = append(append(c.dst, moduleName...), ':')
	}
	c.dst = append(append(c.dst, n.Name...), '"', ':')
}

// list appends the array of all entries, and says whether there is one.
func (c *encoder) list(n *schema.Node, e *entry, depth int, top bool) bool {
	open := len(c.dst)
	c.dst = append(c.dst, '[')
	e.entries(n, nil, withState(c.content), func(at *entry) bool {
		start, leaves := len(c.dst), c.leaves
		c.comma()
		c.dst = append(c.dst, '{')
		c.members(n, at, depth-1, top)
		c.dst = append(c.dst, '}')
		if c.content != schema.All && c.content != schema.ConfigOnly && leaves == c.leaves {
			c.dst = c.dst[:start]
		}
		return true
	})
	if len(c.dst) == open+1 {
		c.dst = c.dst[:open]
		return false
	}
	c.dst = append(c.dst, ']')
	return true
}

func (c *encoder) leaf(n *schema.Node, e *entry, top bool) {
	key := n.Parent.Kind == schema.List
	if n.Secret || !key && !takes(c.content, n) {
		return
	}
	values := e.show(model.row[n])
	if len(values) == 0 {
		return
	}
	if !key {
		c.leaves++
	}
	c.name(n, top)
	c.values(n, values)
}

// bare appends the value of the leaf at the end of a path, or its default.
func (c *encoder) bare(n *schema.Node, e *entry) bool {
	if n.Secret || !takes(c.content, n) {
		return false
	}
	r := model.row[n]
	values := e.show(r)
	if len(values) == 0 {
		values = e.byDefault(r)
	}
	if len(values) == 0 {
		return false
	}
	c.values(n, values)
	return true
}

func (c *encoder) values(n *schema.Node, values []schema.Value) {
	if n.Kind != schema.LeafList {
		c.dst = AppendValue(c.dst, n.Type, values[0], c.ietf)
		return
	}
	c.dst = append(c.dst, '[')
	for i, v := range values {
		if i > 0 {
			c.dst = append(c.dst, ',')
		}
		c.dst = AppendValue(c.dst, n.Type, v, c.ietf)
	}
	c.dst = append(c.dst, ']')
}

// AppendValue appends one value of a type as JSON: in JSON_IETF, 64-bit
// numbers are strings (RFC 7951 6.1) and identities carry their module (6.8).
func AppendValue(dst []byte, t *schema.Type, v schema.Value, ietf bool) []byte {
	switch v.Kind() {
	case schema.ValueUint, schema.ValueInt:
		if ietf && t.Bits == 64 {
			return append(v.Append(append(dst, '"')), '"')
		}
		return v.Append(dst)
	case schema.ValueBool:
		return v.Append(dst)
	}
	s := v.String()
	if module := Identity(t); ietf && module != "" {
		s = module + ":" + s
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendText(dst, s)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendText appends a string that has characters to be escaped.
func appendText(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...) // a string always has a form
	}
	return append(dst, text...)
}
