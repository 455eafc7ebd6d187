package commit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mooring/engine/schema"
)

// The id of the guarded commit ends its guard: it is kept, rolled back, or given
// another time, at once.
func TestGuardEnds(t *testing.T) {
	tests := []struct {
		name    string
		confirm *Confirm
		end     func(r *rig, id string) error
		source  string
		why     string // of the last commit, which is the rollback if there is one
		pending bool
	}{
		{"kept", nil, func(r *rig, id string) error { return r.c.Confirm(operator, id) }, "10.1.1.9", "", false},
		{"rolled back", nil, func(r *rig, id string) error { return r.c.Cancel(r.Context(), operator, id) }, "10.1.1.1", "guard of commit 2 canceled", false},
		{"extended, then unmet", nil, func(r *rig, id string) error {
			was := r.c.Guarded().Deadline
			if err := r.c.Extend(operator, id, 30*time.Minute); err != nil {
				return err
			}
			if is := r.c.Guarded().Deadline; is.Sub(was) > -29*time.Minute || is.Sub(was) < -31*time.Minute {
				r.Errorf("deadline %v after %v", is, was)
			}
			return r.c.Extend(operator, id, time.Millisecond)
		}, "10.1.1.1", "guard not met in time", false},
		{"kept, the confirmed commit waits on", &Confirm{ID: "x"}, func(r *rig, id string) error { return r.c.Confirm(operator, id) }, "10.1.1.9", "", true},
		{"rolled back with the confirmed commit", &Confirm{ID: "x"}, func(r *rig, id string) error { return r.c.Cancel(r.Context(), operator, id) }, "10.1.1.1", "guard of commit 2 canceled", false},
		{"a confirmed commit of the same name comes first", &Confirm{ID: "2"}, func(r *rig, id string) error {
			if err := r.c.Confirm(operator, id); err != nil {
				return err
			}
			if r.c.Guarded() == nil || r.c.Pending() != nil {
				r.Errorf("guard %v, pending %v", r.c.Guarded(), r.c.Pending())
			}
			return r.c.Confirm(operator, id)
		}, "10.1.1.9", "", false},
		{"kept by a commit of NETCONF", nil, func(r *rig, id string) error {
			_, err := r.c.Commit(r.Context(), session7, r.c.Store().Shared(), Options{ConfirmID: id})
			return err
		}, "10.1.1.9", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := guardRig(t)
			r.b.Hold()
			if err := r.guardedMove(Guard{Timeout: time.Hour}, tt.confirm); err != nil {
				t.Fatal(err)
			}
			if err := tt.end(r, r.lastCommit().CommitID); err != nil {
				t.Fatal(err)
			}
			r.decided()
			r.b.Release()
			if r.source().String() != tt.source || (r.c.Pending() != nil) != tt.pending {
				t.Errorf("source %v, pending %+v", r.source(), r.c.Pending())
			}
			if why := r.lastCommit().Comment; !strings.Contains(why, tt.why) || (tt.why == "") != (why == "") {
				t.Errorf("the last commit says %q, want %q", why, tt.why)
			}
		})
	}
}

func TestGuardEndRefused(t *testing.T) {
	r := guardRig(t)
	if err := r.c.Cancel(t.Context(), operator, "2"); !errors.Is(err, ErrNotPending) {
		t.Errorf("no guard: %v", err)
	}
	r.b.Hold()
	if err := r.guardedMove(Guard{Timeout: time.Hour}, nil); err != nil {
		t.Fatal(err)
	}
	guard := *r.c.Guarded()
	shared := r.c.Store().Shared()
	if err := r.c.EditCandidate(t.Context(), session7, shared, func(tx schema.Tx) error {
		tx.Delete(schema.PeerKey(thePeer))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another id":             r.c.Confirm(operator, "3"),
		"cancel of another id":   r.c.Cancel(t.Context(), operator, "x"),
		"extend of another id":   r.c.Extend(operator, "1", time.Minute),
		"a commit of another id": func() error { _, err := r.c.Commit(t.Context(), session7, shared, Options{ConfirmID: "9"}); return err }(),
	} {
		if !errors.Is(err, ErrConfirmID) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.c.Extend(operator, "2", maxGuardTime+1); !errors.Is(err, ErrGuardTime) {
		t.Errorf("too long: %v", err)
	}
	_, err := r.c.Commit(t.Context(), session7, shared, Options{ConfirmID: "2"})
	if ge, ok := errors.AsType[*GuardError](err); !ok || !strings.Contains(ge.Error(), "confirm or cancel commit 2") {
		t.Errorf("a commit with changes: %v", err)
	}
	if g := r.c.Guarded(); g == nil || !g.Deadline.Equal(guard.Deadline) {
		t.Errorf("guard %+v", g)
	}
	r.b.Release()
	r.decided()
	if r.source() != after {
		t.Errorf("source %v", r.source())
	}
}
