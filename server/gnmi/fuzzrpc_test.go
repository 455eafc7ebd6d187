package gnmi

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	gproto "google.golang.org/protobuf/proto"
)

// The fuzzers of this file change real messages, as gnmic sends them, field by
// field. The input is which message it is, and the dice of mutate. What no
// message may bring about: a panic, a hang, a goroutine that stays, a code
// that is not the client's, an answer that is no protobuf (gnmi.md 110).

// canonical fails on a code that says something is wrong with the server, and
// on a status that is none.
func canonical(t *testing.T, err error) {
	t.Helper()
	st := status.Convert(err)
	switch st.Code() {
	case codes.Unknown, codes.Internal, codes.DataLoss, codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		t.Fatalf("code %v: %s", st.Code(), st.Message())
	case codes.OK:
		return
	}
	if st.Message() == "" || !utf8.ValidString(st.Message()) || gproto.Size(st.Proto()) > 6<<10 {
		t.Fatalf("a bad status of %d bytes: %q", gproto.Size(st.Proto()), st.Message())
	}
}

// encodable fails on an answer that gRPC could not send.
func encodable(t *testing.T, m gproto.Message) {
	t.Helper()
	if _, err := gproto.Marshal(m); err != nil {
		t.Fatalf("the answer cannot be sent: %v", err)
	}
}

// inTime runs fn and fails if it does not end.
func inTime(t *testing.T, fn func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(ctx)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the RPC hangs")
	}
}

// scripted adds a script of dice for each base message.
func scripted(f *testing.F, bases int) {
	f.Helper()
	for i := range bases {
		f.Add(byte(i), []byte{})
		for seed := range 4 {
			script := make([]byte, 24)
			for j := range script {
				script[j] = byte((seed + 1) * (i + 3) * (j*j + 7) >> 1)
			}
			f.Add(byte(i), script)
		}
	}
}

func elems(at string) string { return "path: {" + pathProto(at) + "}" }

// FuzzCapabilities changes a CapabilityRequest.
func FuzzCapabilities(f *testing.F) {
	s := fuzzServer(f)
	bases := []string{"", "extension: {depth: {level: 1}}"}
	scripted(f, len(bases))
	f.Fuzz(func(t *testing.T, which byte, script []byte) {
		req := textOf[gpb.CapabilityRequest](t, bases[int(which)%len(bases)])
		mutate(&dice{script}, req.ProtoReflect())
		inTime(t, func(ctx context.Context) {
			resp, err := s.Capabilities(ctx, req)
			canonical(t, err)
			encodable(t, resp)
		})
	})
}

// FuzzGet changes a GetRequest.
func FuzzGet(f *testing.F) {
	r := newRig(f).example()
	r.server.maxAnswer = 4 << 20
	bases := []string{
		elems("/"),
		elems(thePeer) + " type: STATE encoding: JSON_IETF",
		elems(vpn1+"/peers/peer[address=*]") + elems("/agent") + " encoding: PROTO",
		`prefix: {target: "x" origin: "openconfig" elem: {name: "network-instances"}} ` + elems("/.../config") + " type: CONFIG",
		elems("/bgp") + ` use_models: {name: "mooring-bgp"} extension: {depth: {level: 2}}`,
	}
	scripted(f, len(bases))
	f.Fuzz(func(t *testing.T, which byte, script []byte) {
		req := textOf[gpb.GetRequest](t, bases[int(which)%len(bases)])
		mutate(&dice{script}, req.ProtoReflect())
		inTime(t, func(ctx context.Context) {
			resp, err := r.server.Get(ctx, req)
			canonical(t, err)
			encodable(t, resp)
			if err == nil && len(resp.Notification) != max(1, len(req.Path)) {
				t.Errorf("%d notifications for %d paths", len(resp.Notification), len(req.Path))
			}
		})
	})
}

