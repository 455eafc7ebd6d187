package gnmi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/server/gnmi/preview"
)

// A Set resets sessions by request (issue 3), all of them or none, and tells
// what went down with each; a dry run only tells.
func TestReset(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(otherPeer, jsonVal(peerJSON)), update(vpn1+"/peers/peer[address=10.1.1.4]", jsonVal(`{"config":{"as":7,"enabled":false}}`))}})
	eventually(t, "both sessions", func() bool { return r.value(otherPeer+"/state/session-state") == `"established"` })
	ask := func(text string) (*preview.Preview, error) {
		resp, err := r.client.Set(r.ctx(), &gpb.SetRequest{Extension: previewExt(t, textOf[preview.Preview](t, text))})
		if err != nil {
			return nil, err
		}
		if resp.Timestamp <= 0 || len(resp.Response) != 0 {
			t.Errorf("answer %v", resp)
		}
		return answerOf(t, resp.Extension), nil
	}
	const (
		first  = `instance: "default" vpn_instance: "vpn1" address: "10.1.1.2"`
		second = `instance: "default" vpn_instance: "vpn1" address: "10.1.1.3"`
		shown  = ` session_state: "established" family: "ipv4-unicast"`
	)
	revision := r.engine.Store().Running().Revision()
	for _, dry := range []string{"dry_run: true ", ""} {
		got, err := ask(dry + `reset {` + first + ` text: "maintenance"} reset {` + second + ` mode: SOFT_IN}`)
		if err != nil {
			t.Fatal(err)
		}
		want := textOf[preview.Preview](t, dry+`reset {`+first+shown+` text: "maintenance"} reset {`+second+shown+` mode: SOFT_IN}`)
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s(-want +got):\n%s", dry, diff)
		}
		if n := r.backend.TotalCeases(); (n == 0) != (dry != "") {
			t.Errorf("%s%d ceases", dry, n)
		}
	}
	eventually(t, "the cause is told", func() bool {
		return strings.Contains(r.value(thePeer+"/state/last-reset"), `cause":"operator"`) && r.value(thePeer+"/state/session-state") == `"established"`
	})
	if n := r.backend.TotalCeases(); n != 1 || r.engine.Store().Running().Revision() != revision {
		t.Errorf("%d ceases, revision %d", n, r.engine.Store().Running().Revision())
	}

	many := strings.Builder{}
	for i := range maxResets + 1 {
		fmt.Fprintf(&many, `reset {instance: "default" vpn_instance: "vpn1" address: "10.2.%d.%d"}`, i/256, i%256)
	}
	tests := []struct {
		name, text string
		code       codes.Code
		contains   []string
	}{
		{"one that is not there: nothing is reset", `reset {` + first + `} reset {instance: "default" vpn_instance: "vpn1" address: "10.9.9.9"}`, codes.NotFound, []string{"reset[1]", "10.9.9.9", "no such peer"}},
		{"one that is down", `reset {` + first + `} reset {instance: "default" vpn_instance: "vpn1" address: "10.1.1.4"}`, codes.FailedPrecondition, []string{"reset[1]", "10.1.1.4", "not established"}},
		{"twice", `reset {` + first + `} reset {` + first + `}`, codes.InvalidArgument, []string{"reset[1]", "twice"}},
		{"no address", `reset {instance: "default" vpn_instance: "vpn1"}`, codes.InvalidArgument, []string{"reset[0]", "no IP address"}},
		{"no instance", `reset {vpn_instance: "vpn1" address: "10.1.1.2"}`, codes.InvalidArgument, []string{"needs instance"}},
		{"no vpn-instance", `reset {instance: "default" address: "10.1.1.2"}`, codes.InvalidArgument, []string{"needs instance"}},
		{"a mode of a later version", `reset {` + first + ` mode: 9}`, codes.InvalidArgument, []string{"mode 9"}},
		{"a long text", `reset {` + first + ` text: "` + strings.Repeat("x", 256) + `"}`, codes.InvalidArgument, []string{"255"}},
		{"too many", many.String(), codes.InvalidArgument, []string{"at most 1024"}},
		{"with a guard", `guard {} reset {` + first + `}`, codes.InvalidArgument, []string{"no commit"}},
		{"with a rollback", `rollback_to: "1" reset {` + first + `}`, codes.InvalidArgument, []string{"two requests"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ask(tt.text)
			wantStatus(t, err, tt.code, tt.contains...)
			if tt.code == codes.NotFound && !slices.Contains(violations(err), vpn1+"/peers/peer[address=10.9.9.9]") {
				t.Errorf("the details blame %q", violations(err))
			}
		})
	}
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: move("10.1.1.7"), Extension: previewExt(t, textOf[preview.Preview](t, `reset {`+first+`}`))})
	wantStatus(t, err, codes.InvalidArgument, "no operations")
	_, err = r.client.Set(r.ctx(), &gpb.SetRequest{Extension: append(commitExt(t, `id: "x" commit {}`), previewExt(t, textOf[preview.Preview](t, `reset {`+first+`}`))...)})
	wantStatus(t, err, codes.InvalidArgument, "no commit")
	if n := r.backend.TotalCeases(); n != 1 {
		t.Errorf("%d ceases after what was refused", n)
	}
}

