package gnmi

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// stream is a Subscribe as a client sees it.
type stream struct {
	*rig
	gpb.GNMI_SubscribeClient
	cancel context.CancelFunc
}

func (r *rig) open(req *gpb.SubscribeRequest) *stream {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.Cleanup(cancel)
	s, err := r.client.Subscribe(ctx)
	if err != nil {
		r.Fatal(err)
	}
	// EOF is gRPC's word for a stream that the server has ended already, as it
	// may when it needs no message to refuse: Recv has the status.
	if err := s.Send(req); err != nil && !errors.Is(err, io.EOF) {
		r.Fatal(err)
	}
	return &stream{rig: r, GNMI_SubscribeClient: s, cancel: cancel}
}

// subscribeFor opens a Subscribe that lives as long as ctx.
func (r *rig) subscribeFor(ctx context.Context, list *gpb.SubscriptionList, opts ...grpc.CallOption) *stream {
	r.Helper()
	s, err := r.client.Subscribe(ctx, opts...)
	if err != nil {
		r.Fatal(err)
	}
	if err := s.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}); err != nil {
		r.Fatal(err)
	}
	return &stream{rig: r, GNMI_SubscribeClient: s}
}

// subscribe opens a Subscribe with a SubscriptionList in text form.
func (r *rig) subscribe(list string) *stream {
	r.Helper()
	return r.open(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: textOf[gpb.SubscriptionList](r, list)}})
}

// watch opens a Subscribe to paths.
func (r *rig) watch(mode gpb.SubscriptionList_Mode, sub gpb.SubscriptionMode, paths ...string) *stream {
	r.Helper()
	list := &gpb.SubscriptionList{Mode: mode}
	for _, p := range paths {
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: path(p), Mode: sub})
	}
	return r.open(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}})
}

func (s *stream) next() *gpb.SubscribeResponse {
	s.Helper()
	resp, err := s.Recv()
	if err != nil {
		s.Fatalf("Recv: %v", err)
	}
	return resp
}

// untilSync returns the notifications up to the sync_response.
func (s *stream) untilSync() []*gpb.Notification {
	s.Helper()
	var out []*gpb.Notification
	for {
		resp := s.next()
		if resp.GetSyncResponse() {
			return out
		}
		out = append(out, resp.GetUpdate())
	}
}

// all reads until the RPC ends.
func (s *stream) all() ([]*gpb.SubscribeResponse, error) {
	var out []*gpb.SubscribeResponse
	for {
		resp, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, resp)
	}
}

// until reads notifications until each of want is part of a line, and returns
// all lines.
func (s *stream) until(want ...string) []string {
	s.Helper()
	var lines []string
	missing := func(text string) bool {
		return !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) })
	}
	for slices.ContainsFunc(want, missing) {
		lines = append(lines, texts(s.next().GetUpdate())...)
	}
	return lines
}

func allTexts(ns []*gpb.Notification) []string {
	var out []string
	for _, n := range ns {
		out = append(out, texts(n)...)
	}
	return out
}

// gnmi.md 53 to 57, 62, 63: nothing is sent before the whole request is good.
func TestSubscribeRefused(t *testing.T) {
	r := newRig(t).example()
	tests := []struct {
		name string
		list string // prototext; "poll" sends a Poll instead
		at   string // a subscription to add
		code codes.Code
		want string
	}{
		{"poll first (53)", "poll", "", codes.InvalidArgument, "SubscriptionList"},
		{"no subscription (54)", "", "", codes.InvalidArgument, "no path"},
		{"unknown list mode (54)", "mode: 7", "/", codes.InvalidArgument, "7"},
		{"unknown mode (54)", "subscription: {mode: 7}", "", codes.InvalidArgument, "7"},
		{"sample interval (71)", "subscription: {mode: SAMPLE sample_interval: 999999999}", "", codes.InvalidArgument, "sample_interval"},
		{"endless interval (71)", "subscription: {mode: SAMPLE sample_interval: 18446744073709551615}", "", codes.InvalidArgument, "sample_interval"},
		{"hint too short (75)", "subscription: {sample_interval: 1}", "", codes.InvalidArgument, "sample_interval"},
		{"heartbeat (70)", "subscription: {mode: ON_CHANGE heartbeat_interval: 1}", "", codes.InvalidArgument, "heartbeat_interval"},
		{"not in the model (55)", "", thePeer + "/config/colour", codes.Unimplemented, "colour"},
		{"bad key name (55)", "", vpn1 + "/peers/peer[ip=10.1.1.2]", codes.InvalidArgument, "ip"},
		{"one bad path of two (55)", "subscription: {path: {}}", "/nonsense", codes.Unimplemented, "subscription[1]"},
		{"encoding (57)", "encoding: BYTES", "/", codes.Unimplemented, "BYTES"},
		{"encoding ASCII (57)", "encoding: ASCII", thePeer + "/config/as", codes.Unimplemented, "ASCII"},
		{"DSCP (62)", "qos: {marking: 64}", "/", codes.InvalidArgument, "64"},
		{"unknown model (63)", `use_models: {name: "acme"}`, "/", codes.Unimplemented, "acme"},
		{"outside the models (63)", `use_models: {name: "mooring-agent"}`, "/bgp", codes.Unimplemented, "use_models"},
		{"target in a path (7)", `subscription: {path: {target: "t"}}`, "", codes.InvalidArgument, "target"},
		{"unknown origin (10)", `prefix: {origin: "acme"}`, "/", codes.Unimplemented, "acme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}
			if tt.list != "poll" {
				list := textOf[gpb.SubscriptionList](t, tt.list)
				if tt.at != "" {
					list.Subscription = append(list.Subscription, &gpb.Subscription{Path: path(tt.at)})
				}
				req = &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}
			}
			got, err := r.open(req).all()
			wantStatus(t, err, tt.code, tt.want)
			if len(got) != 0 {
				t.Errorf("sent before it was refused: %v", got)
			}
		})
	}
}

