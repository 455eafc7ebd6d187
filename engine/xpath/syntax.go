package xpath

// kind is the type of a value (XPath 1.0 1).
type kind uint8

const (
	kindAny kind = iota // of a parameter: no conversion
	kindNodes
	kindString
	kindNumber
	kindBool
)

func (k kind) String() string {
	return [...]string{"any", "a node-set", "a string", "a number", "a boolean"}[k]
}

// expr is a part of a compiled expression.
type expr interface {
	kind() kind
	eval(e *evaluation, f focus) value
	// constant says whether the value is the same wherever the expression is
	// evaluated, as long as current() is.
	constant() bool
	// positional says whether it asks for the position or the size of its focus.
	positional() bool
}

type (
	literal  string
	number   float64
	variable string

	// binary is an operation with two operands.
	binary struct {
		op   string
		l, r expr
	}
	// negation is the unary minus.
	negation struct{ of expr }

	// call is a function with its arguments.
	call struct {
		fn   *function
		args []expr
	}

	// location is a location path, or another expression with predicates and
	// steps (XPath 1.0 2, 3.3).
	location struct {
		absolute bool
		start    expr // nil: the focus, or the root where it is absolute
		filters  []predicate
		steps    []step
	}
)

// step is a location step (XPath 1.0 2.1).
type step struct {
	axis       axis
	test       nodeTest
	predicates []predicate
	keys       []keyTest // that the first predicates want
	flat       bool      // from nodes of one depth it leads to such, in order and each once
	deep       bool      // it stands for descendant-or-self::node()/child:: of its test
}

type predicate struct {
	of         expr
	positional bool // a number, or it asks for the position
}

// keyTest is a predicate that wants a value at a path of children.
type keyTest struct {
	path []Name
	want expr // constant
}

// axis is an axis (XPath 1.0 2.2).
type axis uint8

const (
	axisChild axis = iota
	axisDescendant
	axisParent
	axisAncestor
	axisFollowingSibling
	axisPrecedingSibling
	axisFollowing
	axisPreceding
	axisAttribute
	axisNamespace
	axisSelf
	axisDescendantOrSelf
	axisAncestorOrSelf
)

var axes = map[string]axis{
	"child": axisChild, "descendant": axisDescendant, "parent": axisParent, "ancestor": axisAncestor,
	"following-sibling": axisFollowingSibling, "preceding-sibling": axisPrecedingSibling,
	"following": axisFollowing, "preceding": axisPreceding, "attribute": axisAttribute, "namespace": axisNamespace,
	"self": axisSelf, "descendant-or-self": axisDescendantOrSelf, "ancestor-or-self": axisAncestorOrSelf,
}

// testKind is what kind of node a test is for (XPath 1.0 2.3).
type testKind uint8

const (
	testElement testKind = iota // by name
	testNode                    // any node
	testText
	testNothing // comments, processing instructions, and names in no namespace: none are in data
)

type nodeTest struct {
	kind testKind
	name Name
}

func (literal) kind() kind        { return kindString }
func (literal) constant() bool    { return true }
func (literal) positional() bool  { return false }
func (number) kind() kind         { return kindNumber }
func (number) constant() bool     { return true }
func (number) positional() bool   { return false }
func (variable) kind() kind       { return kindString }
func (variable) constant() bool   { return true }
func (variable) positional() bool { return false }

func (b *binary) kind() kind {
	switch b.op {
	case "|":
		return kindNodes
	case "+", "-", "*", "div", "mod":
		return kindNumber
	}
	return kindBool
}

func (b *binary) constant() bool   { return b.l.constant() && b.r.constant() }
func (b *binary) positional() bool { return b.l.positional() || b.r.positional() }

func (*negation) kind() kind         { return kindNumber }
func (n *negation) constant() bool   { return n.of.constant() }
func (n *negation) positional() bool { return n.of.positional() }

func (c *call) kind() kind { return c.fn.result }

func (c *call) constant() bool {
	if c.fn.focused || c.fn.implied && len(c.args) == 0 {
		return false
	}
	for _, a := range c.args {
		if !a.constant() {
			return false
		}
	}
	return true
}

func (c *call) positional() bool {
	if c.fn.focused {
		return true
	}
	for _, a := range c.args {
		if a.positional() {
			return true
		}
	}
	return false
}

func (l *location) kind() kind { return kindNodes }

func (l *location) constant() bool {
	return l.absolute || l.start != nil && l.start.constant()
}

// Predicates have a focus of their own.
func (l *location) positional() bool { return l.start != nil && l.start.positional() }
