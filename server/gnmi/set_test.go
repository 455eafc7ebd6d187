package gnmi

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"mooring/engine/datastore"
	"mooring/engine/plan"
)

const otherPeer = vpn1 + "/peers/peer[address=10.1.1.3]"

// What clients send (section 2 of gnmi.md), and what becomes of it.
func TestSetValues(t *testing.T) {
	scalar := func(text string) *gpb.TypedValue { return textOf[gpb.TypedValue](t, text) }
	const config = thePeer + "/config"
	tests := []struct {
		name  string
		at    string
		val   *gpb.TypedValue
		read  string // path that is read afterwards, "" the same
		value string // in JSON_IETF
	}{
		{"string", config + "/description", jsonVal(`"hello"`), "", `"hello"`},
		{"bare number for a string", config + "/description", jsonVal(`10`), "", `"10"`},
		{"bare number for a string, IETF", config + "/description", ietfVal(`10`), "", `"10"`},
		{"quoted number for a string", config + "/description", jsonVal(`"010"`), "", `"010"`},
		{"number", config + "/as", jsonVal(`65001`), "", `65001`},
		{"number as string", config + "/as", jsonVal(`"65002"`), "", `65002`},
		{"number, IETF", config + "/as", ietfVal(`65003`), "", `65003`},
		{"boolean", config + "/enabled", jsonVal(`false`), "", `false`},
		{"address, canonical", thePeer + "/transport/connect-interface/config/source-address", jsonVal(`"10.1.1.9"`), "", `"10.1.1.9"`},
		{"enum", thePeer + "/transport/config/connect-mode", jsonVal(`"listen-only"`), "", `"listen-only"`},
		{"string_val", config + "/description", scalar(`string_val: "s"`), "", `"s"`},
		{"uint_val", config + "/as", scalar(`uint_val: 65004`), "", `65004`},
		{"int_val for a uint leaf", config + "/as", scalar(`int_val: 65005`), "", `65005`},
		{"bool_val", config + "/enabled", scalar(`bool_val: true`), "", `true`},
		{"string_val for an enum", thePeer + "/transport/config/connect-mode", scalar(`string_val: "both"`), "", `"both"`},
		{"leaflist_val", vpn1 + "/config/listen-address", scalar(`leaflist_val: {element: {string_val: "10.0.0.2"} element: {string_val: "10.0.0.1"}}`), "", `["10.0.0.1","10.0.0.2"]`},
		{"leaf-list, update replaces it (38)", vpn1 + "/config/listen-address", jsonVal(`["10.0.0.7"]`), "", `["10.0.0.7"]`},
		{"subtree merges (33)", config, jsonVal(`{"description":"sub"}`), config + "/as", `65005`},
		{"subtree with module names", thePeer, ietfVal(`{"mooring-bgp:config":{"description":"x"}}`), config + "/description", `"x"`},
		{
			"root merges (33)", "/", ietfVal(`{"mooring-vpn-instance:vpn-instances":{"vpn-instance":[{"name":"vpn1","config":{"description":"r"}}]}}`),
			"/vpn-instances/vpn-instance[name=vpn1]/config/description", `"r"`,
		},
		{"missing parents are made (33)", otherPeer + "/config/as", jsonVal(`7`), otherPeer + "/address", `"10.1.1.3"`},
		{"key in the payload agrees (36)", otherPeer, jsonVal(`{"address":"10.1.1.3","config":{"address":"10.1.1.3"}}`), otherPeer + "/config/as", `7`},
		{"canonical key (12)", vpn1 + "/peers/peer[address=2001:DB8::0:1]/config/as", jsonVal(`8`), vpn1 + "/peers/peer[address=2001:db8::1]/config/as", `8`},
		{"module:name (11)", "/mooring-bgp:bgp/instances/instance[name=default]/config/as", jsonVal(`101`), "/bgp/instances/instance[name=default]/config/as", `101`},
	}
	r := newRig(t).example()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(tt.at, tt.val)}}); err != nil {
				t.Fatal(err)
			}
			at := tt.read
			if at == "" {
				at = tt.at
			}
			if got := r.value(at); got != tt.value {
				t.Errorf("%s is %s, want %s", at, got, tt.value)
			}
		})
	}
}