// gnmi.md 68, 75: a strict agent refuses an interval beside TARGET_DEFINED, where
// modes mean something.
func TestStrict(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Strict = true }).example()
	as := "{" + pathProto(thePeer+"/config/as") + "}"
	_, err := r.subscribe(`subscription: {path: ` + as + `} subscription: {sample_interval: 5000000000 path: ` + as + `}`).all()
	wantStatus(t, err, codes.InvalidArgument, "subscription[1]", "sample_interval", "TARGET_DEFINED", "SAMPLE")
	for _, list := range []string{
		"mode: ONCE subscription: {sample_interval: 5000000000 path: " + as + "}",
		"mode: POLL subscription: {sample_interval: 5000000000 path: " + as + "}",
		"subscription: {mode: SAMPLE sample_interval: 5000000000 path: " + as + "} subscription: {path: " + as + "}",
	} {
		if got := r.subscribe(list).untilSync(); len(got) == 0 {
			t.Errorf("%s: nothing was sent", list)
		}
	}
}

// gnmi.md 58, 66, 68, 47: updates, one sync, OK; nothing twice; a record in a message.
func TestOnce(t *testing.T) {
	r := newRig(t).example()
	s := r.subscribe(`mode: ONCE encoding: PROTO prefix: {target: "router"}
		subscription: {mode: SAMPLE sample_interval: 5 path: {elem: {name: "bgp"} elem: {name: "instances"} elem: {name: "instance"} elem: {name: "..."} elem: {name: "peer"} elem: {name: "config"}}}
		subscription: {path: {elem: {name: "bgp"} elem: {name: "instances"} elem: {name: "instance"} elem: {name: "config"}}}
		subscription: {path: {elem: {name: "bgp"} elem: {name: "instances"} elem: {name: "..."} elem: {name: "as"}}}`)
	got, err := s.all()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	syncs := 0
	for _, resp := range got {
		if resp.GetSyncResponse() {
			syncs++
			continue
		}
		n := resp.GetUpdate()
		if n.GetPrefix().GetTarget() != "router" || n.Timestamp == 0 || len(n.Delete) > 0 { // gnmi.md 7, 60, 65
			t.Errorf("notification %v", n)
		}
		lines = append(lines, texts(n)...)
	}
	if syncs != 1 || !got[len(got)-1].GetSyncResponse() {
		t.Errorf("%d sync responses in %v", syncs, got)
	}
	want := []string{
		thePeer + `/config/address = string_val:"10.1.1.2"`,
		thePeer + `/config/enabled = bool_val:true`,
		thePeer + `/config/as = uint_val:200`,
		`/bgp/instances/instance[name=default]/config/name = string_val:"default"`,
		`/bgp/instances/instance[name=default]/config/as = uint_val:100`,
		`/bgp/instances/instance[name=default]/config/reset-policy = string_val:"minimal"`,
		`/bgp/instances/instance[name=default]/state/as = uint_val:100`,
		thePeer + `/state/as = uint_val:200`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
}

// gnmi.md 47, 58: what two subscriptions name, of which neither has all that the
// other has, is told once.
func TestOnceOverlap(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(otherPeer, jsonVal(peerJSON))}})
	all := vpn1 + "/peers/peer[address=*]/config"
	for _, paths := range [][]string{{all, thePeer}, {thePeer, all}, {all, thePeer, otherPeer + "/config/as"}} {
		lines := allTexts(r.watch(gpb.SubscriptionList_ONCE, 0, paths...).untilSync())
		slices.Sort(lines)
		if n := len(slices.Compact(slices.Clone(lines))); n != len(lines) {
			t.Errorf("%v: %d of %d leaves are told twice: %q", paths, len(lines)-n, len(lines), lines)
		}
		for _, want := range []string{thePeer + "/config/as = json 200", otherPeer + "/config/as = json 200", sourceLeaf + ` = json "10.1.1.1"`} {
			if !slices.Contains(lines, want) {
				t.Errorf("%v: %s is missing in %q", paths, want, lines)
			}
		}
	}
}

