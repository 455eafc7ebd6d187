package gnmi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"mooring/engine/schema"
)

// gnmi.md 1, 2, 3
func TestCapabilities(t *testing.T) {
	r := newRig(t)
	resp, err := r.client.Capabilities(r.ctx(), &gpb.CapabilityRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if resp.GNMIVersion != "0.10.0" {
		t.Errorf("version %q", resp.GNMIVersion)
	}
	var names []string
	for _, m := range resp.SupportedModels {
		names = append(names, m.Name)
		if m.Organization == "" || m.Version == "" {
			t.Errorf("%v lacks organization or version", m)
		}
		// Get accepts every model that is listed.
		if _, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{{}}, UseModels: []*gpb.ModelData{m}}); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	if diff := cmp.Diff([]string{"ietf-netconf-acm", "mooring-agent", "mooring-bgp", "mooring-vpn-instance", "openconfig-bgp", "openconfig-network-instance"}, names); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	for _, e := range resp.SupportedEncodings {
		if _, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{{}}, Encoding: e}); err != nil {
			t.Errorf("%s: %v", e, err)
		}
	}
}

func TestGet(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(thePeer+"/config/description", jsonVal(`"a \"peer\""`)),
		update("/bgp/instances/instance[name=default]/vpn-instances/vpn-instance[name=vpn1]/peers/peer[address=2001:db8::1]", jsonVal(`{"config":{"as":300}}`)),
		update(vpn1+"/config/listen-address", jsonVal(`["10.0.0.1","::1"]`)),
	}})
	const v6 = vpn1 + "/peers/peer[address=2001:db8::1]"
	tests := []struct {
		name string
		req  string // prototext; PATH stands for the peer
		at   string // path, in front of what req has
		want []string
	}{
		{"leaf (20)", "", thePeer + "/config/as", []string{thePeer + "/config/as = json 200"}},
		{"leaf, RFC 7951 (22)", "encoding: JSON_IETF", "/agent/state/revision", []string{`/agent/state/revision = ietf "2"`}},
		{"64 bits in JSON (22)", "encoding: JSON", "/agent/state/revision", []string{`/agent/state/revision = json 2`}},
		{"string", "", thePeer + "/config/description", []string{thePeer + `/config/description = json "a \"peer\""`}},
		{"default in use (23)", "encoding: PROTO", thePeer + "/config/enabled", []string{thePeer + "/config/enabled = bool_val:true"}},
		{
			"leaf-list, PROTO (21)", "encoding: PROTO", vpn1 + "/config/listen-address",
			[]string{vpn1 + `/config/listen-address = leaflist_val:{element:{string_val:"10.0.0.1"} element:{string_val:"::1"}}`},
		},
		{"leaf, ASCII (19)", "encoding: ASCII", thePeer + "/config/as", []string{thePeer + `/config/as = ascii_val:"200"`}},
		{"default in use, ASCII (19, 23)", "encoding: ASCII", thePeer + "/config/enabled", []string{thePeer + `/config/enabled = ascii_val:"true"`}},
		{"leaf-list, ASCII (19)", "encoding: ASCII", vpn1 + "/config/listen-address", []string{vpn1 + `/config/listen-address = ascii_val:"10.0.0.1\n::1"`}},
		{"leaves, ASCII (19)", "encoding: ASCII", vpn1 + "/peers/peer/config/as", []string{thePeer + `/config/as = ascii_val:"200"`, v6 + `/config/as = ascii_val:"300"`}},
		{
			"subtree", "type: CONFIG", thePeer + "/transport",
			[]string{thePeer + `/transport = json {"connect-interface":{"config":{"source-address":"10.1.1.1"}}}`},
		},
		{
			"subtree, RFC 7951 (22)", "type: CONFIG encoding: JSON_IETF", thePeer + "/transport",
			[]string{thePeer + `/transport = ietf {"mooring-bgp:connect-interface":{"config":{"source-address":"10.1.1.1"}}}`},
		},
		{"subtree, PROTO (21)", "type: CONFIG encoding: PROTO", thePeer + "/config", []string{
			thePeer + `/config/address = string_val:"10.1.1.2"`,
			thePeer + `/config/description = string_val:"a \"peer\""`,
			thePeer + `/config/as = uint_val:200`,
		}},
		{"empty container (24)", "", thePeer + "/timers/config", []string{thePeer + "/timers/config = json {}"}},
		{"empty container, PROTO (24)", "encoding: PROTO", thePeer + "/timers/config", nil},
		{"config has no state (18)", "type: CONFIG", thePeer + "/state", []string{thePeer + "/state = json {}"}},
		{"state (18)", "type: STATE", thePeer + "/state/session-state", []string{thePeer + `/state/session-state = json "established"`}},
		{
			"state without configuration (18)", "type: STATE", thePeer + "/transport/connect-interface",
			[]string{thePeer + `/transport/connect-interface = json {"state":{"source-address":"10.1.1.1","resolved-interface":"lo","resolved-source":"10.1.1.1"}}`},
		},
		{
			"all (18)", "", thePeer + "/transport/connect-interface",
			[]string{thePeer + `/transport/connect-interface = json {"config":{"source-address":"10.1.1.1"},"state":{"source-address":"10.1.1.1","resolved-interface":"lo","resolved-source":"10.1.1.1"}}`},
		},
		{
			"operational leaves out what mirrors (18)", "type: OPERATIONAL", thePeer + "/transport/connect-interface/state",
			[]string{thePeer + `/transport/connect-interface/state = json {"resolved-interface":"lo","resolved-source":"10.1.1.1"}`},
		},
		{"key * (13, 14)", "", vpn1 + "/peers/peer[address=*]/config/as", []string{thePeer + "/config/as = json 200", v6 + "/config/as = json 300"}},
		{"omitted key (13)", "encoding: PROTO", vpn1 + "/peers/peer/config/as", []string{thePeer + "/config/as = uint_val:200", v6 + "/config/as = uint_val:300"}},
		{"elem * (13)", "type: CONFIG", thePeer + "/*/connect-interface/config", []string{thePeer + `/transport/connect-interface/config = json {"source-address":"10.1.1.1"}`}},
		{"elem ... (13)", "", "/.../source-address", []string{
			thePeer + `/transport/connect-interface/config/source-address = json "10.1.1.1"`,
			thePeer + `/transport/connect-interface/state/source-address = json "10.1.1.1"`,
		}},
		{
			"... at the end is the subtree (13)", "type: CONFIG", thePeer + "/transport/connect-interface/...",
			[]string{thePeer + `/transport/connect-interface = json {"config":{"source-address":"10.1.1.1"}}`},
		},
		{"a match without data is none (24)", "type: CONFIG", vpn1 + "/peers/peer/transport/connect-interface", []string{thePeer + `/transport/connect-interface = json {"config":{"source-address":"10.1.1.1"}}`}},
		{"canonical key (12)", "", vpn1 + "/peers/peer[address=2001:DB8:0::1]/config/as", []string{v6 + "/config/as = json 300"}},
		{"module:name (11)", "", "/mooring-bgp:bgp/instances/instance[name=default]/mooring-bgp:config/as", []string{"/bgp/instances/instance[name=default]/config/as = json 100"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := textOf[gpb.GetRequest](t, tt.req)
			req.Path = []*gpb.Path{path(tt.at)}
			resp, err := r.client.Get(r.ctx(), req)
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Notification) != 1 || resp.Notification[0].Timestamp == 0 {
				t.Fatalf("answer %v", resp)
			}
			if diff := cmp.Diff(tt.want, texts(resp.Notification[0])); diff != "" {
				t.Errorf("updates (-want +got):\n%s", diff)
			}
		})
	}
}

