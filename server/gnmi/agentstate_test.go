package gnmi

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// The state of the agent tells of those who listen, as long as they do.
func TestListenersInState(t *testing.T) {
	r := newRig(t).example()
	if got := r.value("/agent/subscriptions"); got != "{}" {
		t.Errorf("nobody listens: %s", got)
	}
	for mode, list := range map[string]string{
		"stream": `mode: STREAM subscription {path {elem {name: "bgp"}}} subscription {path {elem {name: "vpn-instances"}}}`,
		"poll":   `mode: POLL subscription {path {elem {name: "bgp"}}} subscription {path {elem {name: "vpn-instances"}}}`,
	} {
		ctx, cancel := context.WithCancel(r.ctx())
		defer cancel()
		stream, err := r.client.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: textOf[gpb.SubscriptionList](t, list)}}); err != nil {
			t.Fatal(err)
		}
		for synced := false; !synced; {
			resp, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			synced = resp.GetSyncResponse()
		}
		var got struct {
			Subscription []struct {
				Protocol, User, Client, Mode string
				Paths                        int
				Since                        time.Time
			} `json:"mooring-agent:subscription"`
		}
		if text := r.value("/agent/subscriptions"); json.Unmarshal([]byte(text), &got) != nil || len(got.Subscription) != 1 {
			t.Fatalf("%s: %s", mode, text)
		}
		s := got.Subscription[0]
		if s.Protocol != "gnmi" || s.User != "alice" || s.Client == "" || s.Mode != mode || s.Paths != 2 || time.Since(s.Since) > time.Minute {
			t.Errorf("%s: %+v", mode, s)
		}
		cancel()
		eventually(t, "the end", func() bool { return r.value("/agent/subscriptions") == "{}" })
	}
}

// gnmi.md 86: the state of the agent tells of the confirmed commit that waits,
// without the identifier that confirms it.
func TestPendingCommitInState(t *testing.T) {
	r := newRig(t).example()
	if got := r.value("/agent/confirmed-commit"); got != "{}" {
		t.Errorf("nothing waits: %s", got)
	}
	r.set(&gpb.SetRequest{Update: move("10.1.1.9"), Extension: commitExt(t, `id: "my-word" commit {}`)})
	text := r.value("/agent/confirmed-commit")
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for leaf, want := range map[string]any{"commit-id": "2", "user": "alice", "protocol": "gnmi", "persistent": true} {
		if got["mooring-agent:"+leaf] != want {
			t.Errorf("%s is %v, want %v", leaf, got["mooring-agent:"+leaf], want)
		}
	}
	if left, _ := got["mooring-agent:timeout-left"].(float64); left < 500 || left > 600 || got["mooring-agent:rollback-time"] == nil || len(got) != 6 {
		t.Errorf("%s", text)
	}
	r.set(&gpb.SetRequest{Extension: commitExt(t, `id: "my-word" confirm {}`)})
	if got := r.value("/agent/confirmed-commit"); got != "{}" {
		t.Errorf("confirmed: %s", got)
	}
}
