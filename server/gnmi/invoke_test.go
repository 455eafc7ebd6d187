package gnmi

import (
	"fmt"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	gproto "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"mooring/server/gnmi/preview"
)

// invocationOf is the update that carries an operation out.
func invocationOf(name, input string) *gpb.Update {
	return &gpb.Update{
		Path: &gpb.Path{Origin: "operations", Elem: []*gpb.PathElem{{Name: name}}},
		Val:  &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: []byte(input)}},
	}
}

const resetThePeer = `{"instance":"default","vpn-instance":"vpn1","address":"10.1.1.2"`

// The update of operations:/rollback is a commit like any other: planned,
// confirmed, guarded.
func TestOperationRollback(t *testing.T) {
	r := newRig(t).example() // commit 1
	r.set(&gpb.SetRequest{Update: move("10.1.1.9")})
	back := invocationOf("rollback", `{"commit-id":"1"}`)

	resp := r.set(&gpb.SetRequest{Update: []*gpb.Update{back}, Extension: previewExt(t, &preview.Preview{DryRun: true})})
	if got := answerOf(t, resp.Extension); got.GetResets() != 1 || r.value(sourceLeaf) != `"10.1.1.9"` {
		t.Errorf("dry run: %v, source %s", got, r.value(sourceLeaf))
	}
	resp = r.set(&gpb.SetRequest{Update: []*gpb.Update{back}})
	if len(resp.Response) != 1 || resp.Response[0].GetOp() != gpb.UpdateResult_UPDATE || resp.Response[0].GetPath().GetOrigin() != "operations" || len(resp.Extension) != 0 || resp.Timestamp <= 0 {
		t.Errorf("answer %v", resp)
	}
	if got := r.value(sourceLeaf); got != `"10.1.1.1"` {
		t.Errorf("source %s", got)
	}
	forward := &gpb.SetRequest{ // by the name of the module, and the origin in the prefix
		Prefix:    &gpb.Path{Origin: "operations"},
		Update:    []*gpb.Update{{Path: &gpb.Path{Elem: []*gpb.PathElem{{Name: "mooring-bgp:rollback"}}}, Val: jsonVal(`{"mooring-bgp:commit-id":"2"}`)}},
		Extension: commitExt(t, `id: "x" commit {}`),
	}
	r.set(forward)
	if got := r.value(sourceLeaf); got != `"10.1.1.9"` || r.engine.Pending() == nil {
		t.Errorf("source %s, pending %v", got, r.engine.Pending())
	}
	r.set(&gpb.SetRequest{Extension: commitExt(t, `id: "x" cancel {}`)})
	if got := r.value(sourceLeaf); got != `"10.1.1.1"` {
		t.Errorf("source %s", got)
	}
}

func TestOperationReset(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(otherPeer, jsonVal(peerJSON))}})
	eventually(t, "both sessions", func() bool { return r.value(otherPeer+"/state/session-state") == `"established"` })
	revision := r.engine.Store().Running().Revision()
	hard := invocationOf("reset-peer", resetThePeer+`,"text":"maintenance"}`)
	soft := invocationOf("reset-peer", strings.Replace(resetThePeer, "10.1.1.2", "10.1.1.3", 1)+`,"mode":"soft-in"}`)
	resp := r.set(&gpb.SetRequest{Update: []*gpb.Update{hard, soft}, Extension: previewExt(t, &preview.Preview{DryRun: true})})
	if got := answerOf(t, resp.Extension).GetReset_(); len(got) != 2 || got[0].Text != "maintenance" || got[1].Mode != preview.ResetMode_SOFT_IN || r.backend.TotalCeases() != 0 {
		t.Errorf("dry run: %v, %d ceases", got, r.backend.TotalCeases())
	}
	r.set(&gpb.SetRequest{Update: []*gpb.Update{hard, soft}})
	if n := r.backend.TotalCeases(); n != 1 || r.engine.Store().Running().Revision() != revision {
		t.Errorf("%d ceases, revision %d", n, r.engine.Store().Running().Revision())
	}
	eventually(t, "the cause", func() bool { return strings.Contains(r.value(thePeer+"/state/last-reset"), `cause":"operator"`) })

	// Without the extension the answer has no place for one of several that failed.
	engine := &resetting{Engine: r.engine, fail: map[string]bool{"10.1.1.3": true}}
	s := New(Config{Engine: engine, Log: r.server.log})
	eventually(t, "the session", func() bool { return r.value(thePeer+"/state/session-state") == `"established"` })
	_, err := s.Set(t.Context(), &gpb.SetRequest{Update: []*gpb.Update{hard, soft}})
	wantStatus(t, err, codes.Aborted, "update[1]", "those before it were", "no room")
}

