package gnmi

import (
	"fmt"
	"slices"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/schema"
)

// origins of a path. Both trees are also known by "", where the first element
// decides, and by the names of their modules, which some clients put there
// (gnmi.md 10).
const (
	originNative     = "mooring"
	originOpenConfig = "openconfig"
)

// scope is what a request says of all its paths: prefix, target and origin.
type scope struct {
	rpc     rpc
	prefix  *gpb.Path
	origins map[string]bool // of the paths so far
}

// newScope checks a request's prefix. A nil prefix is an empty one (gnmi.md 6).
func newScope(r rpc, prefix *gpb.Path) (*scope, error) {
	s := &scope{rpc: r, prefix: prefix, origins: map[string]bool{}}
	if f := checkElement(prefix); f != nil {
		f.op = "prefix"
		return nil, f.err()
	}
	return s, nil
}

// checkElement refuses a path that only the deprecated field element spells
// out: taken for the root, a delete of it would wipe everything (gnmi.md 8).
func checkElement(p *gpb.Path) *fault {
	if len(p.GetElement()) > 0 && len(p.GetElem()) == 0 { //nolint:staticcheck // read only to refuse it
		return &fault{code: codes.InvalidArgument, reason: "the path uses the deprecated field element: use elem"}
	}
	return nil
}

// target is a path that a request names, made absolute.
type target struct {
	origin string // as given, for the answer
	inPath bool   // the origin stands in the path, not in the prefix
	elems  []schema.Elem
	tree   *tree
}

// absolute joins prefix and path and checks what does not need the model.
func (s *scope) absolute(op string, p *gpb.Path) (target, *fault) {
	bad := func(code codes.Code, format string, args ...any) (target, *fault) {
		return target{}, &fault{code: code, op: op, path: pathText(s.prefix, p), reason: fmt.Sprintf(format, args...)}
	}
	if f := checkElement(p); f != nil {
		return bad(f.code, "%s", f.reason)
	}
	if p.GetTarget() != "" {
		return bad(codes.InvalidArgument, "a target belongs into the prefix, not into the path")
	}
	if s.prefix.GetOrigin() != "" && p.GetOrigin() != "" {
		return bad(codes.InvalidArgument, "origin %s in the prefix and origin %s in the path: give one of them", quote(s.prefix.GetOrigin()), quote(p.GetOrigin()))
	}
	t := target{origin: s.prefix.GetOrigin() + p.GetOrigin(), inPath: p.GetOrigin() != ""}
	s.origins[t.origin] = true
	if len(s.origins) > 1 && len(s.prefix.GetElem()) > 0 {
		return bad(codes.InvalidArgument, "a request with more than one origin takes no elements in its prefix")
	}
	t.elems = make([]schema.Elem, 0, len(s.prefix.GetElem())+len(p.GetElem()))
	for _, e := range slices.Concat(s.prefix.GetElem(), p.GetElem()) {
		t.elems = append(t.elems, schema.Elem{Name: e.GetName(), Keys: e.GetKey()})
	}
	if f := checkOrigin(t); f != nil {
		return bad(f.code, "%s", f.reason)
	}
	t.tree = treeOf(t)
	return t, nil
}

// checkOrigin refuses origins that name no tree. The name of a module
// stands for that module alone: its root would otherwise be everything.
func checkOrigin(t target) *fault {
	switch {
	case t.origin == "" || t.origin == originNative || t.origin == originOpenConfig:
		return nil
	case t.origin == originOperations:
		return &fault{code: codes.Unimplemented, reason: "origin operations is for the update of a Set: an operation has nothing to read"}
	case !slices.ContainsFunc(models, func(m *gpb.ModelData) bool { return m.GetName() == t.origin }):
		return &fault{code: codes.Unimplemented, reason: "origin " + quote(t.origin) + " is not served: use origin mooring or openconfig, or none"}
	case len(t.elems) == 0:
		return &fault{code: codes.InvalidArgument, reason: "origin " + t.origin + " names one module: give its top-level node too, or use origin mooring for the root"}
	}
	name := t.elems[0].Name[strings.IndexByte(t.elems[0].Name, ':')+1:]
	if top := schema.Root().Child(name); top != nil && top.Module != t.origin {
		return &fault{code: codes.InvalidArgument, reason: fmt.Sprintf("%s is in module %s, not in %s", name, top.Module, t.origin)}
	}
	return nil
}

