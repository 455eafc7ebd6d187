package xpath

import (
	"maps"
	"slices"
	"strconv"

	"mooring/internal/nearest"
)

// primary reads a primary expression (XPath 1.0 3.1).
func (p *parser) primary() (expr, error) {
	tok := p.tok
	switch tok.kind {
	case tokenLiteral:
		return literal(tok.text), p.advance()
	case tokenNumber:
		n, err := strconv.ParseFloat(tok.text, 64)
		if err != nil {
			return nil, p.fail(ErrSyntax, tok.offset, "the number is out of range")
		}
		return number(n), p.advance()
	case tokenVariable:
		if !slices.Contains(p.scope.Variables, tok.text) {
			return nil, p.fail(ErrName, tok.offset, "there is no variable $%s here", tok.text)
		}
		return variable(tok.text), p.advance()
	case tokenFunction:
		return p.call()
	}
	if !p.is("(") {
		return nil, p.fail(ErrSyntax, tok.offset, "a value or a path must stand here")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	return x, p.expect(")")
}

// call reads a function call and checks its arguments.
func (p *parser) call() (expr, error) {
	tok := p.tok
	fn := functions[tok.text]
	if fn == nil {
		return nil, p.fail(ErrName, tok.offset, "there is no function %s%s", tok.text, nearest.Hint(tok.text, slices.Values(slices.Sorted(maps.Keys(functions)))))
	}
	c := &call{fn: fn}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for !p.is(")") {
		if len(c.args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		at := p.tok.offset
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		if want := fn.param(len(c.args)); want == kindNodes {
			if err := p.nodes(x, at, tok.text+"()"); err != nil {
				return nil, err
			}
		}
		c.args = append(c.args, x)
	}
	if n := len(c.args); n < fn.least || n > len(fn.params) && !fn.variadic {
		return nil, p.fail(ErrSyntax, tok.offset, "%s() does not take %d arguments", tok.text, n)
	}
	return c, p.expect(")")
}
