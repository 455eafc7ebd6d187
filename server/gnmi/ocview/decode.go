package ocview

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"mooring/engine/schema"
)

// WriteJSON writes the value of the node at a path, with schema.OpMerge or
// schema.OpReplace. RFC 7951 and plain JSON are both taken, as by
// schema.DecodeJSON. The error is an *schema.Error, after which the
// transaction is to be thrown away.
func WriteJSON(tx schema.Tx, at schema.Path, data []byte, op schema.Op) error {
	d := &decoder{writer: on(tx), replace: op == schema.OpReplace}
	return d.json(at, data)
}

// WriteScalar writes a leaf, as schema.DecodeScalar does.
func WriteScalar(tx schema.Tx, at schema.Path, v schema.Scalar, op schema.Op) error {
	d := &decoder{writer: on(tx), replace: op == schema.OpReplace}
	return d.scalar(at, v)
}

// DecodeJSON emits the edits of records that an update with a value would
// make, without making them. View is what there is now.
func DecodeJSON(view schema.View, at schema.Path, data []byte, emit func(base schema.Path, e *schema.Edit) error) error {
	d := &decoder{writer: writer{view, emit}}
	return d.json(at, data)
}

// DecodeScalar does for a leaf what DecodeJSON does.
func DecodeScalar(view schema.View, at schema.Path, v schema.Scalar, emit func(base schema.Path, e *schema.Edit) error) error {
	d := &decoder{writer: writer{view, emit}}
	return d.scalar(at, v)
}

func (d *decoder) json(at schema.Path, data []byte) error {
	if err := checkBase(at); err != nil {
		return err
	}
	if !utf8.Valid(data) || !json.Valid(data) {
		return &schema.Error{Tag: schema.MalformedMessage, Path: at, Message: "the value is no JSON text"}
	}
	return d.top(at, func(ed *edit) error { return d.value(reader(data), at, ed) })
}

func (d *decoder) scalar(at schema.Path, v schema.Scalar) error {
	if err := checkBase(at); err != nil {
		return err
	}
	n := nodeOf(at)
	if !n.IsLeaf() {
		return &schema.Error{Tag: schema.InvalidValue, Path: at, BadElement: n.Name, Message: "a single value cannot be written to a container or list: send JSON"}
	}
	text, have, fits := scalarText(v, n.Type.Kind == schema.ValueBool)
	if !fits {
		return kindError(at, have)
	}
	return d.top(at, func(ed *edit) error { return d.assign(at, text, ed) })
}

// scalarText is the text of a value, what it is called, and whether a leaf,
// boolean or not, can hold it.
func scalarText(v schema.Scalar, boolean bool) (text, have string, fits bool) {
	switch v := v.(type) {
	case string:
		return v, "a string", !boolean
	case int64:
		return strconv.FormatInt(v, 10), "an integer", !boolean
	case uint64:
		return strconv.FormatUint(v, 10), "an integer", !boolean
	case bool:
		return strconv.FormatBool(v), "a boolean", boolean
	case float64:
		return "", "a floating point number", false
	case []byte:
		return "", "octets", false
	case []schema.Scalar:
		return "", "a list", false
	}
	return "", "no value", false
}

// checkBase refuses paths that no value can be written to.
func checkBase(at schema.Path) error {
	if !nodeOf(at).Config {
		return stateError(at)
	}
	for i, s := range at {
		if s.Node.Kind == schema.List && anyEntry(at[i:i+1]) {
			return &schema.Error{
				Tag: schema.InvalidValue, Path: at[:i+1], BadElement: s.Node.Name,
				Message: "a value is written to one list entry: give all keys, without wildcards",
			}
		}
	}
	return nil
}

// decoder reads a value and carries it out entry by entry.
type decoder struct {
	writer
	replace bool
}

func reader(data []byte) *json.Decoder {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec
}

// top opens the entry that a path leads into, lets fn fill it, and closes it.
func (d *decoder) top(at schema.Path, fn func(*edit) error) error {
	within := at
	if n := nodeOf(at); n.Kind == schema.List && !isFamily(n) {
		within = at[:len(at)-1]
	}
	e := d.writer.top()
	for _, s := range within {
		if s.Node.Kind == schema.List {
			e = e.at(s.Node, s.Keys)
		}
	}
	ed := d.writer.edit(e, entryPath(within))
	ed.create = true
	if len(within) > 0 && slices.ContainsFunc(within, func(s schema.Step) bool { return isFamily(s.Node) }) {
		ed.addFamily()
	}
	if err := fn(ed); err != nil {
		return err
	}
	return ed.flush()
}

