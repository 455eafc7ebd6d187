package gnmi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	extpb "github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	gproto "google.golang.org/protobuf/proto"

	"mooring/backend"
	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/commit"
)

// bench is an agent without sockets in a bubble of synctest: hours of samples
// take no time, and nothing else happens in them.
type bench struct {
	*testing.T
	engine  *commit.Coordinator
	backend *fake.Backend
	server  *Server
}

// bubble runs fn on an agent with the example configuration.
func bubble(t *testing.T, fn func(b *bench)) {
	t.Helper()
	dir := tempDir(t)
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, backend: fake.New(fake.Options{})}
		b.engine = newEngine(t, dir, b.backend)
		b.server = New(Config{Engine: b.engine, Log: slog.New(slog.DiscardHandler)})
		b.set(&gpb.SetRequest{Update: []*gpb.Update{
			update("/vpn-instances/vpn-instance[name=vpn1]", jsonVal(`{}`)),
			update("/bgp/instances/instance[name=default]/config/as", jsonVal("100")),
			update(vpn1, jsonVal(`{"name":"vpn1"}`)),
			update(thePeer, jsonVal(peerJSON)),
		}})
		synctest.Wait() // the session is up
		fn(b)
	})
}

func (b *bench) set(req *gpb.SetRequest) *gpb.SetResponse {
	b.Helper()
	resp, err := b.server.Set(b.Context(), req)
	if err != nil {
		b.Fatalf("Set: %v", err)
	}
	return resp
}

func (b *bench) describe(text string) {
	b.Helper()
	b.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/description", stringVal(text))}})
}

// flap ends the session and lets it come back: its counters move.
func (b *bench) flap() {
	b.Helper()
	key := bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.MustParseAddr("10.1.1.2")}
	if err := b.backend.Reset(b.Context(), key, backend.ResetRequest{Mode: backend.ResetHard}); err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

// pipe is the server's end of a Subscribe RPC in memory.
type pipe struct {
	grpc.ServerStream
	*bench
	ctx    context.Context
	cancel context.CancelFunc
	in     chan *gpb.SubscribeRequest // closed: the client has closed its side
	out    chan *gpb.SubscribeResponse
	ended  chan error
	start  time.Time
	epoch  time.Time // where set, the timestamps since then are shown, not when an update came
}

func (p *pipe) Context() context.Context { return p.ctx }

