package rpc

import (
	"context"
	"errors"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/internal/xmltok"
)

// errNotRPC is returned by parse when the root element is no rpc at all.
var errNotRPC = errors.New("the message is no rpc")

// faults are the errors of an edit that went on after each of them.
type faults []error

// Error returns the first one.
func (f faults) Error() string { return f[0].Error() }

// wireErrors maps an error to what the client gets. It is the only place that
// does.
func wireErrors(err error) []*Error {
	if list, ok := err.(faults); ok { //nolint:errorlint // never wrapped
		var out []*Error
		for _, e := range list {
			out = append(out, wireErrors(e)...)
		}
		return out
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return []*Error{e}
	}
	// Before the schema's errors: these may hold one as their reason.
	if e, ok := errors.AsType[*commit.PrepareError](err); ok {
		return applicationError(schema.OperationFailed, e.Path, e.Unwrap().Error())
	}
	if e, ok := errors.AsType[*commit.ApplyError](err); ok {
		tag := schema.OperationFailed
		if e.Rollback != nil {
			tag = schema.RollbackFailed
		}
		return applicationError(tag, e.Path, e.Error())
	}
	if e, ok := errors.AsType[*commit.DiskError](err); ok {
		if e.Full() {
			return applicationError(schema.ResourceDenied, nil, e.Error())
		}
		return applicationError(schema.OperationFailed, nil, e.Error())
	}
	if list, ok := errors.AsType[schema.Errors](err); ok {
		out := make([]*Error, len(list))
		for i, e := range list {
			out[i] = schemaError(e)
		}
		return out
	}
	if e, ok := errors.AsType[*schema.Error](err); ok {
		return []*Error{schemaError(e)}
	}
	if e, ok := errors.AsType[*datastore.LockedError](err); ok {
		return []*Error{protocolError(schema.InUse, e.Error()).at(dataPath(e.Path))}
	}
	if e, ok := errors.AsType[*datastore.ConflictError](err); ok {
		return conflictErrors(e)
	}
	if e, ok := errors.AsType[*commit.PendingError](err); ok {
		return []*Error{protocolError(schema.InUse, e.Error())}
	}
	if e, ok := errors.AsType[*commit.GuardError](err); ok {
		return []*Error{protocolError(schema.InUse, e.Error())}
	}
	if malformed(err) {
		return []*Error{{Type: typeRPC, Tag: schema.MalformedMessage, Message: err.Error()}}
	}
	switch {
	case errors.Is(err, commit.ErrUnknownCommit):
		return applicationError(schema.InvalidValue, nil, err.Error())
	case errors.Is(err, xmltok.ErrTooDeep):
		return []*Error{{Type: typeRPC, Tag: schema.TooBig, Message: err.Error()}}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return applicationError(schema.OperationFailed, nil, "the session ended before the operation began: nothing has changed")
	}
	return applicationError(schema.OperationFailed, nil, err.Error())
}

// maxConflicts is how many conflicts are told one by one.
const maxConflicts = 100

// conflictErrors names each record in conflict.
func conflictErrors(e *datastore.ConflictError) []*Error {
	const message = "running has changed here too since the candidate was made or updated: " +
		"update it with another resolution-mode, or discard the changes and edit again"
	var out []*Error
	for _, k := range e.Keys[:min(len(e.Keys), maxConflicts)] {
		out = append(out, applicationError(schema.OperationFailed, k.Path(), message)...)
	}
	return out
}

func applicationError(tag schema.Tag, p schema.Path, message string) []*Error {
	return []*Error{{Type: typeApplication, Tag: tag, Path: dataPath(p), Message: message}}
}

// lockDenied is the answer to lock and unlock, the only ones that may have
// this tag. The session-id of a holder that is no NETCONF session is 0
// (RFC 6241 App. A).
func lockDenied(e *datastore.LockedError) *Error {
	d := protocolError(schema.LockDenied, e.Error())
	d.session, d.holder = e.Holder.Session, true
	return d
}

// schemaError adds the error-info that the tag requires (RFC 6241 App. A).
func schemaError(e *schema.Error) *Error {
	out := &Error{Type: typeApplication, Tag: e.Tag, AppTag: e.AppTag, Path: dataPath(e.Path), Message: e.Message}
	element := e.BadElement
	if n := len(e.Path); element == "" && n > 0 {
		element = e.Path[n-1].Node.Name
	}
	switch e.Tag {
	case schema.MissingElement, schema.BadElement, schema.UnknownElement:
		out.badElement = element
	case schema.UnknownNamespace:
		out.badElement, out.badNamespace, out.hasNamespace = element, e.BadNamespace, true
	case schema.MissingAttribute, schema.BadAttribute, schema.UnknownAttribute:
		out.badAttribute, out.badElement = e.BadAttribute, element
	case schema.MalformedMessage:
		out.Type = typeRPC
	case schema.LockDenied:
		out.Type, out.holder = typeProtocol, true
	}
	for _, p := range e.NonUnique {
		out.nonUnique = append(out.nonUnique, dataPath(p))
	}
	return out
}
