package gnmi

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
)

const (
	ocProtocol = "/network-instances/network-instance[name=vpn1]/protocols/protocol[identifier=BGP][name=default]"
	ocNeighbor = ocProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.1.1.2]"
)

// ocPath is a path as ygnmi sends it: the origin in the path.
func ocPath(text string) *gpb.Path {
	p := path(text)
	p.Origin = originOpenConfig
	return p
}

// dut is the prefix that ygnmi sends.
func dut() *gpb.Path { return &gpb.Path{Target: "dut"} }

// ocWatch subscribes as ygnmi does: the target in the prefix, the origin in
// each path, and its side closed at once (gnmi.md 64).
func (r *rig) ocWatch(mode gpb.SubscriptionList_Mode, sub gpb.SubscriptionMode, enc gpb.Encoding, paths ...string) *stream {
	r.Helper()
	list := &gpb.SubscriptionList{Prefix: dut(), Mode: mode, Encoding: enc}
	for _, p := range paths {
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: ocPath(p), Mode: sub})
	}
	s := r.open(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}})
	if err := s.CloseSend(); err != nil {
		r.Fatal(err)
	}
	return s
}

// spaceless takes out the spaces that prototext puts in at random.
func spaceless(lines []string) []string {
	for i, l := range lines {
		at, v, _ := strings.Cut(l, " = ")
		lines[i] = at + " = " + strings.ReplaceAll(v, " ", "")
	}
	return lines
}

// The whole way of a typed client: the configuration as ygot marshals it, read
// back by ONCE, the state of the session, and what a delete leaves (gnmi.md 9,
// 45, 64, 65).
func TestOpenConfigClient(t *testing.T) {
	r := newRig(t)
	resp := r.set(&gpb.SetRequest{Prefix: dut(), Replace: []*gpb.Update{{Path: ocPath("/network-instances/network-instance[name=vpn1]"), Val: ietfVal(`{
	  "openconfig-network-instance:config": {"name": "vpn1", "type": "openconfig-network-instance-types:L3VRF"},
	  "openconfig-network-instance:name": "vpn1",
	  "openconfig-network-instance:protocols": {"protocol": [{
	    "bgp": {
	      "global": {"config": {"as": 100}},
	      "neighbors": {"neighbor": [{
	        "config": {"neighbor-address": "10.1.1.2", "peer-as": 200},
	        "neighbor-address": "10.1.1.2",
	        "transport": {"config": {"local-address": "10.1.1.1"}}}]}},
	    "config": {"identifier": "openconfig-policy-types:BGP", "name": "default"},
	    "identifier": "openconfig-policy-types:BGP",
	    "name": "default"}]}}`)}}})
	if resp.GetPrefix().GetTarget() != "dut" || resp.Response[0].Path.Origin != originOpenConfig {
		t.Errorf("the answer is %v", resp)
	}
	eventually(t, "the session", func() bool { return r.value(thePeer+"/state/session-state") == `"established"` })
	if got := r.value(thePeer + "/transport/connect-interface/config"); got != `{"mooring-bgp:source-address":"10.1.1.1"}` {
		t.Errorf("natively the source is %s", got)
	}

	s := r.ocWatch(gpb.SubscriptionList_ONCE, gpb.SubscriptionMode_TARGET_DEFINED, gpb.Encoding_PROTO, ocProtocol+"/bgp/neighbors/neighbor/state/session-state", ocNeighbor+"/config/peer-as")
	all, err := s.all()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range all {
		n := m.GetUpdate()
		if n == nil {
			continue
		}
		if len(n.Delete) > 0 || n.Prefix.GetTarget() != "dut" || n.Prefix.GetOrigin() != originOpenConfig {
			t.Errorf("notification %v", n)
		}
		lines = append(lines, texts(n)...)
	}
	slices.Sort(lines)
	want := []string{ocNeighbor + "/config/peer-as = uint_val:200", ocNeighbor + `/state/session-state = string_val:"ESTABLISHED"`}
	if diff := cmp.Diff(want, spaceless(lines)); diff != "" {
		t.Errorf("ONCE (-want +got):\n%s", diff)
	}
	if !all[len(all)-1].GetSyncResponse() {
		t.Error("ONCE ends without a sync_response")
	}

	r.set(&gpb.SetRequest{Prefix: dut(), Delete: []*gpb.Path{ocPath(ocNeighbor)}})
	if got := r.value(thePeer + "/config"); got != "" {
		t.Errorf("after the delete there is %s", got)
	}
}