func (p *pipe) Recv() (*gpb.SubscribeRequest, error) {
	select {
	case req, ok := <-p.in:
		if !ok {
			return nil, io.EOF
		}
		return req, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

func (p *pipe) Send(resp *gpb.SubscribeResponse) error { return p.SendMsg(resp) }

func (p *pipe) SendMsg(m any) error {
	resp := responseOf(p, m)
	select {
	case p.out <- resp:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// responseOf is what a client makes of a message.
func responseOf(t testing.TB, m any) *gpb.SubscribeResponse {
	t.Helper()
	data, err := newCodec().Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Free()
	resp := &gpb.SubscribeResponse{}
	if err := gproto.Unmarshal(data.Materialize(), resp); err != nil {
		t.Fatal(err)
	}
	return resp
}

// open starts a Subscribe with a list in text form, in which PEER stands for
// the elements of the path to the peer.
func (b *bench) open(list string, exts ...*extpb.Extension) *pipe {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	p := &pipe{
		bench: b, ctx: ctx, cancel: cancel, in: make(chan *gpb.SubscribeRequest, 4), out: make(chan *gpb.SubscribeResponse),
		ended: make(chan error, 1), start: time.Now(),
	}
	list = strings.ReplaceAll(list, "PEERS", pathProto(vpn1+"/peers/peer[address=*]"))
	list = strings.ReplaceAll(list, "PEER", pathProto(thePeer))
	for _, name := range []string{"config", "state", "transport", "description", "resets", "operator", "remote", "session-state", "local-address", "as", "prefixes-sent"} {
		list = strings.ReplaceAll(list, "/"+name, fmt.Sprintf("elem: {name: %q}", name))
	}
	p.in <- &gpb.SubscribeRequest{
		Request: &gpb.SubscribeRequest_Subscribe{Subscribe: textOf[gpb.SubscriptionList](b, list)}, Extension: exts,
	}
	go func() {
		err := b.server.Subscribe(p)
		cancel() // as gRPC does when a handler returns
		p.ended <- err
	}()
	b.Cleanup(p.close)
	return p
}

// close vanishes, and waits for what the server still does.
func (p *pipe) close() {
	p.cancel()
	synctest.Wait()
}

// line is a response as text, with the time since the start where it is an
// update.
func (p *pipe) line(resp *gpb.SubscribeResponse) []string {
	if resp.GetSyncResponse() {
		return []string{"sync"}
	}
	if len(resp.Extension) > 0 {
		return []string{strings.ReplaceAll(resp.Extension[0].GetConfigSubscription().GetSyncDone().String(), "  ", " ")}
	}
	n := resp.GetUpdate()
	at := time.Since(p.start)
	if !p.epoch.IsZero() {
		at = time.Unix(0, n.GetTimestamp()).Sub(p.epoch)
	}
	var out []string
	for _, l := range texts(n) {
		l = strings.ReplaceAll(l, thePeer, "PEER")
		if n.Atomic {
			l = "atomic " + l
		}
		out = append(out, fmt.Sprintf("%v %s", at.Truncate(time.Millisecond), l))
	}
	return out
}

// read returns what comes within a time, as text.
func (p *pipe) read(d time.Duration) []string {
	p.Helper()
	timer := time.NewTimer(max(d, 1)) // time passes when nobody has anything to do
	defer timer.Stop()
	var out []string
	for {
		select {
		case resp := <-p.out:
			out = append(out, p.line(resp)...)
		case err := <-p.ended:
			p.ended <- err
			return out
		case <-timer.C:
			return out
		}
	}
}

func (p *pipe) want(within time.Duration, lines ...string) {
	p.Helper()
	if diff := cmp.Diff(lines, p.read(within)); diff != "" {
		p.Fatalf("within %v (-want +got):\n%s", within, diff)
	}
}

// gnmi.md 71, 58, 60, 77: samples come on time with what has not changed too,
// an interval of 0 is the shortest one, and what goes is told once.
func TestSample(t *testing.T) {
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {mode: SAMPLE sample_interval: 5000000000 path: {PEERS /config}}
			subscription: {mode: SAMPLE path: {PEER /state /session-state}}`)
		config := func(at string) []string {
			return []string{at + ` PEER/config/address = json "10.1.1.2"`, at + " PEER/config/enabled = json true", at + " PEER/config/as = json 200"}
		}
		state := func(at string) string { return at + ` PEER/state/session-state = json "established"` }
		p.want(500*time.Millisecond, append(config("0s"), state("0s"), "sync")...)
		p.want(4*time.Second, state("1s"), state("2s"), state("3s"), state("4s"))
		b.describe("x") // is told by the next sample, not before
		p.want(time.Second, append(config("5s")[:1], "5s PEER/config/description = json \"x\"", "5s PEER/config/enabled = json true", "5s PEER/config/as = json 200", state("5s"))...)
		b.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer)}})
		p.want(10*time.Second,
			"6s PEER/state/session-state deleted",
			"10s PEER/config/address deleted", "10s PEER/config/description deleted", "10s PEER/config/enabled deleted", "10s PEER/config/as deleted")
	})
}

// gnmi.md 72, 73, 77, 79: only what has changed since the last sample, deletes
// included, and everything at each heartbeat.
func TestSuppressRedundant(t *testing.T) {
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {mode: SAMPLE sample_interval: 2000000000 suppress_redundant: true heartbeat_interval: 7000000000 path: {PEER /config}}`)
		all := func(at string, more ...string) []string {
			out := []string{at + ` PEER/config/address = json "10.1.1.2"`}
			return append(append(out, more...), at+" PEER/config/enabled = json true", at+" PEER/config/as = json 200")
		}
		p.want(500*time.Millisecond, append(all("0s"), "sync")...)
		p.want(2 * time.Second) // nothing has changed
		b.describe("one")
		b.describe("two")
		p.want(2*time.Second, `4s PEER/config/description = json "two"`)
		p.want(4*time.Second, all("7s", `7s PEER/config/description = json "two"`)...)
		b.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer + "/config/description")}})
		p.want(2*time.Second, "10s PEER/config/description deleted")
		p.want(6*time.Second, all("14s")...)
	})
}

// gnmi.md 70: everything once in an interval, changes at once all the same.
func TestOnChangeHeartbeat(t *testing.T) {
	bubble(t, func(b *bench) {
		b.describe("old")
		p := b.open(`subscription: {mode: ON_CHANGE heartbeat_interval: 60000000000 path: {PEER /config /description}}`)
		p.want(50*time.Second, `0s PEER/config/description = json "old"`, "sync")
		b.describe("new")
		p.want(time.Second, `50s PEER/config/description = json "new"`)
		p.want(130*time.Second, `1m0s PEER/config/description = json "new"`, `2m0s PEER/config/description = json "new"`, `3m0s PEER/config/description = json "new"`)
	})
}