// value reads the value of the node at p.
func (d *decoder) value(dec *json.Decoder, p schema.Path, ed *edit) error {
	n := nodeOf(p)
	switch {
	case n.IsLeaf():
		return d.leaf(dec, p, ed)
	case n.Kind == schema.Container:
		return d.object(dec, p, ed)
	case p[len(p)-1].Keys != nil:
		return d.entry(dec, p, ed, true)
	}
	return d.array(dec, p, ed)
}

func (d *decoder) leaf(dec *json.Decoder, p schema.Path, ed *edit) error {
	tok, err := dec.Token()
	if err != nil {
		return malformed(p, err)
	}
	boolean := p.Node().Type.Kind == schema.ValueBool
	switch v := tok.(type) {
	case string:
		if !boolean {
			return d.assign(p, v, ed)
		}
	case json.Number:
		if !boolean {
			return d.assign(p, v.String(), ed)
		}
	case bool:
		if boolean {
			return d.assign(p, strconv.FormatBool(v), ed)
		}
	}
	return kindError(p, tokenName(tok))
}

// assign notes the value of a leaf.
func (d *decoder) assign(p schema.Path, text string, ed *edit) error {
	r := model.row[p.Node()]
	if r.key != noKey {
		key, err := parseKey(p.Node(), text)
		if err != nil {
			return valueError(p, text, err)
		}
		if have := ed.at.keyText(r.key); key != have {
			return &schema.Error{
				Tag: schema.InvalidValue, Path: p, BadElement: p.Node().Name,
				Message: clip(text) + " contradicts the list key " + clip(have),
			}
		}
		return nil
	}
	var v schema.Value
	var err error
	if r.as != nil && r.as.parse != nil {
		v, err = r.as.parse(text)
	} else {
		v, err = r.leaf.Type.Parse(text)
	}
	if err != nil {
		return valueError(p, text, err)
	}
	ed.want(r, ask{set: true, value: v})
	return nil
}

// member finds the child that a member of an object means.
func member(p schema.Path, name string, seen map[*schema.Node]bool) (*schema.Node, error) {
	c, err := resolveChild(p, nodeOf(p), name)
	if err != nil {
		return nil, err
	}
	at := p.Append(c)
	if seen[c] {
		return nil, &schema.Error{Tag: schema.BadElement, Path: at, BadElement: c.Name, Message: c.Name + " stands in the object twice"}
	}
	seen[c] = true
	if !c.Config {
		return nil, stateError(at)
	}
	return c, nil
}

// members reads an object and calls fn at the value of each member.
func members(dec *json.Decoder, p schema.Path, fn func(*schema.Node) error) (map[*schema.Node]bool, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, malformed(p, err)
	}
	if tok != json.Delim('{') {
		return nil, kindError(p, tokenName(tok))
	}
	seen := map[*schema.Node]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, malformed(p, err)
		}
		name, _ := tok.(string) // the name of a member always is one
		c, err := member(p, name, seen)
		if err != nil {
			return nil, err
		}
		if err := fn(c); err != nil {
			return nil, err
		}
	}
	_, err = dec.Token()
	return seen, err
}

func (d *decoder) object(dec *json.Decoder, p schema.Path, ed *edit) error {
	seen, err := members(dec, p, func(c *schema.Node) error { return d.value(dec, p.Append(c), ed) })
	if err != nil {
		return err
	}
	return d.others(nodeOf(p), seen, ed)
}

