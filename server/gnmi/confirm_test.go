package gnmi

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/commit"
	"mooring/engine/schema"
	"mooring/server/gnmi/preview"
)

// commitExt is a commit-confirmed extension in text form.
func commitExt(t testing.TB, text string) []*extpb.Extension {
	t.Helper()
	return []*extpb.Extension{{Ext: &extpb.Extension_Commit{Commit: textOf[extpb.Commit](t, text)}}}
}

// peerKey is that of thePeer.
var peerKey = bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.MustParseAddr("10.1.1.2")}

const sourceLeaf = thePeer + "/transport/connect-interface/config/source-address"

// move is an update of the source address of thePeer.
func move(address string) []*gpb.Update {
	return []*gpb.Update{update(sourceLeaf, stringVal(address))}
}

func TestCommitConfirmed(t *testing.T) {
	const (
		initial = `"10.1.1.1"`
		moved   = `"10.1.1.9"`
	)
	type step struct {
		ext  string // "" for none
		move string // address to write, "" for no operation
		code codes.Code
		text string // in the message of the error
	}
	trial := step{ext: `id: "x" commit {rollback_duration {}}`, move: "10.1.1.9"} // as gnmic sends it
	tests := []struct {
		name    string
		steps   []step
		source  string
		pending bool
	}{
		{"a request waits (86)", []step{trial}, moved, true},
		{"no duration is the default (86)", []step{{ext: `id: "x" commit {}`, move: "10.1.1.9"}}, moved, true},
		{"a negative duration (86)", []step{{ext: `id: "x" commit {rollback_duration {seconds: -1}}`, move: "10.1.1.9", code: codes.InvalidArgument, text: "negative"}}, initial, false},
		{"no duration at all (86)", []step{{ext: `id: "x" commit {rollback_duration {seconds: 1 nanos: -1}}`, move: "10.1.1.9", code: codes.InvalidArgument, text: "rollback_duration"}}, initial, false},
		{"an empty id (86)", []step{{ext: `commit {rollback_duration {}}`, move: "10.1.1.9", code: codes.InvalidArgument, text: "needs an id"}}, initial, false},
		{"a long id (86)", []step{{ext: `id: "` + strings.Repeat("x", 256) + `" commit {}`, move: "10.1.1.9", code: codes.InvalidArgument, text: "at most 255"}}, initial, false},
		{"no action (87)", []step{{ext: `id: "x"`, move: "10.1.1.9", code: codes.InvalidArgument, text: "needs an action"}}, initial, false},
		{"a Set that is refused leaves nothing pending (86)", []step{{ext: `id: "x" commit {}`, move: "10.1.1.2", code: codes.InvalidArgument, text: "own address"}}, initial, false},
		{"without operations there is nothing to wait for (86)", []step{{ext: `id: "x" commit {}`}, {move: "10.1.1.9"}}, moved, false},
		{"nor where nothing changes (86)", []step{{ext: `id: "x" commit {}`, move: "10.1.1.1"}, {move: "10.1.1.9"}}, moved, false},
		{"too long a duration (86)", []step{{ext: `id: "x" commit {rollback_duration {seconds: 8000000000}}`, move: "10.1.1.9", code: codes.InvalidArgument, text: "at most 24h"}}, initial, false},
		{"too long another duration (88)", []step{trial, {ext: `id: "x" set_rollback_duration {rollback_duration {seconds: 90000}}`, code: codes.InvalidArgument, text: "at most 24h"}}, moved, true},
		{"another Set is refused (86)", []step{trial, {move: "10.1.1.7", code: codes.FailedPrecondition, text: "by alice over gnmi waits"}}, moved, true},
		{"a second request is refused (86)", []step{trial, {ext: `id: "y" commit {}`, move: "10.1.1.7", code: codes.FailedPrecondition}}, moved, true},
		{"also one of the same id (86)", []step{trial, {ext: `id: "x" commit {}`, move: "10.1.1.7", code: codes.FailedPrecondition}}, moved, true},
		{"confirm (87)", []step{trial, {ext: `id: "x" confirm {}`}, {move: "10.1.1.7"}}, `"10.1.1.7"`, false},
		{"cancel (87)", []step{trial, {ext: `id: "x" cancel {}`}}, initial, false},
		{"confirm of another id (87)", []step{trial, {ext: `id: "y" confirm {}`, code: codes.InvalidArgument, text: "another identifier"}}, moved, true},
		{"cancel of another id (87)", []step{trial, {ext: `id: "y" cancel {}`, code: codes.InvalidArgument, text: "another identifier"}}, moved, true},
		{"confirm of nothing (87)", []step{{ext: `id: "x" confirm {}`, code: codes.FailedPrecondition, text: "no commit waits"}}, initial, false},
		{"cancel of nothing (87)", []step{{ext: `id: "x" cancel {}`, code: codes.FailedPrecondition}}, initial, false},
		{"confirm without an id (87)", []step{trial, {ext: `confirm {}`, code: codes.InvalidArgument, text: "needs an id"}}, moved, true},
		{"confirm with operations (87)", []step{trial, {ext: `id: "x" confirm {}`, move: "10.1.1.7", code: codes.InvalidArgument, text: "no operations"}}, moved, true},
		{"cancel with operations (87)", []step{trial, {ext: `id: "x" cancel {}`, move: "10.1.1.7", code: codes.InvalidArgument, text: "no operations"}}, moved, true},
		{"confirm twice (87)", []step{trial, {ext: `id: "x" confirm {}`}, {ext: `id: "x" confirm {}`, code: codes.FailedPrecondition}}, moved, false},
		{"another duration (88)", []step{trial, {ext: `id: "x" set_rollback_duration {rollback_duration {seconds: 7200}}`}}, moved, true},
		{"the duration 0 (88)", []step{trial, {ext: `id: "x" set_rollback_duration {rollback_duration {}}`, code: codes.InvalidArgument, text: "above 0"}}, moved, true},
		{"a duration below 0 (88)", []step{trial, {ext: `id: "x" set_rollback_duration {rollback_duration {seconds: -5}}`, code: codes.InvalidArgument, text: "negative"}}, moved, true},
		{"a duration that is not there (88)", []step{trial, {ext: `id: "x" set_rollback_duration {}`, code: codes.InvalidArgument, text: "above 0"}}, moved, true},
		{"the duration of nothing (88)", []step{{ext: `id: "x" set_rollback_duration {rollback_duration {seconds: 1}}`, code: codes.FailedPrecondition}}, initial, false},
		{"the duration of another id (88)", []step{trial, {ext: `id: "y" set_rollback_duration {rollback_duration {seconds: 1}}`, code: codes.InvalidArgument}}, moved, true},
		{"the duration with operations (88)", []step{trial, {ext: `id: "x" set_rollback_duration {rollback_duration {seconds: 9}}`, move: "10.1.1.7", code: codes.InvalidArgument}}, moved, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t).example()
			for i, s := range tt.steps {
				req := &gpb.SetRequest{}
				if s.ext != "" {
					req.Extension = commitExt(t, s.ext)
				}
				if s.move != "" {
					req.Update = move(s.move)
				}
				resp, err := r.client.Set(r.ctx(), req)
				if s.code != codes.OK {
					wantStatus(t, err, s.code, s.text)
					continue
				}
				if err != nil || resp.Timestamp <= 0 || len(resp.Response) != len(req.Update) {
					t.Fatalf("step %d: %v, %v", i, resp, err)
				}
			}
			p := r.engine.Pending()
			if got := r.value(sourceLeaf); got != tt.source || (p != nil) != tt.pending {
				t.Errorf("source %s, pending %+v", got, p)
			}
			if tt.pending && strings.Contains(tt.name, "default") && time.Until(p.Deadline).Round(time.Minute) != 10*time.Minute {
				t.Errorf("waits until %v", p.Deadline)
			}
			if tt.name == "another duration (88)" && time.Until(p.Deadline) < 110*time.Minute {
				t.Errorf("waits until %v", p.Deadline)
			}
		})
	}
}

