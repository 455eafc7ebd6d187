package gnmi

import (
	"context"
	"fmt"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"mooring/engine/commit"
)

// maxConfirmID bounds the identifier of a confirmed commit, which is kept on
// disk and told to subscribers.
const maxConfirmID = 255

// noConfirmID is what is wrong without one: only the recovery group confirms and
// cancels what waits, whatever its id.
const noConfirmID = "commit confirmed needs an id"

// confirmAction is what a commit-confirmed extension asks for.
type confirmAction int

const (
	confirmBegin  confirmAction = iota // commit the Set, to be confirmed
	confirmAccept                      // confirm the pending commit
	confirmCancel                      // roll it back
	confirmExtend                      // give it another time to wait
)

// confirmation is the commit-confirmed extension of a Set (gnmi.md 86 to 88).
type confirmation struct {
	id      string
	action  confirmAction
	timeout time.Duration // 0: the default
}

// readCommit reads the extension. That a field is wrong is told before that
// nothing is pending.
func (x *extensions) readCommit(c *extpb.Commit) (codes.Code, string) {
	out := &confirmation{id: c.GetId()}
	if out.id == "" && c.GetConfirm() == nil && c.GetCancel() == nil { // what gnmic sends of a request file (reference section 2)
		return codes.InvalidArgument, noConfirmID
	}
	if len(out.id) > maxConfirmID {
		return codes.InvalidArgument, fmt.Sprintf("the id of a confirmed commit has at most %d octets, this one has %d", maxConfirmID, len(out.id))
	}
	var reason string
	switch a := c.GetAction().(type) {
	case *extpb.Commit_Commit:
		out.timeout, reason = rollbackDuration(a.Commit.GetRollbackDuration())
	case *extpb.Commit_Confirm:
		out.action = confirmAccept
	case *extpb.Commit_Cancel:
		out.action = confirmCancel
	case *extpb.Commit_SetRollbackDuration:
		out.action = confirmExtend
		out.timeout, reason = rollbackDuration(a.SetRollbackDuration.GetRollbackDuration())
		if reason == "" && out.timeout == 0 {
			reason = "set_rollback_duration needs a rollback_duration above 0"
		}
	default:
		reason = "commit confirmed needs an action: commit, confirm, cancel or set_rollback_duration"
	}
	if reason != "" {
		return codes.InvalidArgument, reason
	}
	x.confirm = out
	return codes.OK, ""
}

// rollbackDuration reads a duration; one that is absent is 0, which is what
// gnmic sends where its flag is absent.
func rollbackDuration(d *durationpb.Duration) (time.Duration, string) {
	if d == nil {
		return 0, ""
	}
	if err := d.CheckValid(); err != nil {
		return 0, "rollback_duration is no valid duration"
	}
	if d.AsDuration() < 0 {
		return 0, fmt.Sprintf("rollback_duration %v is negative", d.AsDuration())
	}
	return d.AsDuration(), ""
}

// begin is what makes an edit a confirmed commit, nil for one that is none.
func (c *confirmation) begin() *commit.Confirm {
	if c == nil {
		return nil
	}
	return &commit.Confirm{ID: c.id, Timeout: c.timeout, Announced: true}
}

// settles says whether the Set is about the pending commit only.
func (c *confirmation) settles() bool { return c != nil && c.action != confirmBegin }

// settle confirms, cancels or extends the pending commit and completes the
// answer. Such a Set has nothing else to do: what it would change could not be
// part of the commit (gnmi.md 87).
func (s *Server) settle(ctx context.Context, exts *extensions, resp *gpb.SetResponse) (*gpb.SetResponse, error) {
	c := exts.confirm
	if len(resp.Response) > 0 || exts.preview != nil {
		return nil, fault{
			code: codes.InvalidArgument, op: "extension",
			reason: "a Set that confirms, cancels or extends a commit carries no operations and asks for nothing else",
		}.err()
	}
	if c.id == "" && !s.recovers(ctx) {
		return nil, fault{code: codes.InvalidArgument, op: "extension", reason: noConfirmID}.err()
	}
	operation := "commit" // that NETCONF has for it, as far as access control goes
	if c.action == confirmCancel {
		operation = "cancel-commit"
	}
	if err := s.mayCall(ctx, "ietf-netconf", operation); err != nil {
		return nil, err
	}
	who := actor(ctx)
	var err error
	switch c.action {
	case confirmAccept:
		err = s.cfg.Engine.Confirm(who, c.id)
	case confirmCancel:
		err = s.cfg.Engine.Cancel(ctx, who, c.id)
	case confirmExtend:
		err = s.cfg.Engine.Extend(who, c.id, c.timeout)
	case confirmBegin: // is an edit
	}
	if err != nil {
		return nil, statusOf(err)
	}
	resp.Timestamp = time.Now().UnixNano()
	return resp, nil
}
