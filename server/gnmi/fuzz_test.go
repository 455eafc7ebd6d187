package gnmi

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	gproto "google.golang.org/protobuf/proto"

	"github.com/openconfig/ygot/ygot"
	"mooring/bgp"

	"mooring/engine/commit"
	"mooring/engine/datastore"
	"mooring/engine/schema"
	"mooring/server/gnmi/preview"
)

// dryEngine edits and validates a real store and keeps nothing.
type dryEngine struct {
	Engine // what is not said below
	store  *datastore.Store
}

func (e dryEngine) View() schema.View { return configView{e.store.Running()} }

// configView is a configuration without state.
type configView struct{ schema.Reader }

func (configView) State(schema.Key) ygot.GoStruct { return nil }

func (e dryEngine) Instant() (schema.View, time.Time) { return e.View(), time.Now() }

func (e dryEngine) Edit(_ context.Context, _ commit.Actor, _ commit.Options, fn func(schema.Tx) error) (*commit.Result, error) {
	txn := e.store.Begin()
	defer txn.Discard()
	if err := fn(txn); err != nil {
		return nil, err
	}
	if errs := schema.Validate(txn, txn.Dirty()); len(errs) > 0 {
		return nil, errs
	}
	return &commit.Result{}, nil
}

func (dryEngine) Rollback(context.Context, commit.Actor, commit.Options, string) (*commit.Result, error) {
	return nil, commit.ErrUnknownCommit
}

func (dryEngine) Reset(context.Context, commit.Actor, bgp.PeerKey, commit.ResetMode, string) error {
	return commit.ErrNotEstablished
}

func (dryEngine) Explain(commit.Actor, commit.Plan) []commit.PeerImpact { return nil }

func (dryEngine) Subscribe() *commit.Subscription { return nil }

// fuzzServer has the example configuration.
func fuzzServer(f *testing.F) *Server {
	f.Helper()
	r := newRig(f).example()
	r.stop()
	return New(Config{Engine: dryEngine{r.engine, r.engine.Store()}, Log: r.server.log})
}

// checkCode fails on what a client must never see for what it sent.
func checkCode(t *testing.T, err error) {
	t.Helper()
	st := status.Convert(err)
	switch st.Code() {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.Unimplemented, codes.FailedPrecondition:
	default:
		t.Fatalf("code %v: %s", st.Code(), st.Message())
	}
	if !utf8.ValidString(st.Message()) || gproto.Size(st.Proto()) > 6<<10 {
		t.Fatalf("a bad status of %d bytes: %q", gproto.Size(st.Proto()), st.Message())
	}
	if err != nil && st.Message() == "" {
		t.Fatal("an error without a reason")
	}
}

// FuzzPath reads any prefix and path in a Get, a Subscribe and a delete.
func FuzzPath(f *testing.F) {
	s := fuzzServer(f)
	add := func(prefix, p *gpb.Path) {
		a, _ := gproto.Marshal(prefix)
		b, _ := gproto.Marshal(p)
		f.Add(a, b)
	}
	for _, at := range []string{"/", thePeer, "/bgp/.../config", vpn1 + "/peers/peer[address=*]/*/config", "/.../.../*", "/nonsense[a=b]"} {
		add(nil, path(at))
		add(&gpb.Path{Origin: "mooring", Target: "t", Elem: path("/bgp").Elem}, path(at))
	}
	add(nil, &gpb.Path{Element: []string{"bgp"}}) //nolint:staticcheck // deprecated, but sent
	add(nil, path(strings.Repeat("/...", 64)))
	add(nil, path(strings.Repeat("/a", 10_000)))
	add(nil, &gpb.Path{Origin: "mooring-bgp"})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var prefix, p gpb.Path
		if gproto.Unmarshal(a, &prefix) != nil || gproto.Unmarshal(b, &p) != nil {
			return
		}
		for _, enc := range encodings {
			_, err := s.Get(t.Context(), &gpb.GetRequest{Prefix: &prefix, Path: []*gpb.Path{&p}, Encoding: enc})
			checkCode(t, err)
		}
		_, err := newWatch(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
			Prefix: &prefix, Subscription: []*gpb.Subscription{{Path: &p}},
		}}})
		checkCode(t, err)
		_, err = s.Set(t.Context(), &gpb.SetRequest{Prefix: &prefix, Delete: []*gpb.Path{&p}})
		checkCode(t, err)
	})
}

