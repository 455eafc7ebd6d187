package schema

import (
	"fmt"
	"strconv"
)

// Scalar is the value of a leaf as gNMI carries it: a string, int64, uint64,
// bool, float64 or []byte, and for a leaf-list a []Scalar.
type Scalar any

// DecodeScalar does for a scalar what DecodeJSON does for JSON. A number is
// taken for a string leaf and the reverse, and any integer for an integer
// leaf, as long as the value fits.
func DecodeScalar(base Path, v Scalar, op Op, emit func(base Path, e *Edit) error) error {
	if err := checkBase(base); err != nil {
		return err
	}
	n := base.Node()
	e := &Edit{Node: n, Op: op, HasValue: true}
	list, isList := v.([]Scalar)
	switch {
	case !n.IsLeaf():
		return scalarError(base, "a single value cannot be written to a container or list: send JSON")
	case isList != (n.Kind == LeafList):
		return scalarError(base, "a leaf takes one value, a leaf-list takes a list of values")
	case !isList:
		value, err := n.scalar(base, v)
		if err != nil {
			return err
		}
		e.Value = value
		return emit(base.Parent(), e)
	}
	e.Op = OpReplace
	var seen keySet
	for _, item := range list {
		value, err := n.scalar(base, item)
		if err != nil {
			return err
		}
		if !seen.add(value.String()) {
			return scalarError(base, clip(value.String())+" stands in the leaf-list twice")
		}
		e.Values = append(e.Values, value)
	}
	return emit(base.Parent(), e)
}

func scalarError(p Path, message string) *Error {
	return &Error{Tag: InvalidValue, Path: p, BadElement: p.Node().Name, Message: message}
}

// scalar checks one value of the leaf n.
func (n *Node) scalar(p Path, v Scalar) (Value, error) {
	var lexical string
	fits := n.Type.Kind != ValueBool
	switch v := v.(type) {
	case string:
		lexical = v
	case int64:
		lexical = strconv.FormatInt(v, 10)
		fits = fits && n.Type.Kind != ValueEnum
	case uint64:
		lexical = strconv.FormatUint(v, 10)
		fits = fits && n.Type.Kind != ValueEnum
	case bool:
		lexical = strconv.FormatBool(v)
		fits = !fits
	default:
		fits = false
	}
	if !fits {
		return Value{}, scalarError(p, fmt.Sprintf("expected %s, found %s", n.Type.jsonName(), scalarName(v)))
	}
	value, err := n.Type.Parse(lexical)
	if err != nil {
		return Value{}, n.valueError(p, lexical, err)
	}
	return value, nil
}

func scalarName(v Scalar) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64, uint64:
		return "an integer"
	case bool:
		return "a boolean"
	case float64:
		return "a floating point number"
	case []byte:
		return "octets"
	case []Scalar:
		return "a list"
	}
	return "no value"
}
