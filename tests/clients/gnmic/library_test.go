package main

import (
	"context"
	"strings"
	"testing"

	"github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/openconfig/gnmic/pkg/api/target"
)

// dial makes a target of gnmic's client library.
func (a *agent) dial() *target.Target {
	a.t.Helper()
	t, err := api.NewTarget(api.Name("dut"), api.Address(a.addr), api.Username("admin"), api.Password(password), api.TLSCA(a.ca))
	if err != nil {
		a.t.Fatal(err)
	}
	if err := t.CreateGNMIClient(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = t.Close() })
	return t
}

// The library as other programs use it, and POLL, which the command asks for at
// its prompt only.
func TestLibrary(t *testing.T) {
	a := start(t)
	a.run("set", "--update-path", "/", "--update-file", example)
	dut := a.dial()
	caps, err := dut.Capabilities(t.Context())
	if err != nil || caps.GetGNMIVersion() != "0.10.0" {
		t.Fatalf("%v, %v", caps, err)
	}
	set, err := api.NewSetRequest(api.Update(api.Path(peer+"/config/description"), api.Value("by the library", "json_ietf")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dut.Set(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	get, err := api.NewGetRequest(api.Path(peer+"/config"), api.Encoding("json_ietf"), api.DataType("config"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dut.Get(t.Context(), get); err != nil || !strings.Contains(got.String(), "by the library") {
		t.Errorf("%v, %v", got, err)
	}
	poll, err := api.NewSubscribeRequest(api.SubscriptionListModePOLL(), api.Encoding("json_ietf"), api.Subscription(api.Path(peer+"/config")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go dut.Subscribe(ctx, poll, "poll")
	answers, errs := dut.ReadSubscriptions()
	round := func() {
		t.Helper()
		for seen := false; ; {
			select {
			case answer := <-answers:
				seen = seen || strings.Contains(answer.Response.String(), "by the library")
				if _, ok := answer.Response.GetResponse().(*gnmi.SubscribeResponse_SyncResponse); ok {
					if !seen {
						t.Error("sync_response before the values")
					}
					return
				}
			case err := <-errs:
				t.Fatal(err.Err)
			}
		}
	}
	round()
	if err := dut.SubscribePoll(ctx, "poll"); err != nil {
		t.Fatal(err)
	}
	round()
}
