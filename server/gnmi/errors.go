package gnmi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// The status travels in HTTP/2 trailers, and clients drop the connection when
// those are too large (8 KiB in some), so both parts have their limits.
const (
	maxReason     = 700
	maxViolations = 10

	errorDomain = "mooring"
)

// fault is one thing that is wrong with a request.
type fault struct {
	code   codes.Code
	op     string // which part of the request: "update[2]", "path[0]"; "" where none is to blame
	path   string // data path, or field of the request; "" where none can be named
	reason string // what is wrong and what to do
	tag    string // for ErrorInfo; "" takes the name of the code
}

func (f fault) field() string {
	if f.path != "" {
		return f.path
	}
	return f.op
}

func (f fault) text() string {
	var parts []string
	for _, s := range []string{f.op, f.path, f.reason} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// err returns the fault as a gRPC status.
func (f fault) err() error { return faults{f}.err() }

// faults are all that is wrong, in the order of the request.
type faults []fault

// Error is the text of the first; faults never leave the package but as err.
func (fs faults) Error() string { return fs[0].text() }

// err returns the status of the first fault, with all of them in the details
// (gnmi.md 15, 44). The text of the first is what most clients show.
func (fs faults) err() error {
	first := fs[0]
	text := clipText(first.text())
	if n := len(fs) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	tag := first.tag
	if tag == "" {
		tag = first.code.String()
	}
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reasonName(tag), Domain: errorDomain}}
	bad := &errdetails.BadRequest{}
	for _, f := range fs[:min(len(fs), maxViolations)] {
		if f.field() != "" {
			limit := maxReason / min(len(fs), maxViolations)
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: clipTo(f.field(), maxReason/2), Description: clipTo(f.reason, max(limit, 100)),
			})
		}
	}
	if len(bad.FieldViolations) > 0 {
		details = append(details, bad)
	}
	st, err := status.New(first.code, text).WithDetails(details...)
	if err != nil {
		return status.Error(first.code, text) // only for a code OK or a detail that cannot be encoded
	}
	return st.Err()
}

// reasonName turns "invalid-value" and "InvalidArgument" into the form that
// ErrorInfo wants: INVALID_VALUE, INVALID_ARGUMENT.
func reasonName(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '-' || r == ' ':
			b.WriteByte('_')
		case r >= 'A' && r <= 'Z' && i > 0:
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			b.WriteString(strings.ToUpper(string(r)))
		}
	}
	return b.String()
}

// tagCode is the code of a fault that the engine found in the content of a
// request or in the configuration it would make. A path that a request names
// has a rule of its own: pathFault.
var tagCode = map[schema.Tag]codes.Code{
	schema.OperationFailed:       codes.InvalidArgument, // must and leafref (gnmi.md 45)
	schema.InUse:                 codes.FailedPrecondition,
	schema.InvalidValue:          codes.InvalidArgument,
	schema.TooBig:                codes.InvalidArgument,
	schema.MissingAttribute:      codes.InvalidArgument,
	schema.BadAttribute:          codes.InvalidArgument,
	schema.UnknownAttribute:      codes.InvalidArgument,
	schema.MissingElement:        codes.InvalidArgument,
	schema.BadElement:            codes.InvalidArgument,
	schema.UnknownElement:        codes.InvalidArgument,
	schema.UnknownNamespace:      codes.InvalidArgument,
	schema.AccessDenied:          codes.PermissionDenied,
	schema.LockDenied:            codes.FailedPrecondition,
	schema.ResourceDenied:        codes.ResourceExhausted,
	schema.RollbackFailed:        codes.Internal,
	schema.DataExists:            codes.AlreadyExists,
	schema.DataMissing:           codes.InvalidArgument, // a leafref to nothing (RFC 7950 15.5); a Set never asks for what must exist
	schema.OperationNotSupported: codes.Unimplemented,
	schema.MalformedMessage:      codes.InvalidArgument,
}

// pathFault is the fault of a path that a request names. A name that the model
// has not is NOT_FOUND in a Set and UNIMPLEMENTED elsewhere (gnmi.md 23, 41,
// 55); anything else that is wrong with a path is INVALID_ARGUMENT.
func pathFault(r rpc, op string, err error) fault {
	f := fault{code: codes.InvalidArgument, op: op, reason: err.Error()}
	se, ok := errors.AsType[*schema.Error](err)
	if !ok {
		return f
	}
	f.reason, f.tag = se.Message, se.Tag.String()
	if len(se.Path) > 0 {
		f.path = se.Path.String()
	}
	if se.Tag == schema.UnknownElement {
		f.code = codes.Unimplemented
		if r == rpcSet {
			f.code = codes.NotFound
		}
	}
	return f
}