// FuzzSet applies any SetRequest to the example configuration.
func FuzzSet(f *testing.F) {
	s := fuzzServer(f)
	for _, text := range []string{
		`delete: {} replace: {path: {} val: {json_val: "{}"}} update: {path: {elem: {name: "bgp"}} val: {json_ietf_val: "{}"}}`,
		fmt.Sprintf(`update: {path: {%s} val: {json_val: "%s"}}`, pathProto(thePeer), strings.ReplaceAll(peerJSON, `"`, `\"`)),
		fmt.Sprintf(`update: {path: {%s} val: {uint_val: 7}}`, pathProto(thePeer+"/config/as")),
		fmt.Sprintf(`update: {path: {%s} val: {leaflist_val: {element: {string_val: "::1"} element: {}}}}`, pathProto(vpn1+"/config/listen-address")),
		`extension: {commit: {id: "x" commit: {}}} update: {}`,
		`extension: {commit: {id: "x" set_rollback_duration: {rollback_duration: {seconds: 1 nanos: -1}}}}`,
		`extension: {commit: {id: "x" cancel: {}}}`,
		`union_replace: {}`,
	} {
		m := textOf[gpb.SetRequest](f, text)
		b, _ := gproto.Marshal(m)
		f.Add(b)
	}
	for _, p := range []*preview.Preview{
		{Reset_: []*preview.Reset{{Instance: "default", VpnInstance: "vpn1", Address: "10.1.1.2"}, {Address: "::1"}}},
		{RollbackTo: "1", Guard: &preview.Guard{TimeoutSeconds: 1}},
	} {
		b, _ := gproto.Marshal(&gpb.SetRequest{Extension: previewExt(f, p)})
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req gpb.SetRequest
		if gproto.Unmarshal(b, &req) != nil {
			return
		}
		before := s.cfg.Engine.View().(configView).Reader.(*datastore.Snapshot)
		resp, err := s.Set(t.Context(), &req)
		checkCode(t, err)
		if n := len(req.Delete) + len(req.Replace) + len(req.Update) + len(req.UnionReplace); err == nil && len(resp.Response) != n {
			t.Fatalf("%d results for %d operations", len(resp.Response), n)
		}
		if s.cfg.Engine.View().(configView).Reader.(*datastore.Snapshot) != before {
			t.Fatal("a dry run has published something")
		}
	})
}

// FuzzSubscribe reads any first message of a Subscribe, with its extensions.
func FuzzSubscribe(f *testing.F) {
	for _, text := range []string{
		`subscribe: {mode: ONCE subscription: {path: {elem: {name: "bgp"}}}} extension: {history: {snapshot_time: 1}}`,
		`subscribe: {subscription: {}} extension: {history: {range: {start: 1 end: 9223372036854775807}}} extension: {depth: {level: 4294967295}}`,
		`subscribe: {subscription: {mode: SAMPLE sample_interval: 18446744073709551615}} extension: {config_subscription: {start: {}}}`,
		`subscribe: {subscription: {}} extension: {history: {range: {start: -9223372036854775808}}}`,
		`poll: {}`,
	} {
		b, _ := gproto.Marshal(textOf[gpb.SubscribeRequest](f, text))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req gpb.SubscribeRequest
		if gproto.Unmarshal(b, &req) != nil {
			return
		}
		w, err := newWatch(&req)
		if status.Code(err) == codes.ResourceExhausted { // too many paths
			return
		}
		checkCode(t, err)
		if err == nil && (w.snapshot != nil && w.mode != gpb.SubscriptionList_ONCE || w.replay != nil && w.mode != gpb.SubscriptionList_STREAM) {
			t.Fatal("history with a mode that it does not go with")
		}
	})
}