// What the backend cannot do is an error where nothing was reset yet, and is
// told in the answer where something was.
func TestResetFails(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(otherPeer, jsonVal(peerJSON))}})
	eventually(t, "both sessions", func() bool { return r.value(otherPeer+"/state/session-state") == `"established"` })
	engine := &resetting{Engine: r.engine, fail: map[string]bool{"10.1.1.3": true}}
	s := New(Config{Engine: engine, Log: r.server.log})
	both := `reset {instance: "default" vpn_instance: "vpn1" address: "10.1.1.2"} reset {instance: "default" vpn_instance: "vpn1" address: "10.1.1.3"}`
	resp, err := s.Set(t.Context(), &gpb.SetRequest{Extension: previewExt(t, textOf[preview.Preview](t, both))})
	if err != nil {
		t.Fatal(err)
	}
	if got := answerOf(t, resp.Extension).Reset_; got[0].Error != "" || got[1].Error != "no room" {
		t.Errorf("answer %v", got)
	}
	engine.fail["10.1.1.2"] = true
	_, err = s.Set(t.Context(), &gpb.SetRequest{Extension: previewExt(t, textOf[preview.Preview](t, both))})
	wantStatus(t, err, codes.Internal, "no room")
}

// A rollback to a commit of the history is a commit like any other: planned,
// previewed, confirmed, told.
func TestRollbackTo(t *testing.T) {
	r := newRig(t).example() // commit 1
	r.set(&gpb.SetRequest{Update: move("10.1.1.9")})
	r.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer)}})
	ask := func(text string) (*preview.Preview, error) {
		resp, err := r.client.Set(r.ctx(), &gpb.SetRequest{Extension: previewExt(t, textOf[preview.Preview](t, text))})
		if err != nil {
			return nil, err
		}
		return answerOf(t, resp.Extension), nil
	}
	got, err := ask(`rollback_to: "2" dry_run: true`)
	if err != nil || len(got.Peer) != 1 || got.Peer[0].Address != "10.1.1.2" || r.value(thePeer) != "" {
		t.Errorf("dry run: %v, %v", got, err)
	}
	got, err = ask(`rollback_to: "2"`)
	if err != nil || got.CommitId != "4" || r.value(sourceLeaf) != `"10.1.1.9"` {
		t.Errorf("%v, %v, source %s", got, err, r.value(sourceLeaf))
	}
	_, err = ask(`rollback_to: "77"`)
	wantStatus(t, err, codes.NotFound, `commit "77"`, "no such commit in /agent/commits")
	_, err = r.client.Set(r.ctx(), &gpb.SetRequest{Update: move("10.1.1.7"), Extension: previewExt(t, &preview.Preview{RollbackTo: "1"})})
	wantStatus(t, err, codes.InvalidArgument, "no operations")

	// With a confirmation it takes itself back like any other.
	eventually(t, "the session", func() bool { return r.value(thePeer+"/state/session-state") == `"established"` })
	r.set(&gpb.SetRequest{Extension: append(commitExt(t, `id: "x" commit {}`), previewExt(t, &preview.Preview{RollbackTo: "1"})...)})
	if got := r.value(sourceLeaf); got != `"10.1.1.1"` || r.engine.Pending() == nil {
		t.Errorf("source %s, pending %v", got, r.engine.Pending())
	}
	r.set(&gpb.SetRequest{Extension: commitExt(t, `id: "x" cancel {}`)})
	if got := r.value(sourceLeaf); got != `"10.1.1.9"` {
		t.Errorf("source %s", got)
	}
}

// A guarded Set waits for its peers, and takes itself back without them.
func TestGuardedSet(t *testing.T) {
	r := newRig(t).example()
	guarded := func(address, guard string) *gpb.SetRequest {
		return &gpb.SetRequest{Update: move(address), Extension: previewExt(t, textOf[preview.Preview](t, guard))}
	}
	for text, want := range map[string]string{
		`guard {timeout_seconds: 3601}`: "at most 3600", `guard {prefix_percent: 101}`: "at most 100",
	} {
		_, err := r.client.Set(r.ctx(), guarded("10.1.1.9", text))
		wantStatus(t, err, codes.InvalidArgument, want)
	}
	if got := answerOf(t, r.set(guarded("10.1.1.9", `dry_run: true guard {}`)).Extension); got.Guard != nil || r.engine.Guarded() != nil {
		t.Errorf("dry run: %v", got)
	}
	r.backend.Hold()
	got := answerOf(t, r.set(guarded("10.1.1.9", `guard {timeout_seconds: 3600 prefix_percent: 80}`)).Extension)
	if diff := cmp.Diff(textOf[preview.Guard](t, `timeout_seconds: 3600 prefix_percent: 80 peers: 1`), got.Guard, protocmp.Transform()); diff != "" {
		t.Errorf("guard (-want +got):\n%s", diff)
	}
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: move("10.1.1.7")})
	wantStatus(t, err, codes.FailedPrecondition, "by alice over gnmi waits for a peer until")
	r.backend.Release()
	eventually(t, "the guard is met", func() bool { return r.engine.Guarded() == nil })

	r.backend.Hold()
	r.set(guarded("10.1.1.1", `guard {timeout_seconds: 1}`))
	eventually(t, "it is rolled back", func() bool { return r.value(sourceLeaf) == `"10.1.1.9"` })
	if got := r.value("/agent/commits/commit[revision=3]/result"); !strings.HasPrefix(got, `"rolled back by commit 4: guard not met in time: default/vpn1/10.1.1.2 is `) {
		t.Errorf("result %s", got)
	}
	// Nothing that resets, nothing to guard.
	if got := answerOf(t, r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", stringVal("x"))}, Extension: previewExt(t, textOf[preview.Preview](t, `guard {}`))}).Extension); got.Guard != nil {
		t.Errorf("guard %v", got.Guard)
	}
}

// resetting is an engine whose backend cannot reset some peers.
type resetting struct {
	Engine
	fail map[string]bool
}

func (e *resetting) Reset(_ context.Context, _ commit.Actor, key bgp.PeerKey, _ commit.ResetMode, _ string) error {
	if e.fail[key.Address.String()] {
		return errors.New("no room")
	}
	return nil
}