// schemaFaults are those of an error that the engine found.
func schemaFaults(op string, err error) faults {
	var list schema.Errors
	if !errors.As(err, &list) {
		one, ok := errors.AsType[*schema.Error](err)
		if !ok {
			return nil
		}
		list = schema.Errors{one}
	}
	fs := make(faults, 0, len(list))
	for _, e := range list {
		f := fault{code: codes.InvalidArgument, op: op, reason: e.Message, tag: e.Tag.String()}
		if code, ok := tagCode[e.Tag]; ok {
			f.code = code
		}
		if e.AppTag != "" {
			f.tag = e.AppTag
		}
		if len(e.Path) > 0 {
			f.path = e.Path.String()
		}
		fs = append(fs, f)
	}
	return fs
}

// statusOf is the one place where an error of the engine gets its code
// (gnmi.md 44, 46). A status is returned as it is.
func statusOf(err error) error {
	if fs, ok := errors.AsType[faults](err); ok {
		return fs.err()
	}
	if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok { // itself, not what it wraps: that may be a backend's
		return err
	}
	if fs := schemaFaults("", err); len(fs) > 0 {
		return fs.err()
	}
	if e, ok := errors.AsType[*datastore.LockedError](err); ok {
		// Not ABORTED: trying again at once does not help, the holder must
		// let go first.
		return fault{code: codes.FailedPrecondition, reason: e.Error(), tag: "locked"}.err()
	}
	if e, ok := errors.AsType[*commit.PrepareError](err); ok {
		return engineFault(codes.FailedPrecondition, "refused", e.Path, e.Error()).err()
	}
	if e, ok := errors.AsType[*commit.ApplyError](err); ok {
		if e.Rollback != nil {
			return engineFault(codes.Internal, "rollback-failed", e.Path, e.Error()).err()
		}
		return engineFault(codes.Aborted, "rolled-back", e.Path, e.Error()).err()
	}
	if e, ok := errors.AsType[*commit.DiskError](err); ok {
		if e.Full() {
			return fault{code: codes.ResourceExhausted, reason: e.Error(), tag: "disk-full"}.err()
		}
		return fault{code: codes.Internal, reason: e.Error(), tag: "disk-failed"}.err()
	}
	if errors.Is(err, commit.ErrConfirmID) { // before the PendingError that it wraps (gnmi.md 87, 88)
		return fault{code: codes.InvalidArgument, op: "extension", reason: err.Error(), tag: "confirm-id"}.err()
	}
	if e, ok := errors.AsType[*commit.PendingError](err); ok { // gnmi.md 86
		return fault{code: codes.FailedPrecondition, reason: e.Error(), tag: "commit-pending"}.err()
	}
	if e, ok := errors.AsType[*commit.TooOldError](err); ok { // gnmi.md 92
		return fault{code: codes.OutOfRange, op: "extension", reason: e.Error(), tag: "too-old"}.err()
	}
	if e, ok := errors.AsType[*commit.GuardError](err); ok {
		return fault{code: codes.FailedPrecondition, reason: e.Error(), tag: "commit-guarded"}.err()
	}
	switch {
	case errors.Is(err, commit.ErrNotPending):
		return fault{code: codes.FailedPrecondition, op: "extension", reason: err.Error(), tag: "nothing-pending"}.err()
	case errors.Is(err, commit.ErrGuardTime):
		return fault{code: codes.InvalidArgument, op: "extension", reason: err.Error(), tag: "guard-time"}.err()
	case errors.Is(err, commit.ErrUnknownCommit):
		return fault{code: codes.NotFound, op: "extension", reason: err.Error(), tag: "unknown-commit"}.err()
	case errors.Is(err, datastore.ErrNoUndo):
		return fault{code: codes.FailedPrecondition, op: "extension", reason: err.Error(), tag: "no-way-back"}.err()
	case errors.Is(err, commit.ErrNotEstablished):
		return fault{code: codes.FailedPrecondition, op: "extension", reason: err.Error(), tag: "not-established"}.err()
	case errors.Is(err, context.DeadlineExceeded):
		return fault{code: codes.DeadlineExceeded, reason: "the deadline passed before the commit: nothing has changed"}.err()
	case errors.Is(err, context.Canceled):
		return fault{code: codes.Canceled, reason: "canceled before the commit: nothing has changed"}.err()
	case errors.Is(err, datastore.ErrClosed):
		return fault{code: codes.Unavailable, reason: "the agent is shutting down"}.err()
	case errors.Is(err, datastore.ErrStale):
		return fault{code: codes.Aborted, reason: err.Error() + ": try again"}.err()
	}
	return fault{code: codes.Internal, reason: err.Error()}.err()
}

// engineFault is a fault whose text already starts with its path.
func engineFault(code codes.Code, tag string, path schema.Path, text string) fault {
	f := fault{code: code, reason: text, tag: tag}
	if len(path) == 0 {
		return f
	}
	f.path = path.String()
	f.reason = strings.Replace(text, f.path+": ", "", 1)
	return f
}

func clipText(s string) string { return clipTo(s, maxReason) }

// clipTo shortens a text for a message, and keeps it valid UTF-8.
func clipTo(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// quote shows a client's own text in a message.
func quote(s string) string { return strconv.Quote(clipTo(s, 64)) }