// gnmi.md 56: nobody marks anything for aggregation, so that a client that takes
// it is told leaves all the same.
func TestAllowAggregation(t *testing.T) {
	r := newRig(t).example()
	want := []string{thePeer + `/config/address = json "10.1.1.2"`, thePeer + "/config/enabled = json true", thePeer + "/config/as = json 200"}
	for _, mode := range []string{"ONCE", "STREAM"} {
		s := r.subscribe("mode: " + mode + " allow_aggregation: true subscription: {mode: ON_CHANGE path: {" + pathProto(thePeer+"/config") + "}}")
		if diff := cmp.Diff(want, allTexts(s.untilSync())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", mode, diff)
		}
	}
}

// gnmi.md 6, 7, 11: the prefix of a list goes before each of its paths, and of it
// only the target comes back.
func TestSubscribePrefix(t *testing.T) {
	r := newRig(t).example()
	s := r.subscribe(`mode: ONCE prefix: {target: "router" ` + pathProto(strings.Replace(vpn1, "/bgp", "/mooring-bgp:bgp", 1)) + `}
		subscription: {path: {` + pathProto("/peers/peer[address=10.1.1.2]/config/as") + `}} subscription: {path: {` + pathProto("/name") + `}}`)
	got := s.untilSync()
	if diff := cmp.Diff([]string{thePeer + "/config/as = json 200", vpn1 + `/name = json "vpn1"`}, allTexts(got)); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
	for _, n := range got {
		if n.GetPrefix().GetTarget() != "router" || n.GetPrefix().GetOrigin() != "" {
			t.Errorf("prefix %v", n.GetPrefix())
		}
	}
}

// gnmi.md 57: streams that are told of the same change at the same time are each
// told in the encoding that they have asked for.
func TestOnChangeEncodings(t *testing.T) {
	r := newRig(t).example()
	at := thePeer + "/config/description"
	want := map[gpb.Encoding]string{
		gpb.Encoding_JSON: at + ` = json "x"`, gpb.Encoding_JSON_IETF: at + ` = ietf "x"`, gpb.Encoding_PROTO: at + ` = string_val:"x"`,
	}
	streams := map[gpb.Encoding]*stream{}
	for enc := range want {
		s := r.open(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
			Encoding: enc, UpdatesOnly: true, Subscription: []*gpb.Subscription{{Path: path(at), Mode: gpb.SubscriptionMode_ON_CHANGE}},
		}}})
		s.untilSync()
		streams[enc] = s
	}
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(at, jsonVal(`"x"`))}})
	for enc, s := range streams {
		if diff := cmp.Diff([]string{want[enc]}, texts(s.next().GetUpdate())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", enc, diff)
		}
	}
}

func TestOnceUpdatesOnly(t *testing.T) { // gnmi.md 59
	r := newRig(t).example()
	got, err := r.subscribe(`mode: ONCE updates_only: true subscription: {}`).all()
	if err != nil || len(got) != 1 || !got[0].GetSyncResponse() {
		t.Errorf("%v, %v", got, err)
	}
}

// gnmi.md 55: what is not there is no error.
func TestOnceMissingData(t *testing.T) {
	r := newRig(t)
	got, err := r.watch(gpb.SubscriptionList_ONCE, 0, vpn1+"/peers/peer[address=10.1.1.2]").all()
	if err != nil || len(got) != 1 || !got[0].GetSyncResponse() {
		t.Errorf("%v, %v", got, err)
	}
}

