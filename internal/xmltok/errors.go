package xmltok

import (
	"errors"
	"fmt"
)

// ErrTooDeep is in the chain of the SyntaxError returned when elements are nested deeper than Options.MaxDepth.
var ErrTooDeep = errors.New("elements nested too deep")

// SyntaxError is returned for every input that this package refuses. NETCONF answers it with malformed-message.
type SyntaxError struct {
	Offset int    // byte of the input where the fault was found
	Msg    string // what is wrong there
	err    error
}

// Error tells what is wrong and where.
func (e *SyntaxError) Error() string { return fmt.Sprintf("xml at byte %d: %s", e.Offset, e.Msg) }

// Unwrap returns ErrTooDeep or nil.
func (e *SyntaxError) Unwrap() error { return e.err }

// clip shortens input that is quoted in a message.
func clip[T string | []byte](s T) string {
	const most = 64
	if len(s) > most {
		return string(s[:most]) + "..."
	}
	return string(s)
}
