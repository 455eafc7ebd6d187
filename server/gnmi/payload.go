package gnmi

import (
	"encoding/json"
	"fmt"
	"strconv"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/schema"
)

// payload returns the value of a replace or update as JSON text (gnmi.md 39).
// JSON passes as it is; a scalar is checked for its form here, so that the
// decoder's tolerance for numbers in strings, which is for JSON that people
// type, does not reach it (gnmi.md 40).
func payload(n *schema.Node, u *gpb.Update) ([]byte, *fault) {
	bad := func(code codes.Code, format string, args ...any) ([]byte, *fault) {
		return nil, &fault{code: code, reason: fmt.Sprintf(format, args...)}
	}
	if u.GetVal() == nil && u.GetValue() != nil { //nolint:staticcheck // read only to refuse it
		return bad(codes.InvalidArgument, "the update uses the deprecated field value: use val")
	}
	switch v := u.GetVal().GetValue().(type) {
	case nil:
		return bad(codes.InvalidArgument, "there is no value; to take the node away, delete it")
	case *gpb.TypedValue_JsonVal:
		return v.JsonVal, nil
	case *gpb.TypedValue_JsonIetfVal:
		return v.JsonIetfVal, nil
	case *gpb.TypedValue_AsciiVal, *gpb.TypedValue_AnyVal, *gpb.TypedValue_ProtoBytes:
		return bad(codes.Unimplemented, "%s is not supported: use json_val, json_ietf_val or a scalar", form(u.GetVal()))
	case *gpb.TypedValue_LeaflistVal:
		if n.Kind != schema.LeafList {
			return bad(codes.InvalidArgument, "leaflist_val is for a leaf-list, and %s is none", nameOf(n))
		}
		text := []byte{'['}
		for i, e := range v.LeaflistVal.GetElement() {
			if i > 0 {
				text = append(text, ',')
			}
			var f *fault
			if text, f = appendScalar(text, n, e); f != nil {
				return nil, f
			}
		}
		return append(text, ']'), nil
	}
	if n.Kind != schema.Leaf {
		return bad(codes.InvalidArgument, "%s is for a leaf, and %s is none: use json_val, json_ietf_val%s", form(u.GetVal()), nameOf(n),
			map[bool]string{true: " or leaflist_val"}[n.Kind == schema.LeafList])
	}
	return appendScalar(nil, n, u.GetVal())
}

// appendScalar appends a scalar as JSON where its form fits the leaf.
func appendScalar(dst []byte, n *schema.Node, v *gpb.TypedValue) ([]byte, *fault) {
	kind := n.Type.Kind
	switch x := v.GetValue().(type) {
	case *gpb.TypedValue_StringVal:
		if kind == schema.ValueString || kind == schema.ValueEnum {
			text, err := json.Marshal(x.StringVal)
			if err != nil {
				return nil, &fault{code: codes.InvalidArgument, reason: err.Error()}
			}
			return append(dst, text...), nil
		}
	case *gpb.TypedValue_UintVal:
		if kind == schema.ValueUint || kind == schema.ValueInt {
			return strconv.AppendUint(dst, x.UintVal, 10), nil
		}
	case *gpb.TypedValue_IntVal:
		if kind == schema.ValueUint || kind == schema.ValueInt {
			return strconv.AppendInt(dst, x.IntVal, 10), nil
		}
	case *gpb.TypedValue_BoolVal:
		if kind == schema.ValueBool {
			return strconv.AppendBool(dst, x.BoolVal), nil
		}
	}
	return nil, &fault{code: codes.InvalidArgument, reason: fmt.Sprintf("%s does not fit: the leaf takes %s", form(v), takes(kind))}
}

func takes(kind schema.ValueKind) string {
	switch kind {
	case schema.ValueUint, schema.ValueInt:
		return "uint_val or int_val"
	case schema.ValueBool:
		return "bool_val"
	}
	return "string_val"
}

// form names the field of a TypedValue, as gnmi.proto does.
func form(v *gpb.TypedValue) string {
	m := v.ProtoReflect()
	if f := m.WhichOneof(m.Descriptor().Oneofs().ByName("value")); f != nil {
		return string(f.Name())
	}
	return "an empty value"
}

func nameOf(n *schema.Node) string {
	if n.Name == "" {
		return "the root"
	}
	return n.Name
}
