package main

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/openconfig/goyang/pkg/yang"

	"mooring/internal/xsdre"
)

// bases and goKinds say how a built-in type appears in the table and in Go.
var bases = map[yang.TypeKind]Base{
	yang.Ystring: BaseString,
	yang.Yint8:   BaseInt8, yang.Yint16: BaseInt16, yang.Yint32: BaseInt32, yang.Yint64: BaseInt64,
	yang.Yuint8: BaseUint8, yang.Yuint16: BaseUint16, yang.Yuint32: BaseUint32, yang.Yuint64: BaseUint64,
	yang.Ybool: BaseBoolean, yang.Yenum: BaseEnumeration, yang.Yunion: BaseUnion,
	yang.Yleafref: BaseLeafref, yang.Ybinary: BaseBinary, yang.Yempty: BaseEmpty, yang.Ybits: BaseBits,
}

var goKinds = map[Base]GoKind{
	BaseString: GoString,
	BaseInt8:   GoInt8, BaseInt16: GoInt16, BaseInt32: GoInt32, BaseInt64: GoInt64,
	BaseUint8: GoUint8, BaseUint16: GoUint16, BaseUint32: GoUint32, BaseUint64: GoUint64,
	BaseBoolean: GoBool, BaseEnumeration: GoEnum, BaseBinary: GoBinary, BaseEmpty: GoEmpty, BaseBits: GoString,
}

// predicate matches the [...] of a leafref path.
var predicate = regexp.MustCompile(`\[[^\]]*\]`)

// resolveTypes gives every leaf its type. Leafrefs out of the tree lead to
// data, which is the tree itself or a resolved one.
func (t *tree) resolveTypes(data *tree) error {
	for i := range t.nodes {
		if err := t.resolveType(i, data, 0); err != nil {
			return fmt.Errorf("%s: %w", t.path(i), err)
		}
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.Kind != KindList {
			continue
		}
		for _, key := range n.Keys {
			k := t.child(i, key)
			if k < 0 || t.nodes[k].GoKind == GoUnion {
				return fmt.Errorf("%s: key %s must be a leaf of one Go type", t.path(i), key)
			}
		}
	}
	return nil
}

// resolveType gives node i its type, and before it those that it refers to.
func (t *tree) resolveType(i int, data *tree, depth int) error {
	n := &t.nodes[i]
	if t.types[i] == nil || n.Type != nil {
		return nil
	}
	if depth > len(t.nodes) {
		return fmt.Errorf("leafref leads back to itself")
	}
	typ, err := newType(t.types[i])
	if err != nil {
		return err
	}
	if typ.Base == BaseLeafref {
		target := i
		holder := t
		if strings.HasPrefix(typ.Path, "/") {
			holder = data
			target = -1
		}
		if target, err = holder.follow(typ.Path, target); err != nil {
			return err
		}
		if holder != data {
			return fmt.Errorf("leafref %s: in an operation only absolute paths are supported", typ.Path)
		}
		if err := holder.resolveType(target, data, depth+1); err != nil {
			return err
		}
		typ.Path, typ.Target, typ.TargetType = holder.path(target), target, holder.nodes[target].Type
	}
	n.Type = typ
	n.GoKind = goKind(typ)
	return nil
}

// follow walks a leafref path from node i and returns the leaf at its end.
func (t *tree) follow(path string, i int) (int, error) {
	at := i
	for _, step := range strings.Split(strings.TrimPrefix(predicate.ReplaceAllString(path, ""), "/"), "/") {
		_, name, found := strings.Cut(strings.TrimSpace(step), ":")
		if !found {
			name = strings.TrimSpace(step)
		}
		if name == ".." {
			if at < 0 {
				return 0, fmt.Errorf("leafref %s leads above the root", path)
			}
			at = t.nodes[at].Parent
			continue
		}
		if at = t.child(at, name); at < 0 {
			return 0, fmt.Errorf("leafref %s: there is no %s", path, name)
		}
	}
	if at < 0 || t.types[at] == nil {
		return 0, fmt.Errorf("leafref %s does not lead to a leaf", path)
	}
	return at, nil
}

// child returns the index of a child of node i, -1 where there is none.
func (t *tree) child(i int, name string) int {
	return slices.IndexFunc(t.nodes, func(n Node) bool { return n.Parent == i && n.Name == name })
}

