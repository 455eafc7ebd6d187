package gnmi

import (
	"encoding/json"
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
			return jsonValue(enc, appendJSON(make([]byte, 0, 24), l.Node.Type, l.Value, ietf))
		}
		text := []byte{'['}
		for i, v := range l.Values {
			if i > 0 {
				text = append(text, ',')
			}
			text = appendJSON(text, l.Node.Type, v, ietf)
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

// appendJSON appends one value; RFC 7951 6.1 has 64-bit numbers as strings.
func appendJSON(dst []byte, t *schema.Type, v schema.Value, ietf bool) []byte {
	switch v.Kind() {
	case schema.ValueInt, schema.ValueUint:
		if ietf && t.Bits == 64 {
			return append(v.Append(append(dst, '"')), '"')
		}
		return v.Append(dst)
	case schema.ValueBool:
		return v.Append(dst)
	}
	s := v.String()
	if module := ocview.Identity(t); ietf && module != "" { // RFC 7951 6.8
		s = module + ":" + s
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, err := json.Marshal(s)
			if err != nil {
				return append(dst, `""`...) // a string always has a form
			}
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
