package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/protobuf/proto"

	"mooring/server/gnmi/preview"
	"mooring/tests/runner"
)

// asking puts the registered extension of this agent into a Set.
func asking(p *preview.Preview) runner.Op {
	return func(r *gpb.SetRequest) error {
		msg, err := proto.Marshal(p)
		r.Extension = append(r.Extension, &extpb.Extension{Ext: &extpb.Extension_RegisteredExt{
			RegisteredExt: &extpb.RegisteredExtension{Id: extpb.ExtensionID_EID_EXPERIMENTAL, Msg: msg},
		}})
		return err
	}
}

// confirming puts a commit-confirmed extension into a Set.
func confirming(c *extpb.Commit) runner.Op {
	return func(r *gpb.SetRequest) error {
		r.Extension = append(r.Extension, &extpb.Extension{Ext: &extpb.Extension_Commit{Commit: c}})
		return nil
	}
}

// A guarded commit with a source that the remote takes stays; one with a source
// that it does not know is taken back by itself, and the session is up again
// from the old one.
func TestGuard(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.loopBack("LoopBack3", "172.16.3.1/32") // not among the remote's peers
	b.far.AddRoute("172.16.0.0/16", "via", direct)
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)

	b.resetOnce(peer1, loopBack2, func() {
		b.set(runner.Update(source1+"/config/interface", "LoopBack2"), asking(&preview.Preview{Guard: &preview.Guard{TimeoutSeconds: 60}}))
	})
	settled := func(what string, ok func([]commit) bool) []commit {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(poll) {
			h := b.history()
			if ok(h) {
				return h
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: history %+v", what, h)
			}
		}
	}
	settled("the guard is met", func(h []commit) bool { return h[len(h)-1].Result == "ok" })

	b.set(runner.Update(source1+"/config/interface", "LoopBack3"), asking(&preview.Preview{Guard: &preview.Guard{TimeoutSeconds: 2}}))
	b.refused("FailedPrecondition", []string{"guarded commit by " + runner.User}, runner.Update(peer1+"/config/description", "x"))
	h := settled("it is rolled back", func(h []commit) bool { return h[len(h)-1].Protocol == "guard" })
	back := b.waitUp(peer1, 3)
	if got := back.Transport.State.LocalAddress; got != loopBack2 {
		t.Errorf("the session is up from %s", got)
	}
	trial := h[len(h)-2]
	if !strings.HasPrefix(trial.Result, "rolled back by commit "+h[len(h)-1].ID+": guard not met in time: default/vpn1/"+remote+" is ") {
		t.Errorf("result %q", trial.Result)
	}
}

// A Set resets a session by request: one Cease, Administrative Reset (RFC 4486
// 4), and the session is back.
func TestResetByRequest(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{})
	b.set(example(name("LoopBack1"))...)
	b.waitUp(peer1, 1)
	mark := b.wire.Mark()
	b.set(asking(&preview.Preview{Reset_: []*preview.Reset{{Instance: "default", VpnInstance: "vpn1", Address: remote}}}))
	p := b.waitUp(peer1, 2)
	v := b.cameUp(mark, p, loopBack1)
	if notes := v.Notifications(); len(notes) != 1 || notes[0].Code != 6 || notes[0].Subcode != 4 {
		t.Errorf("want one Cease 6/4, got %v on the wire:\n%s", notes, v)
	}
	if p.State.LastReset.Cause != "operator" || p.State.Resets.Operator != 1 {
		t.Errorf("state %+v", p.State)
	}
}

// There is one pending commit for both front ends: each sees the other's, and
// either may confirm it.
func TestConfirmedCommitOfBothFrontEnds(t *testing.T) {
	t.Parallel()
	b := newBed(t, runner.Options{Backend: "fake"})
	b.set(example(name("LoopBack1"))...)
	n := b.agent.NETCONF(t)
	describe := func(text string) error {
		return n.EditConfig("running", peerXML(remote, "<config><description>"+text+"</description></config>"))
	}
	described := func() string {
		t.Helper()
		return b.look(peer1).Config.Description
	}
	trial := confirming(&extpb.Commit{Id: "change-7", Action: &extpb.Commit_Commit{Commit: &extpb.CommitRequest{}}})
	b.set(runner.Update(peer1+"/config/description", "by gnmi"), trial)
	refusedRPC(t, describe("by netconf"), "in-use", "a confirmed commit by "+runner.User+" over gnmi waits")
	if _, err := n.Call("<commit><persist-id>change-7</persist-id></commit>"); err != nil {
		t.Fatal(err)
	}
	if err := describe("by netconf"); err != nil {
		t.Fatal(err)
	}

	b.set(runner.Update(peer1+"/config/description", "by gnmi"), trial)
	if _, err := n.Call("<cancel-commit><persist-id>change-7</persist-id></cancel-commit>"); err != nil {
		t.Fatal(err)
	}
	if got := described(); got != "by netconf" {
		t.Errorf("description %q", got)
	}

	if err := n.EditConfig("candidate", peerXML(remote, "<config><description>trial</description></config>")); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Call("<commit><confirmed/><persist>change-8</persist></commit>"); err != nil {
		t.Fatal(err)
	}
	b.refused("FailedPrecondition", []string{fmt.Sprintf("by %s over netconf waits", runner.User)}, runner.Update(peer1+"/config/description", "x"))
	b.set(confirming(&extpb.Commit{Id: "change-8", Action: &extpb.Commit_Cancel{Cancel: &extpb.CommitCancel{}}}))
	if got := described(); got != "by netconf" {
		t.Errorf("description %q", got)
	}
}
