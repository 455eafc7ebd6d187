package gnmi

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"mooring/engine/plan"
)

// gnmi.md 51: what the paths name becomes what the values say together,
// whatever their order; everything else stays.
func TestUnionReplace(t *testing.T) {
	const groups = vpn1 + "/peer-groups"
	parts := []*gpb.Update{
		update(vpn1+"/peers", jsonVal(`{"peer":[{"address":"10.1.1.3","config":{"as":300}}]}`)),
		update(otherPeer+"/config/description", stringVal("by a leaf")),
		update(otherPeer+"/config", jsonVal(`{"as":300,"enabled":true}`)), // agrees with the first
		update(otherPeer+"/timers/config", jsonVal(`{"hold-time":30,"keepalive-interval":10}`)),
		update(groups, jsonVal(`{"peer-group":[{"name":"a"}]}`)),
		update(groups, jsonVal(`{"peer-group":[{"name":"b"}]}`)), // the same node twice: both count
	}
	want := `{"config":{"name":"vpn1","listen-port":1179},` +
		`"peer-groups":{"peer-group":[{"name":"a","config":{"name":"a"}},{"name":"b","config":{"name":"b"}}]},` +
		`"peers":{"peer":[{"address":"10.1.1.3","config":{"address":"10.1.1.3","description":"by a leaf","enabled":true,"as":300},"timers":{"config":{"hold-time":30,"keepalive-interval":10}}}]}}`
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {1, 4, 0, 3, 5, 2}} {
		r := newRig(t).example()
		r.set(&gpb.SetRequest{Update: []*gpb.Update{
			update(vpn1+"/config/listen-port", jsonVal("1179")), // no path names it
			update(otherPeer, jsonVal(`{"config":{"as":1},"transport":{"config":{"dscp":1}}}`)),
			update(groups+"/peer-group[name=old]/config/as", jsonVal("5")),
		}})
		req := &gpb.SetRequest{}
		for _, i := range order {
			req.UnionReplace = append(req.UnionReplace, parts[i])
		}
		resp := r.set(req)
		for i, res := range resp.Response { // gnmi.md 32
			if res.Op != gpb.UpdateResult_UNION_REPLACE || pathText(nil, res.Path) != pathText(nil, req.UnionReplace[i].Path) {
				t.Errorf("result %d is %v", i, res)
			}
		}
		got := r.get(&gpb.GetRequest{Path: []*gpb.Path{path(vpn1)}, Type: gpb.GetRequest_CONFIG}).Notification[0].Update[0].Val.GetJsonVal()
		if diff := cmp.Diff(`{"name":"vpn1",`+want[1:], string(got)); diff != "" {
			t.Errorf("order %v (-want +got):\n%s", order, diff)
		}
		// gnmi.md 52: the same once more is nothing at all.
		revision, ceases := r.engine.Store().Running().Revision(), r.backend.TotalCeases()
		slices.Reverse(req.UnionReplace)
		r.set(req)
		if got := r.engine.Store().Running().Revision(); got != revision || r.backend.TotalCeases() != ceases {
			t.Errorf("the same again: revision %d, was %d; %d ceases more", got, revision, r.backend.TotalCeases()-ceases)
		}
	}
}

// gnmi.md 49: the root, a value beside its default, and a failure on the way.
func TestUnionReplaceRoot(t *testing.T) {
	r := newRig(t).example()
	r.set(&gpb.SetRequest{UnionReplace: []*gpb.Update{
		update("/", ietfVal(`{"mooring-bgp:bgp":{"instances":{"instance":[{"name":"only","config":{"as":65000}}]}}}`)),
		update("/bgp/instances/instance[name=only]/config/reset-policy", stringVal("always")), // the default is minimal (49)
	}})
	got := r.get(&gpb.GetRequest{Path: []*gpb.Path{path("/bgp")}, Type: gpb.GetRequest_CONFIG}).Notification[0].Update[0].Val.GetJsonVal()
	want := `{"instances":{"instance":[{"name":"only","config":{"name":"only","as":65000,"reset-policy":"always"}}]}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("bgp (-want +got):\n%s", diff)
	}

	r = newRig(t).example()
	before := r.value(thePeer + "/config")
	r.backend.FailApply(func(plan.Step) error { return errors.New("broken") })
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{UnionReplace: []*gpb.Update{update(thePeer+"/config", jsonVal(`{"as":201}`))}})
	wantStatus(t, err, codes.Internal, "broken")
	if got := r.value(thePeer + "/config"); got != before {
		t.Errorf("changed to %s", got)
	}
}

// gnmi.md 49: values of every kind of node contradict each other where they
// differ, and a secret is not shown for it; the same value twice is none.
func TestUnionReplaceContradictions(t *testing.T) {
	const (
		family   = thePeer + "/afi-safis/afi-safi[name=vpnv4-unicast]/config/enabled"
		families = `{"afi-safi":[{"name":"vpnv4-unicast","config":{"enabled":true}},{"name":"ipv4-unicast","config":{"enabled":true}}]}`
		secret   = thePeer + "/transport/authentication/config"
		listen   = vpn1 + "/config/listen-address"
	)
	tests := []struct {
		name, first, value, second, other string
		at, reason                        string // "" for none
	}{
		{"leaf", thePeer + "/config", `{"as":200,"description":"a"}`, thePeer + "/config/description", `"b"`, thePeer + "/config/description", `"b" contradicts "a" of union_replace[0]`},
		{"leaf-list", vpn1 + "/config", `{"name":"vpn1","listen-address":["10.0.0.1","10.0.0.2"]}`, listen, `["10.0.0.1"]`, listen, `"10.0.0.1" contradicts "10.0.0.1 10.0.0.2"`},
		{"leaf-list, the same", vpn1 + "/config", `{"name":"vpn1","listen-address":["10.0.0.1","10.0.0.2"]}`, listen, `["10.0.0.1","10.0.0.2"]`, "", ""},
		{"in a list entry", thePeer + "/afi-safis", families, family, "false", family, `"false" contradicts "true"`},
		{"in a list entry, the same", thePeer + "/afi-safis", families, family, "true", "", ""},
		{"a secret", secret, `{"method":"md5","password":"hunter2"}`, secret + "/password", `"hunter3"`, secret + "/password", "a secret contradicts another one"},
		{"a secret, the same", secret, `{"method":"md5","password":"hunter2"}`, secret + "/password", `"hunter2"`, "", ""},
		{"below the root", "/", `{"bgp":{"instances":{"instance":[{"name":"default","config":{"as":100}}]}}}`, "/bgp/instances/instance[name=default]/config/as", "101", "/bgp/instances/instance[name=default]/config/as", `"101" contradicts "100"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t).example()
			_, err := r.client.Set(r.ctx(), &gpb.SetRequest{UnionReplace: []*gpb.Update{update(tt.first, jsonVal(tt.value)), update(tt.second, jsonVal(tt.other))}})
			if tt.reason == "" {
				wantStatus(t, err, codes.OK)
				return
			}
			wantStatus(t, err, codes.InvalidArgument, "union_replace[1]", tt.at, tt.reason)
			if strings.Contains(prototextOf(err), "hunter") {
				t.Errorf("the message has the secret: %v", err)
			}
		})
	}
}
