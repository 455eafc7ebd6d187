package xpath

import (
	"errors"
	"fmt"
	"strconv"
)

// The reasons of an Error, for errors.Is.
var (
	// ErrSyntax is returned for a text that is no expression of the language.
	ErrSyntax = errors.New("syntax error")
	// ErrName is returned for a prefix, a function or a variable that is not
	// declared.
	ErrName = errors.New("unknown name")
	// ErrType is returned for an operand of a wrong type, such as a string
	// where a node-set must be.
	ErrType = errors.New("wrong type")
	// ErrLimit is returned for an expression that is too long, too deeply
	// nested, or that looks at too much.
	ErrLimit = errors.New("beyond the limit")
)

// Error says what is wrong with an expression.
type Error struct {
	Expr   string // the whole text
	Offset int    // in bytes, where the fault is; -1 where it has no place
	Reason error  // one of the variables above
	Detail string
}

// Error returns a message with the place of the fault.
func (e *Error) Error() string {
	if e.Offset < 0 || e.Offset > len(e.Expr) {
		return "xpath: " + e.Detail
	}
	return fmt.Sprintf("xpath at character %d, %s: %s", e.Offset+1, near(e.Expr, e.Offset), e.Detail)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

// near shows a text from an offset on.
func near(text string, offset int) string {
	const shown = 24
	switch rest := text[offset:]; {
	case rest == "":
		return "the end"
	case len(rest) > shown:
		return strconv.Quote(rest[:shown]) + "..."
	default:
		return strconv.Quote(rest)
	}
}
