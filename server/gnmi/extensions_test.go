package gnmi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	gproto "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/server/gnmi/preview"
)

func depthOf(level uint32) *extpb.Extension {
	return &extpb.Extension{Ext: &extpb.Extension_Depth{Depth: &extpb.Depth{Level: level}}}
}

// gnmi.md 28, 95, 96, 97, 99: the same levels in a Get of JSON and of leaves,
// in ONCE and in what STREAM tells later.
func TestDepth(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(vpn1+"/peer-groups/peer-group[name=g]", jsonVal(`{"config":{"as":7}}`)),
		update(vpn1+"/config/listen-port", jsonVal("1179")),
	}})
	tests := []struct {
		at     string
		level  uint32
		json   string
		leaves []string // of Get in PROTO, and of ONCE without defaults
	}{
		{vpn1, 1, `{"name":"vpn1"}`, []string{vpn1 + `/name = string_val:"vpn1"`}},
		{vpn1, 2, `{"name":"vpn1","config":{"name":"vpn1","listen-port":1179}}`, []string{
			vpn1 + `/name = string_val:"vpn1"`, vpn1 + `/config/name = string_val:"vpn1"`, vpn1 + `/config/listen-port = uint_val:1179`,
		}},
		{vpn1 + "/peers", 1, `{}`, nil},
		{vpn1 + "/peers", 2, `{"peer":[{"address":"10.1.1.2"}]}`, []string{thePeer + `/address = string_val:"10.1.1.2"`}},
		{vpn1 + "/peers/peer[address=*]", 1, `{"address":"10.1.1.2"}`, []string{thePeer + `/address = string_val:"10.1.1.2"`}},
		{thePeer + "/config/as", 1, `200`, []string{thePeer + "/config/as = uint_val:200"}},
		{thePeer + "/config", 7, `{"address":"10.1.1.2","as":200}`, []string{thePeer + `/config/address = string_val:"10.1.1.2"`, thePeer + "/config/as = uint_val:200"}},
		{"/", 3, "", []string{}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %d", tt.at, tt.level), func(t *testing.T) {
			req := &gpb.GetRequest{Path: []*gpb.Path{path(tt.at)}, Type: gpb.GetRequest_CONFIG, Extension: []*extpb.Extension{depthOf(tt.level)}}
			if tt.at != "/" { // what is in /agent is not our matter here
				if got := string(r.get(req).Notification[0].Update[0].Val.GetJsonVal()); got != tt.json {
					t.Errorf("JSON %s, want %s", got, tt.json)
				}
			}
			req.Encoding = gpb.Encoding_PROTO
			got := texts(r.get(req).Notification[0])
			got = slices.DeleteFunc(got, func(l string) bool { return !strings.HasPrefix(l, "/bgp") })
			if diff := cmp.Diff(tt.leaves, got); diff != "" {
				t.Errorf("PROTO (-want +got):\n%s", diff)
			}
			s := r.open(&gpb.SubscribeRequest{
				Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
					Mode: gpb.SubscriptionList_ONCE, Encoding: gpb.Encoding_PROTO, Subscription: []*gpb.Subscription{{Path: path(tt.at)}},
				}},
				Extension: []*extpb.Extension{depthOf(tt.level)},
			})
			once := slices.DeleteFunc(allTexts(s.untilSync()), func(l string) bool {
				return !strings.HasPrefix(l, "/bgp") || strings.Contains(l, "/state/") || strings.Contains(l, "enabled")
			})
			if diff := cmp.Diff(tt.leaves, once); diff != "" {
				t.Errorf("ONCE (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("STREAM", func(t *testing.T) {
		s := r.open(&gpb.SubscribeRequest{
			Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Subscription: []*gpb.Subscription{
				{Path: path(vpn1 + "/peers"), Mode: gpb.SubscriptionMode_ON_CHANGE}, {Path: path(otherPeer + "/config"), Mode: gpb.SubscriptionMode_ON_CHANGE},
			}}},
			Extension: []*extpb.Extension{depthOf(2)},
		})
		want := []string{thePeer + `/address = json "10.1.1.2"`}
		if diff := cmp.Diff(want, allTexts(s.untilSync())); diff != "" {
			t.Errorf("initial (-want +got):\n%s", diff)
		}
		r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"deeper"`)), update(otherPeer+"/config/as", jsonVal("7"))}})
		want = []string{otherPeer + `/address = json "10.1.1.3"`, otherPeer + `/config/address = json "10.1.1.3"`, otherPeer + "/config/enabled = json true", otherPeer + "/config/as = json 7"}
		if diff := cmp.Diff(want, texts(s.next().GetUpdate())); diff != "" {
			t.Errorf("later (-want +got):\n%s", diff)
		}
		r.set(&gpb.SetRequest{Delete: []*gpb.Path{path(otherPeer)}})
		if diff := cmp.Diff([]string{otherPeer + " deleted"}, texts(s.next().GetUpdate())); diff != "" {
			t.Errorf("deleted (-want +got):\n%s", diff)
		}
	})
}

// gnmi.md 84, 85
func TestMasterArbitration(t *testing.T) {
	r := newRig(t).example()
	role := func(s string) *extpb.Role { return &extpb.Role{Id: s} }
	tests := []struct {
		name      string
		role      *extpb.Role
		high, low uint64
		op        string // description to write, "" for an empty Set, "bad" for one that fails
		want      codes.Code
	}{
		{"first", nil, 0, 5, "a", codes.OK},
		{"the same again", nil, 0, 5, "b", codes.OK},
		{"lower", nil, 0, 4, "c", codes.PermissionDenied},
		{"an empty role is the default role", role(""), 0, 4, "c", codes.PermissionDenied},
		{"128 bits", nil, 1, 0, "d", codes.OK},
		{"lower in the high half", nil, 0, 9, "e", codes.PermissionDenied},
		{"another role", role("other"), 0, 1, "f", codes.OK},
		{"an empty Set elects", nil, 2, 0, "", codes.OK},
		{"and counts", nil, 1, 9, "g", codes.PermissionDenied},
		{"a Set that fails elects", nil, 3, 0, "bad", codes.NotFound},
		{"and counts too", nil, 2, 9, "", codes.PermissionDenied},
	}
	for _, tt := range tests {
		req := &gpb.SetRequest{Extension: []*extpb.Extension{{Ext: &extpb.Extension_MasterArbitration{
			MasterArbitration: &extpb.MasterArbitration{Role: tt.role, ElectionId: &extpb.Uint128{High: tt.high, Low: tt.low}},
		}}}}
		switch tt.op {
		case "":
		case "bad":
			req.Update = []*gpb.Update{update("/nonsense", jsonVal("1"))}
		default:
			req.Update = []*gpb.Update{update(thePeer+"/config/description", stringVal(tt.op))}
		}
		before := r.value(thePeer + "/config/description")
		_, err := r.client.Set(r.ctx(), req)
		t.Run(tt.name, func(t *testing.T) {
			wantStatus(t, err, tt.want)
			if tt.want == codes.PermissionDenied {
				wantStatus(t, err, tt.want, "election id", "master, {high")
			}
			if got := r.value(thePeer + "/config/description"); tt.want != codes.OK && got != before {
				t.Errorf("a refused Set has written %s", got)
			}
		})
	}
	// Without the extension a client is none of the candidates (84).
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", stringVal("free"))}})
	if got := r.value(thePeer + "/config/description"); got != `"free"` {
		t.Errorf("description %s", got)
	}

	t.Run("a master that is deposed while it waits", func(t *testing.T) {
		s := New(Config{Log: r.server.log})
		old := &extpb.MasterArbitration{ElectionId: &extpb.Uint128{Low: 1}}
		s.cfg.Engine = deposing{Engine: r.engine, depose: func() {
			if err := s.elections.check(&extpb.MasterArbitration{ElectionId: &extpb.Uint128{Low: 2}}); err != nil {
				t.Error(err)
			}
		}}
		_, err := s.Set(t.Context(), &gpb.SetRequest{
			Update:    []*gpb.Update{update(thePeer+"/config/description", stringVal("late"))},
			Extension: []*extpb.Extension{{Ext: &extpb.Extension_MasterArbitration{MasterArbitration: old}}},
		})
		wantStatus(t, err, codes.PermissionDenied, "election id")
	})
	t.Run("bounded", func(t *testing.T) {
		var e elections
		for i := range maxRoles + 1 {
			err := e.check(&extpb.MasterArbitration{Role: role(fmt.Sprint(i)), ElectionId: &extpb.Uint128{}})
			if want := i >= maxRoles; (err != nil) != want {
				t.Fatalf("role %d: %v", i, err)
			}
		}
	})
}

// deposing elects another master just before an edit begins.
type deposing struct {
	Engine
	depose func()
}

func (d deposing) Edit(ctx context.Context, actor commit.Actor, opt commit.Options, fn func(schema.Tx) error) (*commit.Result, error) {
	d.depose()
	return d.Engine.Edit(ctx, actor, opt, fn)
}

func previewExt(t testing.TB, p *preview.Preview) []*extpb.Extension {
	t.Helper()
	exts, err := registered(p)
	if err != nil {
		t.Fatal(err)
	}
	return exts
}

// answerOf reads the Preview of an answer.
func answerOf(t testing.TB, exts []*extpb.Extension) *preview.Preview {
	t.Helper()
	if len(exts) != 1 || exts[0].GetRegisteredExt().GetId() != extpb.ExtensionID_EID_EXPERIMENTAL {
		t.Fatalf("extensions %v", exts)
	}
	p := &preview.Preview{}
	if err := gproto.Unmarshal(exts[0].GetRegisteredExt().GetMsg(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// A dry run changes nothing and tells what the Set would do; the same Set for
// real tells the same and does it (issue 4), and is a Set like any other
// (gnmi.md 94).
func TestPreview(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(otherPeer, jsonVal(peerJSON))}})
	eventually(t, "both sessions", func() bool { return r.value(otherPeer+"/state/session-state") == `"established"` })
	watching := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, vpn1)
	watching.untilSync()
	req := &gpb.SetRequest{Update: []*gpb.Update{
		update(otherPeer+"/config/description", stringVal("quiet")),
		update(otherPeer+"/timers/config/keepalive-interval", jsonVal("20")),
		update(thePeer+"/transport/connect-interface/config/source-address", stringVal("10.1.1.9")),
	}}
	want := textOf[preview.Preview](t, `resets: 1 next_sessions: 1 untouched: 0
		peer: {instance: "default" vpn_instance: "vpn1" address: "10.1.1.2" impact: RESET session_state: "established" family: "ipv4-unicast" source: "10.1.1.9"
			cause: {leaf: "transport/connect-interface/config/source-address" old: "10.1.1.1" new: "10.1.1.9"}}
		peer: {instance: "default" vpn_instance: "vpn1" address: "10.1.1.3" impact: NEXT_SESSION session_state: "established" source: "10.1.1.1"
			cause: {leaf: "timers/config/keepalive-interval" old: "60" new: "20"}}`)
	before, revision, ceases := r.value("/"), r.engine.Store().Running().Revision(), r.backend.TotalCeases()

	req.Extension = previewExt(t, &preview.Preview{DryRun: true})
	resp := r.set(req)
	want.DryRun = true
	if diff := cmp.Diff(want, answerOf(t, resp.Extension), protocmp.Transform()); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	if len(resp.Response) != 3 {
		t.Errorf("%d results", len(resp.Response))
	}
	if got := r.value("/"); got != before || r.engine.Store().Running().Revision() != revision || r.backend.TotalCeases() != ceases {
		t.Errorf("the dry run has changed something:\n%s\nwas\n%s", got, before)
	}

	req.Extension = previewExt(t, &preview.Preview{})
	got := answerOf(t, r.set(req).Extension)
	want.DryRun, want.CommitId = false, fmt.Sprint(revision+1)
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("for real (-want +got):\n%s", diff)
	}
	if n := r.backend.TotalCeases() - ceases; n != 1 {
		t.Errorf("%d ceases, the preview said 1", n)
	}
	// gnmi.md 31: of the dry run no subscriber has seen anything; the first that
	// they are told is of the commit.
	if n := watching.next().GetUpdate(); n.Timestamp <= 0 || !strings.Contains(strings.Join(texts(n), " "), "10.1.1.9") {
		t.Errorf("first told: %v", texts(n))
	}

	// A Set that changes nothing says so, in the JSON that gnmic prints too.
	for _, dry := range []bool{true, false} {
		req.Extension = previewExt(t, &preview.Preview{DryRun: dry})
		got := answerOf(t, r.set(req).Extension)
		want := &preview.Preview{DryRun: dry, Resets: gproto.Uint32(0), NextSessions: gproto.Uint32(0), Untouched: gproto.Uint32(0)}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("nothing to do, dry run %v (-want +got):\n%s", dry, diff)
		}
		if text := protojson.Format(got); !strings.Contains(text, `"resets"`) {
			t.Errorf("JSON: %s", text)
		}
	}
	// One that is refused, and one that is empty.
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/as", jsonVal("0"))}, Extension: previewExt(t, &preview.Preview{DryRun: true})})
	wantStatus(t, err, codes.InvalidArgument, thePeer+"/config/as")
	if got := answerOf(t, r.set(&gpb.SetRequest{Extension: previewExt(t, &preview.Preview{DryRun: true})}).Extension); !got.DryRun || len(got.Peer) != 0 {
		t.Errorf("nothing at all: %v", got)
	}
}

// Where resets wait for each other, the preview and the real Set say how many
// (issue 4).
func TestPreviewTellsPacing(t *testing.T) {
	r := newRig(t).example()
	third := vpn1 + "/peers/peer[address=10.1.1.4]"
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(otherPeer, jsonVal(peerJSON)), update(third, jsonVal(peerJSON)), update("/agent/reset-control/config/max-concurrent", jsonVal("1")),
	}})
	for _, peer := range []string{thePeer, otherPeer, third} {
		eventually(t, "the session", func() bool { return r.value(peer+"/state/session-state") == `"established"` })
	}
	req := &gpb.SetRequest{}
	for _, peer := range []string{thePeer, otherPeer, third} {
		req.Update = append(req.Update, update(peer+"/transport/connect-interface/config/source-address", stringVal("10.1.1.9")))
	}
	want := &preview.Pacing{MaxConcurrent: 1, AtOnce: 1, Waiting: 2}
	r.backend.Hold() // nobody's turn comes
	for _, dry := range []bool{true, false} {
		req.Extension = previewExt(t, &preview.Preview{DryRun: dry})
		got := answerOf(t, r.set(req).Extension)
		if diff := cmp.Diff(want, got.Pacing, protocmp.Transform()); diff != "" || got.GetResets() != 3 {
			t.Errorf("dry run %v: %d resets, pacing (-want +got):\n%s", dry, got.GetResets(), diff)
		}
	}
	if n := r.backend.TotalCeases(); n != 1 {
		t.Errorf("%d sessions are down, the answer said 1", n)
	}
}

// An answer tells of the sessions as they were before the Set, also where they
// are down by the time of the answer; and why a peer will not come up.
func TestPreviewTellsWhatWas(t *testing.T) {
	r := newRig(t).example()
	r.server.cfg.Engine = &announcing{Engine: r.engine, received: 70_000}
	r.backend.Hold()
	got := answerOf(t, r.set(&gpb.SetRequest{
		Update:    []*gpb.Update{update(thePeer+"/transport/connect-interface/config", jsonVal(`{"interface":"nowhere"}`))},
		Delete:    []*gpb.Path{path(sourceLeaf)},
		Extension: previewExt(t, &preview.Preview{}),
	}).Extension)
	want := textOf[preview.PeerImpact](t, `instance: "default" vpn_instance: "vpn1" address: "10.1.1.2" impact: RESET session_state: "established"
		family: "ipv4-unicast" prefixes_received: 70000 down_reason: "interface-missing"`)
	if len(got.Peer) != 1 {
		t.Fatalf("answer %v", got)
	}
	got.Peer[0].Cause = nil
	if diff := cmp.Diff(want, got.Peer[0], protocmp.Transform()); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}
}

// announcing is an engine whose established peers have sent prefixes.
type announcing struct {
	Engine
	received uint64
}

func (e *announcing) Explain(who commit.Actor, p commit.Plan) []commit.PeerImpact {
	out := e.Engine.Explain(who, p)
	for i := range out {
		if out[i].Session == bgp.StateEstablished {
			out[i].Received = e.received
		}
	}
	return out
}

// An answer names the peers that are hit hardest, up to a limit.
func TestPreviewIsBounded(t *testing.T) {
	impacts := make([]commit.PeerImpact, maxPreviewPeers+7)
	impacts[len(impacts)-1].Impact = 2 // reset
	p := &preview.Preview{}
	fill(p, impacts)
	if len(p.Peer) != maxPreviewPeers || p.Peer[0].Impact != preview.Impact_RESET || p.GetResets() != 1 || p.GetUntouched() != uint32(len(impacts)-1) {
		t.Errorf("%d peers, first %v, %d resets, %d untouched", len(p.Peer), p.Peer[0].Impact, p.GetResets(), p.GetUntouched())
	}
}

// gnmi.md 5, 93: what is listed is served.
func TestCapabilitiesTellExtensions(t *testing.T) {
	r := newRig(t).example()
	resp, err := r.client.Capabilities(r.ctx(), &gpb.CapabilityRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := answerOf(t, resp.Extension)
	if diff := cmp.Diff(supportedExtensions, got.SupportedExtension); diff != "" || !slices.IsSorted(got.SupportedExtension) {
		t.Errorf("extensions (-want +got):\n%s", diff)
	}
	samples := map[string]*extpb.Extension{
		"depth":                    depthOf(1),
		"999 mooring.gnmi.Preview": previewExt(t, &preview.Preview{})[0],
		"history":                  snapshotExt(time.Now()),
		"commit":                   commitExt(t, `id: "x" cancel {}`)[0],
		"master_arbitration":       {Ext: &extpb.Extension_MasterArbitration{MasterArbitration: &extpb.MasterArbitration{ElectionId: &extpb.Uint128{}}}},
		"config_subscription": {Ext: &extpb.Extension_ConfigSubscription{ConfigSubscription: &extpb.ConfigSubscription{
			Action: &extpb.ConfigSubscription_Start{Start: &extpb.ConfigSubscriptionStart{}},
		}}},
	}
	methods := map[string]rpc{"Get": rpcGet, "Set": rpcSet, "Subscribe": rpcSubscribe}
	for _, name := range got.SupportedExtension {
		method, ext, _ := strings.Cut(name, ": ")
		if _, err := readExtensions(methods[method], []*extpb.Extension{samples[ext]}); err != nil || samples[ext] == nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := readExtensions(methods[method], []*extpb.Extension{samples[ext], samples[ext]}); err == nil {
			t.Errorf("%s: taken twice in one request", name)
		}
	}
}
