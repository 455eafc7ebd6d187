package schema

import "strconv"

// ValueKind is the kind of a Value.
type ValueKind uint8

// The kinds of values.
const (
	ValueString ValueKind = iota + 1
	ValueInt
	ValueUint
	ValueBool
	ValueEnum
)

// Value is the value of a leaf, or of one entry of a leaf-list, in canonical
// form. Values are comparable; the zero Value is none.
type Value struct {
	kind ValueKind
	s    string // ValueString, ValueEnum: the name
	n    uint64 // the others; ValueEnum: the number in the structs
}

// StringValue returns a string. It is not checked against a type.
func StringValue(s string) Value { return Value{kind: ValueString, s: s} }

// UintValue returns an unsigned integer.
func UintValue(n uint64) Value { return Value{kind: ValueUint, n: n} }

// IntValue returns a signed integer.
func IntValue(n int64) Value { return Value{kind: ValueInt, n: uint64(n)} }

// BoolValue returns a boolean.
func BoolValue(b bool) Value {
	v := Value{kind: ValueBool}
	if b {
		v.n = 1
	}
	return v
}

// Kind returns the kind, 0 for the zero Value.
func (v Value) Kind() ValueKind { return v.kind }

// Uint returns the number of a ValueUint.
func (v Value) Uint() uint64 { return v.n }

// Int returns the number of a ValueInt.
func (v Value) Int() int64 { return int64(v.n) }

// Bool returns the truth of a ValueBool.
func (v Value) Bool() bool { return v.n != 0 }

// String returns the canonical lexical form.
func (v Value) String() string {
	switch v.kind {
	case ValueInt:
		return strconv.FormatInt(int64(v.n), 10)
	case ValueUint:
		return strconv.FormatUint(v.n, 10)
	case ValueBool:
		return strconv.FormatBool(v.n != 0)
	}
	return v.s
}

// Append appends the canonical lexical form.
func (v Value) Append(dst []byte) []byte {
	switch v.kind {
	case ValueInt:
		return strconv.AppendInt(dst, int64(v.n), 10)
	case ValueUint:
		return strconv.AppendUint(dst, v.n, 10)
	case ValueBool:
		return strconv.AppendBool(dst, v.n != 0)
	}
	return append(dst, v.s...)
}
