package gnmi

import (
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
)

// An unknown name in a path, a payload, the OpenConfig view or an operation is
// answered with the one that exists.
func TestNearestNames(t *testing.T) {
	r := newRig(t).example()
	for _, tt := range []struct {
		name string
		req  *gpb.SetRequest
		code codes.Code
		want string
	}{
		{"path", &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/transport/connect-interface/config/source-addr", stringVal("10.1.1.9"))}}, codes.NotFound, `there is no "source-addr" in config: did you mean source-address?`},
		{"delete", &gpb.SetRequest{Delete: []*gpb.Path{path(thePeer + "/timer")}}, codes.NotFound, "did you mean timers?"},
		{"further down", &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/hold-time", jsonVal("30"))}}, codes.NotFound, "did you mean timers/config/hold-time?"},
		{"JSON", &gpb.SetRequest{Update: []*gpb.Update{update(thePeer, jsonVal(`{"config":{"descripti-on":"x"}}`))}}, codes.InvalidArgument, "did you mean description?"},
		{"key", &gpb.SetRequest{Delete: []*gpb.Path{path(vpn1 + "/peers/peer[addess=10.1.1.2]")}}, codes.InvalidArgument, "did you mean address?"},
		{"OpenConfig path", &gpb.SetRequest{Update: []*gpb.Update{update(ocNeighbor+"/config/descripti-on", stringVal("x"))}}, codes.NotFound, "did you mean description?"},
		{"OpenConfig JSON", &gpb.SetRequest{Update: []*gpb.Update{update(ocNeighbor+"/config", jsonVal(`{"peer-az":200}`))}}, codes.InvalidArgument, "did you mean peer-as?"},
		{"operation", &gpb.SetRequest{Update: []*gpb.Update{invocationOf("reset_peer", `{}`)}}, codes.NotFound, "did you mean reset-peer?"},
		{"input", &gpb.SetRequest{Update: []*gpb.Update{invocationOf("rollback", `{"commit":"1"}`)}}, codes.InvalidArgument, "operations:/rollback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.client.Set(r.ctx(), tt.req)
			wantStatus(t, err, tt.code, tt.want)
		})
	}
	_, err := r.client.Get(r.ctx(), &gpb.GetRequest{Path: []*gpb.Path{path(thePeer + "/state/session-stat")}})
	wantStatus(t, err, codes.Unimplemented, "did you mean session-state?")
}
