package ocview

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mooring/bgp"
	"mooring/engine/schema"
)

// maxElems is more than any path of the tree has.
const maxElems = 64

// Owns says whether a path without an origin means this tree: its first
// element is the tree's top-level node. A name in both trees would be
// ambiguous; a test keeps them apart.
func Owns(elems []schema.Elem) bool {
	if len(elems) == 0 {
		return false
	}
	name := elems[0].Name[strings.IndexByte(elems[0].Name, ':')+1:]
	return child(model.root, name) != nil
}

// Resolve finds the nodes that elems name and makes the list keys canonical,
// with the same errors as schema.Resolve. The path of the root is empty.
func Resolve(elems []schema.Elem) (schema.Path, error) {
	p := make(schema.Path, 0, len(elems))
	at := model.root
	for _, e := range elems {
		n, err := resolveChild(p, at, e.Name)
		if err != nil {
			return nil, err
		}
		keys, err := resolveKeys(p, n, e.Keys)
		if err != nil {
			return nil, err
		}
		p = append(p, schema.Step{Node: n, Keys: keys})
		at = n
	}
	return p, nil
}

// nodeOf returns the node that a path leads to.
func nodeOf(p schema.Path) *schema.Node {
	if len(p) == 0 {
		return model.root
	}
	return p.Node()
}

func resolveChild(p schema.Path, at *schema.Node, name string) (*schema.Node, error) {
	module, local := "", name
	if i := strings.IndexByte(name, ':'); i >= 0 {
		module, local = name[:i], name[i+1:]
	}
	n := child(at, local)
	switch {
	case local == "":
		return nil, &schema.Error{Tag: schema.BadElement, Path: p, BadElement: name, Message: "a path element has no name"}
	case n == nil:
		return nil, &schema.Error{Tag: schema.UnknownElement, Path: p, BadElement: name, Message: noPlace(at, local)}
	case module != "" && module != moduleName:
		return nil, &schema.Error{
			Tag: schema.UnknownNamespace, Path: p, BadElement: local, BadNamespace: module,
			Message: fmt.Sprintf("%s is in module %s, not in %s", local, moduleName, clip(module)),
		}
	}
	return n, nil
}

// noPlace says that the tree has no such child. Whether OpenConfig has it is
// not known here.
func noPlace(at *schema.Node, name string) string {
	where := "here"
	switch {
	case at.IsLeaf():
		return fmt.Sprintf("%s is a leaf: there is no %s below it", at.Name, clip(name))
	case at.Parent != nil:
		where = "in " + at.Name
	}
	return fmt.Sprintf("there is no %s %s that has a place in this agent's model", clip(name), where) + at.Suggest(name)
}

// clip shortens and quotes a client's text for a message.
func clip(s string) string {
	const longest = 64
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return strconv.Quote(s)
}