// path is the data path of node i without prefixes and keys.
func (t *tree) path(i int) string {
	if i < 0 {
		return ""
	}
	return t.path(t.nodes[i].Parent) + "/" + t.nodes[i].Name
}

// newType reads a type statement and the typedefs behind it.
func newType(y *yang.Type) (*Type, error) {
	yt := y.YangType
	base, ok := bases[yt.Kind]
	if !ok {
		return nil, fmt.Errorf("type %s is not supported", yt.Kind)
	}
	typ := &Type{Base: base}
	for s := y; s != nil; s = s.YangType.Base {
		if err := addRestrictions(typ, s); err != nil {
			return nil, err
		}
	}
	slices.Reverse(typ.Patterns) // those of the innermost typedef first
	var err error
	if base >= BaseInt8 && base <= BaseUint64 && !yt.Range.Equal(yang.BaseTypedefs[yang.TypeKindToName[yt.Kind]].YangType.Range) {
		if typ.Ranges, err = ranges(yt.Range); err != nil {
			return nil, err
		}
	}
	if typ.Lengths, err = ranges(yt.Length); err != nil {
		return nil, err
	}
	if base == BaseLeafref {
		typ.Path, typ.RequireInstance = yt.Path, !yt.OptionalInstance
	}
	return typ, nil
}

// addRestrictions adds what one statement of a chain of typedefs says. The
// chain is walked from the leaf inwards.
func addRestrictions(typ *Type, s *yang.Type) error {
	if _, builtin := yang.BaseTypedefs[s.Name]; !builtin && typ.Typedef == "" {
		prefix, name, found := strings.Cut(s.Name, ":")
		if !found {
			prefix, name = "", s.Name
		}
		typ.Typedef, typ.TypedefModule = name, yang.FindModuleByPrefix(s, prefix).Name
	}
	if s.Range != nil && typ.RangeMessage == "" && s.Range.ErrorMessage != nil {
		typ.RangeMessage = fold(s.Range.ErrorMessage.Name)
	}
	if s.Length != nil && typ.LengthMessage == "" && s.Length.ErrorMessage != nil {
		typ.LengthMessage = fold(s.Length.ErrorMessage.Name)
	}
	for _, p := range slices.Backward(s.Pattern) {
		re, err := xsdre.Translate(p.Name)
		if err != nil {
			return err
		}
		pattern := Pattern{Regexp: re}
		if p.ErrorMessage != nil {
			pattern.Message = fold(p.ErrorMessage.Name)
		}
		typ.Patterns = append(typ.Patterns, pattern)
	}
	if len(typ.Enums) == 0 {
		for _, e := range s.Enum {
			// ygot keeps 0 for unset, so its values are YANG's plus one.
			typ.Enums = append(typ.Enums, Enum{Name: e.Name, Value: s.YangType.Enum.Value(e.Name) + 1})
		}
	}
	for _, b := range s.Bit {
		typ.Bits = append(typ.Bits, b.Name)
	}
	if len(typ.Members) == 0 {
		for _, member := range s.Type {
			m, err := newType(member)
			if err != nil {
				return err
			}
			if m.Base == BaseLeafref {
				return fmt.Errorf("a leafref in a union is not supported")
			}
			typ.Members = append(typ.Members, m)
		}
	}
	return nil
}

// ranges converts a restriction. An upper end that int64 cannot hold is that of
// "max".
func ranges(yr yang.YangRange) ([]Range, error) {
	var out []Range
	for _, r := range yr {
		low, err := r.Min.Int()
		if err != nil {
			return nil, fmt.Errorf("range %s: the lower end is too large", r)
		}
		high, err := r.Max.Int()
		if err != nil {
			if r.Max.Value != math.MaxUint64 {
				return nil, fmt.Errorf("range %s: the upper end is too large", r)
			}
			high = math.MaxInt64
		}
		out = append(out, Range{Min: low, Max: high})
	}
	return out, nil
}

// goKind says how the structs hold a value: ygot makes the plain Go type of a
// union whose members all have it.
func goKind(typ *Type) GoKind {
	typ = typ.Resolve()
	if typ.Base != BaseUnion {
		return goKinds[typ.Base]
	}
	kind := goKind(typ.Members[0])
	for _, m := range typ.Members[1:] {
		if k := goKind(m); k != kind || k == GoEnum {
			return GoUnion
		}
	}
	return kind
}
