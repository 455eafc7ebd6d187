package gnmi

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"

	"mooring/engine/commit"
	"mooring/engine/nacm"
	"mooring/engine/schema"
	"mooring/server"
	"mooring/server/gnmi/ocview"
)

// rights is what the caller may do now (gnmi.md 102). A Set needs no more than
// this of it: the engine checks what a transaction changes, whatever tree it was
// written through.
func (s *Server) rights(ctx context.Context) *nacm.Rights {
	return s.cfg.Engine.Access().Of(identity(ctx))
}

// recovers says whether the caller is in the recovery group.
func (s *Server) recovers(ctx context.Context) bool {
	return s.cfg.Engine.Access().Recovers(identity(ctx))
}

func identity(ctx context.Context) nacm.Identity {
	id, ok := ctx.Value(identityKey{}).(*server.Identity)
	if !ok {
		return nacm.Identity{}
	}
	return nacm.Identity{User: id.User, Groups: id.Groups}
}

// mayCall refuses what is an operation of the model in the clothes of an
// extension.
func (s *Server) mayCall(ctx context.Context, module, operation string) error {
	if s.rights(ctx).Exec(module, operation) {
		return nil
	}
	return fault{
		code: codes.PermissionDenied, op: "extension", tag: schema.AccessDenied.String(),
		reason: "access denied: " + actor(ctx).User + " may not call " + operation + " of " + module,
	}.err()
}

// denied is the fault of a path that the caller names, without wildcards, and
// may read nothing of, nil for others: what wildcards name is left out in
// silence. Whether there is such data makes no difference.
func denied(r *nacm.Rights, op string, t target, patterns []schema.Path) *fault {
	if r == nil || len(patterns) != 1 || patterns[0].Wildcard() ||
		slices.ContainsFunc(t.elems, func(e schema.Elem) bool { return e.Name == "*" || e.Name == "..." }) {
		return nil
	}
	native := patterns[0]
	if t.tree == openConfigTree {
		native = ocview.NativePath(native)
	}
	if schema.At(r.Read(), native) != schema.Nothing {
		return nil
	}
	return &fault{code: codes.PermissionDenied, op: op, path: patterns[0].String(), reason: "access denied: you may not read it", tag: schema.AccessDenied.String()}
}

func (o *sender) rights() *nacm.Rights { return o.server.rights(o.stream.Context()) }

// readable returns what a change means in the tree of a group, as far as the
// caller may read it.
func (o *sender) readable(g *group, d *delta) []*delta {
	a := o.may.Of(d.change.Key)
	switch {
	case a == schema.Nothing:
		return nil
	case g.tree != openConfigTree:
		return []*delta{d}
	case a == nil:
		return d.openConfig(o)
	}
	before, after := recordsOf(d.change)
	for _, r := range []*ocview.Record{&before, &after} {
		r.Config, r.State = schema.Readable(r.Config, a), schema.Readable(r.State, a)
	}
	now, _ := o.now()
	return d.openConfigOf(o.rights().View(now), before, after)
}

// reads says whether the caller may read a leaf of the change of a record.
// Those of the OpenConfig view were asked for already.
func (o *sender) reads(g *group, d *delta, l *leafDelta) bool {
	if g.tree == openConfigTree {
		return true
	}
	a := schema.At(o.may.Of(d.change.Key), l.rel)
	if some, ok := a.(schema.ValueAccess); ok { // all of it or nothing: the octets are for all subscribers
		return !slices.ContainsFunc(l.values, func(v schema.Value) bool { return !some.Value(v.String()) })
	}
	return a == nil
}

// recordsOf is the record of a change before and after it.
func recordsOf(c *commit.Change) (before, after ocview.Record) {
	before.Config, after.Config = c.Old.Config, c.New.Config
	before.State, after.State = commit.States(c)
	return before, after
}