// What is refused for its own form changes nothing, and the impact can be
// asked for with the commit; a dry run begins none.
func TestCommitConfirmedWithPreview(t *testing.T) {
	r := newRig(t).example()
	both := func(p *preview.Preview, text string) *gpb.SetRequest {
		return &gpb.SetRequest{Update: move("10.1.1.9"), Extension: append(commitExt(t, text), previewExt(t, p)...)}
	}
	if got := answerOf(t, r.set(both(&preview.Preview{DryRun: true}, `id: "x" commit {}`)).Extension); got.GetResets() != 1 || r.engine.Pending() != nil {
		t.Errorf("dry run: %v, pending %v", got, r.engine.Pending())
	}
	if got := answerOf(t, r.set(both(&preview.Preview{}, `id: "x" commit {}`)).Extension); got.GetResets() != 1 || got.CommitId == "" || r.engine.Pending() == nil {
		t.Errorf("for real: %v, pending %v", got, r.engine.Pending())
	}
	req := both(&preview.Preview{}, `id: "x" cancel {}`)
	req.Update = nil
	_, err := r.client.Set(r.ctx(), req)
	wantStatus(t, err, codes.InvalidArgument, "asks for nothing else")
}

// gnmi.md 86, 87, 90: what is not confirmed in time is rolled back, the session
// with it; a config subscription is told of the commit and of its rollback
// under the client's own id, and of nothing when a commit is confirmed.
func TestCommitConfirmedExpires(t *testing.T) {
	start := &extpb.Extension{Ext: &extpb.Extension_ConfigSubscription{ConfigSubscription: &extpb.ConfigSubscription{
		Action: &extpb.ConfigSubscription_Start{Start: &extpb.ConfigSubscriptionStart{}},
	}}}
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {mode: ON_CHANGE path: {PEER /config}} updates_only: true`, start)
		p.want(time.Second, "sync")
		describe := func(text, ext string) {
			b.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", stringVal(text))}, Extension: commitExt(t, ext)})
		}
		describe("trial", `id: "t-1" commit {rollback_duration {seconds: 60}}`)
		p.want(59*time.Second, `1s PEER/config/description = json "trial"`, `commit_confirm_id:"t-1" server_commit_id:"2" done:true`)
		p.want(2*time.Second, `1m1s PEER/config/description deleted`, `commit_confirm_id:"t-1" server_commit_id:"3" done:true`)
		if h := b.engine.Store().History(); h[len(h)-1].Comment != "confirmed commit timed out" || h[len(h)-1].User == "" && h[len(h)-2].User != "" {
			t.Errorf("history %+v", h[len(h)-1])
		}

		describe("kept", `id: "t-2" commit {}`)
		p.want(time.Second, `1m2s PEER/config/description = json "kept"`, `commit_confirm_id:"t-2" server_commit_id:"4" done:true`)
		b.set(&gpb.SetRequest{Extension: commitExt(t, `id: "t-2" confirm {}`)})
		p.want(11 * time.Minute)
		b.describe("plain") // belongs to no confirmed commit any more
		p.want(time.Second, `12m3s PEER/config/description = json "plain"`, `server_commit_id:"5" done:true`)

		describe("longer", `id: "t-3" commit {rollback_duration {seconds: 5}}`)
		b.set(&gpb.SetRequest{Extension: commitExt(t, `id: "t-3" set_rollback_duration {rollback_duration {seconds: 100}}`)})
		p.want(99*time.Second, `12m4s PEER/config/description = json "longer"`, `commit_confirm_id:"t-3" server_commit_id:"6" done:true`)
		b.set(&gpb.SetRequest{Extension: commitExt(t, `id: "t-3" cancel {}`)})
		p.want(time.Second, `13m43s PEER/config/description = json "plain"`, `commit_confirm_id:"t-3" server_commit_id:"7" done:true`)

		// The persist-id of a NETCONF commit is for those who may confirm it.
		netconf := commit.Actor{User: "bob", Protocol: "netconf", Session: 7}
		if _, err := b.engine.Edit(t.Context(), netconf, commit.Options{Confirm: &commit.Confirm{ID: "secret"}}, described("by netconf")); err != nil {
			t.Fatal(err)
		}
		p.want(time.Second, `13m44s PEER/config/description = json "by netconf"`, `server_commit_id:"8" done:true`)
	})
}

// described writes a description of thePeer.
func described(text string) func(schema.Tx) error {
	return func(tx schema.Tx) error {
		o, f := writing(&scope{rpc: rpcSet, origins: map[string]bool{}}, "test", gpb.UpdateResult_UPDATE, update(thePeer+"/config/description", stringVal(text)))
		if f != nil {
			return f.err()
		}
		return o.apply(tx)
	}
}

// gnmi.md 89: there is one pending commit, whoever made it.
func TestCommitConfirmedAcrossProtocols(t *testing.T) {
	r := newRig(t).example()
	netconf := commit.Actor{User: "bob", Protocol: "netconf", Session: 7}
	r.set(&gpb.SetRequest{Update: move("10.1.1.9"), Extension: commitExt(t, `id: "x" commit {}`)})
	if _, err := r.engine.Edit(t.Context(), netconf, commit.Options{}, described("no")); err == nil || !strings.Contains(err.Error(), "by alice over gnmi waits") {
		t.Errorf("NETCONF while gNMI's commit waits: %v", err)
	}
	// Who knows the id may confirm it, over either protocol.
	if err := r.engine.Confirm(netconf, "x"); err != nil {
		t.Error(err)
	}
	if _, err := r.engine.Edit(t.Context(), netconf, commit.Options{Confirm: &commit.Confirm{Timeout: time.Hour}}, described("yes")); err != nil {
		t.Fatal(err)
	}
	_, err := r.client.Set(r.ctx(), &gpb.SetRequest{Update: move("10.1.1.7")})
	wantStatus(t, err, codes.FailedPrecondition, "by bob over netconf waits")
	_, err = r.client.Set(r.ctx(), &gpb.SetRequest{Extension: commitExt(t, `id: "x" confirm {}`)})
	wantStatus(t, err, codes.InvalidArgument, "another identifier")
}

// gnmi.md 89: a pending commit survives a restart, and is rolled back by it
// where its time has passed meanwhile, before the backend has heard of it.
func TestCommitConfirmedRestart(t *testing.T) {
	tests := []struct {
		name    string
		seconds int64
		source  string
	}{
		{"in time", 3600, `"10.1.1.9"`},
		{"too late", 0, `"10.1.1.1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tempDir(t)
			t.Run("before", func(t *testing.T) {
				r := &rig{TB: t, backend: fake.New(fake.Options{})}
				r.engine = newEngine(t, dir, r.backend)
				s := New(Config{Engine: r.engine, Log: slog.New(slog.DiscardHandler)})
				for _, req := range []*gpb.SetRequest{
					{Update: []*gpb.Update{
						update("/vpn-instances/vpn-instance[name=vpn1]", jsonVal(`{}`)),
						update("/bgp/instances/instance[name=default]/config/as", jsonVal("100")),
						update(vpn1, jsonVal(`{"name":"vpn1"}`)), update(thePeer, jsonVal(peerJSON)),
					}},
					{Update: move("10.1.1.9"), Extension: []*extpb.Extension{{Ext: &extpb.Extension_Commit{Commit: &extpb.Commit{
						Id: "x", Action: &extpb.Commit_Commit{Commit: &extpb.CommitRequest{RollbackDuration: durationpb.New(time.Hour)}},
					}}}}},
				} {
					if _, err := s.Set(t.Context(), req); err != nil {
						t.Fatal(err)
					}
				}
				if tt.seconds == 0 { // the shortest time there is: it is over when the agent is back
					if _, err := s.Set(t.Context(), &gpb.SetRequest{Extension: commitExt(t, `id: "x" set_rollback_duration {rollback_duration {nanos: 1}}`)}); err != nil {
						t.Fatal(err)
					}
				}
			})
			t.Run("after", func(t *testing.T) {
				b := fake.New(fake.Options{})
				engine := newEngine(t, dir, b)
				s := New(Config{Engine: engine, Log: slog.New(slog.DiscardHandler)})
				resp, err := s.Get(t.Context(), &gpb.GetRequest{Path: []*gpb.Path{path(sourceLeaf)}})
				if err != nil {
					t.Fatal(err)
				}
				if got := string(resp.Notification[0].Update[0].Val.GetJsonVal()); got != tt.source || b.TotalCeases() != 0 {
					t.Errorf("source %s, %d ceases", got, b.TotalCeases())
				}
				_, err = s.Set(t.Context(), &gpb.SetRequest{Update: move("10.1.1.7")})
				if tt.seconds == 0 {
					if err != nil {
						t.Errorf("nothing waits any more: %v", err)
					}
					return
				}
				wantStatus(t, err, codes.FailedPrecondition, "over gnmi waits")
				if _, err := s.Set(t.Context(), &gpb.SetRequest{Extension: commitExt(t, `id: "x" cancel {}`)}); err != nil {
					t.Fatal(err)
				}
				if got := b.Session(peerKey).Source.String(); got != "10.1.1.1" {
					t.Errorf("after the cancel the session starts from %s", got)
				}
			})
		})
	}
}
