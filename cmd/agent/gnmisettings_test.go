package main

import (
	"path/filepath"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// gnmi-leaf-list and gnmi-strict reach the server; without them an update
// replaces a leaf-list, and an interval is a hint.
func TestGNMISettings(t *testing.T) {
	targets := &gpb.Path{Elem: []*gpb.PathElem{
		{Name: "vpn-instances"}, {Name: "vpn-instance", Key: map[string]string{"name": "vpn1"}}, {Name: "ipv4-family"}, {Name: "config"}, {Name: "import-route-target"},
	}}
	hinted := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Subscription: []*gpb.Subscription{{Path: targets, SampleInterval: 5e9}},
	}}}
	tests := []struct {
		name  string
		flags []string
		lists string
		code  codes.Code
	}{
		{"by default", nil, `["1:2"]`, codes.OK},
		{"set", []string{"--gnmi-leaf-list", "merge", "--gnmi-strict"}, `["1:1","1:2"]`, codes.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			p := startProcess(t, dir, tt.flags...)
			c := p.dial(t, dir)
			ctx := c.login(t.Context())
			for _, text := range []string{`["1:1"]`, `["1:2"]`} {
				if err := c.set(t.Context(), targets, &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: []byte(text)}}); err != nil {
					t.Fatal(err)
				}
			}
			resp, err := c.gnmi.Get(ctx, &gpb.GetRequest{Path: []*gpb.Path{targets}})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(resp.Notification[0].Update[0].Val.GetJsonVal()); got != tt.lists {
				t.Errorf("the leaf-list is %s, want %s", got, tt.lists)
			}
			s, err := c.gnmi.Subscribe(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(hinted); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); status.Code(err) != tt.code {
				t.Errorf("the subscription ends with %v, want %v", err, tt.code)
			}
		})
	}
}
