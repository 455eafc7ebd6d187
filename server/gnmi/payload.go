package gnmi

import (
	"fmt"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/schema"
)

// payload is the value of a replace or update: JSON text, or a scalar.
type payload struct {
	json   []byte
	scalar schema.Scalar // nil: it is JSON
	merges bool          // its leaf-lists are added to those that are there
}

// payloadOf reads a value (gnmi.md 39). What does not fit the node is for the
// decoder to find.
func payloadOf(u *gpb.Update) (payload, *fault) {
	if u.GetVal() == nil && u.GetValue() != nil { //nolint:staticcheck // read only to refuse it
		return payload{}, &fault{code: codes.InvalidArgument, reason: "the update uses the deprecated field value: use val"}
	}
	switch v := u.GetVal().GetValue().(type) {
	case *gpb.TypedValue_JsonVal:
		return payload{json: v.JsonVal}, nil
	case *gpb.TypedValue_JsonIetfVal:
		return payload{json: v.JsonIetfVal}, nil
	}
	s, f := scalarOf(u.GetVal())
	return payload{scalar: s}, f
}

func scalarOf(v *gpb.TypedValue) (schema.Scalar, *fault) {
	switch x := v.GetValue().(type) {
	case *gpb.TypedValue_StringVal:
		return x.StringVal, nil
	case *gpb.TypedValue_IntVal:
		return x.IntVal, nil
	case *gpb.TypedValue_UintVal:
		return x.UintVal, nil
	case *gpb.TypedValue_BoolVal:
		return x.BoolVal, nil
	case *gpb.TypedValue_DoubleVal:
		return x.DoubleVal, nil
	case *gpb.TypedValue_FloatVal: // deprecated, but sent
		return float64(x.FloatVal), nil //nolint:staticcheck // deprecated, but sent
	case *gpb.TypedValue_DecimalVal: // deprecated, but sent
		return float64(x.DecimalVal.GetDigits()), nil //nolint:staticcheck // deprecated, but sent: no leaf takes it: its size does not matter
	case *gpb.TypedValue_BytesVal:
		return x.BytesVal, nil
	case *gpb.TypedValue_LeaflistVal:
		list := make([]schema.Scalar, 0, len(x.LeaflistVal.GetElement()))
		for _, e := range x.LeaflistVal.GetElement() {
			s, f := scalarOf(e)
			if f != nil {
				return nil, f
			}
			list = append(list, s)
		}
		return list, nil
	case nil:
		return nil, &fault{code: codes.InvalidArgument, reason: "there is no value; to take the node away, delete it"}
	}
	m := v.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("value"))
	return nil, &fault{code: codes.Unimplemented, reason: fmt.Sprintf("%s is not supported: use json_val, json_ietf_val or a scalar", field.Name())}
}

// decodeTo reads the payload as edits that merge it.
func (p payload) decodeTo(at schema.Path, emit func(schema.Path, *schema.Edit) error) error {
	if p.scalar != nil {
		return schema.DecodeScalar(at, p.scalar, schema.OpMerge, emit)
	}
	return schema.DecodeJSON(at, p.json, schema.OpMerge, emit)
}

// decode applies a payload to a transaction.
func decode(tx schema.Tx, at schema.Path, p payload, op schema.Op) error {
	emit := func(base schema.Path, e *schema.Edit) error {
		if p.merges {
			mergeLeafLists(e)
		}
		return schema.Apply(tx, base, e)
	}
	if p.scalar != nil {
		return schema.DecodeScalar(at, p.scalar, op, emit)
	}
	return schema.DecodeJSON(at, p.json, op, emit)
}

// mergeLeafLists makes an edit add to the leaf-lists that the decoder had it
// replace.
func mergeLeafLists(e *schema.Edit) {
	if e.Node.Kind == schema.LeafList && e.Op == schema.OpReplace {
		e.Op = schema.OpMerge
	}
	for _, c := range e.Children {
		mergeLeafLists(c)
	}
}
