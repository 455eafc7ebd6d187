package gnmi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/commit"
	"mooring/engine/schema"
)

// maxFaults bounds how many faults of one Set are collected.
const maxFaults = 64

// maxWildcards bounds the wildcards of one Set: each stands for much of the
// model, or for many entries (gnmi.md 110).
const maxWildcards = 1024

// operation is one operation of a Set, ready to be applied.
type operation struct {
	name  string // "update[2]", for messages
	kind  gpb.UpdateResult_Operation
	path  *gpb.Path // as given
	tree  *tree
	nodes []schema.Path // what it names; one but for a delete
	value payload       // of a replace or update
}

// wild says whether the operation names more than one node.
func (o *operation) wild() bool {
	return len(o.nodes) > 1 || slices.ContainsFunc(o.nodes, schema.Path.Wildcard) ||
		slices.ContainsFunc(o.path.GetElem(), func(e *gpb.PathElem) bool { return e.GetName() == "*" || e.GetName() == "..." })
}

// Set applies all operations as one transaction: deletes, then replaces, then
// updates, each in order (gnmi.md 29, 31). It returns when the change is
// durable, not when sessions are up again (gnmi.md 109).
func (s *Server) Set(ctx context.Context, req *gpb.SetRequest) (*gpb.SetResponse, error) {
	exts, err := readExtensions(rpcSet, req.GetExtension())
	if err != nil {
		return nil, err
	}
	if len(req.GetUnionReplace()) > 0 && len(req.GetDelete())+len(req.GetReplace())+len(req.GetUpdate()) > 0 { // gnmi.md 48
		return nil, fault{code: codes.InvalidArgument, path: "union_replace", reason: "union_replace goes with no other operation"}.err()
	}
	if err := s.elections.check(exts.election); err != nil { // counts also where what follows fails (gnmi.md 85)
		return nil, err
	}
	ops, resp, err := s.read(ctx, req, &exts)
	if err != nil {
		return nil, err
	}
	if exts.confirm.settles() {
		return s.settle(ctx, &exts, resp)
	}
	if err := checkOther(&exts, len(ops)); err != nil {
		return nil, err
	}
	if len(exts.resets) > 0 {
		return s.reset(ctx, &exts, resp)
	}
	if len(ops) == 0 && exts.preview == nil && exts.confirm == nil && exts.rollbackTo == "" { // gnmi.md 30
		resp.Timestamp = time.Now().UnixNano()
		return resp, nil
	}
	if len(req.GetUnionReplace()) > 0 {
		if ops, err = union(s.rights(ctx).View(s.cfg.Engine.View()), ops); err != nil {
			return nil, err
		}
	}
	res, answer, err := s.edit(ctx, &exts, func(tx schema.Tx) error {
		// Once a new master was accepted nothing of the old one is.
		if err := s.elections.check(exts.election); err != nil {
			return err
		}
		return apply(ctx, tx, ops)
	})
	if err != nil {
		return nil, setStatus(req, err)
	}
	resp.Timestamp, resp.Extension = res.Time.UnixNano(), answer
	return resp, nil
}

