package schema

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tags have the names of RFC 6241 App. A.
func TestTagNames(t *testing.T) {
	want := []string{
		"operation-failed", "in-use", "invalid-value", "too-big", "missing-attribute", "bad-attribute", "unknown-attribute", "missing-element",
		"bad-element", "unknown-element", "unknown-namespace", "access-denied", "lock-denied", "resource-denied", "rollback-failed",
		"data-exists", "data-missing", "operation-not-supported", "malformed-message",
	}
	var got []string
	for tag := OperationFailed; tag <= MalformedMessage; tag++ {
		got = append(got, tag.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if Tag(200).String() != "operation-failed" {
		t.Error("an unknown tag has no name")
	}
}

func TestErrors(t *testing.T) {
	as := path(t, peerPath+"/config/as")
	es := Errors{
		{Tag: InvalidValue, Path: as, Message: "b"},
		{Tag: InvalidValue, Path: as, Message: "a"},
		{Tag: DataMissing, Path: path(t, "/agent"), Message: "z"},
		{Message: "no path"},
	}
	es.Sort()
	want := "no path\n/agent: z\n" + as.String() + ": a\n" + as.String() + ": b"
	if diff := cmp.Diff(want, es.Error()); diff != "" {
		t.Error(diff)
	}
	var e *Error
	if !errors.As(fmt.Errorf("commit: %w", es), &e) || e.Message != "no path" {
		t.Errorf("got %v", e)
	}
}
