package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mooring/gen"
	"mooring/internal/xmltok"
)

// accessModule is the module of RFC 8341, in which node-instance-identifier is
// defined.
const accessModule = "ietf-netconf-acm"

// Instance is the value of a node-instance-identifier (RFC 8341 9): the path of
// data nodes, in which keys may be left out. The empty one is the root.
type Instance []InstanceStep

// InstanceStep is a node on the path.
type InstanceStep struct {
	Module, Name string
	Node         *Node // nil for what the datastore does not hold
	Keys         []InstanceKey
}

// InstanceKey is a list key that must have a value.
type InstanceKey struct {
	Module, Name string
	Value        string // canonical where the node is known
	User         bool   // the value is the name of the user: $USER
}

// userVariable is the one variable that a path may use.
const userVariable = "$USER"

// maxInstance is how many octets a path may have.
const maxInstance = 8 << 10

// ParseInstance reads a path. module says what a prefix stands for; nil: for
// the module of that name. A step without a prefix is in the module of the step
// before it, as in RFC 7951 6.11. The error says what is wrong with the text;
// whether there are such nodes, Known tells.
func ParseInstance(text string, module func(prefix string) (string, bool)) (Instance, error) {
	p := instanceParser{root: Root(), rest: text, module: module}
	return p.path()
}

// path reads all of the text.
func (p *instanceParser) path() (Instance, error) {
	switch {
	case len(p.rest) > maxInstance:
		return nil, fmt.Errorf("a path has at most %d octets", maxInstance)
	case p.rest == "/":
		return Instance{}, nil
	case p.rest == "":
		return nil, errors.New("a path begins with /")
	}
	var out Instance
	for p.rest != "" {
		if len(out) == maxElems {
			return nil, fmt.Errorf("a path has at most %d steps", maxElems)
		}
		s, err := p.step(out)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// String returns the canonical form, with a module before each name.
func (in Instance) String() string {
	if len(in) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, s := range in {
		b.WriteString("/" + qualified(s.Module, s.Name))
		for _, k := range s.Keys {
			value := userVariable
			if !k.User {
				quote := "'"
				if strings.Contains(k.Value, quote) {
					quote = `"`
				}
				value = quote + k.Value + quote
			}
			b.WriteString("[" + qualified(k.Module, k.Name) + "=" + value + "]")
		}
	}
	return b.String()
}

func qualified(module, name string) string {
	if module == "" {
		return name
	}
	return module + ":" + name
}

// Path is the path in the datastore, as far as it leads.
func (in Instance) Path() Path {
	var p Path
	for _, s := range in {
		if s.Node == nil {
			break
		}
		step := Step{Node: s.Node}
		if len(s.Keys) == 1 && !s.Keys[0].User {
			step.Keys = []string{s.Keys[0].Value}
		}
		p = append(p, step)
	}
	return p
}

// Known returns an error that names the first step that no module has. What is
// in modules that front ends serve by hand is not looked for.
func (in Instance) Known() error {
	parent, above := "the model", Root()
	for _, s := range in {
		if _, standard := namespaceOf(s.Module); s.Node == nil && (!standard || isData(s.Module)) {
			return fmt.Errorf("there is no %s in %s%s", qualified(s.Module, s.Name), parent, above.Suggest(s.Name))
		}
		if parent, above = s.Name, s.Node; above == nil {
			above = &Node{}
		}
	}
	return nil
}

// modules returns the modules that the path names, each once.
func (in Instance) modules() []string {
	var out []string
	add := func(module string) {
		if module != "" && !slices.Contains(out, module) {
			out = append(out, module)
		}
	}
	for _, s := range in {
		add(s.Module)
		for _, k := range s.Keys {
			add(k.Module)
		}
	}
	return out
}

// namespaces are those of all modules that the agent publishes, by name.
var namespaces = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, mod := range slices.Concat(gen.Modules, gen.Standard) {
		m[mod.Name] = mod.Namespace
	}
	return m
})

func namespaceOf(module string) (string, bool) {
	ns, ok := namespaces()[module]
	return ns, ok
}

// moduleOf returns the module with a namespace.
func moduleOf(namespace string) (string, bool) {
	for name, ns := range namespaces() {
		if ns == namespace {
			return name, true
		}
	}
	return "", false
}

// isData says whether the datastore has top-level nodes of a module.
func isData(module string) bool {
	return slices.ContainsFunc(Root().Children, func(n *Node) bool { return n.Module == module })
}

// instanceParser reads a path from left to right.
type instanceParser struct {
	root   *Node
	rest   string
	module func(string) (string, bool)
}