// read returns the operations of a Set on configuration and the answer to them,
// or adds what else the Set names to its extensions.
func (s *Server) read(ctx context.Context, req *gpb.SetRequest, exts *extensions) ([]operation, *gpb.SetResponse, error) {
	if invokes(req) {
		resp, err := exts.invoke(req)
		return nil, resp, err
	}
	ops, err := operations(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	resp := &gpb.SetResponse{Prefix: req.GetPrefix(), Response: make([]*gpb.UpdateResult, len(ops))}
	for i := range ops {
		ops[i].value.merges = ops[i].kind == gpb.UpdateResult_UPDATE && s.cfg.LeafLists == MergeLeafLists
		resp.Response[i] = &gpb.UpdateResult{Path: ops[i].path, Op: ops[i].kind}
	}
	return ops, resp, nil
}

// setStatus is statusOf, but for a union_replace that failed on the way
// (gnmi.md 49).
func setStatus(req *gpb.SetRequest, err error) error {
	if e, ok := errors.AsType[*commit.ApplyError](err); ok && len(req.GetUnionReplace()) > 0 && e.Rollback == nil {
		return engineFault(codes.Internal, "rolled-back", e.Path, e.Error()).err()
	}
	return statusOf(err)
}

// operations reads the operations in the order in which they are applied. All
// that is wrong with their paths and values' forms is told at once.
func operations(ctx context.Context, req *gpb.SetRequest) ([]operation, error) {
	sc, err := newScope(rpcSet, req.GetPrefix())
	if err != nil {
		return nil, err
	}
	ops := make([]operation, 0, len(req.GetDelete())+len(req.GetReplace())+len(req.GetUpdate())+len(req.GetUnionReplace()))
	var bad faults
	wildcards := 0
	add := func(o operation, f *fault) {
		if f == nil && o.wild() {
			wildcards++
		}
		if wildcards > maxWildcards {
			f = &fault{code: codes.ResourceExhausted, op: o.name, reason: fmt.Sprintf("the request has more than %d deletes with wildcards: name what they stand for, or send several requests", maxWildcards)}
		}
		if f != nil {
			bad = append(bad, *f)
		}
		ops = append(ops, o)
	}
	enough := func() bool { return len(bad) >= maxFaults || wildcards > maxWildcards || ctx.Err() != nil }
	for i, p := range req.GetDelete() {
		if enough() {
			break
		}
		add(deletion(sc, fmt.Sprintf("delete[%d]", i), p))
	}
	for i, u := range req.GetReplace() {
		if enough() {
			break
		}
		add(writing(sc, fmt.Sprintf("replace[%d]", i), gpb.UpdateResult_REPLACE, u))
	}
	for i, u := range req.GetUpdate() {
		if enough() {
			break
		}
		add(writing(sc, fmt.Sprintf("update[%d]", i), gpb.UpdateResult_UPDATE, u))
	}
	for i, u := range req.GetUnionReplace() {
		if enough() {
			break
		}
		add(writing(sc, fmt.Sprintf("union_replace[%d]", i), gpb.UpdateResult_UNION_REPLACE, u))
	}
	if err := ctx.Err(); err != nil {
		return nil, statusOf(err)
	}
	if len(bad) > 0 {
		return nil, bad.err()
	}
	return ops, nil
}

// deletion reads a delete. Of what a wildcard names, only configuration is
// meant; state that is named itself is refused (gnmi.md 37, 42).
func deletion(sc *scope, name string, p *gpb.Path) (operation, *fault) {
	o := operation{name: name, kind: gpb.UpdateResult_DELETE, path: p}
	t, paths, f := sc.expand(name, p)
	if f != nil {
		return o, f
	}
	o.tree = t.tree
	for _, path := range paths {
		if path.Node().Config {
			o.nodes = append(o.nodes, path)
		}
	}
	if len(o.nodes) == 0 {
		return o, &fault{code: codes.InvalidArgument, op: name, path: paths[0].String(), reason: "it is state (config false) and cannot be deleted"}
	}
	return o, nil
}

// writing reads a replace or update.
func writing(sc *scope, name string, kind gpb.UpdateResult_Operation, u *gpb.Update) (operation, *fault) {
	o := operation{name: name, kind: kind, path: u.GetPath()}
	t, path, f := sc.resolve(name, u.GetPath())
	if f != nil {
		return o, f
	}
	o.tree, o.nodes = t.tree, []schema.Path{path}
	if o.value, f = payloadOf(u); f != nil {
		f.op, f.path = name, path.String()
	}
	return o, f
}

// apply carries the operations out on a transaction. It goes on after a fault,
// so that the answer names all of them (gnmi.md 44); the transaction is
// dropped then.
func apply(ctx context.Context, tx schema.Tx, ops []operation) error {
	var bad faults
	for i := range ops {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := ops[i].apply(tx)
		if err == nil {
			continue
		}
		fs := schemaFaults(ops[i].name, err)
		if fs == nil {
			return fmt.Errorf("%s: %w", ops[i].name, err)
		}
		if bad = append(bad, fs...); len(bad) >= maxFaults {
			break
		}
	}
	if len(bad) > 0 {
		return bad
	}
	return nil
}

func (o *operation) apply(tx schema.Tx) error {
	switch o.kind {
	case gpb.UpdateResult_DELETE:
		for _, p := range o.nodes {
			if err := o.tree.remove(tx, p); err != nil {
				return err
			}
		}
		return nil
	case gpb.UpdateResult_REPLACE:
		return o.tree.write(tx, o.nodes[0], o.value, schema.OpReplace)
	}
	return o.tree.write(tx, o.nodes[0], o.value, schema.OpMerge)
}

// remove deletes what a pattern names; what is not there is no error (gnmi.md
// 37). The matches are collected first: an edit must not change what is being
// walked through. A wildcard stands for what the caller may read. A leaf is found
// by what holds it, since a walk shows no secrets.
func remove(tx schema.Tx, pattern schema.Path) error {
	last := schema.Step{Node: pattern.Node()}
	holder := pattern
	if last.Node.IsLeaf() {
		holder = pattern.Parent()
	}
	paths := []schema.Path{holder}
	if holder.Wildcard() {
		paths = nil
		schema.Match(schema.Seen(tx), holder, schema.LeafOptions{Content: schema.ConfigOnly}, func(p schema.Path) bool {
			paths = append(paths, p)
			return true
		})
	}
	for _, p := range paths {
		if last.Node.IsLeaf() {
			p = p.Append(last.Node)
		}
		e := &schema.Edit{Node: p.Node(), Op: schema.OpRemove}
		if len(p) > 0 {
			e.Keys = p[len(p)-1].Keys
		}
		if err := schema.Apply(tx, p.Parent(), e); err != nil {
			return err
		}
	}
	return nil
}