// gnmi.md 53, 59, 64, 67
func TestPoll(t *testing.T) {
	r := newRig(t).example()
	at := thePeer + "/config/as"
	s := r.watch(gpb.SubscriptionList_POLL, 0, at)
	poll := func() {
		if err := s.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		if diff := cmp.Diff([]string{at + " = json 200"}, allTexts(s.untilSync())); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", round, diff)
		}
		poll()
	}
	s.untilSync()
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if rest, err := s.all(); err != nil || len(rest) != 0 {
		t.Errorf("after the client closed its side: %v, %v", rest, err)
	}

	s = r.subscribe(`mode: POLL updates_only: true subscription: {}`)
	if got := s.untilSync(); len(got) != 0 {
		t.Errorf("updates_only sent %v", got)
	}
	poll()
	if got := s.untilSync(); len(got) == 0 {
		t.Error("a Poll was not answered")
	}
	if err := s.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{}}}); err != nil {
		t.Fatal(err)
	}
	_, err := s.all()
	wantStatus(t, err, codes.InvalidArgument, "Poll")
}

// gnmi.md 69, 77, 78, 82: only what changes, deletes, new entries, defaults.
func TestOnChange(t *testing.T) {
	r := newRig(t).example()
	other := vpn1 + "/peers/peer[address=10.1.1.3]"
	s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, vpn1+"/peers/peer[address=*]/config")
	want := []string{thePeer + `/config/address = json "10.1.1.2"`, thePeer + "/config/enabled = json true", thePeer + "/config/as = json 200"}
	if diff := cmp.Diff(want, allTexts(s.untilSync())); diff != "" {
		t.Fatalf("initial (-want +got):\n%s", diff)
	}
	tests := []struct {
		name string
		req  *gpb.SetRequest
		want []string
	}{
		{
			"one leaf, not its siblings (69)", &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"a"`))}},
			[]string{thePeer + `/config/description = json "a"`},
		},
		{
			"replaced in two ways (79)", &gpb.SetRequest{Replace: []*gpb.Update{update(thePeer+"/config", jsonVal(`{"as":201,"enabled":false}`))}},
			[]string{thePeer + "/config/description deleted", thePeer + "/config/enabled = json false", thePeer + "/config/as = json 201"},
		},
		{
			"back to the default (78)", &gpb.SetRequest{Delete: []*gpb.Path{path(thePeer + "/config/enabled")}},
			[]string{thePeer + "/config/enabled = json true"},
		},
		{
			"a new entry (82)", &gpb.SetRequest{Update: []*gpb.Update{update(other, jsonVal(`{"config":{"as":7}}`))}},
			[]string{other + `/config/address = json "10.1.1.3"`, other + "/config/enabled = json true", other + "/config/as = json 7"},
		},
		{
			"an entry goes (77)", &gpb.SetRequest{Delete: []*gpb.Path{path(other)}},
			[]string{other + `/config/address deleted`, other + "/config/enabled deleted", other + "/config/as deleted"},
		},
	}
	for i, tt := range tests {
		resp := r.set(tt.req)
		n := s.next().GetUpdate()
		if diff := cmp.Diff(tt.want, texts(n)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		// gnmi.md 60. A change that resets the session may be merged with what
		// the session then does, and has the time of the last.
		if n.Timestamp < resp.Timestamp || i == 0 && n.Timestamp != resp.Timestamp {
			t.Errorf("%s: timestamp %d, that of the commit is %d", tt.name, n.Timestamp, resp.Timestamp)
		}
	}
}

// gnmi.md 77, 82: a subscription above the records; a removed record takes one
// delete, also with everything below it.
func TestOnChangeAboveRecords(t *testing.T) {
	r := newRig(t).example()
	s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_TARGET_DEFINED, "/bgp")
	s.untilSync()
	other := vpn1 + "/peers/peer[address=10.1.1.3]"
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(other, jsonVal(`{"config":{"as":7}}`))}})
	s.until(other+`/address = json "10.1.1.3"`, other+"/config/as = json 7", other+`/state/session-state = json "established"`) // the key leaf too
	r.set(&gpb.SetRequest{Delete: []*gpb.Path{path("/bgp/instances/instance[name=default]")}})
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update("/bgp/instances/instance[name=x]/config/as", jsonVal("5"))}})
	lines := s.until("instance[name=default] deleted", "instance[name=x]/config/as = json 5")
	for _, whole := range []string{vpn1, thePeer, other} { // of what lies below, only leaves of state that went before
		if slices.Contains(lines, whole+" deleted") {
			t.Errorf("%s was deleted once more: %v", whole, lines)
		}
	}
}

// gnmi.md 55, 64: data that appears later; a client that closes its side at once.
func TestOnChangeHalfClosed(t *testing.T) {
	r := newRig(t)
	s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, thePeer+"/state/session-state")
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got := s.untilSync(); len(got) != 0 {
		t.Errorf("there is no data yet: %v", got)
	}
	r.example()
	s.until(thePeer + `/state/session-state = json "established"`)
}

// gnmi.md 59
func TestOnChangeUpdatesOnly(t *testing.T) {
	r := newRig(t).example()
	s := r.subscribe(`updates_only: true encoding: JSON_IETF subscription: {mode: ON_CHANGE path: {elem: {name: "vpn-instances"}}}`)
	if got := s.untilSync(); len(got) != 0 {
		t.Errorf("initial values: %v", got)
	}
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update("/vpn-instances/vpn-instance[name=vpn1]/config/description", jsonVal(`"d"`))}})
	want := []string{`/vpn-instances/vpn-instance[name=vpn1]/config/description = ietf "d"`}
	if diff := cmp.Diff(want, s.until("config/description")[:1]); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
}

// gnmi.md 53: a second list ends this RPC and no other.
func TestSecondSubscriptionList(t *testing.T) {
	r := newRig(t).example()
	other := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, thePeer+"/config/description")
	other.untilSync()
	for _, second := range []*gpb.SubscribeRequest{
		{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{}}},
		{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}},
	} {
		s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, thePeer)
		s.untilSync()
		if err := s.Send(second); err != nil {
			t.Fatal(err)
		}
		_, err := s.all()
		wantStatus(t, err, codes.InvalidArgument, "SubscriptionList")
	}
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"x"`))}})
	other.until("description")
}

