package gnmi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/server/gnmi/ocview"
)

// contents are the data types of a Get (gnmi.md 18).
var contents = map[gpb.GetRequest_DataType]schema.Content{
	gpb.GetRequest_ALL:         schema.All,
	gpb.GetRequest_CONFIG:      schema.ConfigOnly,
	gpb.GetRequest_STATE:       schema.StateOnly,
	gpb.GetRequest_OPERATIONAL: schema.Operational,
}

// getter answers one Get: all paths from one view (gnmi.md 17).
type getter struct {
	server   *Server
	scope    *scope
	rights   *nacm.Rights
	view     schema.View // of what the user may read
	time     int64
	content  schema.Content
	encoding gpb.Encoding
	modules  moduleSet
	depth    int // levels below each path, 0 for all
	size     int // octets of the answer so far, about
}

// maxAnswer bounds an answer: no client takes more (gnmi.md 106, 110), and a
// request may name the root a million times.
const maxAnswer = 512 << 20

var errTooLarge = errors.New("the answer is too large: ask for less at a time")

// Get returns one Notification for each path, in their order (gnmi.md 16). One
// path that cannot be answered fails the whole request (gnmi.md 23).
func (s *Server) Get(ctx context.Context, req *gpb.GetRequest) (*gpb.GetResponse, error) {
	g, err := s.newGetter(ctx, req)
	if err != nil {
		return nil, err
	}
	paths := req.GetPath()
	if len(paths) == 0 {
		if len(req.GetPrefix().GetElem()) == 0 { // gnmi.md 26
			return nil, fault{code: codes.InvalidArgument, path: "path", reason: "the request names no path; the root is an empty path"}.err()
		}
		paths = []*gpb.Path{{}}
	}
	resp := &gpb.GetResponse{Notification: make([]*gpb.Notification, 0, len(paths))}
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, statusOf(err)
		}
		n, f := g.get(fmt.Sprintf("path[%d]", i), p)
		if f != nil {
			return nil, f.err()
		}
		resp.Notification = append(resp.Notification, n)
	}
	return resp, nil
}

func (s *Server) newGetter(ctx context.Context, req *gpb.GetRequest) (*getter, error) {
	exts, err := readExtensions(rpcGet, req.GetExtension())
	if err != nil {
		return nil, err
	}
	content, ok := contents[req.GetType()]
	if !ok {
		return nil, fault{code: codes.InvalidArgument, path: "type", reason: fmt.Sprintf("%s is no data type: use ALL, CONFIG, STATE or OPERATIONAL", req.GetType())}.err()
	}
	if enc := req.GetEncoding(); enc != gpb.Encoding_ASCII { // of which get knows more
		if err := checkEncoding(enc); err != nil {
			return nil, err
		}
	}
	modules, err := modulesOf(req.GetUseModels())
	if err != nil {
		return nil, err
	}
	sc, err := newScope(rpcGet, req.GetPrefix())
	if err != nil {
		return nil, err
	}
	rights := s.rights(ctx)
	return &getter{
		server: s, scope: sc, rights: rights, view: rights.View(s.cfg.Engine.View()), time: time.Now().UnixNano(),
		content: content, encoding: req.GetEncoding(), modules: modules, depth: exts.depth,
	}, nil
}

// get answers one path of the request.
func (g *getter) get(op string, p *gpb.Path) (*gpb.Notification, *fault) {
	t, patterns, f := g.scope.expand(op, p)
	if f != nil {
		return nil, f
	}
	if f := denied(g.rights, op, t, patterns); f != nil {
		return nil, f
	}
	if i := slices.IndexFunc(patterns, func(p schema.Path) bool { return !p.Node().IsLeaf() }); i >= 0 && g.encoding == gpb.Encoding_ASCII { // gnmi.md 19
		return nil, &fault{code: codes.Unimplemented, op: op, path: patterns[i].String(), reason: "ASCII is served of leaves only: ask for a leaf, or use JSON, JSON_IETF or PROTO"}
	}
	a := &answer{getter: g, target: t, notification: &gpb.Notification{Timestamp: g.time}}
	a.cut = len(g.scope.prefix.GetElem())
	wild := len(patterns) > 1
	for _, pattern := range patterns {
		wild = wild || pattern.Wildcard()
	}
	a.notification.Atomic = !wild && len(patterns[0]) >= len(atomicPath) && patterns[0][len(atomicPath)-1].Node == atomicNode
	if a.notification.Atomic { // gnmi.md 27
		a.cut = len(atomicPath)
	}
	if wild {
		a.cut = 0 // the prefix of an answer has no wildcards either (gnmi.md 14)
	}
	for _, pattern := range patterns {
		if !g.modules.has(pattern.Node()) {
			continue
		}
		var err error
		if wild {
			err = a.matches(pattern)
		} else {
			err = a.add(pattern)
		}
		if err != nil {
			f := fault{code: codes.Internal, op: op, path: pattern.String(), reason: err.Error()}
			if errors.Is(err, errTooLarge) {
				f.code = codes.ResourceExhausted
			}
			if se, ok := errors.AsType[*schema.Error](err); ok && se.Tag == schema.DataMissing {
				f.code, f.reason, f.tag = codes.NotFound, se.Message, se.Tag.String()
			}
			return nil, &f
		}
	}
	if !a.found {
		return nil, g.nothing(op, patterns)
	}
	return a.notification, nil
}