func TestOperationRefused(t *testing.T) {
	r := newRig(t).example()
	many := make([]*gpb.Update, maxResets+1)
	for i := range many {
		many[i] = invocationOf("reset-peer", resetThePeer+`}`)
	}
	one := func(name, input string) *gpb.SetRequest {
		return &gpb.SetRequest{Update: []*gpb.Update{invocationOf(name, input)}}
	}
	back := invocationOf("rollback", `{"commit-id":"1"}`)
	text := update(thePeer+"/config/description", stringVal("x"))
	tests := []struct {
		name     string
		req      *gpb.SetRequest
		code     codes.Code
		contains []string
	}{
		{"unknown", one("rolback", `{"commit-id":"1"}`), codes.NotFound, []string{"update[0]", "operations:/rolback", "no operation", "rollback"}},
		{"of another module", one("ietf-netconf:rollback", `{"commit-id":"1"}`), codes.NotFound, []string{"no operation"}},
		{"not for gNMI", one("preview", `{}`), codes.NotFound, []string{"rollback and reset-peer are served"}},
		{"no input", one("rollback", `{}`), codes.InvalidArgument, []string{"operations:/rollback", "commit-id is missing"}},
		{"not an object", one("rollback", `"1"`), codes.InvalidArgument, []string{"operations:/rollback", "an object"}},
		{"more after it", one("rollback", `{"commit-id":"1"} {}`), codes.InvalidArgument, []string{"operations:/rollback"}},
		{"unknown input", one("rollback", `{"commit":"1"}`), codes.InvalidArgument, []string{"operations:/rollback", `"commit"`}},
		{"twice the same input", one("rollback", `{"commit-id":"1","commit-id":"2"}`), codes.InvalidArgument, []string{"operations:/rollback/commit-id", "twice"}},
		{"an input of another type", one("rollback", `{"commit-id":{}}`), codes.InvalidArgument, []string{"operations:/rollback/commit-id"}},
		{"a commit that is not there", one("rollback", `{"commit-id":"77"}`), codes.NotFound, []string{`commit "77"`}},
		{"no address", one("reset-peer", `{"instance":"default","vpn-instance":"vpn1"}`), codes.InvalidArgument, []string{"operations:/reset-peer", "address is missing"}},
		{"no IP address", one("reset-peer", strings.Replace(resetThePeer, "10.1.1.2", "x", 1)+`}`), codes.InvalidArgument, []string{"operations:/reset-peer/address"}},
		{"unknown mode", one("reset-peer", resetThePeer+`,"mode":"soft"}`), codes.InvalidArgument, []string{"operations:/reset-peer/mode", "soft"}},
		{"a peer that is not there", one("reset-peer", strings.Replace(resetThePeer, "10.1.1.2", "10.9.9.9", 1)+`}`), codes.NotFound, []string{"update[0]", "10.9.9.9", "no such peer"}},
		{"the same peer twice", &gpb.SetRequest{Update: many[:2]}, codes.InvalidArgument, []string{"update[1]", "twice"}},
		{"too many", &gpb.SetRequest{Update: many}, codes.InvalidArgument, []string{"at most 1024"}},
		{"a scalar", &gpb.SetRequest{Update: []*gpb.Update{{Path: back.Path, Val: stringVal("1")}}}, codes.InvalidArgument, []string{"operations:/rollback", "JSON object"}},
		{"no value", &gpb.SetRequest{Update: []*gpb.Update{{Path: back.Path}}}, codes.InvalidArgument, []string{"operations:/rollback"}},
		{"replace", &gpb.SetRequest{Replace: []*gpb.Update{back}}, codes.InvalidArgument, []string{"by an update"}},
		{"union_replace", &gpb.SetRequest{UnionReplace: []*gpb.Update{back}}, codes.InvalidArgument, []string{"by an update"}},
		{"delete", &gpb.SetRequest{Delete: []*gpb.Path{back.Path}}, codes.InvalidArgument, []string{"by an update"}},
		{"with configuration", &gpb.SetRequest{Update: []*gpb.Update{back, text}}, codes.InvalidArgument, []string{"update[1]", "description", "no configuration"}},
		{"with a delete", &gpb.SetRequest{Update: []*gpb.Update{back}, Delete: []*gpb.Path{path(thePeer)}}, codes.InvalidArgument, []string{"of its own"}},
		{"two rollbacks", &gpb.SetRequest{Update: []*gpb.Update{back, back}}, codes.InvalidArgument, []string{"update[1]", "goes alone"}},
		{"rollback and reset", &gpb.SetRequest{Update: []*gpb.Update{back, many[0]}}, codes.InvalidArgument, []string{"update[1]", "goes alone"}},
		{"reset and rollback", &gpb.SetRequest{Update: []*gpb.Update{many[0], back}}, codes.InvalidArgument, []string{"update[1]", "goes alone"}},
		{"asked for twice", &gpb.SetRequest{Update: []*gpb.Update{back}, Extension: previewExt(t, &preview.Preview{RollbackTo: "1"})}, codes.InvalidArgument, []string{"no operations"}},
		{"a guarded reset", &gpb.SetRequest{Update: many[:1], Extension: previewExt(t, &preview.Preview{Guard: &preview.Guard{}})}, codes.InvalidArgument, []string{"no commit"}},
		{"the root", &gpb.SetRequest{Update: []*gpb.Update{{Path: &gpb.Path{Origin: "operations"}, Val: jsonVal(`{}`)}}}, codes.InvalidArgument, []string{"operations:/", "its name"}},
		{"below it", &gpb.SetRequest{Update: []*gpb.Update{{Path: &gpb.Path{Origin: "operations", Elem: []*gpb.PathElem{{Name: "rollback"}, {Name: "input"}}}, Val: jsonVal(`{}`)}}}, codes.InvalidArgument, []string{"its name"}},
		{"with keys", &gpb.SetRequest{Update: []*gpb.Update{{Path: &gpb.Path{Origin: "operations", Elem: []*gpb.PathElem{{Name: "rollback", Key: map[string]string{"a": "b"}}}}, Val: jsonVal(`{}`)}}}, codes.InvalidArgument, []string{"its name"}},
		{"two origins", &gpb.SetRequest{Prefix: &gpb.Path{Origin: "mooring"}, Update: []*gpb.Update{back}}, codes.InvalidArgument, []string{"give one of them"}},
		{"a target in the path", &gpb.SetRequest{Update: []*gpb.Update{{Path: &gpb.Path{Origin: "operations", Target: "x", Elem: back.Path.Elem}, Val: back.Val}}}, codes.InvalidArgument, []string{"into the prefix"}},
		{"while a commit is settled", &gpb.SetRequest{Update: []*gpb.Update{back}, Extension: commitExt(t, `id: "x" confirm {}`)}, codes.InvalidArgument, []string{"carries no operations"}},
	}
	revision, ceases := r.engine.Store().Running().Revision(), r.backend.TotalCeases()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.client.Set(r.ctx(), tt.req)
			wantStatus(t, err, tt.code, tt.contains...)
		})
	}
	if r.engine.Store().Running().Revision() != revision || r.backend.TotalCeases() != ceases {
		t.Error("something has happened")
	}
	_, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{back.Path}})
	wantStatus(t, err, codes.Unimplemented, "nothing to read")
}