// Both origins show one store; without an origin the first element decides;
// answers carry the origin of the request (gnmi.md 9, 16, 20, 22, 23).
func TestOpenConfigGet(t *testing.T) {
	r := newRig(t).example()
	get := func(p *gpb.Path, enc gpb.Encoding) *gpb.Notification {
		return r.get(&gpb.GetRequest{Path: []*gpb.Path{p}, Encoding: enc, Type: gpb.GetRequest_CONFIG}).Notification[0]
	}
	const config = `{"openconfig-network-instance:neighbor-address":"10.1.1.2","openconfig-network-instance:peer-as":200}`
	for name, p := range map[string]*gpb.Path{"openconfig": ocPath(ocNeighbor + "/config"), "": path(ocNeighbor + "/config")} {
		n := get(p, gpb.Encoding_JSON_IETF)
		if got := string(n.Update[0].Val.GetJsonIetfVal()); got != config || n.Update[0].Path.Origin != name {
			t.Errorf("origin %q: %s at %v", name, got, n.Update[0].Path)
		}
	}
	root := get(ocPath("/"), gpb.Encoding_JSON).Update[0]
	if len(root.Path.Elem) != 0 || !strings.HasPrefix(string(root.Val.GetJsonVal()), `{"network-instances":{"network-instance":[{"name":"DEFAULT"`) {
		t.Errorf("the root: %v", root)
	}
	if n := get(ocPath("/"), gpb.Encoding_PROTO); len(n.Update) < 10 {
		t.Errorf("the root in PROTO has %d leaves", len(n.Update))
	}
	wild := get(ocPath(ocProtocol+"/bgp/neighbors/neighbor/config/peer-as"), gpb.Encoding_JSON)
	if len(wild.Update) != 1 || string(wild.Update[0].Val.GetJsonVal()) != "200" || pathText(nil, wild.Update[0].Path) != ocNeighbor+"/config/peer-as" {
		t.Errorf("wildcard: %v", wild)
	}
	if n := get(path("/"), gpb.Encoding_JSON); strings.Contains(string(n.Update[0].Val.GetJsonVal()), "network-instances") {
		t.Error("the root without an origin shows OpenConfig")
	}
	// gnmi.md 25
	models := []*gpb.ModelData{{Name: "openconfig-bgp"}}
	r.get(&gpb.GetRequest{Path: []*gpb.Path{ocPath(ocNeighbor)}, UseModels: models})
	_, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(thePeer)}, UseModels: models})
	wantStatus(t, err, codes.Unimplemented, "use_models")

	for _, tt := range []struct {
		path string
		code codes.Code
		want string
	}{
		{ocNeighbor + "/route-reflector", codes.Unimplemented, "no place"},
		{ocProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.9.9.9]", codes.NotFound, "no such data"},
		{ocProtocol + "/bgp/neighbors/neighbor[neighbor-address=x]", codes.InvalidArgument, "x"},
		{ocNeighbor + "/config/auth-password", codes.NotFound, "no such data"},
	} {
		_, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{ocPath(tt.path)}})
		if tt.code != codes.Unimplemented {
			wantStatus(t, err, tt.code, tt.want)
		} else {
			wantStatus(t, err, tt.code, "route-reflector")
		}
	}
}

// A Set of both origins is one transaction, in order; what OpenConfig cannot
// say stays; what has no place is refused by its path (gnmi.md 31, 40, 41, 45).
func TestOpenConfigSet(t *testing.T) {
	r := newRig(t).example()
	native := path(thePeer + "/transport/config/dscp")
	native.Origin = originNative
	r.set(&gpb.SetRequest{
		Replace: []*gpb.Update{
			{Path: native, Val: jsonVal("46")},
			{Path: ocPath(ocNeighbor), Val: ietfVal(`{"config":{"peer-as":200,"description":"by OpenConfig"}}`)},
		},
		Update: []*gpb.Update{{Path: ocPath(ocNeighbor + "/timers/config/hold-time"), Val: jsonVal("90")}},
	})
	want := `{"mooring-bgp:address":"10.1.1.2","mooring-bgp:config":{"address":"10.1.1.2","description":"by OpenConfig","as":200},` +
		`"mooring-bgp:transport":{"config":{"dscp":46}},"mooring-bgp:timers":{"config":{"hold-time":90}}}`
	got := r.get(&gpb.GetRequest{Path: []*gpb.Path{path(thePeer)}, Encoding: gpb.Encoding_JSON_IETF, Type: gpb.GetRequest_CONFIG}).Notification[0].Update[0].Val.GetJsonIetfVal()
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the peer (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		path, value string
		code        codes.Code
		want        []string
	}{
		{ocNeighbor, `{"config":{"peer-as":0}}`, codes.InvalidArgument, []string{"update[0]", ocNeighbor + "/config/peer-as"}},
		{ocNeighbor, `{"apply-policy":{"config":{}}}`, codes.InvalidArgument, []string{"apply-policy"}},
		{ocNeighbor + "/apply-policy", `{}`, codes.NotFound, []string{"apply-policy"}},
		{ocNeighbor + "/state/peer-as", `1`, codes.InvalidArgument, []string{"config false"}},
		{ocProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.1.1.7]", `{"config":{"description":"no AS"}}`, codes.InvalidArgument, []string{"10.1.1.7", "AS number"}},
	} {
		_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: []*gpb.Update{{Path: ocPath(tt.path), Val: ietfVal(tt.value)}}})
		wantStatus(t, err, tt.code, tt.want...)
	}
	// What is wrong with one origin takes back what the other has done.
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{
		Delete: []*gpb.Path{native}, Update: []*gpb.Update{{Path: ocPath(ocNeighbor + "/config/peer-as"), Val: jsonVal("0")}},
	})
	wantStatus(t, err, codes.InvalidArgument, ocNeighbor+"/config/peer-as")
	if got := r.value(thePeer + "/transport/config/dscp"); got != "46" {
		t.Errorf("dscp is %q", got)
	}
}