// nothing is the fault of a path that has no answer.
func (g *getter) nothing(op string, patterns []schema.Path) *fault {
	f := &fault{code: codes.NotFound, op: op, path: patterns[0].String(), reason: "there is no such data"}
	if !g.modules.has(patterns[0].Node()) { // gnmi.md 25: as if the model had it not
		f.code, f.reason = codes.Unimplemented, "the path is in none of the models of use_models"
	}
	return f
}

// answer is the Notification of one requested path.
type answer struct {
	*getter
	target
	notification *gpb.Notification
	cut          int // elements that the prefix has
	found        bool
}

// matches adds what exists of a pattern (gnmi.md 13, 24).
func (a *answer) matches(pattern schema.Path) error {
	var err error
	a.tree.match(a.view, pattern, schema.LeafOptions{Content: a.content, Defaults: true}, func(p schema.Path) bool {
		err = a.add(p)
		return err == nil
	})
	return err
}

// add adds the node at one concrete path.
func (a *answer) add(p schema.Path) error {
	a.notification.Prefix = a.prefix(p)
	if a.encoding == gpb.Encoding_PROTO || a.encoding == gpb.Encoding_ASCII {
		return a.addLeaves(p)
	}
	text, err := a.json(p)
	if err != nil {
		return err
	}
	a.append(p, jsonValue(a.encoding, text))
	if a.size += len(text); a.size > a.server.maxAnswer {
		return errTooLarge
	}
	return nil
}

// stateless are the configuration nodes with no state below them. To read one
// of these no state need be rendered.
var stateless = func() map[*schema.Node]bool {
	m := map[*schema.Node]bool{}
	var visit func(n *schema.Node) bool
	visit = func(n *schema.Node) bool {
		pure := n.Config
		for _, c := range n.Children {
			pure = visit(c) && pure
		}
		m[n] = pure
		return pure
	}
	visit(schema.Root())
	visit(ocview.Root())
	return m
}()

func (a *answer) json(p schema.Path) ([]byte, error) {
	opt := schema.JSONOptions{IETF: a.encoding == gpb.Encoding_JSON_IETF, Content: a.content, Depth: a.depth}
	if opt.Content == schema.All && stateless[p.Node()] {
		opt.Content = schema.ConfigOnly
	}
	if len(p) > 0 || a.tree != nativeTree {
		return a.tree.json(nil, a.view, p, opt)
	}
	if a.modules != nil {
		return a.jsonOfModules(opt)
	}
	// Room for what the last one took spares copying tens of megabytes as the
	// text grows.
	hint := &a.server.fullSize[a.content]
	last := int(hint.Load())
	text, err := schema.AppendJSON(make([]byte, 0, last+last/16), a.view, p, opt)
	hint.Store(int64(len(text)))
	return text, err
}

// jsonOfModules is the root with the wanted modules only.
func (a *answer) jsonOfModules(opt schema.JSONOptions) ([]byte, error) {
	text := []byte{'{'}
	for _, top := range schema.Root().Children {
		if !a.modules.has(top) {
			continue
		}
		start := len(text)
		if start > 1 {
			text = append(text, ',')
		}
		text = append(text, '"')
		if opt.IETF {
			text = append(append(text, top.Module...), ':')
		}
		text = append(append(text, top.Name...), `":`...)
		open := len(text)
		var err error
		if text, err = schema.AppendJSON(text, a.view, schema.Path{{Node: top}}, opt); err != nil {
			return nil, err
		}
		if len(text) == open+len("{}") {
			text = text[:start]
		}
	}
	return append(text, '}'), nil
}

// leafSize is about what a leaf takes in PROTO, with its path.
const leafSize = 200

// addLeaves adds each leaf at p and below (gnmi.md 21). Defaults count where
// the path names the leaf itself, as in JSON.
func (a *answer) addLeaves(p schema.Path) error {
	// A container without data is an empty answer, a missing leaf or list
	// entry is an error: AppendJSON knows which (gnmi.md 24).
	leaf := len(p) > 0 && p.Node().IsLeaf()
	before := len(a.notification.Update)
	a.tree.leaves(a.view, p, schema.LeafOptions{Content: a.content, Depth: a.depth, Defaults: leaf}, func(l *schema.LeafValue) bool {
		if a.modules.has(l.Node) {
			a.append(l.Path(), leafValue(a.encoding, l))
			a.size += leafSize
		}
		return a.size <= a.server.maxAnswer
	})
	if a.size > a.server.maxAnswer {
		return errTooLarge
	}
	if len(a.notification.Update) > before {
		return nil
	}
	a.found = true
	_, err := a.tree.json(nil, a.view, p, schema.JSONOptions{Content: a.content, Depth: a.depth})
	return err
}

func (a *answer) append(p schema.Path, v *gpb.TypedValue) {
	a.found = true
	out := &gpb.Path{Elem: elemsOut(p[a.cut:])}
	if a.inPath {
		out.Origin = a.origin
	}
	a.notification.Update = append(a.notification.Update, &gpb.Update{Path: out, Val: v})
}

// prefix is that of the request, or the atomic container, in the canonical form of the answer's path.
func (a *answer) prefix(p schema.Path) *gpb.Path { return a.scope.prefixOut(elemsOut(p[:a.cut])) }