// resolveKeys checks the keys given for n and puts them in order.
func resolveKeys(p schema.Path, n *schema.Node, given map[string]string) ([]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	if n.Kind != schema.List {
		return nil, &schema.Error{Tag: schema.BadElement, Path: p, BadElement: n.Name, Message: n.Name + " is not a list and takes no keys"}
	}
	keys := make([]string, len(n.Keys))
	found := 0
	for i, k := range n.Keys {
		v, ok := given[k.Name]
		if ok {
			found++
		}
		if !ok || v == schema.Wild {
			keys[i] = schema.Wild
			continue
		}
		c, err := parseKey(k, v)
		if err != nil {
			return nil, valueError(p.Append(n).Append(k), v, err)
		}
		keys[i] = c
	}
	if found == len(given) {
		return keys, nil
	}
	var names []string
	for name := range given {
		if !slices.ContainsFunc(n.Keys, func(k *schema.Node) bool { return k.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return nil, &schema.Error{
		Tag: schema.BadElement, Path: p.Append(n), BadElement: names[0],
		Message: fmt.Sprintf("%s is not a key of %s", clip(names[0]), n.Name) + n.SuggestKey(names[0]),
	}
}

// parseKey returns the canonical form of a list key.
func parseKey(key *schema.Node, text string) (string, error) {
	r := model.row[key]
	if text == schema.Wild {
		return "", fmt.Errorf(`a list key must not be "*", which stands for any entry`)
	}
	if Identity(key.Type) != "" {
		v, err := parseIdentity(key.Type, text)
		return v.String(), err
	}
	if r.key == instanceName && text == bgp.PublicVPN {
		return "", fmt.Errorf("the VPN instance %s is the network instance %s", bgp.PublicVPN, defaultInstance)
	}
	v, err := r.leaf.Type.Parse(text)
	return v.String(), err
}

func valueError(p schema.Path, text string, reason error) *schema.Error {
	e := &schema.Error{Tag: schema.InvalidValue, Path: p, BadElement: p.Node().Name, Message: reason.Error()}
	if !p.Node().Secret {
		e.Message = clip(text) + ": " + e.Message
	}
	return e
}

// Expand resolves elems in which an element may be "*" or "...", as
// schema.Expand does.
func Expand(elems []schema.Elem) ([]schema.Path, error) {
	if len(elems) > maxElems {
		return nil, &schema.Error{Tag: schema.TooBig, Message: "the path has more elements than any path of the model"}
	}
	for len(elems) > 0 && elems[len(elems)-1].Name == "..." && len(elems[len(elems)-1].Keys) == 0 {
		elems = elems[:len(elems)-1]
	}
	paths := []schema.Path{{}}
	patterned := false
	var why error
	for _, e := range elems {
		patterned = patterned || e.Name == "*" || e.Name == "..."
		var next []schema.Path
		for _, p := range paths {
			more, err := expandElem(p, e)
			if err != nil && !patterned {
				return nil, err
			}
			if se, ok := errors.AsType[*schema.Error](err); why == nil || ok && se.Tag == schema.InvalidValue {
				why = err
			}
			next = append(next, more...)
		}
		paths = unique(next)
	}
	if len(paths) > 0 {
		return paths, nil
	}
	if why == nil {
		why = &schema.Error{Tag: schema.UnknownElement, Message: "the model has nothing that the path matches"}
	}
	return nil, why
}

// expandElem returns the paths that lead one element on from p.
func expandElem(p schema.Path, e schema.Elem) ([]schema.Path, error) {
	n := nodeOf(p)
	switch e.Name {
	case "...":
		if len(e.Keys) > 0 {
			return nil, &schema.Error{Tag: schema.BadElement, Path: p, BadElement: e.Name, Message: `"..." takes no keys`}
		}
		return subtree(nil, p), nil
	case "*":
		var out []schema.Path
		var why error
		for _, c := range n.Children {
			keys, err := resolveKeys(p, c, e.Keys)
			if err != nil {
				why = err
				continue
			}
			out = append(out, p.Append(c, keys...))
		}
		if len(out) > 0 {
			why = nil
		}
		return out, why
	}
	c, err := resolveChild(p, n, e.Name)
	if err != nil {
		return nil, err
	}
	keys, err := resolveKeys(p, c, e.Keys)
	if err != nil {
		return nil, err
	}
	return []schema.Path{p.Append(c, keys...)}, nil
}

func subtree(dst []schema.Path, p schema.Path) []schema.Path {
	dst = append(dst, p)
	for _, c := range nodeOf(p).Children {
		dst = subtree(dst, p.Append(c))
	}
	return dst
}

func unique(paths []schema.Path) []schema.Path {
	if len(paths) < 2 {
		return paths
	}
	seen := make(map[string]bool, len(paths))
	out := paths[:0]
	for _, p := range paths {
		if s := p.String(); !seen[s] {
			seen[s] = true
			out = append(out, p)
		}
	}
	return out
}