// texts shows the updates and deletes of a Notification, absolute.
func texts(n *gpb.Notification) []string {
	var out []string
	for _, d := range n.Delete {
		out = append(out, pathText(n.Prefix, d)+" deleted")
	}
	for _, u := range n.Update {
		out = append(out, pathText(n.Prefix, u.Path)+" = "+valueText(u.Val))
	}
	return out
}

func valueText(v *gpb.TypedValue) string {
	switch x := v.GetValue().(type) {
	case *gpb.TypedValue_JsonVal:
		return "json " + string(x.JsonVal)
	case *gpb.TypedValue_JsonIetfVal:
		return "ietf " + string(x.JsonIetfVal)
	}
	// prototext varies its spaces on purpose.
	text := strings.ReplaceAll(v.String(), "  ", " ")
	return strings.ReplaceAll(strings.ReplaceAll(text, ": ", ":"), ":{ ", ":{")
}

func TestGetRefused(t *testing.T) {
	r := newRig(t).example()
	tests := []struct {
		name string
		req  string // prototext
		at   string // a path to add
		code codes.Code
		want []string
	}{
		{"leaf without value (23)", "", thePeer + "/config/description", codes.NotFound, []string{thePeer + "/config/description"}},
		{"list entry that is not there (24)", "", vpn1 + "/peers/peer[address=10.9.9.9]", codes.NotFound, []string{"10.9.9.9"}},
		{"below an entry that is not there (24)", "", vpn1 + "/peers/peer[address=10.9.9.9]/timers", codes.NotFound, []string{"10.9.9.9"}},
		{"the same, PROTO (24)", "encoding: PROTO", vpn1 + "/peers/peer[address=10.9.9.9]/timers", codes.NotFound, []string{"10.9.9.9"}},
		{"wildcard without match (24)", "", vpn1 + "/peer-groups/peer-group[name=*]", codes.NotFound, []string{"peer-group"}},
		{"config of a state leaf (18)", "type: CONFIG", thePeer + "/state/session-state", codes.NotFound, []string{"session-state"}},
		{"not in the model (23)", "", thePeer + "/config/colour", codes.Unimplemented, []string{thePeer + "/config", "colour"}},
		{"not in the model, at the top (9)", "", "/interfaces", codes.Unimplemented, []string{"interfaces"}},
		{"below a leaf", "", thePeer + "/config/as/more", codes.Unimplemented, []string{"is a leaf"}},
		{"bad key name (23)", "", vpn1 + "/peers/peer[ip=10.1.1.2]", codes.InvalidArgument, []string{`"ip" is not a key`}},
		{"bad key value", "", vpn1 + "/peers/peer[address=nonsense]", codes.InvalidArgument, []string{"nonsense"}},
		{"key on a container (23)", "", "/bgp[name=x]", codes.InvalidArgument, []string{"not a list"}},
		{"empty element name (23)", `path: {elem: {name: "bgp"} elem: {}}`, "", codes.InvalidArgument, []string{"no name"}},
		{"wrong module (11)", "", "/mooring-agent:bgp", codes.InvalidArgument, []string{"mooring-bgp", "mooring-agent"}},
		{"deprecated element (8)", `path: {element: "bgp"}`, "", codes.InvalidArgument, []string{"element"}},
		{"deprecated element in the prefix (8)", `prefix: {element: "bgp"} path: {}`, "", codes.InvalidArgument, []string{"element"}},
		{"target in the path (7)", `path: {target: "t"}`, "", codes.InvalidArgument, []string{"target"}},
		{"origin twice (9)", `prefix: {origin: "mooring"} path: {origin: "mooring"}`, "", codes.InvalidArgument, []string{"origin", "prefix", "path"}},
		{"two origins and a prefix (9)", `prefix: {elem: {name: "bgp"}} path: {origin: "mooring"} path: {}`, "", codes.InvalidArgument, []string{"more than one origin"}},
		{"unknown origin (10)", `path: {origin: "acme"}`, "", codes.Unimplemented, []string{"acme"}},
		{"this model's path in the other tree (9)", `path: {origin: "openconfig" elem: {name: "bgp"}}`, "", codes.Unimplemented, []string{"bgp"}},
		{"the other tree's path in this model (9)", `path: {origin: "mooring" elem: {name: "network-instances"}}`, "", codes.Unimplemented, []string{"network-instances"}},
		{"a module's root (10)", `path: {origin: "mooring-bgp"}`, "", codes.InvalidArgument, []string{"mooring-bgp", "top-level"}},
		{"another module's node (10)", `path: {origin: "mooring-bgp" elem: {name: "agent"}}`, "", codes.InvalidArgument, []string{"mooring-agent"}},
		{"no path (26)", "", "", codes.InvalidArgument, []string{"no path"}},
		{"unknown type (18)", "path: {} type: 17", "", codes.InvalidArgument, []string{"17"}},
		{"encoding BYTES (19)", "path: {} encoding: BYTES", "", codes.Unimplemented, []string{"BYTES"}},
		{"encoding ASCII of no leaf (19)", "path: {} encoding: ASCII", "", codes.Unimplemented, []string{"path[0]", "ASCII", "leaves only"}},
		{"encoding ASCII of a leaf that is not there (23)", "encoding: ASCII", thePeer + "/config/description", codes.NotFound, []string{thePeer + "/config/description"}},
		{"encoding 99 (19)", "path: {} encoding: 99", "", codes.Unimplemented, []string{"99"}},
		{"unknown model (25)", `path: {} use_models: {name: "acme-bgp"}`, "", codes.Unimplemented, []string{"acme-bgp"}},
		{"another version of a model (25)", `path: {} use_models: {name: "mooring-bgp" version: "1999-01-01"}`, "", codes.Unimplemented, []string{"1999-01-01"}},
		{"outside the models (25)", `use_models: {name: "mooring-agent"}`, thePeer, codes.Unimplemented, []string{"use_models"}},
		{"one bad path fails all (23)", "path: {}", thePeer + "/config/description", codes.NotFound, []string{"path[1]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := textOf[gpb.GetRequest](t, tt.req)
			if tt.at != "" {
				req.Path = append(req.Path, path(tt.at))
			}
			_, err := r.client.Get(r.ctx(), req)
			wantStatus(t, err, tt.code, tt.want...)
			if len(violations(err)) == 0 { // gnmi.md 15
				t.Errorf("no field violation in %v", err)
			}
		})
	}
}

