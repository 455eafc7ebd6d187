package gnmi

import (
	"fmt"
	"slices"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/schema"
	"mooring/internal/nearest"
	"mooring/server/gnmi/preview"
)

// originOperations is the origin of the operations of the models, which
// RESTCONF has at {+restconf}/operations (RFC 8040 3.3.2): the update of
// operations:/NAME carries the operation out, and its value is the input. It is
// for clients that cannot send a Set without a path, as gnmic.
const originOperations = "operations"

// invocations are the operations that are served, and how each is added to what
// a Set asks for.
var invocations = map[string]func(x *extensions, in map[string]schema.Value) *fault{
	"rollback":   invokeRollback,
	"reset-peer": invokeReset,
}

// invokes reports whether a Set names an operation.
func invokes(req *gpb.SetRequest) bool {
	if req.GetPrefix().GetOrigin() == originOperations {
		return true
	}
	for _, p := range req.GetDelete() {
		if p.GetOrigin() == originOperations {
			return true
		}
	}
	for _, list := range [][]*gpb.Update{req.GetReplace(), req.GetUpdate(), req.GetUnionReplace()} {
		for _, u := range list {
			if u.GetPath().GetOrigin() == originOperations {
				return true
			}
		}
	}
	return false
}

// invoke reads the operations that a Set names.
func (x *extensions) invoke(req *gpb.SetRequest) (*gpb.SetResponse, error) {
	resp := &gpb.SetResponse{Prefix: req.GetPrefix()}
	if len(req.GetDelete())+len(req.GetReplace())+len(req.GetUnionReplace()) > 0 {
		return nil, fault{code: codes.InvalidArgument, reason: "an operation is carried out by an update, in a Set of its own"}.err()
	}
	if x.rollbackTo != "" || len(x.resets) > 0 {
		return nil, fault{code: codes.InvalidArgument, op: "extension", reason: "rollback_to and reset go with no operations: send two requests"}.err()
	}
	if n := len(req.GetUpdate()); n > maxResets {
		return nil, fault{code: codes.InvalidArgument, reason: fmt.Sprintf("one Set resets at most %d sessions", maxResets)}.err()
	}
	x.invoked = true
	var bad faults
	for i, u := range req.GetUpdate() {
		resp.Response = append(resp.Response, &gpb.UpdateResult{Path: u.GetPath(), Op: gpb.UpdateResult_UPDATE})
		name := fmt.Sprintf("update[%d]", i)
		bad = append(bad, x.invokeOne(name, req.GetPrefix(), u)...)
		if len(bad) >= maxFaults {
			break
		}
	}
	if len(bad) > 0 {
		return nil, bad.err()
	}
	return resp, nil
}

// invokeOne reads one operation.
func (x *extensions) invokeOne(name string, prefix *gpb.Path, u *gpb.Update) faults {
	operation, f := invocation(prefix, u.GetPath())
	if f == nil && operation == nil {
		f = &fault{code: codes.InvalidArgument, path: pathText(prefix, u.GetPath()), reason: "an operation goes with no configuration: send two requests"}
	}
	if f != nil {
		f.op = name
		return faults{*f}
	}
	at := originOperations + ":/" + operation.Name
	p, f := payloadOf(u)
	if f == nil && p.json == nil {
		f = &fault{code: codes.InvalidArgument, reason: "the value is the input of the operation, as a JSON object"}
	}
	if f != nil {
		f.op, f.path = name, at
		return faults{*f}
	}
	in, err := operation.DecodeInput(p.json)
	if err != nil {
		fs := schemaFaults(name, err)
		for i := range fs {
			fs[i].path = originOperations + ":" + fs[i].path
		}
		return fs
	}
	if f := invocations[operation.Name](x, in); f != nil {
		f.op, f.path = name, at
		return faults{*f}
	}
	return nil
}

// invocation finds the operation of a path, nil for a path of configuration.
func invocation(prefix, path *gpb.Path) (*schema.Operation, *fault) {
	if prefix.GetOrigin() != originOperations && path.GetOrigin() != originOperations {
		return nil, nil
	}
	bad := func(code codes.Code, format string, args ...any) (*schema.Operation, *fault) {
		return nil, &fault{code: code, path: originOperations + ":" + pathText(prefix, path), reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case prefix.GetOrigin() != "" && path.GetOrigin() != "":
		return bad(codes.InvalidArgument, "origin %s in the prefix and origin %s in the path: give one of them", quote(prefix.GetOrigin()), quote(path.GetOrigin()))
	case path.GetTarget() != "":
		return bad(codes.InvalidArgument, "a target belongs into the prefix, not into the path")
	}
	if f := checkElement(path); f != nil {
		return bad(f.code, "%s", f.reason)
	}
	elems := append(prefix.GetElem()[:len(prefix.GetElem()):len(prefix.GetElem())], path.GetElem()...)
	if len(elems) != 1 || len(elems[0].GetKey()) > 0 {
		return bad(codes.InvalidArgument, "the path of an operation is its name, such as operations:/rollback")
	}
	module, name, ok := strings.Cut(elems[0].GetName(), ":")
	if !ok {
		module, name = "", module
	}
	operation := schema.RPC(name)
	if _, served := invocations[name]; !served || operation == nil || module != "" && module != operation.Module {
		return bad(codes.NotFound, "there is no operation %s, rollback and reset-peer are served%s", quote(elems[0].GetName()), nearest.Hint(name, slices.Values([]string{"rollback", "reset-peer"})))
	}
	return operation, nil
}

func invokeRollback(x *extensions, in map[string]schema.Value) *fault {
	if x.rollbackTo != "" || len(x.resets) > 0 {
		return &fault{code: codes.InvalidArgument, reason: "a rollback goes alone: send two requests"}
	}
	x.rollbackTo = in["commit-id"].String()
	return nil
}

func invokeReset(x *extensions, in map[string]schema.Value) *fault {
	if x.rollbackTo != "" {
		return &fault{code: codes.InvalidArgument, reason: "a rollback goes alone: send two requests"}
	}
	for _, name := range []string{"instance", "vpn-instance", "address"} {
		if _, ok := in[name]; !ok {
			return &fault{code: codes.InvalidArgument, reason: name + " is missing", tag: "missing-element"}
		}
	}
	r := &preview.Reset{Instance: in["instance"].String(), VpnInstance: in["vpn-instance"].String(), Address: in["address"].String()}
	r.Mode = preview.ResetMode(preview.ResetMode_value[strings.ToUpper(strings.ReplaceAll(in["mode"].String(), "-", "_"))])
	if text, ok := in["text"]; ok {
		r.Text = text.String()
	}
	x.resets = append(x.resets, r)
	return nil
}