// Origins of one list are answered each in its own words.
func TestOnChangeOrigins(t *testing.T) {
	r := newRig(t).example()
	s := r.subscribe(`subscription: {mode: ON_CHANGE path: {origin: "mooring" elem: {name: "vpn-instances"}}}
		subscription: {mode: ON_CHANGE path: {origin: "mooring-vpn-instance" elem: {name: "vpn-instances"}}}`)
	s.untilSync()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update("/vpn-instances/vpn-instance[name=vpn1]/config/description", jsonVal(`"d"`))}})
	var origins []string
	for range 2 {
		origins = append(origins, s.next().GetUpdate().GetPrefix().GetOrigin())
	}
	if diff := cmp.Diff([]string{"mooring", "mooring-vpn-instance"}, origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

// gnmi.md 108
func TestTooManySubscriptions(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSubscriptions = 1 })
	first := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, "/agent")
	first.untilSync()
	_, err := r.watch(gpb.SubscriptionList_ONCE, 0, "/agent").all()
	wantStatus(t, err, codes.ResourceExhausted, "1 subscriptions")
	first.cancel()
	eventually(t, "the place is free", func() bool { return r.server.Subscriptions() == 0 })
	if _, err := r.watch(gpb.SubscriptionList_ONCE, 0, "/agent").all(); err != nil {
		t.Error(err)
	}
}

// gnmi.md 69: also what the engine counts over many records is told, and so is
// what a commit makes of the agent's own state.
func TestOnChangeCounted(t *testing.T) {
	r := newRig(t).example()
	group := vpn1 + "/peer-groups/peer-group[name=core]"
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(group, jsonVal(`{"config":{"as":7}}`))}})
	s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, vpn1+"/state", group+"/state/members", "/agent")
	s.untilSync()
	other := vpn1 + "/peers/peer[address=10.1.1.3]"
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(other, jsonVal(`{"config":{"peer-group":"core"}}`))}})
	revision := strings.Trim(r.value("/agent/state/revision"), `"`)
	lines := s.until(vpn1+"/state/peers = json 2", vpn1+"/state/established-peers = json 2", group+"/state/members = json 1",
		"/agent/state/revision = json "+revision, "/agent/commits/commit[revision="+revision+`]/user = json "alice"`)
	for _, l := range lines { // nothing of the commits before, or of what the backend can do
		if strings.Contains(l, "/capability") || strings.Contains(l, "/commit[") && !strings.Contains(l, "[revision="+revision+"]") {
			t.Errorf("told without a change: %s", l)
		}
	}
	r.set(&gpb.SetRequest{Delete: []*gpb.Path{path(other)}})
	s.until(vpn1+"/state/peers = json 1", vpn1+"/state/established-peers = json 1", group+"/state/members = json 0")
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update("/agent/history/config/size", jsonVal("2"))}})
	s.until("/agent/history/state/size = json 2", "/agent/commits/commit[revision="+revision+"]/user deleted")
}