// FuzzSetMessage changes a SetRequest and applies it to the example.
func FuzzSetMessage(f *testing.F) {
	s := fuzzServer(f)
	quoted := strings.ReplaceAll(peerJSON, `"`, `\"`)
	bases := []string{
		fmt.Sprintf(`delete: {%s} replace: {%s val: {json_val: "%s"}} update: {%s val: {uint_val: 7}}`,
			pathProto(thePeer+"/transport"), elems(thePeer), quoted, elems(thePeer+"/config/as")),
		fmt.Sprintf(`prefix: {target: "x"} union_replace: {%s val: {json_ietf_val: "%s"}}`, elems(thePeer), quoted),
		fmt.Sprintf(`update: {%s val: {leaflist_val: {element: {string_val: "1:1"} element: {string_val: "1:2"}}}}`,
			elems("/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target")),
		fmt.Sprintf(`update: {%s val: {string_val: "x"}} extension: {master_arbitration: {election_id: {low: 1}}} extension: {registered_ext: {id: EID_EXPERIMENTAL}}`,
			elems(thePeer+"/config/description")),
		fmt.Sprintf(`update: {%s val: {string_val: "x"}} extension: {commit: {id: "c" commit: {rollback_duration: {seconds: 60}}}}`, elems(thePeer+"/config/description")),
		`update: {path: {origin: "openconfig" elem: {name: "network-instances"}} val: {json_ietf_val: "{}"}}`,
	}
	scripted(f, len(bases))
	f.Fuzz(func(t *testing.T, which byte, script []byte) {
		req := textOf[gpb.SetRequest](t, bases[int(which)%len(bases)])
		mutate(&dice{script}, req.ProtoReflect())
		inTime(t, func(ctx context.Context) {
			resp, err := s.Set(ctx, req)
			canonical(t, err)
			encodable(t, resp)
		})
	})
}

// FuzzSubscribeMessages changes the messages of a Subscribe.
func FuzzSubscribeMessages(f *testing.F) {
	r := newRig(f).example()
	sub := func(at, rest string) string { return "subscription: {" + elems(at) + rest + "}" }
	bases := []string{
		"subscribe: {" + sub("/", "") + "}",
		"subscribe: {mode: ONCE encoding: PROTO " + sub(thePeer, "") + sub("/agent", "") + "}",
		"subscribe: {mode: POLL encoding: JSON_IETF updates_only: true " + sub(vpn1+"/peers/peer[address=*]/state", "") + "}",
		"subscribe: {" + sub(thePeer, " mode: SAMPLE sample_interval: 2000000000 suppress_redundant: true heartbeat_interval: 10000000000") + sub("/bgp", " mode: ON_CHANGE") + "}",
		`subscribe: {prefix: {origin: "openconfig" target: "t"} use_models: {name: "openconfig-bgp"} ` + sub("/network-instances", "") + "}",
		"poll: {}",
		"subscribe: {" + sub("/bgp", " mode: ON_CHANGE") + "} extension: {config_subscription: {start: {}}} extension: {depth: {level: 3}}",
	}
	scripted(f, len(bases))
	f.Fuzz(func(t *testing.T, which byte, script []byte) {
		d := &dice{script}
		polls := d.n(4)
		first := textOf[gpb.SubscribeRequest](t, bases[int(which)%len(bases)])
		mutate(d, first.ProtoReflect())
		inTime(t, func(ctx context.Context) {
			s := newDrain(ctx, t, first, polls)
			canonical(t, s.end(r.server.Subscribe(s)))
		})
		r.server.readers.Wait() // or the test hangs, and says where
	})
}

// drain is a client that sends a message and some polls, reads up to the
// sync_response, and then closes its side and vanishes.
type drain struct {
	grpc.ServerStream
	t      *testing.T
	ctx    context.Context
	cancel context.CancelFunc
	in     chan *gpb.SubscribeRequest
	synced bool
}

func newDrain(ctx context.Context, t *testing.T, first *gpb.SubscribeRequest, polls int) *drain {
	ctx, cancel := context.WithCancel(ctx)
	d := &drain{t: t, ctx: ctx, cancel: cancel, in: make(chan *gpb.SubscribeRequest, 1+polls)}
	d.in <- first
	for range polls {
		d.in <- &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}
	}
	close(d.in)
	return d
}

func (d *drain) Context() context.Context { return d.ctx }

func (d *drain) Recv() (*gpb.SubscribeRequest, error) {
	if req, ok := <-d.in; ok {
		return req, nil
	}
	return nil, io.EOF
}

func (d *drain) Send(resp *gpb.SubscribeResponse) error { return d.SendMsg(resp) }

func (d *drain) SendMsg(m any) error {
	if responseOf(d.t, m).GetSyncResponse() && len(d.in) == 0 {
		d.synced = true
		d.cancel()
	}
	return nil
}

// end is the status of the RPC, nil where it ended because the client vanished.
func (d *drain) end(err error) error {
	d.cancel() // as gRPC does when a handler returns
	if status.Code(err) == codes.Canceled && d.synced {
		return nil
	}
	return err
}