// gnmi.md 6, 7, 9, 10, 14, 16: how an answer's paths relate to the request's.
func TestGetPaths(t *testing.T) {
	r := newRig(t).example()
	inst := `elem: {name: "bgp"} elem: {name: "instances"} elem: {name: "instance" key: {key: "name" value: "default"}}`
	as := `elem: {name: "config"} elem: {name: "as"}`
	tests := []struct {
		name string
		req  string
		want string // prefix and path of the update
	}{
		{"no prefix, no target", "path: {" + inst + as + "}", "update: {path: {" + inst + as + "}}"},
		{"target is echoed", `prefix: {target: "router"} path: {` + inst + as + "}", `prefix: {target: "router"} update: {path: {` + inst + as + "}}"},
		{"prefix and path", "prefix: {" + inst + "} path: {" + as + "}", "prefix: {" + inst + "} update: {path: {" + as + "}}"},
		{"prefix is the path (26)", "prefix: {" + inst + as + "}", "prefix: {" + inst + as + "} update: {path: {}}"},
		{"origin in the path", `path: {origin: "mooring" ` + inst + as + "}", `update: {path: {origin: "mooring" ` + inst + as + "}}"},
		{"module as origin", `path: {origin: "mooring-bgp" ` + inst + as + "}", `update: {path: {origin: "mooring-bgp" ` + inst + as + "}}"},
		{"origin in the prefix", `prefix: {origin: "mooring"} path: {` + inst + as + "}", `prefix: {origin: "mooring"} update: {path: {` + inst + as + "}}"},
		{"both element and elem (8)", `path: {element: "x" ` + inst + as + "}", "update: {path: {" + inst + as + "}}"},
		{
			"no wildcard in an answer", `prefix: {target: "t" elem: {name: "bgp"} elem: {name: "instances"} elem: {name: "instance"}} path: {` + as + "}",
			`prefix: {target: "t"} update: {path: {` + inst + as + "}}",
		},
		{"unknown extensions are ignored (93)", "path: {" + inst + as + "} extension: {registered_ext: {id: 999}}", "update: {path: {" + inst + as + "}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := r.get(textOf[gpb.GetRequest](t, tt.req))
			n := resp.Notification[0]
			n.Timestamp = 0
			n.Update[0].Val = nil
			if diff := cmp.Diff(textOf[gpb.Notification](t, tt.want), n, protocmp.Transform()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// gnmi.md 16, 24: the root, also of an agent without configuration.
func TestGetRoot(t *testing.T) {
	r := newRig(t)
	resp := r.get(&gpb.GetRequest{Path: []*gpb.Path{{}, path("/bgp")}, Type: gpb.GetRequest_CONFIG, Encoding: gpb.Encoding_JSON_IETF})
	if len(resp.Notification) != 2 {
		t.Fatalf("%d notifications for 2 paths", len(resp.Notification))
	}
	want := []string{"/ = ietf {\"mooring-vpn-instance:vpn-instances\":{\"vpn-instance\":[{\"name\":\"_public_\",\"config\":{\"name\":\"_public_\"}}]}}"}
	if diff := cmp.Diff(want, texts(resp.Notification[0])); diff != "" {
		t.Errorf("root (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/bgp = ietf {}"}, texts(resp.Notification[1])); diff != "" {
		t.Errorf("bgp (-want +got):\n%s", diff)
	}

	r.example()
	part := r.get(&gpb.GetRequest{
		Path: []*gpb.Path{{}}, Type: gpb.GetRequest_CONFIG,
		UseModels: []*gpb.ModelData{{Name: "mooring-vpn-instance"}, {Name: "mooring-agent"}},
	})
	text := string(part.Notification[0].Update[0].Val.GetJsonVal())
	if !strings.HasPrefix(text, `{"vpn-instances":{`) || strings.Contains(text, "bgp") {
		t.Errorf("with two models (25): %s", text)
	}
	part = r.get(&gpb.GetRequest{
		Path: []*gpb.Path{{}}, Type: gpb.GetRequest_CONFIG, Encoding: gpb.Encoding_JSON_IETF,
		UseModels: []*gpb.ModelData{{Name: "mooring-vpn-instance"}, {Name: "mooring-bgp"}},
	})
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(part.Notification[0].Update[0].Val.GetJsonIetfVal(), &members); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, []string{"mooring-bgp:bgp", "mooring-vpn-instance:vpn-instances"}) {
		t.Errorf("with two models that have data (25): %q", got)
	}
}

// No read operation returns a secret, whatever the encoding and type.
func TestSecretsAreNotReturned(t *testing.T) {
	r := newRig(t).example()
	const secret = "hunter2-hunter2"
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(thePeer+"/transport/authentication", jsonVal(`{"config":{"method":"md5","password":"`+secret+`"}}`)),
	}})
	for _, enc := range encodings {
		for typ := range contents {
			for _, at := range []string{"/", thePeer, vpn1 + "/peers/peer[address=*]", "/.../password", thePeer + "/transport/authentication/config/password"} {
				resp, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(at)}, Encoding: enc, Type: typ})
				if strings.Contains(resp.String()+prototextOf(err), secret) {
					t.Errorf("%s %s %s: %v %v", at, enc, typ, resp, err)
				}
			}
		}
	}
	stream := r.subscribe(`mode: ONCE subscription: {path: {}}`)
	for _, n := range stream.untilSync() {
		if strings.Contains(n.String(), secret) {
			t.Errorf("subscribe: %v", n)
		}
	}
	if r.value(thePeer+"/transport/authentication/config/method") != `"md5"` {
		t.Error("the method itself cannot be read")
	}
}

func prototextOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// gnmi.md 4, 93, 98
func TestExtensions(t *testing.T) {
	depth := &extpb.Extension{Ext: &extpb.Extension_Depth{Depth: &extpb.Depth{Level: 2}}}
	tests := []struct {
		name string
		ext  *extpb.Extension
		want [4]codes.Code // Capabilities, Get, Set, Subscribe
	}{
		{"depth", depth, [4]codes.Code{codes.InvalidArgument, codes.OK, codes.InvalidArgument, codes.OK}},
		{
			"depth 0 is none (95)", &extpb.Extension{Ext: &extpb.Extension_Depth{Depth: &extpb.Depth{}}},
			[4]codes.Code{codes.InvalidArgument, codes.OK, codes.InvalidArgument, codes.OK},
		},
		{
			"commit without an id or action", &extpb.Extension{Ext: &extpb.Extension_Commit{Commit: &extpb.Commit{}}},
			[4]codes.Code{codes.OK, codes.OK, codes.InvalidArgument, codes.OK},
		},
		{
			"master arbitration without an id (84)", &extpb.Extension{Ext: &extpb.Extension_MasterArbitration{MasterArbitration: &extpb.MasterArbitration{}}},
			[4]codes.Code{codes.OK, codes.OK, codes.InvalidArgument, codes.OK},
		},
		{
			"registered, not ours", &extpb.Extension{Ext: &extpb.Extension_RegisteredExt{RegisteredExt: &extpb.RegisteredExtension{Id: 998}}},
			[4]codes.Code{codes.OK, codes.OK, codes.Unimplemented, codes.OK},
		},
		{
			"no Preview", &extpb.Extension{Ext: &extpb.Extension_RegisteredExt{RegisteredExt: &extpb.RegisteredExtension{Id: 999, Msg: []byte{0xff}}}},
			[4]codes.Code{codes.OK, codes.OK, codes.InvalidArgument, codes.OK},
		},
		{
			"history without a time (91, 92)", &extpb.Extension{Ext: &extpb.Extension_History{History: &extpb.History{}}},
			[4]codes.Code{codes.OK, codes.Unimplemented, codes.Unimplemented, codes.InvalidArgument},
		},
		{
			"config subscription without an action", &extpb.Extension{Ext: &extpb.Extension_ConfigSubscription{ConfigSubscription: &extpb.ConfigSubscription{}}},
			[4]codes.Code{codes.OK, codes.OK, codes.Unimplemented, codes.InvalidArgument},
		},
		{"sync_done from a client (90)", &extpb.Extension{Ext: &extpb.Extension_ConfigSubscription{ConfigSubscription: &extpb.ConfigSubscription{
			Action: &extpb.ConfigSubscription_SyncDone{SyncDone: &extpb.ConfigSubscriptionSyncDone{}},
		}}}, [4]codes.Code{codes.OK, codes.OK, codes.Unimplemented, codes.InvalidArgument}},
		{"one of a later version", &extpb.Extension{}, [4]codes.Code{codes.OK, codes.OK, codes.Unimplemented, codes.OK}},
	}
	r := newRig(t).example()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			exts := []*extpb.Extension{tt.ext}
			_, err := r.client.Capabilities(r.ctx(), &gpb.CapabilityRequest{Extension: exts})
			wantStatus(t, err, tt.want[0])
			_, err = r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{{}}, Extension: exts})
			wantStatus(t, err, tt.want[1])
			_, err = r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"x"`))}, Extension: exts})
			wantStatus(t, err, tt.want[2])
			if got := r.value(thePeer + "/config/description"); got != "" {
				t.Errorf("a refused Set has written %s", got)
			}
			s := r.open(&gpb.SubscribeRequest{
				Request:   &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Mode: gpb.SubscriptionList_ONCE, Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}}}},
				Extension: exts,
			})
			_, err = s.all()
			wantStatus(t, err, tt.want[3])
		})
	}
}

// A path in a message has its keys in one order, and an end.
func TestPathText(t *testing.T) {
	p := path("/protocols/protocol[name=default][identifier=BGP]")
	want := "/protocols/protocol[identifier=BGP][name=default]"
	for range 32 {
		if got := pathText(nil, p); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	if got := pathText(path("/bgp"), path(strings.Repeat("/abc", 10_000))); len(got) > maxReason || !strings.HasPrefix(got, "/bgp/abc/abc") || !strings.HasSuffix(got, "...") {
		t.Errorf("a long path is %d octets: %s", len(got), got)
	}
}

func TestOutermost(t *testing.T) {
	expand := func(text string) []schema.Path {
		sc, err := newScope(rpcGet, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, paths, f := sc.expand("", path(text))
		if f != nil {
			t.Fatal(f.err())
		}
		return paths
	}
	tests := []struct {
		in, want []string
	}{
		{[]string{"/bgp", "/agent"}, []string{"/bgp", "/agent"}},
		{[]string{"/bgp/instances", "/bgp", "/bgp"}, []string{"/bgp"}},
		{[]string{thePeer + "/config", vpn1 + "/peers/peer/config"}, []string{vpn1 + "/peers/peer/config"}},
		{[]string{vpn1 + "/peers/peer/config", thePeer}, []string{vpn1 + "/peers/peer/config", thePeer}},
		{[]string{"/", "/bgp"}, []string{"/"}},
	}
	for _, tt := range tests {
		var in []schema.Path
		for _, text := range tt.in {
			in = append(in, expand(text)...)
		}
		var got []string
		for _, p := range outermost(in) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.in, diff)
		}
	}
}

// gnmi.md 27, 80: what is in an atomic container is told with it as prefix.
func TestGetAtomic(t *testing.T) {
	r := newRig(t).example()
	container := thePeer + "/transport/state"
	tests := []struct {
		prefix, at string
		atomic     bool
		wantPrefix string
		wantPath   string
	}{
		{"/", container + "/local-address", true, container, "/local-address"},
		{"/", container, true, container, "/"},
		{thePeer + "/transport", "/state/local-address", true, container, "/local-address"},
		{"/", thePeer + "/transport", false, "/", thePeer + "/transport"},
		{"/", vpn1 + "/peers/peer[address=*]/transport/state/local-address", false, "/", container + "/local-address"},
	}
	for _, tt := range tests {
		n := r.get(&gpb.GetRequest{Prefix: path(tt.prefix), Path: []*gpb.Path{path(tt.at)}}).Notification[0]
		if n.Atomic != tt.atomic || pathText(nil, n.Prefix) != tt.wantPrefix || pathText(nil, n.Update[0].Path) != tt.wantPath {
			t.Errorf("%s %s: atomic %v, prefix %s, path %s", tt.prefix, tt.at, n.Atomic, pathText(nil, n.Prefix), pathText(nil, n.Update[0].Path))
		}
	}
}

// gnmi.md 110: what nobody in good faith sends costs little and ends in a code.
func TestHostileRequests(t *testing.T) {
	r := newRig(t).example()
	r.server.maxAnswer = 1 << 20
	many := func(n int, p *gpb.Path) []*gpb.Path { return slices.Repeat([]*gpb.Path{p}, n) }
	long := path(strings.Repeat("/a", 10_000))
	subscribe := func(n int, p *gpb.Path) error {
		list := &gpb.SubscriptionList{Subscription: slices.Repeat([]*gpb.Subscription{{Path: p, Mode: gpb.SubscriptionMode_ON_CHANGE}}, n)}
		_, err := newWatch(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}})
		return err
	}
	set := func(req *gpb.SetRequest) error {
		_, err := r.server.Set(t.Context(), req)
		return err
	}
	getIn := func(enc gpb.Encoding, paths []*gpb.Path) error {
		_, err := r.server.Get(t.Context(), &gpb.GetRequest{Path: paths, Encoding: enc})
		return err
	}
	get := func(paths []*gpb.Path) error { return getIn(gpb.Encoding_JSON, paths) }
	tests := []struct {
		name string
		do   func() error
		want codes.Code
	}{
		{"10,000 elements, Get", func() error { return get(many(1, long)) }, codes.InvalidArgument},
		{"10,000 elements, Set", func() error { return set(&gpb.SetRequest{Delete: many(1, long)}) }, codes.InvalidArgument},
		{"10,000 elements, Subscribe", func() error { return subscribe(1, long) }, codes.InvalidArgument},
		{"a million times the root", func() error { return get(many(1_000_000, &gpb.Path{})) }, codes.ResourceExhausted},
		{"a million times the root, PROTO", func() error { return getIn(gpb.Encoding_PROTO, many(1_000_000, &gpb.Path{})) }, codes.ResourceExhausted},
		{"a million subscriptions", func() error { return subscribe(1_000_000, path("/bgp")) }, codes.ResourceExhausted},
		{"subscriptions to the limit", func() error { return subscribe(maxSubscriptionPaths, path("/bgp")) }, codes.OK},
		{"a million bad deletes", func() error { return set(&gpb.SetRequest{Delete: many(1_000_000, path("/nonsense"))}) }, codes.NotFound},
		{"wildcards without end", func() error { return set(&gpb.SetRequest{Delete: many(1_000_000, path("/.../*"))}) }, codes.ResourceExhausted},
		{"entries without end", func() error {
			return set(&gpb.SetRequest{Delete: many(1_000_000, path(vpn1+"/peers/peer[address=*]"))})
		}, codes.ResourceExhausted},
		{"many updates", func() error {
			u := update("/agent/history/config/size", jsonVal("7"))
			return set(&gpb.SetRequest{Update: slices.Repeat([]*gpb.Update{u}, 20_000)})
		}, codes.OK},
		{"nothing at all", func() error { return set(&gpb.SetRequest{Update: []*gpb.Update{nil}, Delete: nil}) }, codes.InvalidArgument},
		{"no path", func() error { return get([]*gpb.Path{nil}) }, codes.OK},
		{"no subscription", func() error { return subscribe(1, nil) }, codes.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.do()
			if code := status.Code(err); code != tt.want {
				t.Errorf("code %v, want %v: %v", code, tt.want, err)
			}
		})
	}
}