// others takes away, in a replace, what an object does not name.
func (d *decoder) others(n *schema.Node, seen map[*schema.Node]bool, ed *edit) error {
	if !d.replace {
		return nil
	}
	for _, c := range n.Children {
		if !seen[c] {
			if err := d.clearChild(ed, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// array reads the entries of a list.
func (d *decoder) array(dec *json.Decoder, p schema.Path, ed *edit) error {
	tok, err := dec.Token()
	if err != nil {
		return malformed(p, err)
	}
	if tok != json.Delim('[') {
		return kindError(p, tokenName(tok))
	}
	seen := map[string]bool{}
	for dec.More() {
		entry := slices.Clone(p)
		if err := d.entry(dec, entry, ed, false); err != nil {
			return err
		}
		keys := entry[len(entry)-1].Keys
		if last := keys[len(keys)-1]; seen[last] {
			return &schema.Error{
				Tag: schema.OperationFailed, AppTag: schema.AppNotUnique, Path: entry, BadElement: entry.Node().Name,
				Message: "the list entry stands in the request twice",
			}
		} else {
			seen[last] = true
		}
	}
	if _, err := dec.Token(); err != nil {
		return malformed(p, err)
	}
	if !d.replace {
		return nil
	}
	if isFamily(p.Node()) {
		for i, f := range families {
			if !seen[f.oc] && ed.at.hasFamily(letter(p.Node()), i, false) {
				ed.dropFamily(i)
			}
		}
		return nil
	}
	return d.removeOthers(ed.at, p.Node(), seen)
}

// entry reads an object that is a list entry; its keys may come last. They are
// put into the last step of p where it has none.
func (d *decoder) entry(dec *json.Decoder, p schema.Path, parent *edit, named bool) error {
	type part struct {
		node *schema.Node
		raw  json.RawMessage
	}
	var parts []part
	seen, err := members(dec, p, func(c *schema.Node) error {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return malformed(p, err)
		}
		parts = append(parts, part{c, raw})
		return nil
	})
	if err != nil {
		return err
	}
	if named && d.replace && len(parts) == 0 {
		return &schema.Error{
			Tag: schema.InvalidValue, Path: p, BadElement: p.Node().Name,
			Message: "an empty object cannot replace a list entry: delete the entry instead",
		}
	}
	n := p.Node()
	keys := make([]string, len(n.Keys))
	for i, k := range n.Keys {
		if !seen[k] {
			continue
		}
		j := slices.IndexFunc(parts, func(m part) bool { return m.node == k })
		if keys[i], err = readKey(p.Append(k), parts[j].raw); err != nil {
			return err
		}
		parts = slices.Delete(parts, j, j+1)
	}
	if err := settleKeys(p, keys); err != nil {
		return err
	}
	ed, own := d.open(p, parent)
	for _, m := range parts {
		if err := d.value(reader(m.raw), p.Append(m.node), ed); err != nil {
			return err
		}
	}
	if err := d.others(n, seen, ed); err != nil || !own {
		return err
	}
	return ed.flush()
}

// open returns the edit for an entry: a family is part of its peer's.
func (d *decoder) open(p schema.Path, parent *edit) (ed *edit, own bool) {
	at := parent.at.at(p.Node(), p[len(p)-1].Keys)
	if isFamily(p.Node()) {
		parent.at.family = at.family
		parent.addFamily()
		return parent, false
	}
	ed = d.writer.edit(at, slices.Clone(p))
	ed.create = true
	return ed, true
}

// readKey reads the value of a key leaf.
func readKey(p schema.Path, raw json.RawMessage) (string, error) {
	tok, err := reader(raw).Token()
	if err != nil {
		return "", malformed(p, err)
	}
	text, ok := tok.(string)
	if n, isNumber := tok.(json.Number); isNumber {
		text, ok = n.String(), true
	}
	if !ok {
		return "", kindError(p, tokenName(tok))
	}
	key, err := parseKey(p.Node(), text)
	if err != nil {
		return "", valueError(p, text, err)
	}
	return key, nil
}

// settleKeys puts the keys that an object has into the path, or compares them
// with those that the path has.
func settleKeys(p schema.Path, keys []string) error {
	last := &p[len(p)-1]
	for i, k := range last.Node.Keys {
		switch {
		case last.Keys == nil && keys[i] == "":
			return &schema.Error{Tag: schema.MissingElement, Path: p, BadElement: k.Name, Message: "the list entry has no key " + k.Name}
		case last.Keys != nil && keys[i] != "" && keys[i] != last.Keys[i]:
			return &schema.Error{
				Tag: schema.InvalidValue, Path: p.Append(k), BadElement: k.Name,
				Message: clip(keys[i]) + " contradicts the key " + clip(last.Keys[i]) + " of the path",
			}
		}
	}
	if last.Keys == nil {
		last.Keys = keys
	}
	return nil
}

func malformed(p schema.Path, err error) error {
	return &schema.Error{Tag: schema.MalformedMessage, Path: p, Message: err.Error()}
}

// kindError says that another kind of value was expected.
func kindError(p schema.Path, have string) *schema.Error {
	n := nodeOf(p)
	want := "an object"
	switch {
	case n.Kind == schema.List && p[len(p)-1].Keys == nil:
		want = "an array"
	case !n.IsLeaf():
	case n.Type.Kind == schema.ValueBool:
		want = "true or false"
	case n.Type.Kind == schema.ValueUint:
		want = "an integer"
	default:
		want = "a string"
	}
	return &schema.Error{Tag: schema.InvalidValue, Path: p, BadElement: n.Name, Message: fmt.Sprintf("expected %s, found %s", want, have)}
}

func tokenName(tok json.Token) string {
	switch v := tok.(type) {
	case json.Delim:
		if v == '[' {
			return "an array"
		}
		return "an object"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	}
	return "null"
}
