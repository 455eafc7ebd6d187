package xpath

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The limits on expressions. Whoever needs a smaller budget of steps gives it
// in Context.
const (
	maxLength = 16 << 10 // bytes of the text
	maxDepth  = 64       // nesting of parentheses, predicates and arguments
	maxSteps  = 20_000_000
)

// Scope is what stands around an expression: the names that it may use.
type Scope struct {
	// Prefixes are the namespaces of the prefixes that are declared where the
	// expression stands. Others are an error.
	Prefixes map[string]string
	// Default is the namespace of names without a prefix: that of the module in
	// YANG (RFC 7950 6.4.1). Empty is XPath's own rule, which holds for the
	// filters of RFC 6241 8.9: such a name is in no namespace, and selects
	// nothing, as all data is in one.
	Default string
	// Variables are the variables that Context has, without their $.
	Variables []string
	// Derived says whether an identity is derived from another one. Without it
	// none is.
	Derived func(identity, base Name) bool
}

// Expr is a compiled expression. It may be used by several goroutines.
type Expr struct {
	text  string
	scope *Scope
	root  expr
}

// Compile reads an expression. The error is an *Error. scope must not be
// changed afterwards.
func Compile(text string, scope *Scope) (*Expr, error) {
	p := &parser{lex: lexer{text: text}, scope: scope}
	if len(text) > maxLength {
		return nil, &Error{Expr: text[:64], Offset: -1, Reason: ErrLimit, Detail: fmt.Sprintf("the expression is longer than %d bytes", maxLength)}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{Offset: -1, Reason: ErrSyntax, Detail: "the expression is not UTF-8"}
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.fail(ErrSyntax, p.tok.offset, "the expression should end here")
	}
	return &Expr{text, scope, x}, nil
}

// String returns the text.
func (x *Expr) String() string { return x.text }

// Prefixes are the namespaces of the prefixes that the text uses.
func (x *Expr) Prefixes() map[string]string {
	used := map[string]string{}
	for prefix, ns := range x.scope.Prefixes {
		if prefix != "" && strings.Contains(x.text, prefix+":") {
			used[prefix] = ns
		}
	}
	return used
}

// NodeSet says whether the value is a node-set.
func (x *Expr) NodeSet() bool { return x.root.kind() == kindNodes }

// Context is where an expression is evaluated.
type Context struct {
	// Document is the root of the tree.
	Document *Document
	// Node is the context node, which current() returns; nil is the root.
	Node Node
	// Variables are the values of the variables of the Scope.
	Variables map[string]string
	// Steps is how many nodes may be looked at, 0 for the default of twenty
	// million.
	Steps int
}

// Nodes returns the nodes that the expression selects, each once and in
// document order. It fails with ErrType where the value is no node-set; all of
// these fail with ErrLimit, or with the cause of ctx when it ends.
func (x *Expr) Nodes(ctx context.Context, c Context) ([]Node, error) {
	if !x.NodeSet() {
		return nil, &Error{Expr: x.text, Offset: -1, Reason: ErrType, Detail: "the value is " + x.root.kind().String() + ", not a node-set"}
	}
	v, _, err := x.run(ctx, c)
	return v.nodes, err
}

// Bool returns the value as a boolean (XPath 1.0 4.3).
func (x *Expr) Bool(ctx context.Context, c Context) (bool, error) {
	v, e, err := x.run(ctx, c)
	if err != nil {
		return false, err
	}
	return e.truth(v), e.err
}

// Number returns the value as a number (XPath 1.0 4.4).
func (x *Expr) Number(ctx context.Context, c Context) (float64, error) {
	v, e, err := x.run(ctx, c)
	if err != nil {
		return 0, err
	}
	return e.number(v), e.err
}

// Text returns the value as a string (XPath 1.0 4.2).
func (x *Expr) Text(ctx context.Context, c Context) (string, error) {
	v, e, err := x.run(ctx, c)
	if err != nil {
		return "", err
	}
	return e.text(v), e.err
}

func (x *Expr) run(ctx context.Context, c Context) (value, *evaluation, error) {
	e := &evaluation{ctx: ctx, expr: x, doc: c.Document, current: c.Node, variables: c.Variables, left: c.Steps}
	if e.left == 0 {
		e.left = maxSteps
	}
	if e.current == nil {
		e.current = e.doc
	}
	v := x.root.eval(e, focus{e.current, 1, 1})
	return v, e, e.err
}
