package schema

import (
	"slices"
	"strings"
)

// Tag is an error-tag (RFC 6241 App. A). The zero Tag is OperationFailed.
type Tag uint8

// The tags of RFC 6241 App. A.
const (
	OperationFailed Tag = iota
	InUse
	InvalidValue
	TooBig
	MissingAttribute
	BadAttribute
	UnknownAttribute
	MissingElement
	BadElement
	UnknownElement
	UnknownNamespace
	AccessDenied
	LockDenied
	ResourceDenied
	RollbackFailed
	DataExists
	DataMissing
	OperationNotSupported
	MalformedMessage
)

var tagNames = [...]string{
	"operation-failed", "in-use", "invalid-value", "too-big", "missing-attribute", "bad-attribute", "unknown-attribute",
	"missing-element", "bad-element", "unknown-element", "unknown-namespace", "access-denied", "lock-denied",
	"resource-denied", "rollback-failed", "data-exists", "data-missing", "operation-not-supported", "malformed-message",
}

// String returns the name of RFC 6241 App. A.
func (t Tag) String() string {
	if int(t) < len(tagNames) {
		return tagNames[t]
	}
	return tagNames[OperationFailed]
}

// The error-app-tags of RFC 7950 15.
const (
	AppMustViolation    = "must-violation"
	AppNotUnique        = "data-not-unique"
	AppTooMany          = "too-many-elements"
	AppTooFew           = "too-few-elements"
	AppInstanceRequired = "instance-required"
	AppMissingChoice    = "missing-choice"
	AppMissingInstance  = "missing-instance"
)

// Error is a fault of a request or of a configuration. Front ends map its Tag
// to their own code.
type Error struct {
	Tag          Tag
	AppTag       string
	Path         Path // what is wrong, nil where nothing can be named
	BadElement   string
	BadAttribute string
	BadNamespace string
	NonUnique    []Path // of AppNotUnique: the leaves that are not unique (RFC 7950 15.1)
	Message      string // the reason and what to do, without the path
}

// Error returns "path: message".
func (e *Error) Error() string {
	if len(e.Path) == 0 {
		return e.Message
	}
	return e.Path.String() + ": " + e.Message
}

// Errors are the faults that a validation found, sorted by path.
type Errors []*Error

// Error returns all faults, one on a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single faults.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// Sort orders the faults by path, tag and message.
func (es Errors) Sort() {
	slices.SortStableFunc(es, func(a, b *Error) int {
		if c := strings.Compare(a.Path.String(), b.Path.String()); c != 0 {
			return c
		}
		if a.Tag != b.Tag {
			return int(a.Tag) - int(b.Tag)
		}
		return strings.Compare(a.Message, b.Message)
	})
}