// gnmi.md 74, 75: counters are sampled and told if they have moved, or at each
// interval that the client gives; everything else is told at once. Each leaf
// comes in one of both ways only.
func TestTargetDefined(t *testing.T) {
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {path: {PEER /state}}`)
		hinted := b.open(`subscription: {sample_interval: 3000000000 path: {PEER /state /resets /remote}}`)
		hinted.want(7*time.Second, "0s PEER/state/resets/remote = json 0", "sync", "3s PEER/state/resets/remote = json 0", "6s PEER/state/resets/remote = json 0")
		first := p.read(0)
		if n := len(first); first[n-1] != "sync" || !slices.Contains(first, "7s PEER/state/established-transitions = json 1") {
			t.Fatalf("initial values: %q", first)
		}
		p.start = p.start.Add(7 * time.Second) // it synchronised just now
		p.read(time.Second)
		b.flap()
		for _, l := range p.read(time.Second) {
			if strings.Contains(l, "transitions") || strings.Contains(l, "resets/") {
				t.Errorf("a counter was told at once: %s", l)
			}
		}
		moved := p.read(10 * time.Second)
		if !slices.Contains(moved, "10s PEER/state/established-transitions = json 2") || len(moved) > 2 {
			t.Errorf("sampled: %q", moved)
		}
		p.want(30 * time.Second) // nothing moves
	})
	for _, n := range []struct {
		at   string
		want int
	}{{"/", 2}, {thePeer + "/config", 1}, {thePeer + "/state/session-state", 1}, {thePeer + "/state/prefixes-sent", 1}, {thePeer + "/afi-safis", 2}} {
		w, err := newWatch(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
			Subscription: []*gpb.Subscription{{Path: path(n.at)}},
		}}})
		if err != nil || len(w.groups) != n.want {
			t.Errorf("%s is told in %d parts, want %d (%v)", n.at, len(w.groups), n.want, err)
		}
	}
}

// gnmi.md 76, 58, 47: all modes in one list, one sync, and what two
// subscriptions name is in the initial values once.
func TestMixedModes(t *testing.T) {
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {mode: ON_CHANGE path: {PEER /config}}
			subscription: {mode: SAMPLE sample_interval: 10000000000 path: {PEER /config /as}}
			subscription: {mode: SAMPLE sample_interval: 4000000000 suppress_redundant: true path: {PEER /config /description}}`)
		p.want(time.Second, `0s PEER/config/address = json "10.1.1.2"`, "0s PEER/config/enabled = json true", "0s PEER/config/as = json 200", "sync")
		b.describe("x")
		p.want(2*time.Second, `1s PEER/config/description = json "x"`)
		p.want(8*time.Second, `4s PEER/config/description = json "x"`, "10s PEER/config/as = json 200")
	})
}

// gnmi.md 59
func TestStreamUpdatesOnly(t *testing.T) {
	bubble(t, func(b *bench) {
		p := b.open(`updates_only: true subscription: {mode: SAMPLE sample_interval: 10000000000 path: {PEER /config /as}}
			subscription: {mode: ON_CHANGE path: {PEER /config /description}}`)
		p.want(5*time.Second, "sync")
		b.describe("x")
		p.want(6*time.Second, `5s PEER/config/description = json "x"`, "10s PEER/config/as = json 200")
	})
}