// gnmi.md 38: an update replaces a leaf-list, or adds to it where the agent is
// told so; a replace and a union_replace replace it in any case.
func TestLeafLists(t *testing.T) {
	const at = vpn1 + "/config/listen-address"
	subtree := update(vpn1, jsonVal(`{"config":{"listen-address":["10.0.0.3"]}}`))
	tests := []struct {
		name  string
		lists LeafLists
		req   *gpb.SetRequest
		want  string
	}{
		{"update", ReplaceLeafLists, &gpb.SetRequest{Update: []*gpb.Update{update(at, jsonVal(`["10.0.0.3"]`))}}, `["10.0.0.3"]`},
		{"update of the subtree", ReplaceLeafLists, &gpb.SetRequest{Update: []*gpb.Update{subtree}}, `["10.0.0.3"]`},
		{"update, merging", MergeLeafLists, &gpb.SetRequest{Update: []*gpb.Update{update(at, jsonVal(`["10.0.0.3","10.0.0.1"]`))}}, `["10.0.0.1","10.0.0.2","10.0.0.3"]`},
		{"update of the subtree, merging", MergeLeafLists, &gpb.SetRequest{Update: []*gpb.Update{subtree}}, `["10.0.0.1","10.0.0.2","10.0.0.3"]`},
		{"scalars, merging", MergeLeafLists, &gpb.SetRequest{Update: []*gpb.Update{update(at, textOf[gpb.TypedValue](t, `leaflist_val: {element: {string_val: "10.0.0.3"}}`))}}, `["10.0.0.1","10.0.0.2","10.0.0.3"]`},
		{"delete and update, merging", MergeLeafLists, &gpb.SetRequest{Delete: []*gpb.Path{path(at)}, Update: []*gpb.Update{subtree}}, `["10.0.0.3"]`},
		{"replace, merging", MergeLeafLists, &gpb.SetRequest{Replace: []*gpb.Update{update(at, jsonVal(`["10.0.0.3"]`))}}, `["10.0.0.3"]`},
		{"union_replace, merging", MergeLeafLists, &gpb.SetRequest{UnionReplace: []*gpb.Update{update(vpn1+"/config", jsonVal(`{"name":"vpn1","listen-address":["10.0.0.3"]}`))}}, `["10.0.0.3"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.LeafLists = tt.lists }).example()
			r.set(&gpb.SetRequest{Update: []*gpb.Update{update(at, jsonVal(`["10.0.0.1","10.0.0.2"]`))}})
			r.set(tt.req)
			if got := r.value(at); got != tt.want {
				t.Errorf("%s is %s, want %s", at, got, tt.want)
			}
		})
	}
}

// gnmi.md 8, 13, 35, 36, 39 to 42, 45, 48: refused, by code, path and reason,
// and nothing has changed.
func TestSetRefused(t *testing.T) {
	const config = thePeer + "/config"
	one := func(at, val string) string { // an update in text form
		return fmt.Sprintf("update: {path: {%s} val: {%s}}", pathProto(at), val)
	}
	tests := []struct {
		name string
		req  string
		code codes.Code
		want []string
	}{
		{"not in the model (41)", one(config+"/colour", `json_val: "1"`), codes.NotFound, []string{"update[0]", config, "colour"}},
		{"replace, not in the model (41)", "replace: {path: {" + pathProto("/nonsense") + `} val: {json_val: "1"}}`, codes.NotFound, []string{"replace[0]", "nonsense"}},
		{"delete, not in the model (37)", "delete: {" + pathProto("/nonsense") + "}", codes.NotFound, []string{"delete[0]", "nonsense"}},
		{"bad key name (41)", one(vpn1+"/peers/peer[ip=10.1.1.2]/config/as", `json_val: "1"`), codes.InvalidArgument, []string{`"ip"`}},
		{"update with * (13)", one(vpn1+"/peers/peer[address=*]/config/as", `json_val: "1"`), codes.InvalidArgument, []string{"keys"}},
		{"update without key (13)", one(vpn1+"/peers/peer/config/as", `json_val: "1"`), codes.InvalidArgument, []string{"keys"}},
		{"update of a list (13)", one(vpn1+"/peers/peer", `json_val: "[]"`), codes.InvalidArgument, []string{"keys"}},
		{"update with ... (13)", one("/.../as", `json_val: "1"`), codes.InvalidArgument, []string{"wildcard"}},
		{"state (42)", one(thePeer+"/state/session-state", `json_val: "\"idle\""`), codes.InvalidArgument, []string{"session-state", "config false"}},
		{"state in the payload (42)", "replace: {path: {" + pathProto(thePeer) + `} val: {json_val: "{\"config\":{\"as\":1},\"state\":{\"as\":1}}"}}`, codes.InvalidArgument, []string{thePeer + "/state"}},
		{"delete of state (42)", "delete: {" + pathProto(thePeer+"/state") + "}", codes.InvalidArgument, []string{thePeer + "/state"}},
		{"element only (8)", `delete: {element: "bgp"}`, codes.InvalidArgument, []string{"delete[0]", "element"}},
		{"element only in the prefix (8)", `prefix: {element: "bgp"} delete: {}`, codes.InvalidArgument, []string{"prefix", "element"}},
		{"module's root (10)", `delete: {origin: "mooring-bgp"}`, codes.InvalidArgument, []string{"mooring-bgp"}},
		{"cli (10)", `update: {path: {origin: "cli"} val: {ascii_val: "x"}}`, codes.Unimplemented, []string{"cli"}},
		{"replace an entry with {} (35)", "replace: {path: {" + pathProto(thePeer) + `} val: {json_val: "{}"}}`, codes.InvalidArgument, []string{"10.1.1.2"}},
		{"null (35)", one(config+"/as", `json_val: "null"`), codes.InvalidArgument, []string{config + "/as"}},
		{"no value (39)", "update: {path: {" + pathProto(config+"/as") + "}}", codes.InvalidArgument, []string{config + "/as", "no value"}},
		{"empty value (39)", one(config+"/as", ""), codes.InvalidArgument, []string{"no value"}},
		{"deprecated value (39)", "update: {path: {" + pathProto(config+"/as") + `} value: {value: "1"}}`, codes.InvalidArgument, []string{"deprecated field value: use val"}},
		{"ascii_val (39)", one(config+"/as", `ascii_val: "1"`), codes.Unimplemented, []string{"ascii_val"}},
		{"proto_bytes (39)", one(config+"/as", `proto_bytes: "1"`), codes.Unimplemented, []string{"proto_bytes"}},
		{"any_val (39)", one(config+"/as", `any_val: {}`), codes.Unimplemented, []string{"any_val"}},
		{"key in the payload contradicts (36)", one(thePeer, `json_val: "{\"address\":\"10.9.9.9\"}"`), codes.InvalidArgument, []string{"10.9.9.9"}},
		{"the key as a leaf contradicts (36)", one(thePeer+"/address", `json_val: "\"10.9.9.9\""`), codes.InvalidArgument, []string{"10.9.9.9"}},
		{"config/<key> contradicts (36)", one(config+"/address", `json_val: "\"10.9.9.9\""`), codes.InvalidArgument, []string{"10.1.1.2"}},
		{"wrong type (40)", one(config+"/enabled", `json_val: "\"perhaps\""`), codes.InvalidArgument, []string{config + "/enabled"}},
		{"range (40)", one(config+"/as", `json_val: "0"`), codes.InvalidArgument, []string{config + "/as"}},
		{"beyond the type (40)", one(config+"/as", `json_val: "18446744073709551615"`), codes.InvalidArgument, []string{config + "/as"}},
		{"negative int_val (40)", one(config+"/as", `int_val: -1`), codes.InvalidArgument, []string{config + "/as"}},
		{"float_val (40)", one(config+"/as", `float_val: 10`), codes.InvalidArgument, []string{config + "/as", "floating"}},
		{"double_val (40)", one(config+"/as", `double_val: 10`), codes.InvalidArgument, []string{"floating"}},
		{"decimal_val (40)", one(config+"/as", `decimal_val: {digits: 10}`), codes.InvalidArgument, []string{"floating"}},
		{"a value of the wrong kind in a leaflist_val (40)", one(vpn1+"/config/listen-address", `leaflist_val: {element: {bool_val: true}}`), codes.InvalidArgument, []string{"listen-address"}},
		{"no value in a leaflist_val (39)", one(vpn1+"/config/listen-address", `leaflist_val: {element: {}}`), codes.InvalidArgument, []string{"no value"}},
		{"bytes_val (40)", one(config+"/as", `bytes_val: "1"`), codes.InvalidArgument, []string{"octets"}},
		{"bool_val for a string (40)", one(config+"/description", `bool_val: true`), codes.InvalidArgument, []string{config + "/description"}},
		{"scalar for a container (40)", one(config, `uint_val: 1`), codes.InvalidArgument, []string{config}},
		{"leaflist_val for a leaf (40)", one(config+"/as", `leaflist_val: {}`), codes.InvalidArgument, []string{config + "/as"}},
		{"pattern (40)", one(thePeer+"/transport/connect-interface/config/source-address", `json_val: "\"10.1.1\""`), codes.InvalidArgument, []string{"source-address", "10.1.1"}},
		{"unknown enum (40)", one(thePeer+"/transport/config/connect-mode", `json_val: "\"sideways\""`), codes.InvalidArgument, []string{"connect-mode", "sideways"}},
		{"unknown field (40)", one(config, `json_val: "{\"colour\":1}"`), codes.InvalidArgument, []string{"colour"}},
		{"wrong module in the payload (40)", one(thePeer, `json_ietf_val: "{\"mooring-agent:config\":{}}"`), codes.InvalidArgument, []string{"mooring-agent"}},
		{"malformed JSON (40)", one(config, `json_val: "{"`), codes.InvalidArgument, []string{"malformed"}},
		{"trailing JSON (40)", one(config+"/as", `json_val: "1 2"`), codes.InvalidArgument, []string{config + "/as"}},
		{"empty JSON (40)", one(config+"/as", `json_val: ""`), codes.InvalidArgument, []string{config + "/as"}},
		{"duplicate member (40)", one(config, `json_val: "{\"as\":1,\"as\":2}"`), codes.InvalidArgument, []string{config, "as"}},
		{"must (45)", one(vpn1+"/peers/peer[address=10.1.1.8]", `json_val: "{}"`), codes.InvalidArgument, []string{"10.1.1.8", "AS number"}},
		{"leafref (45)", one(config+"/peer-group", `json_val: "\"nobody\""`), codes.InvalidArgument, []string{"peer-group"}},
		{"union_replace with others (48)", `union_replace: {} delete: {}`, codes.InvalidArgument, []string{"union_replace"}},
		{"union_replace, cli (51)", `union_replace: {path: {origin: "cli"} val: {ascii_val: "x"}}`, codes.Unimplemented, []string{"union_replace[0]", "cli"}},
		{"union_replace, not in the model (41)", "union_replace: {path: {" + pathProto("/nonsense") + `} val: {json_val: "1"}}`, codes.NotFound, []string{"union_replace[0]", "nonsense"}},
		{
			"union_replace, contradiction (49)", "union_replace: {path: {" + pathProto(config+"/as") + `} val: {uint_val: 7}} union_replace: {path: {` + pathProto(thePeer) + `} val: {json_val: "{\"config\":{\"as\":8}}"}}`,
			codes.InvalidArgument,
			[]string{"union_replace[1]", config + "/as", "union_replace[0]", "7", "8"},
		},
		{"union_replace, bad value (49)", "union_replace: {path: {" + pathProto(config) + `} val: {json_val: "{\"as\":0}"}}`, codes.InvalidArgument, []string{"union_replace[0]", config + "/as"}},
		{"origin twice (9)", `prefix: {origin: "mooring"} delete: {origin: "mooring"}`, codes.InvalidArgument, []string{"origin"}},
	}
	r := newRig(t).example()
	before := r.value("/")
	revision := r.engine.Store().Running().Revision()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.client.Set(r.ctx(), textOf[gpb.SetRequest](t, tt.req))
			wantStatus(t, err, tt.code, tt.want...)
			if len(violations(err)) == 0 {
				t.Errorf("no field violation in %v", err)
			}
			if got := r.engine.Store().Running().Revision(); got != revision {
				t.Errorf("revision %d, was %d", got, revision)
			}
		})
	}
	if got := r.value("/"); got != before {
		t.Errorf("changed:\n%s\nwas\n%s", got, before)
	}
}

// pathProto is a path in text form.
func pathProto(at string) string {
	var b strings.Builder
	for _, e := range path(at).Elem {
		fmt.Fprintf(&b, "elem: {name: %q", e.Name)
		for k, v := range e.Key {
			fmt.Fprintf(&b, " key: {key: %q value: %q}", k, v)
		}
		b.WriteString("} ")
	}
	return b.String()
}

// gnmi.md 29, 32, 34: order, results, and what replace takes away.
func TestSetOrder(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config", jsonVal(`{"description":"old","enabled":false}`))}})
	req := &gpb.SetRequest{
		Prefix: &gpb.Path{Target: "router", Elem: path(vpn1 + "/peers").Elem},
		Update: []*gpb.Update{
			update("/peer[address=10.1.1.2]/config/as", jsonVal("300")),
			update("/peer[address=10.1.1.2]/config/as", jsonVal("301")), // the later one wins
		},
		Replace: []*gpb.Update{update("/peer[address=10.1.1.2]/timers", jsonVal(`{"config":{"hold-time":30}}`))},
		Delete:  []*gpb.Path{path("/peer[address=10.1.1.2]")},
	}
	resp := r.set(req)
	want := &gpb.SetResponse{Prefix: req.Prefix, Timestamp: resp.Timestamp, Response: []*gpb.UpdateResult{
		{Path: req.Delete[0], Op: gpb.UpdateResult_DELETE},
		{Path: req.Replace[0].Path, Op: gpb.UpdateResult_REPLACE},
		{Path: req.Update[0].Path, Op: gpb.UpdateResult_UPDATE},
		{Path: req.Update[1].Path, Op: gpb.UpdateResult_UPDATE},
	}}
	if diff := cmp.Diff(want, resp, protocmp.Transform()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if time.Since(time.Unix(0, resp.Timestamp)) > time.Minute {
		t.Errorf("timestamp %d", resp.Timestamp)
	}
	config := r.get(&gpb.GetRequest{Path: []*gpb.Path{path(thePeer)}, Type: gpb.GetRequest_CONFIG})
	wantLine := thePeer + ` = json {"address":"10.1.1.2","config":{"address":"10.1.1.2","as":301},"timers":{"config":{"hold-time":30}}}`
	if diff := cmp.Diff([]string{wantLine}, texts(config.Notification[0])); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}

	// gnmi.md 34: replace takes away what it does not name, and no siblings.
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(otherPeer+"/config/as", jsonVal("7"))}})
	r.set(&gpb.SetRequest{Replace: []*gpb.Update{update(thePeer+"/config", jsonVal(`{"as":5}`))}})
	if got := r.value(thePeer + "/timers/config/hold-time"); got != "30" {
		t.Errorf("a sibling's hold-time is %s", got)
	}
	r.set(&gpb.SetRequest{Replace: []*gpb.Update{update(vpn1+"/peers", jsonVal(`{"peer":[{"address":"10.1.1.4","config":{"as":9}}]}`))}})
	if got := []string{r.value(thePeer + "/config/as"), r.value(otherPeer + "/config/as"), r.value(vpn1 + "/peers/peer[address=10.1.1.4]/config/as")}; got[0] != "" || got[1] != "" || got[2] != "9" {
		t.Errorf("after the replace of all peers: %q", got)
	}
}

// gnmi.md 37: deletes, with and without wildcards, of what is and is not there.
func TestSetDelete(t *testing.T) {
	tests := []struct {
		name   string
		delete []string
		gone   []string
		left   []string
	}{
		{"nothing there", []string{otherPeer, otherPeer + "/config/description", thePeer + "/timers/config/hold-time"}, nil, []string{thePeer}},
		{"leaf", []string{thePeer + "/config/description"}, []string{thePeer + "/config/description"}, []string{thePeer + "/config/as"}},
		{"leaf of all peers", []string{vpn1 + "/peers/peer[address=*]/config/description"}, []string{thePeer + "/config/description"}, []string{thePeer + "/config/as"}},
		{"secret", []string{thePeer + "/transport/authentication"}, []string{thePeer + "/transport/authentication/config/method"}, []string{thePeer}},
		{"container", []string{thePeer + "/transport/connect-interface"}, []string{thePeer + "/transport/connect-interface/config/source-address"}, []string{thePeer}},
		{"omitted key", []string{vpn1 + "/peers/peer"}, []string{thePeer}, []string{vpn1}},
		{"entry", []string{thePeer}, []string{thePeer}, []string{vpn1}},
		{"elem *", []string{thePeer + "/transport/*"}, []string{thePeer + "/transport/connect-interface/config/source-address"}, []string{thePeer}},
		{"elem ...", []string{"/.../source-address"}, []string{thePeer + "/transport/connect-interface/config/source-address"}, []string{thePeer}},
		{"root", []string{"/"}, []string{thePeer, "/vpn-instances/vpn-instance[name=vpn1]"}, []string{"/vpn-instances/vpn-instance[name=_public_]"}},
		{"one origin's node", []string{"/bgp"}, []string{thePeer}, []string{"/vpn-instances/vpn-instance[name=vpn1]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t).example()
			r.set(&gpb.SetRequest{Update: []*gpb.Update{
				update(thePeer+"/config/description", jsonVal(`"d"`)),
				update(thePeer+"/transport/authentication/config", jsonVal(`{"method":"md5","password":"secret"}`)),
			}})
			req := &gpb.SetRequest{}
			for _, at := range tt.delete {
				req.Delete = append(req.Delete, path(at))
			}
			r.set(req)
			for _, at := range tt.gone {
				if got := r.value(at); got != "" {
					t.Errorf("%s is still there: %s", at, got)
				}
			}
			for _, at := range tt.left {
				if r.value(at) == "" {
					t.Errorf("%s is gone", at)
				}
			}
		})
	}
}

// gnmi.md 30, 34: the empty request and the empty configuration.
func TestSetEmpty(t *testing.T) {
	r := newRig(t).example()
	resp := r.set(&gpb.SetRequest{Prefix: &gpb.Path{Target: "x"}})
	if len(resp.Response) != 0 || resp.Prefix.GetTarget() != "x" {
		t.Errorf("answer %v", resp)
	}
	if r.value(thePeer) == "" {
		t.Fatal("an empty request has deleted something")
	}
	r.set(&gpb.SetRequest{Replace: []*gpb.Update{update("/", jsonVal("{}"))}})
	if got := r.value("/bgp"); got != "{}" {
		t.Errorf("after replace of the root with {}: %s", got)
	}
}

// gnmi.md 44: the code of the first, and all in the details.
func TestSetTellsAllFaults(t *testing.T) {
	r := newRig(t).example()
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{
		update(thePeer+"/config/as", jsonVal(`"x"`)),
		update(thePeer+"/config/description", jsonVal(`"fine"`)),
		update(thePeer+"/config/enabled", jsonVal("7")),
	}})
	wantStatus(t, err, codes.InvalidArgument, "update[0]: "+thePeer+"/config/as", "and 1 more")
	if diff := cmp.Diff([]string{thePeer + "/config/as", thePeer + "/config/enabled"}, violations(err)); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	_, err = r.client.Set(r.ctx(), &gpb.SetRequest{
		Delete: []*gpb.Path{path("/nonsense")},
		Update: []*gpb.Update{update(vpn1+"/peers/peer", jsonVal("1"))},
	})
	wantStatus(t, err, codes.NotFound, "delete[0]")
	if len(violations(err)) != 2 {
		t.Errorf("violations %v", violations(err))
	}
}

// gnmi.md 31, 44, 46: what fails in the engine, and what is left of it.
func TestSetFails(t *testing.T) {
	r := newRig(t).example()
	sub := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, thePeer+"/config/description")
	sub.untilSync()
	before := r.value("/bgp")
	change := func() error {
		_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{
			update(thePeer+"/config", jsonVal(`{"description":"no","as":999}`)),
		}})
		return err
	}
	refuse := func(s plan.Step) error {
		if s.Peer.Address.IsValid() {
			return errors.New("the speaker says no")
		}
		return nil
	}
	r.backend.FailPrepare(refuse)
	wantStatus(t, change(), codes.FailedPrecondition, thePeer, "the speaker says no")
	r.backend.FailPrepare(nil)

	r.backend.FailApply(refuse)
	wantStatus(t, change(), codes.Aborted, thePeer, "the speaker says no", "undone")
	r.backend.FailApply(nil)

	holder := datastore.Holder{Session: 7, Protocol: "netconf"}
	if err := r.engine.Store().Lock(datastore.DatastoreRunning, holder); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, change(), codes.FailedPrecondition, "locked", "netconf session 7")
	r.engine.Store().ReleaseAll(holder)

	// A client that has given up before the commit: asked of the server itself,
	// since gRPC would not send such a request.
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err := r.server.Set(late, &gpb.SetRequest{Delete: []*gpb.Path{path("/bgp")}})
	wantStatus(t, err, codes.DeadlineExceeded, "nothing has changed")
	gone, leave := context.WithCancel(t.Context())
	leaving := New(Config{Log: r.server.log, Engine: deposing{Engine: r.engine, depose: leave}}) // while the request waits for its turn
	_, err = leaving.Set(gone, &gpb.SetRequest{Delete: []*gpb.Path{path("/bgp")}})
	wantStatus(t, err, codes.Canceled, "nothing has changed")

	if got := r.value("/bgp"); got != before {
		t.Errorf("changed:\n%s\nwas\n%s", got, before)
	}
	if err := change(); err != nil {
		t.Fatal(err)
	}
	// The only notification is that of the change that succeeded.
	if got := texts(sub.next().GetUpdate()); len(got) != 1 || got[0] != thePeer+`/config/description = json "no"` {
		t.Errorf("told %v", got)
	}
}

// gnmi.md 17, 46: Sets serialise, and a Get sees all of one or nothing of it.
func TestConcurrency(t *testing.T) {
	r := newRig(t).example()
	const writers, rounds = 4, 15
	pair := func(n int) *gpb.SetRequest {
		v := jsonVal(fmt.Sprint(n))
		return &gpb.SetRequest{Update: []*gpb.Update{
			update("/bgp/instances/instance[name=default]/config/as", v), update(thePeer+"/config/as", v),
		}}
	}
	r.set(pair(1))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				if _, err := r.client.Set(r.ctx(), pair(1000*(w+1)+i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		resp := r.get(&gpb.GetRequest{Path: []*gpb.Path{path("/bgp/instances/instance[name=default]/config/as"), path(thePeer + "/config/as")}})
		a, b := valueText(resp.Notification[0].Update[0].Val), valueText(resp.Notification[1].Update[0].Val)
		if a != b || resp.Notification[0].Timestamp != resp.Notification[1].Timestamp {
			t.Fatalf("two instants in one answer: %s and %s", a, b)
		}
	}
	if got := r.engine.Store().Running().Revision(); got != 2+writers*rounds {
		t.Errorf("revision %d, want %d", got, 2+writers*rounds)
	}
}

// gnmi.md 17: the configuration and the state that one path leads to are of one
// instant, here the revision that a peer tells and the history of the agent.
func TestGetOneInstant(t *testing.T) {
	r := newRig(t).example()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			next := fmt.Sprint(r.engine.Store().Running().Revision() + 1)
			if _, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"`+next+`"`))}}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	ofPeer, ofCommit := regexp.MustCompile(`"description": ?"(\d+)"`), regexp.MustCompile(`"revision": ?"(\d+)"`)
	for told := map[int]bool{}; len(told) < 10; {
		resp := r.get(&gpb.GetRequest{Path: []*gpb.Path{path("/")}, Encoding: gpb.Encoding_JSON_IETF})
		text := string(resp.Notification[0].Update[0].Val.GetJsonIetfVal())
		revisions := func(leaf *regexp.Regexp) (highest int) {
			for _, m := range leaf.FindAllStringSubmatch(text, -1) {
				n, err := strconv.Atoi(m[1])
				if err != nil {
					t.Fatal(err)
				}
				highest = max(highest, n)
			}
			return highest
		}
		peer, newest := revisions(ofPeer), revisions(ofCommit)
		if peer != newest && peer != 0 { // 0: before the first Set
			t.Fatalf("the peer is of revision %d, the history of %d", peer, newest)
		}
		told[peer] = true
	}
}

