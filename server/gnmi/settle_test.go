package gnmi

import (
	"context"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
)

// Who may write nothing begins, ends and learns of no confirmed commit, so that
// nobody else is kept out (gnmi.md 86, 87, 102).
func TestReadersAndConfirmedCommits(t *testing.T) {
	r := newGuardedRig(t).example()
	guest := r.as("guest")
	_, err := guest.client.Set(guest.ctx(), &gpb.SetRequest{Extension: commitExt(t, `id: "nobody-knows" commit {rollback_duration {seconds: 8000}}`)})
	wantStatus(t, err, codes.PermissionDenied, "guest may write nothing")
	if p := r.engine.Pending(); p != nil {
		t.Fatalf("%+v waits", p)
	}
	watch := func(u *rig) func() string {
		ctx, cancel := context.WithCancel(u.ctx())
		t.Cleanup(cancel)
		stream, err := u.client.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&gpb.SubscribeRequest{
			Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Subscription: []*gpb.Subscription{{Path: path("/bgp"), Mode: gpb.SubscriptionMode_ON_CHANGE}}}},
			Extension: []*extpb.Extension{{Ext: &extpb.Extension_ConfigSubscription{ConfigSubscription: &extpb.ConfigSubscription{
				Action: &extpb.ConfigSubscription_Start{Start: &extpb.ConfigSubscriptionStart{}},
			}}}},
		}); err != nil {
			t.Fatal(err)
		}
		next := func(done func(*gpb.SubscribeResponse) bool) *gpb.SubscribeResponse {
			for {
				m, err := stream.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if done(m) {
					return m
				}
			}
		}
		next((*gpb.SubscribeResponse).GetSyncResponse)
		return func() string {
			m := next(func(m *gpb.SubscribeResponse) bool { return len(m.GetExtension()) > 0 })
			return m.GetExtension()[0].GetConfigSubscription().GetSyncDone().GetCommitConfirmId()
		}
	}
	r.rules(rule("vpn1", vpnPath+"[name='vpn1']", "*", "permit"))
	op := r.as("operator")
	told := map[*rig]func() string{r: watch(r), guest: watch(guest), op: watch(op)}
	const secret = "word-of-admin-8472"
	begin := &gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", jsonVal(`"tried"`))}, Extension: commitExt(t, `id: "`+secret+`" commit {}`)}
	settle := func(u *rig, id, action string) error {
		_, err := u.client.Set(u.ctx(), &gpb.SetRequest{Extension: commitExt(t, `id: "`+id+`" `+action)})
		return err
	}
	r.set(begin)
	for u, want := range map[*rig]string{r: secret, guest: "", op: secret} {
		if got := told[u](); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	for _, action := range []string{"cancel {}", "confirm {}", "set_rollback_duration {rollback_duration {seconds: 9}}"} {
		wantStatus(t, settle(guest, secret, action), codes.PermissionDenied, "guest")
	}
	wantStatus(t, settle(op, "", "cancel {}"), codes.InvalidArgument, "needs an id")
	if err := settle(op, secret, "cancel {}"); err != nil {
		t.Errorf("who may write all of it: %v", err)
	}
	// The recovery group ends what others began, without the identifier.
	op.set(begin)
	if err := settle(r, "", "cancel {}"); err != nil || r.engine.Pending() != nil {
		t.Errorf("cancel without an id: %v", err)
	}
	op.set(begin)
	if err := settle(r, "", "confirm {}"); err != nil || r.value(thePeer+"/config/description") != `"tried"` {
		t.Errorf("confirm without an id: %v", err)
	}
	// Of what admin changed elsewhere an operator undoes nothing.
	begin.Update = []*gpb.Update{update("/bgp/instances/instance[name=default]/config/router-id", jsonVal(`"192.0.2.9"`))}
	r.set(begin)
	wantStatus(t, settle(op, secret, "cancel {}"), codes.PermissionDenied, "router-id")
	wantStatus(t, settle(op, secret, "confirm {}"), codes.PermissionDenied, "router-id")
}