// step reads "/name" with its predicates; above is the path to it.
func (p *instanceParser) step(above Instance) (InstanceStep, error) {
	if !strings.HasPrefix(p.rest, "/") {
		return InstanceStep{}, fmt.Errorf("expected / at %s", clip(p.rest))
	}
	p.rest = p.rest[1:]
	parent, inherited := p.root, ""
	if n := len(above); n > 0 {
		parent, inherited = above[n-1].Node, above[n-1].Module
	}
	module, name, err := p.name(inherited)
	if err != nil {
		return InstanceStep{}, err
	}
	s := InstanceStep{Module: module, Name: name}
	if parent != nil {
		if c := parent.Child(name); c != nil && (module == "" || module == c.Module) {
			s.Node, s.Module = c, c.Module
		}
	}
	for strings.HasPrefix(p.rest, "[") {
		k, err := p.predicate(&s)
		if err != nil {
			return s, err
		}
		if slices.ContainsFunc(s.Keys, func(o InstanceKey) bool { return o.Name == k.Name }) {
			return s, fmt.Errorf("key %s of %s is given twice", k.Name, s.Name)
		}
		s.Keys = append(s.Keys, k)
	}
	return s, nil
}

// name reads a name with its prefix, if it has one.
func (p *instanceParser) name(inherited string) (module, name string, err error) {
	prefix, ok := "", false
	if name, ok = p.identifier(); !ok {
		return "", "", fmt.Errorf("expected a name at %s", clip(p.rest))
	}
	if !strings.HasPrefix(p.rest, ":") {
		return inherited, name, nil
	}
	p.rest = p.rest[1:]
	prefix = name
	if name, ok = p.identifier(); !ok {
		return "", "", fmt.Errorf("expected a name behind the prefix %s", clip(prefix))
	}
	if p.module == nil {
		return prefix, name, nil
	}
	if module, ok = p.module(prefix); !ok {
		return "", "", fmt.Errorf("prefix %s stands for no module", clip(prefix))
	}
	return module, name, nil
}

// identifier reads a YANG identifier (RFC 7950 6.2).
func (p *instanceParser) identifier() (string, bool) {
	i := 0
	for i < len(p.rest) {
		c := p.rest[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '-' || c == '.')) {
			break
		}
		i++
	}
	name := p.rest[:i]
	p.rest = p.rest[i:]
	return name, i > 0
}

// predicate reads "[key='value']" of a step.
func (p *instanceParser) predicate(s *InstanceStep) (InstanceKey, error) {
	p.rest = p.rest[1:]
	p.space()
	module, name, err := p.name(s.Module)
	if err != nil {
		return InstanceKey{}, fmt.Errorf("%w: a predicate names a list key, as in [name='x']", err)
	}
	k := InstanceKey{Module: module, Name: name}
	p.space()
	if !strings.HasPrefix(p.rest, "=") {
		return k, fmt.Errorf("expected = behind key %s", name)
	}
	p.rest = p.rest[1:]
	p.space()
	if err := p.value(&k); err != nil {
		return k, err
	}
	p.space()
	if !strings.HasPrefix(p.rest, "]") {
		return k, fmt.Errorf("expected ] behind the value of key %s", name)
	}
	p.rest = p.rest[1:]
	if s.Node == nil {
		return k, nil
	}
	at := slices.IndexFunc(s.Node.Keys, func(key *Node) bool { return key.Name == name })
	if at < 0 {
		return k, fmt.Errorf("%s is not a key of %s", name, s.Name)
	}
	if k.User {
		return k, nil
	}
	canonical, fault := s.Node.ParseKey(at, k.Value)
	if fault != nil {
		return k, fmt.Errorf("key %s: %s", name, fault.Message)
	}
	k.Value = canonical
	return k, nil
}

// value reads a literal or the variable.
func (p *instanceParser) value(k *InstanceKey) error {
	if rest, ok := strings.CutPrefix(p.rest, userVariable); ok {
		p.rest, k.User = rest, true
		return nil
	}
	if p.rest == "" || p.rest[0] != '\'' && p.rest[0] != '"' {
		return fmt.Errorf("the value of key %s must be in quotes, or %s", k.Name, userVariable)
	}
	end := strings.IndexByte(p.rest[1:], p.rest[0])
	if end < 0 {
		return fmt.Errorf("the value of key %s has no closing quote", k.Name)
	}
	k.Value, p.rest = p.rest[1:end+1], p.rest[end+2:]
	return nil
}

func (p *instanceParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// canonicalInstance returns the function that makes a path with names of
// modules canonical.
func canonicalInstance(root *Node) func(string) (string, error) {
	return func(s string) (string, error) {
		p := instanceParser{root: root, rest: xmltok.TrimSpace(s)}
		in, err := p.path()
		if err != nil {
			return "", err
		}
		return in.String(), nil
	}
}