// union_replace of both origins: OpenConfig first, then the native model; a
// contradiction names both, agreement is none (gnmi.md 49, 50).
func TestOpenConfigUnionReplace(t *testing.T) {
	r := newRig(t).example()
	oc := &gpb.Update{Path: ocPath(ocNeighbor), Val: ietfVal(`{"config":{"peer-as":200},"timers":{"config":{"hold-time":90}}}`)}
	native := func(text string) *gpb.Update { return update(thePeer+"/transport", jsonVal(text)) }
	r.set(&gpb.SetRequest{UnionReplace: []*gpb.Update{
		native(`{"config":{"dscp":46},"connect-interface":{"config":{"source-address":"10.1.1.1"}}}`), oc,
		update(thePeer+"/config/as", jsonVal("200")), // agrees
	}})
	want := `{"mooring-bgp:config":{"dscp":46},"mooring-bgp:connect-interface":{"config":{"source-address":"10.1.1.1"}}}`
	got := r.get(&gpb.GetRequest{Path: []*gpb.Path{path(thePeer + "/transport")}, Encoding: gpb.Encoding_JSON_IETF, Type: gpb.GetRequest_CONFIG}).Notification[0].Update[0].Val.GetJsonIetfVal()
	if string(got) != want || r.value(thePeer+"/timers/config/hold-time") != "90" {
		t.Errorf("transport %s, hold time %s", got, r.value(thePeer+"/timers/config/hold-time"))
	}
	// A default of either model contradicts nothing: the explicit value wins.
	r.set(&gpb.SetRequest{UnionReplace: []*gpb.Update{oc, update(thePeer+"/config/enabled", jsonVal("false"))}})
	if got := r.value(ocNeighbor + "/config/enabled"); got != "false" {
		t.Errorf("enabled is %s", got)
	}
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{UnionReplace: []*gpb.Update{oc, update(thePeer+"/config/as", jsonVal("300"))}})
	wantStatus(t, err, codes.InvalidArgument, "union_replace[1]", "union_replace[0]", thePeer+"/config/as", "300", "200")
}

// ON_CHANGE through the view, whoever writes in which tree (gnmi.md 69, 77,
// 78, 82); TARGET_DEFINED samples only what counts (gnmi.md 74).
func TestOpenConfigStream(t *testing.T) {
	r := newRig(t).example()
	s := r.ocWatch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_TARGET_DEFINED, gpb.Encoding_JSON_IETF, ocProtocol+"/bgp/neighbors/neighbor[neighbor-address=*]")
	if initial := allTexts(s.untilSync()); !slices.ContainsFunc(initial, func(l string) bool { return strings.Contains(l, "ESTABLISHED") }) {
		t.Errorf("initial values: %q", initial)
	}
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		update(thePeer+"/config/description", jsonVal(`"d"`)),
		update(thePeer+"/timers/config/connect-retry", jsonVal("5")),
	}})
	lines := s.until("config/description", "config/connect-retry", "state/description")
	for _, l := range lines {
		if strings.Contains(l, "peer-as") {
			t.Errorf("unchanged, but told: %s", l)
		}
	}
	r.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer + "/config/description")}})
	s.until(ocNeighbor+"/config/description deleted", ocNeighbor+"/state/description deleted")
	r.set(&gpb.SetRequest{Update: []*gpb.Update{
		{Path: ocPath(ocProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.1.1.3]/config/peer-as"), Val: jsonVal("300")},
		{Path: ocPath(ocProtocol + "/bgp/neighbors/neighbor[neighbor-address=10.1.1.3]/afi-safis/afi-safi[afi-safi-name=IPV6_UNICAST]/config/enabled"), Val: jsonVal("true")},
	}})
	s.until("10.1.1.3]/neighbor-address", "10.1.1.3]/config/peer-as = ietf 300", `[afi-safi-name=IPV6_UNICAST]/config/afi-safi-name = ietf "openconfig-bgp-types:IPV6_UNICAST"`)
	r.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer)}})
	for {
		n := s.next().GetUpdate()
		if len(n.GetDelete()) == 0 || len(n.GetPrefix().GetElem()) > 0 {
			continue // what the end of the session changes
		}
		if n.Prefix.GetOrigin() != originOpenConfig || pathText(nil, n.Delete[0]) != ocNeighbor {
			t.Errorf("the delete is %v", n)
		}
		break
	}
}
