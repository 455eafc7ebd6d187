package commit

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mooring/backend/fake"
	"mooring/engine/datastore"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

var (
	session7 = Actor{User: "admin", Protocol: "netconf", Session: 7}
	session8 = Actor{User: "admin", Protocol: "netconf", Session: 8}
)

// trial moves the peer to LoopBack2 in a confirmed commit.
func (r *rig) trial(actor Actor, cf Confirm) error {
	_, err := r.c.Edit(r.Context(), actor, Options{Confirm: &cf, ConfirmID: cf.ID}, func(tx schema.Tx) error {
		source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack2")
		return nil
	})
	return err
}

func (r *rig) source() netip.Addr { return r.b.Session(thePeer).Source }

var (
	before = netip.MustParseAddr("10.1.1.1")
	after  = netip.MustParseAddr("10.1.1.9")
)

func TestConfirmedCommit(t *testing.T) {
	const soon = 30 * time.Millisecond
	tests := []struct {
		name   string
		cf     Confirm
		finish func(r *rig) error
		want   netip.Addr
	}{
		{"confirmed by id", Confirm{ID: "x"}, func(r *rig) error { return r.c.Confirm(operator, "x") }, after},
		{"canceled by id", Confirm{ID: "x"}, func(r *rig) error { return r.c.Cancel(r.Context(), operator, "x") }, before},
		{"confirmed by its session", Confirm{}, func(r *rig) error { return r.c.Confirm(session7, "") }, after},
		{"confirmed by a commit of its session", Confirm{}, func(r *rig) error {
			_, err := r.c.Commit(r.Context(), session7, r.c.Store().NewCandidate(), Options{})
			return err
		}, after},
		{"its session ends", Confirm{}, func(r *rig) error { r.c.SessionEnded(r.Context(), session7); return nil }, before},
		{"another session ends", Confirm{}, func(r *rig) error {
			r.c.SessionEnded(r.Context(), session8)
			return r.c.Confirm(session7, "")
		}, after},
		{"with an id it outlives its session", Confirm{ID: "x"}, func(r *rig) error {
			r.c.SessionEnded(r.Context(), session7)
			return r.c.Confirm(session8, "x")
		}, after},
		{"times out", Confirm{ID: "x", Timeout: soon}, func(r *rig) error {
			r.eventually("rolled back", func() bool { return r.c.Pending() == nil })
			return nil
		}, before},
		{"extended, then canceled", Confirm{ID: "x", Timeout: time.Hour}, func(r *rig) error {
			if err := r.c.Extend(operator, "x", 2*time.Hour); err != nil {
				return err
			}
			if left := time.Until(r.c.Pending().Deadline); left < 90*time.Minute {
				t.Errorf("%v left", left)
			}
			return r.c.Cancel(r.Context(), operator, "x")
		}, before},
		{"followed up: back to before the first", Confirm{ID: "x"}, func(r *rig) error {
			_, err := r.c.Edit(r.Context(), session7, Options{Confirm: &Confirm{ID: "x"}, ConfirmID: "x"}, func(tx schema.Tx) error {
				source(peerAt(tx, thePeer)).SourceAddress = ygot.String("10.1.1.9")
				return nil
			})
			if err != nil {
				return err
			}
			return r.c.Cancel(r.Context(), operator, "x")
		}, before},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.mustEdit(example)
			if err := r.trial(session7, tt.cf); err != nil {
				t.Fatal(err)
			}
			// Where it times out, that may have happened already: its ceases tell.
			if tt.cf.Timeout != soon && (r.source() != after || r.c.Pending() == nil) {
				t.Fatalf("source %v, pending %v", r.source(), r.c.Pending())
			}
			if err := tt.finish(r); err != nil {
				t.Fatal(err)
			}
			if r.source() != tt.want || r.c.Pending() != nil {
				t.Errorf("source %v, pending %v", r.source(), r.c.Pending())
			}
			if n := len(r.b.Ceases(thePeer)); (tt.want == before) != (n == 2) {
				t.Errorf("%d ceases", n)
			}
		})
	}
}

