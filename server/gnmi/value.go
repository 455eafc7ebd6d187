package gnmi

import (
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"mooring/engine/schema"
	"mooring/server/gnmi/ocview"
)

// jsonValue is JSON text as the encoding wants it; the two never mix in an
// answer (gnmi.md 20).
func jsonValue(enc gpb.Encoding, text []byte) *gpb.TypedValue {
	if enc == gpb.Encoding_JSON_IETF {
		return &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: text}}
	}
	return &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: text}}
}

// leafValue is the value of one leaf (gnmi.md 20, 21, 56).
func leafValue(enc gpb.Encoding, l *schema.LeafValue) *gpb.TypedValue {
	list := l.Node.Kind == schema.LeafList
	if enc == gpb.Encoding_ASCII {
		return &gpb.TypedValue{Value: &gpb.TypedValue_AsciiVal{AsciiVal: plainText(l)}}
	}
	if enc != gpb.Encoding_PROTO {
		ietf := enc == gpb.Encoding_JSON_IETF
		if !list {
			return jsonValue(enc, ocview.AppendValue(make([]byte, 0, 24), l.Node.Type, l.Value, ietf))
		}
		text := []byte{'['}
		for i, v := range l.Values {
			if i > 0 {
				text = append(text, ',')
			}
			text = ocview.AppendValue(text, l.Node.Type, v, ietf)
		}
		return jsonValue(enc, append(text, ']'))
	}
	if !list {
		return scalar(l.Value)
	}
	array := &gpb.ScalarArray{Element: make([]*gpb.TypedValue, len(l.Values))}
	for i, v := range l.Values {
		array.Element[i] = scalar(v)
	}
	return &gpb.TypedValue{Value: &gpb.TypedValue_LeaflistVal{LeaflistVal: array}}
}

// plainText is a value as a person writes it, the entries of a leaf-list on a
// line each.
func plainText(l *schema.LeafValue) string {
	if l.Node.Kind != schema.LeafList {
		return l.Value.String()
	}
	lines := make([]string, len(l.Values))
	for i, v := range l.Values {
		lines[i] = v.String()
	}
	return strings.Join(lines, "\n")
}

func scalar(v schema.Value) *gpb.TypedValue {
	switch v.Kind() {
	case schema.ValueInt:
		return &gpb.TypedValue{Value: &gpb.TypedValue_IntVal{IntVal: v.Int()}}
	case schema.ValueUint:
		return &gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: v.Uint()}}
	case schema.ValueBool:
		return &gpb.TypedValue{Value: &gpb.TypedValue_BoolVal{BoolVal: v.Bool()}}
	}
	return &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: v.String()}}
}