// gnmi.md 61, 71: a reader that is too slow for its samples misses some, and
// one that has stopped reading is told so, and let go.
func TestStalledReader(t *testing.T) {
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {mode: SAMPLE sample_interval: 1000000000 path: {PEER /config /as}}`)
		p.want(1500*time.Millisecond, "0s PEER/config/as = json 200", "sync", "1s PEER/config/as = json 200")
		time.Sleep(10 * time.Second)
		p.want(900*time.Millisecond, "11.5s PEER/config/as = json 200", "12s PEER/config/as = json 200")
		start := time.Now()
		wantStatus(t, <-p.ended, codes.ResourceExhausted, "not read")
		if d := time.Since(start); d > stallTime+2*time.Second {
			t.Errorf("after %v", d)
		}
		if n := b.server.Subscriptions(); n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
	})
}

// gnmi.md 80, 81, 47: what a connection is, is told together or not at all.
func TestAtomic(t *testing.T) {
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {mode: ON_CHANGE path: {PEER /transport /state}}`)
		part := b.open(`subscription: {mode: SAMPLE sample_interval: 2000000000 suppress_redundant: true path: {PEER /transport /state /local-address}}`)
		before := p.read(time.Second)
		if len(before) < 6 || before[len(before)-1] != "sync" {
			t.Fatalf("initial values: %q", before)
		}
		for _, l := range before[:len(before)-1] {
			if !strings.HasPrefix(l, "0s atomic PEER/transport/state/") {
				t.Errorf("not atomic: %s", l)
			}
		}
		part.want(0, `1s atomic PEER/transport/state/local-address = json "10.1.1.1"`, "sync")
		b.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/transport/connect-interface/config/source-address", jsonVal(`"10.1.1.9"`))}})
		after := p.read(time.Second)
		if !slices.Contains(after, `1s atomic PEER/transport/state/local-address = json "10.1.1.9"`) || !slices.Contains(after, "1s atomic PEER/transport/state/remote-port = json 179") {
			t.Errorf("not the whole container: %q", after)
		}
		part.want(2*time.Second, `3s atomic PEER/transport/state/local-address = json "10.1.1.9"`)
		// The last leaf that is wanted goes: the container goes with it.
		b.set(&gpb.SetRequest{Update: []*gpb.Update{update(thePeer+"/config/enabled", jsonVal("false"))}})
		part.want(2*time.Second, "5s atomic PEER/transport/state deleted")
		// What is left of it is told, and nothing else: the connection has ended.
		left := p.read(0)
		whole := func(l string) bool {
			return strings.HasSuffix(l, `atomic PEER/transport/state/connect-mode = json "both"`)
		}
		if !slices.ContainsFunc(left, whole) || slices.ContainsFunc(left, func(l string) bool {
			return strings.Contains(l, "deleted") || strings.Contains(l, "local-address")
		}) {
			t.Errorf("without a connection: %q", left)
		}
		b.set(&gpb.SetRequest{Delete: []*gpb.Path{path(thePeer)}})
		lines := p.read(time.Second)
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, "atomic PEER/transport/state deleted") }) {
			t.Errorf("the peer is gone: %q", lines)
		}
	})
}

// gnmi.md 90: configuration only, and after each commit's changes its id.
func TestConfigSubscription(t *testing.T) {
	start := &extpb.Extension{Ext: &extpb.Extension_ConfigSubscription{ConfigSubscription: &extpb.ConfigSubscription{
		Action: &extpb.ConfigSubscription_Start{Start: &extpb.ConfigSubscriptionStart{}},
	}}}
	bubble(t, func(b *bench) {
		p := b.open(`subscription: {mode: ON_CHANGE path: {PEER}}`, start)
		p.want(time.Second,
			`0s PEER/address = json "10.1.1.2"`, `0s PEER/config/address = json "10.1.1.2"`, "0s PEER/config/enabled = json true", "0s PEER/config/as = json 200",
			`0s PEER/transport/connect-interface/config/source-address = json "10.1.1.1"`, "sync")
		b.flap() // is not configuration
		p.want(time.Second)
		b.describe("x")
		p.want(time.Second, `2s PEER/config/description = json "x"`, `server_commit_id:"2" done:true`)
		// Elsewhere: the client knows that this commit too has been told.
		b.set(&gpb.SetRequest{Update: []*gpb.Update{update("/bgp/instances/instance[name=x]/config/as", jsonVal("5"))}})
		p.want(time.Second, `server_commit_id:"3" done:true`)
		// Commits that were merged for a slow reader, and with events of the
		// session, are told by the last.
		for i := range 3 {
			b.describe(strings.Repeat("y", i+1))
			b.flap()
		}
		p.want(time.Second, `4s PEER/config/description = json "y"`, `server_commit_id:"4" done:true`, `4s PEER/config/description = json "yyy"`, `server_commit_id:"6" done:true`)
		for mode, want := range map[string][]string{
			"ONCE": {`0s PEER/config/as = json 200`, "sync"},
			"STREAM subscription: {mode: SAMPLE path: {PEER /config /as}}": {`0s PEER/config/as = json 200`, "sync", `1s PEER/config/as = json 200`},
		} {
			b.open("subscription: {path: {PEER /config /as}} subscription: {path: {PEER /state}} mode: "+mode, start).want(1500*time.Millisecond, want...)
		}
	})
}
