package xpath

import (
	"fmt"
	"slices"
	"strings"
)

// parser reads an expression by recursive descent.
type parser struct {
	lex   lexer
	tok   token // the next one
	scope *Scope
	depth int
}

func (p *parser) advance() error {
	var err error
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) fail(reason error, offset int, format string, args ...any) error {
	return &Error{Expr: p.lex.text, Offset: offset, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

func (p *parser) is(symbol string) bool { return p.tok.kind == tokenSymbol && p.tok.text == symbol }

// expect reads a symbol that must stand here.
func (p *parser) expect(symbol string) error {
	if !p.is(symbol) {
		return p.fail(ErrSyntax, p.tok.offset, "%s must stand here", symbol)
	}
	return p.advance()
}

// levels are the binary operators, those that bind weakest first (XPath 1.0
// 3.4, 3.5). The unary minus is between the last two.
var levels = [][]string{{"or"}, {"and"}, {"=", "!="}, {"<", "<=", ">", ">="}, {"+", "-"}, {"*", "div", "mod"}}

// expression reads an expression of any kind.
func (p *parser) expression() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(ErrLimit, p.tok.offset, "the expression is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	return p.level(0)
}

func (p *parser) level(n int) (expr, error) {
	if n == len(levels) {
		return p.unary()
	}
	l, err := p.level(n + 1)
	for err == nil && (p.tok.kind == tokenSymbol || p.tok.kind == tokenOperator) && slices.Contains(levels[n], p.tok.text) {
		b := &binary{op: p.tok.text, l: l}
		if err = p.advance(); err != nil {
			break
		}
		if b.r, err = p.level(n + 1); err == nil {
			l = b
		}
	}
	return l, err
}

// unary reads minus signs, of which two are none but for the conversion to a
// number, and a union.
func (p *parser) unary() (expr, error) {
	signs := 0
	for ; p.is("-"); signs++ {
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	x, err := p.union()
	if err != nil || signs == 0 {
		return x, err
	}
	x = &negation{x}
	if signs%2 == 0 {
		x = &negation{x}
	}
	return x, nil
}

func (p *parser) union() (expr, error) {
	l, err := p.path()
	for err == nil && p.is("|") {
		if err = p.nodes(l, p.tok.offset, "|"); err != nil {
			break
		}
		if err = p.advance(); err != nil {
			break
		}
		at := p.tok.offset
		var r expr
		if r, err = p.path(); err == nil {
			err = p.nodes(r, at, "|")
			l = &binary{op: "|", l: l, r: r}
		}
	}
	return l, err
}

// nodes refuses an operand that is no node-set.
func (p *parser) nodes(x expr, offset int, of string) error {
	if x.kind() != kindNodes {
		return p.fail(ErrType, offset, "%s needs a node-set, not %s", of, x.kind())
	}
	return nil
}

// path reads a location path, or a primary expression with predicates and
// steps after it.
func (p *parser) path() (expr, error) {
	x, err := p.location()
	if l, ok := x.(*location); ok && err == nil {
		l.optimize()
	}
	return x, err
}

func (p *parser) location() (expr, error) {
	loc := &location{}
	switch {
	case p.is("/"):
		loc.absolute = true
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.stepNext() {
			return loc, nil // the root itself
		}
		return loc, p.steps(loc)
	case p.is("//"):
		loc.absolute = true
		return loc, p.moreSteps(loc)
	case p.stepNext():
		return loc, p.steps(loc)
	}
	at := p.tok.offset
	start, err := p.primary()
	if err != nil {
		return nil, err
	}
	if !p.is("[") && !p.is("/") && !p.is("//") {
		return start, nil
	}
	if err := p.nodes(start, at, p.tok.text); err != nil {
		return nil, err
	}
	loc.start = start
	if loc.filters, err = p.predicates(); err != nil {
		return nil, err
	}
	return loc, p.moreSteps(loc)
}

// stepNext says whether a location step begins here.
func (p *parser) stepNext() bool {
	switch p.tok.kind {
	case tokenName, tokenAxis, tokenNodeType:
		return true
	}
	return p.is(".") || p.is("..") || p.is("@")
}

func (p *parser) steps(loc *location) error {
	if err := p.step(loc); err != nil {
		return err
	}
	return p.moreSteps(loc)
}

// moreSteps reads what begins with a slash.
func (p *parser) moreSteps(loc *location) error {
	for p.is("/") || p.is("//") {
		if p.is("//") {
			loc.steps = append(loc.steps, step{axis: axisDescendantOrSelf, test: nodeTest{kind: testNode}})
		}
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.step(loc); err != nil {
			return err
		}
	}
	return nil
}

// step reads a location step.
func (p *parser) step(loc *location) error {
	var s step
	switch {
	case p.is("."), p.is(".."):
		s.axis, s.test = axisSelf, nodeTest{kind: testNode}
		if p.is("..") {
			s.axis = axisParent
		}
		loc.steps = append(loc.steps, s)
		return p.advance()
	case p.is("@"):
		s.axis = axisAttribute
		if err := p.advance(); err != nil {
			return err
		}
	case p.tok.kind == tokenAxis:
		var ok bool
		if s.axis, ok = axes[p.tok.text]; !ok {
			return p.fail(ErrSyntax, p.tok.offset, "there is no axis %s", p.tok.text)
		}
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.expect("::"); err != nil {
			return err
		}
	}
	var err error
	if s.test, err = p.nodeTest(); err != nil {
		return err
	}
	if s.predicates, err = p.predicates(); err != nil {
		return err
	}
	loc.steps = append(loc.steps, s)
	return nil
}

func (p *parser) nodeTest() (nodeTest, error) {
	tok := p.tok
	switch tok.kind {
	case tokenName:
		name, kind, err := p.testName(tok)
		if err != nil {
			return nodeTest{}, err
		}
		return nodeTest{kind, name}, p.advance()
	case tokenNodeType:
		if err := p.advance(); err != nil {
			return nodeTest{}, err
		}
		if err := p.expect("("); err != nil {
			return nodeTest{}, err
		}
		if tok.text == "processing-instruction" && p.tok.kind == tokenLiteral {
			if err := p.advance(); err != nil {
				return nodeTest{}, err
			}
		}
		kind := testNothing
		switch tok.text {
		case "node":
			kind = testNode
		case "text":
			kind = testText
		}
		return nodeTest{kind: kind}, p.expect(")")
	}
	return nodeTest{}, p.fail(ErrSyntax, tok.offset, "the name of a node must stand here")
}

// testName resolves the prefix of a name test.
func (p *parser) testName(tok token) (Name, testKind, error) {
	if tok.text == "*" {
		return Name{}, testElement, nil
	}
	prefix, local, ok := strings.Cut(tok.text, ":")
	if !ok {
		if p.scope.Default == "" {
			return Name{}, testNothing, nil // in no namespace, where no data is
		}
		return Name{p.scope.Default, prefix}, testElement, nil
	}
	ns, ok := p.scope.Prefixes[prefix]
	if !ok || ns == "" {
		return Name{}, 0, p.fail(ErrName, tok.offset, "prefix %s is not declared where the expression stands", prefix)
	}
	if local == "*" {
		local = ""
	}
	return Name{ns, local}, testElement, nil
}

func (p *parser) predicates() ([]predicate, error) {
	var out []predicate
	for p.is("[") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect("]"); err != nil {
			return nil, err
		}
		out = append(out, predicate{x, x.kind() == kindNumber || x.positional()})
	}
	return out, nil
}