// expand returns the schema paths that a path of a Get, Subscribe or delete
// names; their lists may still stand for any entry (gnmi.md 13).
func (s *scope) expand(op string, p *gpb.Path) (target, []schema.Path, *fault) {
	t, f := s.absolute(op, p)
	if f != nil {
		return target{}, nil, f
	}
	paths, err := t.tree.expand(t.elems)
	if err != nil {
		f := pathFault(s.rpc, op, err)
		return target{}, nil, &f
	}
	return t, outermost(paths), nil
}

// resolve returns the one node that a replace or update names (gnmi.md 13, 41).
func (s *scope) resolve(op string, p *gpb.Path) (target, schema.Path, *fault) {
	t, f := s.absolute(op, p)
	if f != nil {
		return target{}, nil, f
	}
	bad := func(reason string) (target, schema.Path, *fault) {
		return target{}, nil, &fault{code: codes.InvalidArgument, op: op, path: pathText(s.prefix, p), reason: reason}
	}
	for _, e := range t.elems {
		if e.Name == "*" || e.Name == "..." {
			return bad("a wildcard cannot be written to: name one node")
		}
	}
	path, err := t.tree.resolve(t.elems)
	if err != nil {
		f := pathFault(s.rpc, op, err)
		return target{}, nil, &f
	}
	if path.Wildcard() {
		return bad("a list entry to write to needs all its keys")
	}
	return t, path, nil
}

// outermost drops the paths that lie below another one of the list.
func outermost(paths []schema.Path) []schema.Path {
	if len(paths) < 2 {
		return paths
	}
	var out []schema.Path
	for i, p := range paths {
		below := func(o schema.Path) bool { return covers(o, p) }
		if !slices.ContainsFunc(out, below) && !slices.ContainsFunc(paths[i+1:], below) {
			out = append(out, p)
		}
	}
	return out
}

// covers says whether the pattern p names q or something above q, whatever q's
// own wildcards stand for.
func covers(p, q schema.Path) bool {
	if len(p) > len(q) {
		return false
	}
	for i := range p {
		if p[i].Node != q[i].Node || !coversKeys(p[i], q[i]) {
			return false
		}
	}
	return true
}

func coversKeys(p, q schema.Step) bool {
	for i, k := range p.Keys {
		if k != schema.Wild && (i >= len(q.Keys) || k != q.Keys[i]) {
			return false
		}
	}
	return true
}

// prefixOut is the prefix of an answer: target and origin as they came, and
// elements of its own (gnmi.md 7, 14). It is nil where there is nothing to say.
func (s *scope) prefixOut(elems []*gpb.PathElem) *gpb.Path {
	p := &gpb.Path{Origin: s.prefix.GetOrigin(), Target: s.prefix.GetTarget(), Elem: elems}
	if p.Origin == "" && p.Target == "" && len(elems) == 0 {
		return nil
	}
	return p
}

// elemsOut is a schema path as gNMI writes it.
func elemsOut(p schema.Path) []*gpb.PathElem {
	out := make([]*gpb.PathElem, len(p))
	for i, s := range p {
		e := &gpb.PathElem{Name: s.Node.Name}
		if len(s.Keys) > 0 {
			e.Key = make(map[string]string, len(s.Keys))
			for j, k := range s.Keys {
				e.Key[s.Node.Keys[j].Name] = k
			}
		}
		out[i] = e
	}
	return out
}

// pathText shows a path as the client gave it, for messages about paths that
// could not be read.
func pathText(prefix, p *gpb.Path) string {
	var b strings.Builder
	for _, e := range slices.Concat(prefix.GetElem(), p.GetElem()) {
		if b.Len() > maxReason/2 {
			b.WriteString("/...")
			break
		}
		b.WriteByte('/')
		b.WriteString(e.GetName())
		names := make([]string, 0, len(e.GetKey()))
		for k := range e.GetKey() {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			fmt.Fprintf(&b, "[%s=%s]", k, e.GetKey()[k])
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return clipTo(b.String(), maxReason/2)
}