func TestPendingCommitIsInTheWay(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	if err := r.c.Confirm(operator, "x"); !errors.Is(err, ErrNotPending) {
		t.Errorf("nothing pending: %v", err)
	}
	if err := r.trial(session7, Confirm{ID: "x"}); err != nil {
		t.Fatal(err)
	}
	text := func(tx schema.Tx) { peerAt(tx, thePeer).Config.Description = ygot.String("x") }
	_, err := r.edit(text)
	if pe, ok := errors.AsType[*PendingError](err); !ok || pe.ID != "x" || !strings.Contains(err.Error(), "confirm or cancel it first") {
		t.Errorf("a change by another: %v", err)
	}
	for name, fn := range map[string]func() error{
		"confirm": func() error { return r.c.Confirm(operator, "y") },
		"cancel":  func() error { return r.c.Cancel(t.Context(), operator, "") },
		"extend":  func() error { return r.c.Extend(operator, "y", time.Hour) },
	} {
		if err := fn(); !errors.Is(err, ErrConfirmID) {
			t.Errorf("%s with another id: %v", name, err)
		}
	}
	if r.c.Pending() == nil || r.source() != after {
		t.Error("the pending commit is gone")
	}
}

// A confirmed commit that fails leaves no pending commit behind.
func TestFailedConfirmedCommit(t *testing.T) {
	r := newRig(t)
	r.mustEdit(example)
	_, err := r.c.Edit(t.Context(), session7, Options{Confirm: &Confirm{ID: "x"}}, func(tx schema.Tx) error {
		source(peerAt(tx, thePeer)).Interface = ygot.String("eth0") // two addresses
		return nil
	})
	if err == nil || r.c.Pending() != nil {
		t.Errorf("error %v, pending %v", err, r.c.Pending())
	}
}

// A restart keeps a pending commit that has an identifier and time left, and
// rolls every other one back before the backend is asked anything.
func TestPendingCommitAndRestart(t *testing.T) {
	tests := []struct {
		name string
		cf   Confirm
		late bool
		want netip.Addr
	}{
		{"with an id", Confirm{ID: "x"}, false, after},
		{"with an id, too late", Confirm{ID: "x", Timeout: time.Hour}, true, before},
		{"with an id, volatile", Confirm{ID: "x", Volatile: true}, false, before},
		{"of a session", Confirm{}, false, before},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, net := t.TempDir(), newNetwork()
			old := bootRig(t, dir, fake.New(fake.Options{}), net)
			old.mustEdit(example)
			if err := old.trial(session7, tt.cf); err != nil {
				t.Fatal(err)
			}
			if tt.late {
				p := *old.c.Pending()
				p.Deadline = time.Now().Add(-time.Second)
				if err := old.c.setPending(&p); err != nil {
					t.Fatal(err)
				}
			}
			if err := old.c.Store().Close(); err != nil {
				t.Fatal(err)
			}
			r := bootRig(t, dir, fake.New(fake.Options{}), net)
			if r.source() != tt.want || (r.c.Pending() != nil) != (tt.want == after) {
				t.Errorf("source %v, pending %v", r.source(), r.c.Pending())
			}
			if n := r.b.TotalCeases(); n != 0 {
				t.Errorf("%d ceases: the trial was applied again", n)
			}
		})
	}
}

func TestRollbackToACommit(t *testing.T) {
	r := newRig(t)
	first := r.mustEdit(example)
	r.mustEdit(func(tx schema.Tx) { source(peerAt(tx, thePeer)).Interface = ygot.String("LoopBack2") })
	r.mustEdit(func(tx schema.Tx) { tx.Delete(schema.PeerKey(thePeer)) })
	res, err := r.c.Rollback(t.Context(), operator, Options{Comment: "back"}, first.CommitID)
	if err != nil {
		t.Fatal(err)
	}
	if r.source() != before || res.Revision != 4 {
		t.Errorf("source %v, revision %d", r.source(), res.Revision)
	}
	h := r.c.Store().History()
	if last := h[len(h)-1]; last.Comment != "back" || last.CommitID != res.CommitID {
		t.Errorf("history %+v", last)
	}
	if _, err := r.c.Rollback(t.Context(), operator, Options{}, "no such"); !errors.Is(err, ErrUnknownCommit) {
		t.Errorf("unknown: %v", err)
	}
	if err := r.c.Store().Lock(datastore.DatastoreRunning, session7.holder()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.Rollback(t.Context(), operator, Options{}, first.CommitID); err == nil {
		t.Error("a lock was not obeyed")
	}
}
