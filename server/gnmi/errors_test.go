package gnmi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	gproto "google.golang.org/protobuf/proto"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
)

// gnmi.md 15, 40, 43 to 46: every error of the engine, and its code.
func TestStatusOf(t *testing.T) {
	bgp := schema.Path{{Node: schema.Root().Child("bgp")}}
	at := func(tag schema.Tag) error { return &schema.Error{Tag: tag, Path: bgp, Message: "reason"} }
	tests := []struct {
		name   string
		err    error
		want   codes.Code
		text   string // of the message
		reason string // of the ErrorInfo
	}{
		{"validation", schema.Errors{at(schema.InvalidValue).(*schema.Error), at(schema.TooBig).(*schema.Error)}, codes.InvalidArgument, "/bgp: reason (and 1 more)", "INVALID_VALUE"},
		{"wrapped", fmt.Errorf("edit: %w", at(schema.InvalidValue)), codes.InvalidArgument, "/bgp: reason", "INVALID_VALUE"},
		{"must", &schema.Error{Tag: schema.OperationFailed, AppTag: schema.AppMustViolation, Path: bgp, Message: "no"}, codes.InvalidArgument, "/bgp: no", "MUST_VIOLATION"},
		{"leafref", at(schema.DataMissing), codes.InvalidArgument, "/bgp: reason", "DATA_MISSING"},
		{"access", at(schema.AccessDenied), codes.PermissionDenied, "/bgp: reason", "ACCESS_DENIED"},
		{
			"lock", &datastore.LockedError{Holder: datastore.Holder{Session: 7, Protocol: "netconf"}, Reason: "locked by netconf session 7"},
			codes.FailedPrecondition, "running: locked by netconf session 7", "LOCKED",
		},
		{"refused", &commit.PrepareError{Path: bgp, Err: errors.New("cannot")}, codes.FailedPrecondition, "/bgp: cannot", "REFUSED"},
		{"refused with a status of its own", &commit.PrepareError{Path: bgp, Err: status.Error(codes.NotFound, "cannot")}, codes.FailedPrecondition, "/bgp: ", "REFUSED"},
		{"rolled back", &commit.ApplyError{Path: bgp, Err: errors.New("broke")}, codes.Aborted, "/bgp: the change failed and was undone: broke", "ROLLED_BACK"},
		{"disk fails", &commit.DiskError{Err: errors.New("write: broken")}, codes.Internal, "nothing has changed: write: broken", "DISK_FAILED"},
		{"disk full", &commit.DiskError{Err: fmt.Errorf("write: %w", syscall.ENOSPC)}, codes.ResourceExhausted, "nothing has changed: write: no space left", "DISK_FULL"},
		{"rolled back in doubt", &commit.ApplyError{Err: errors.New("broke"), Unsettled: errors.New("a restart may")}, codes.Aborted, "undone: broke; a restart may", "ROLLED_BACK"},
		{"not rolled back", &commit.ApplyError{Path: bgp, Err: errors.New("broke"), Rollback: errors.New("worse")}, codes.Internal, "worse", "ROLLBACK_FAILED"},
		{"too old", &commit.TooOldError{What: "state", Since: time.Unix(0, 0)}, codes.OutOfRange, "the state is kept from 1970", "TOO_OLD"},
		{"too large", &commit.TooOldError{What: "configuration"}, codes.OutOfRange, "too large", "TOO_OLD"},
		{"nothing pending", commit.ErrNotPending, codes.FailedPrecondition, "no commit waits", "NOTHING_PENDING"},
		{"another id", fmt.Errorf("%w: %w", commit.ErrConfirmID, &commit.PendingError{}), codes.InvalidArgument, "another identifier", "CONFIRM_ID"},
		{"pending", &commit.PendingError{Pending: commit.Pending{User: "ann"}}, codes.FailedPrecondition, "by ann over", "COMMIT_PENDING"},
		{"guarded", &commit.GuardError{Guarded: commit.Guarded{User: "ann"}}, codes.FailedPrecondition, "guarded commit by ann", "COMMIT_GUARDED"},
		{"unknown commit", fmt.Errorf("commit x: %w", commit.ErrUnknownCommit), codes.NotFound, "no such commit", "UNKNOWN_COMMIT"},
		{"no way back", fmt.Errorf("revision 7: %w", datastore.ErrNoUndo), codes.FailedPrecondition, "not kept", "NO_WAY_BACK"},
		{"not established", fmt.Errorf("peer x: %w", commit.ErrNotEstablished), codes.FailedPrecondition, "nothing to reset", "NOT_ESTABLISHED"},
		{"deadline", context.DeadlineExceeded, codes.DeadlineExceeded, "nothing has changed", "DEADLINE_EXCEEDED"},
		{"deadline, wrapped", fmt.Errorf("commit: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "nothing has changed", "DEADLINE_EXCEEDED"},
		{"canceled", context.Canceled, codes.Canceled, "nothing has changed", "CANCELED"},
		{"closed", fmt.Errorf("x: %w", datastore.ErrClosed), codes.Unavailable, "shutting down", "UNAVAILABLE"},
		{"stale", datastore.ErrStale, codes.Aborted, "try again", "ABORTED"},
		{"anything else", errors.New("surprise"), codes.Internal, "surprise", "INTERNAL"},
		{"faults", faults{{code: codes.NotFound, op: "update[0]", path: "/x", reason: "no"}}, codes.NotFound, "update[0]: /x: no", "NOT_FOUND"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := statusOf(tt.err)
			wantStatus(t, err, tt.want, tt.text)
			for _, d := range status.Convert(err).Details() {
				if info, ok := d.(*errdetails.ErrorInfo); ok && (info.Reason != tt.reason || info.Domain != errorDomain) {
					t.Errorf("error info %v, want reason %s", info, tt.reason)
				}
			}
		})
	}
	own := status.Error(codes.DataLoss, "own")
	if got := statusOf(own); !errors.Is(got, own) {
		t.Errorf("a status became %v", got)
	}
}

// Every tag has a code, and none is Unknown.
func TestEveryTagHasACode(t *testing.T) {
	for tag := schema.OperationFailed; tag <= schema.MalformedMessage; tag++ {
		code, ok := tagCode[tag]
		if !ok || code == codes.Unknown || code == codes.OK {
			t.Errorf("%s: %v, %v", tag, code, ok)
		}
		for r, want := range map[rpc]codes.Code{rpcGet: codes.InvalidArgument, rpcSubscribe: codes.InvalidArgument, rpcSet: codes.InvalidArgument} {
			if tag == schema.UnknownElement { // gnmi.md 23, 41
				want = map[rpc]codes.Code{rpcGet: codes.Unimplemented, rpcSubscribe: codes.Unimplemented, rpcSet: codes.NotFound}[r]
			}
			path := schema.Path{{Node: schema.Root().Child("bgp")}}
			f := pathFault(r, "path[0]", &schema.Error{Tag: tag, Path: path, Message: "reason"})
			if f.code != want || f.tag != tag.String() || f.text() != "path[0]: /bgp: reason" {
				t.Errorf("path of rpc %d, %s: %v %s, %q, want %v", r, tag, f.code, f.tag, f.text(), want)
			}
		}
	}
}

// Trailers have limits: however much is wrong, the status stays small.
func TestStatusStaysSmall(t *testing.T) {
	var fs faults
	for range maxFaults {
		fs = append(fs, fault{
			code: codes.InvalidArgument, op: "update[0]",
			path: "/" + strings.Repeat("ü", 5000), reason: strings.Repeat("é", 5000),
		})
	}
	st := status.Convert(fs.err())
	if n := gproto.Size(st.Proto()); n > 6<<10 {
		t.Errorf("%d bytes", n)
	}
	if !utf8.ValidString(st.Message()) || !strings.HasPrefix(st.Message(), "update[0]: /") {
		t.Errorf("message %q", st.Message())
	}
}
