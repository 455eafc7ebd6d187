package frame

import "errors"

var (
	// ErrFraming is returned when the peer breaks the chunk grammar. The stream cannot be trusted any more: close it and send nothing
	// (RFC 6242 4.2).
	ErrFraming = errors.New("chunk framing broken")
	// ErrTooBig is returned when a message is longer than Options.MaxMessage. The rest of it is still in the stream: answer with error-tag
	// too-big and close.
	ErrTooBig = errors.New("message too big")
	// ErrEmpty is returned by End when nothing was written: neither framing has a form for an empty chunk, and no NETCONF message is empty.
	ErrEmpty = errors.New("message has no content")
	// ErrNotOpen is returned by Write and End without Begin, and after a Begin inside a message. The Writer is unusable from then on.
	ErrNotOpen = errors.New("no message is open, or two are")
)