// The id of a guarded commit ends its guard, by what any client has for a
// confirmed commit.
func TestGuardEnds(t *testing.T) {
	tests := []struct{ name, action, source string }{
		{"kept", "confirm {}", `"10.1.1.9"`},
		{"rolled back", "cancel {}", `"10.1.1.1"`},
		{"another time, which passes", "set_rollback_duration {rollback_duration {nanos: 1}}", `"10.1.1.1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t).example()
			r.backend.Hold()
			got := answerOf(t, r.set(&gpb.SetRequest{Update: move("10.1.1.9"), Extension: previewExt(t, &preview.Preview{Guard: &preview.Guard{TimeoutSeconds: 3600}})}).Extension)
			if got.Guard == nil || got.CommitId == "" {
				t.Fatalf("answer %v", got)
			}
			_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Extension: commitExt(t, `id: "77" `+tt.action)})
			wantStatus(t, err, codes.InvalidArgument, "confirm or cancel commit "+got.CommitId)
			_, err = r.client.Set(r.ctx(), &gpb.SetRequest{Extension: commitExt(t, fmt.Sprintf(`id: %q set_rollback_duration {rollback_duration {seconds: 3601}}`, got.CommitId))})
			wantStatus(t, err, codes.InvalidArgument, "at most an hour")
			r.set(&gpb.SetRequest{Extension: commitExt(t, fmt.Sprintf(`id: %q %s`, got.CommitId, tt.action))})
			eventually(t, "the guard ends", func() bool { return r.engine.Guarded() == nil })
			r.backend.Release()
			if source := r.value(sourceLeaf); source != tt.source {
				t.Errorf("source %s, want %s", source, tt.source)
			}
			r.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer)}}) // nothing keeps others out any more
		})
	}
}

// A client finds the extension by reflection, and needs no file.
func TestReflectionHasTheExtension(t *testing.T) {
	r := newRig(t)
	s, err := reflectionpb.NewServerReflectionClient(r.conn).ServerReflectionInfo(r.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "mooring.gnmi.Preview"},
	}); err != nil {
		t.Fatal(err)
	}
	resp, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var file descriptorpb.FileDescriptorProto
	if files := resp.GetFileDescriptorResponse().GetFileDescriptorProto(); len(files) != 1 {
		t.Fatalf("answer %v", resp)
	} else if err := gproto.Unmarshal(files[0], &file); err != nil {
		t.Fatal(err)
	}
	if file.GetPackage() != "mooring.gnmi" || file.GetMessageType()[0].GetName() != "Preview" {
		t.Errorf("file %v", &file)
	}
}
