package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Elem is a step of a path as a client wrote it: a name, perhaps with its
// module before a colon, and list keys by name.
type Elem struct {
	Name string
	Keys map[string]string
}

// Resolve finds the nodes that elems name and makes the list keys canonical.
// A list without all its keys, or with the key "*", stands for any entry. The
// error is an *Error: UnknownElement for a name that is not in the model,
// UnknownNamespace for a wrong module, and others for what is no path at all.
func Resolve(elems []Elem) (Path, error) {
	p := make(Path, 0, len(elems))
	at := Root()
	for _, e := range elems {
		n, err := at.resolveChild(p, e.Name)
		if err != nil {
			return nil, err
		}
		keys, err := resolveKeys(p, n, e.Keys)
		if err != nil {
			return nil, err
		}
		p = append(p, Step{Node: n, Keys: keys})
		at = n
	}
	return p, nil
}

// resolveChild finds the child of n, which p leads to, by a name that may
// carry its module.
func (n *Node) resolveChild(p Path, name string) (*Node, error) {
	module, local := "", name
	if i := strings.IndexByte(name, ':'); i >= 0 {
		module, local = name[:i], name[i+1:]
	}
	c := n.byName[local]
	switch {
	case local == "":
		return nil, &Error{Tag: BadElement, Path: p, BadElement: name, Message: "a path element has no name"}
	case c == nil:
		return nil, &Error{Tag: UnknownElement, Path: p, BadElement: name, Message: n.noChild(local)}
	case module != "" && module != c.Module:
		return nil, &Error{
			Tag: UnknownNamespace, Path: p, BadElement: local, BadNamespace: module,
			Message: fmt.Sprintf("%s is in module %s, not in %s", local, c.Module, clip(module)),
		}
	}
	return c, nil
}

func (n *Node) noChild(name string) string {
	switch {
	case n.Parent == nil && n.Name == "":
		return fmt.Sprintf("there is no %s in the model", clip(name)) + n.Suggest(name)
	case n.IsLeaf():
		return fmt.Sprintf("%s is a leaf: there is no %s below it", n.Name, clip(name))
	}
	return fmt.Sprintf("there is no %s in %s", clip(name), n.Name) + n.Suggest(name)
}

// clip shortens and quotes a client's text for a message.
func clip(s string) string {
	const longest = 64
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return strconv.Quote(s)
}

// resolveKeys checks the keys given for n and puts them in order. Without any
// it returns nil.
func resolveKeys(p Path, n *Node, given map[string]string) ([]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	if n.Kind != List {
		return nil, &Error{Tag: BadElement, Path: p, BadElement: n.Name, Message: n.Name + " is not a list and takes no keys"}
	}
	keys := make([]string, len(n.Keys))
	found := 0
	for i, k := range n.Keys {
		v, ok := given[k.Name]
		if !ok {
			keys[i] = Wild
			continue
		}
		found++
		if v == Wild {
			keys[i] = Wild
			continue
		}
		c, err := n.ParseKey(i, v)
		if err != nil {
			err.Path = p.Append(n).Append(k)
			return nil, err
		}
		keys[i] = c
	}
	if found != len(given) {
		return nil, unknownKey(p, n, given)
	}
	return keys, nil
}

func unknownKey(p Path, n *Node, given map[string]string) *Error {
	var names []string
	for name := range given {
		if !slices.ContainsFunc(n.Keys, func(k *Node) bool { return k.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return &Error{
		Tag: BadElement, Path: p.Append(n), BadElement: names[0],
		Message: fmt.Sprintf("%s is not a key of %s", clip(names[0]), n.Name) + n.SuggestKey(names[0]),
	}
}

// ParseKey returns the canonical form of the i-th key of the list n. The error
// has no path yet.
func (n *Node) ParseKey(i int, lexical string) (string, *Error) {
	if lexical == Wild {
		return "", &Error{Tag: InvalidValue, Message: `a list key must not be "*", which stands for any entry`}
	}
	v, err := n.Keys[i].Type.Parse(lexical)
	if err != nil {
		return "", n.Keys[i].valueError(nil, lexical, err)
	}
	return v.String(), nil
}

// valueError says at p that a value of the leaf n is wrong. The text holds the
// value unless it is secret.
func (n *Node) valueError(p Path, lexical string, reason error) *Error {
	e := &Error{Tag: InvalidValue, Path: p, BadElement: n.Name, Message: reason.Error()}
	if !n.Secret {
		e.Message = clip(lexical) + ": " + e.Message
	}
	return e
}

// writable returns an error where n cannot be configured.
func (n *Node) writable(p Path) *Error {
	if n.Config {
		return nil
	}
	return &Error{
		Tag: InvalidValue, Path: p, BadElement: n.Name,
		Message: n.Name + " is state (config false) and cannot be written",
	}
}
