package schema

import (
	"fmt"
	"regexp"
	"slices"

	"mooring/gen"
)

// Type is the type of a leaf or leaf-list. A leafref has the kind and the
// restrictions of its target.
type Type struct {
	Kind    ValueKind
	Bits    int      // of an integer: 8 to 64
	Typedef string   // the outermost typedef, or empty
	Enums   []string // in YANG order

	// Instance says that values are the paths of data nodes (ParseInstance).
	Instance bool
	// Leafref is the leaf that a leafref names, nil for other types.
	Leafref         *Node
	RequireInstance bool

	meta     *gen.Type
	custom   func(string) (string, error) // checks and makes canonical; replaces patterns and lengths
	patterns []matcher
	members  []*Type
	enumOf   map[string]int64
	nameOf   []string // by Go value
}

// matcher is a compiled pattern.
type matcher struct {
	match   func(string) bool
	message string
}

// integerBits are the widths of the integer types, from BaseInt8 on.
var integerBits = [...]int{8, 16, 32, 64, 8, 16, 32, 64}

// addType gives n its type. A leafref out of an operation leads to the data
// tree, so the data tree comes first.
func (t *tree) addType(n *Node) {
	if n.Meta.Type != nil && n.Type == nil {
		n.Type = t.newType(n.Meta.Type)
	}
}

// newType compiles m once.
func (t *tree) newType(m *gen.Type) *Type {
	if done := t.types[m]; done != nil {
		return done
	}
	typ := &Type{}
	if m.Base == gen.BaseLeafref {
		*typ = *t.newType(m.TargetType)
		typ.Leafref, typ.RequireInstance = t.data[m.Target], m.RequireInstance
	} else {
		typ.compile(t, m)
	}
	t.types[m] = typ
	return typ
}

func (typ *Type) compile(t *tree, m *gen.Type) {
	typ.meta, typ.Typedef = m, m.Typedef
	switch {
	case m.Base == gen.BaseString:
		typ.Kind = ValueString
	case m.Base >= gen.BaseInt8 && m.Base <= gen.BaseInt64:
		typ.Kind, typ.Bits = ValueInt, integerBits[m.Base-gen.BaseInt8]
	case m.Base >= gen.BaseUint8 && m.Base <= gen.BaseUint64:
		typ.Kind, typ.Bits = ValueUint, integerBits[m.Base-gen.BaseInt8]
	case m.Base == gen.BaseBoolean:
		typ.Kind = ValueBool
	case m.Base == gen.BaseEnumeration:
		typ.Kind = ValueEnum
		typ.compileEnums(m.Enums)
	case m.Base == gen.BaseBits:
		typ.Kind, typ.custom = ValueString, canonicalBits(m.Bits)
	case m.Base == gen.BaseUnion:
		typ.Kind = ValueString
		for _, member := range m.Members {
			typ.members = append(typ.members, t.newType(member))
		}
		if slices.ContainsFunc(typ.members, func(m *Type) bool { return m.Kind != ValueString }) {
			panic(fmt.Sprintf("schema: type %s is a union of more than strings", m.Typedef))
		}
	default:
		panic(fmt.Sprintf("schema: type %s has base %d, which this package does not do", m.Typedef, m.Base))
	}
	switch m.TypedefModule {
	case "mooring-types":
		typ.custom = canonicals[m.Typedef]
	case accessModule:
		if typ.Instance = m.Typedef == "node-instance-identifier"; typ.Instance {
			typ.custom = canonicalInstance(t.root)
		}
	}
	for _, p := range m.Patterns {
		typ.patterns = append(typ.patterns, matcher{compilePattern(p.Regexp), p.Message})
	}
}

func (typ *Type) compileEnums(enums []gen.Enum) {
	typ.enumOf = map[string]int64{}
	for _, e := range enums {
		typ.Enums = append(typ.Enums, e.Name)
		typ.enumOf[e.Name] = e.Value
		if need := int(e.Value) + 1; need > len(typ.nameOf) {
			typ.nameOf = append(typ.nameOf, make([]string, need-len(typ.nameOf))...)
		}
		typ.nameOf[e.Value] = e.Name
	}
}

// enumName returns the name of an enum's Go value, empty for none.
func (typ *Type) enumName(n int64) string {
	if n < 0 || n >= int64(len(typ.nameOf)) {
		return ""
	}
	return typ.nameOf[n]
}

// compilePattern returns a function that does what the regular expression
// does. Classes of characters, which most patterns are, need no machine.
func compilePattern(re string) func(string) bool {
	if set, ok := classOf(re); ok {
		return func(s string) bool {
			for i := range len(s) {
				if !set[s[i]] {
					return false
				}
			}
			return s != ""
		}
	}
	return regexp.MustCompile(re).MatchString
}