// One Set is at most one reset, and who asked for it is in the history.
func TestSetResetsOnce(t *testing.T) {
	r := newRig(t).example()
	ceases := r.backend.TotalCeases()
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(thePeer+"/transport/connect-interface/config/source-address", jsonVal(`"10.1.1.9"`)),
		update(thePeer+"/transport/config", jsonVal(`{"tcp-mss":1000,"remote-port":1179}`)),
		update(thePeer+"/config/description", jsonVal(`"both"`)),
	}})
	if got := r.backend.TotalCeases() - ceases; got != 1 {
		t.Errorf("%d ceases, want 1", got)
	}
	history := r.engine.Store().History()
	last := history[len(history)-1]
	if last.User != testUser || last.Protocol != "gnmi" || last.SourceHost != "127.0.0.1" {
		t.Errorf("history says %+v", last)
	}
}

// gnmi.md 109: a Set returns when it is committed; the session comes up in its
// own time.
func TestSetDoesNotWait(t *testing.T) {
	r := newRig(t).example()
	r.backend.Hold() // a session that ends stays down
	r.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/transport/connect-interface/config/source-address", jsonVal(`"10.1.1.9"`))}})
	// The Set has answered while the session is down and stays so.
	eventually(t, "the end of the session", func() bool { return r.value(thePeer+"/state/session-state") != `"established"` })
	r.backend.Release()
	eventually(t, "the session", func() bool { return r.value(thePeer+"/state/session-state") == `"established"` })
}
