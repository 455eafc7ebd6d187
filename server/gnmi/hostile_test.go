package gnmi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	gproto "google.golang.org/protobuf/proto"
)

// octets is a codec of a client that sends and reads what no library would.
type octets struct{}

func (octets) Name() string { return "proto" }

func (octets) Marshal(m any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*m.(*[]byte))}, nil
}

func (octets) Unmarshal(data mem.BufferSlice, m any) error {
	*m.(*[]byte) = data.Materialize()
	return nil
}

// gnmi.md 110: octets that are no message are the client's fault in each RPC,
// and the next one is answered.
func TestBrokenMessages(t *testing.T) {
	r := newRig(t).example()
	text := func(field protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), s)
	}
	nested := func(s []byte, fields ...protowire.Number) []byte {
		for _, f := range fields {
			s = protowire.AppendBytes(protowire.AppendTag(nil, f, protowire.BytesType), s)
		}
		return s
	}
	invalid := text(elemName, "\xff\xfe") // a PathElem with a name that is no UTF-8
	// The way from a PathElem out to the request: Path.elem, then the field of
	// the request that has a path.
	messages := map[string]map[string][]byte{
		"Capabilities": {"a field cut short": {0x0a, 0x7f, 0x01}},
		"Get":          {"no UTF-8": nested(invalid, pathElem, 2), "a length without end": bytes.Repeat([]byte{0xff}, 20)},
		"Set": {
			"no UTF-8": nested(invalid, pathElem, 2), "a value without UTF-8": nested(text(valString, "\xc3"), updateVal, 4),
			"groups without end": bytes.Repeat([]byte{0x0b}, 20_000),
		},
		"Subscribe": {"no UTF-8": nested(invalid, pathElem, 1, 2, 1), "a varint as a message": {0x08, 0x01, 0x0a}},
	}
	for method, cases := range messages {
		for name, msg := range cases {
			t.Run(method+"/"+name, func(t *testing.T) {
				desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
				s, err := r.conn.NewStream(r.ctx(), desc, "/gnmi.gNMI/"+method, grpc.ForceCodecV2(octets{}))
				if err != nil {
					t.Fatal(err)
				}
				if err := s.SendMsg(&msg); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				if err := s.CloseSend(); err != nil {
					t.Fatal(err)
				}
				var answer []byte
				wantStatus(t, s.RecvMsg(&answer), codes.InvalidArgument, "cannot be read")
			})
		}
	}
	if got := r.value(thePeer + "/config/as"); got != "200" {
		t.Errorf("afterwards a Get returns %q", got)
	}
}

// gnmi.md 110: huge values are refused with a short error, or taken whole, and
// change nothing but what they say.
func TestHugeValues(t *testing.T) {
	r := newRig(t).example()
	huge := strings.Repeat("x", 16<<20)
	description := thePeer + "/config/description"
	var targets strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&targets, `,"%d:%d"`, 1+i>>16, i&0xffff)
	}
	tests := []struct {
		name string
		u    *gpb.Update
		code codes.Code
	}{
		{"a string", update(description, stringVal(huge)), codes.InvalidArgument},
		{"a JSON string", update(description, jsonVal(`"`+huge+`"`)), codes.InvalidArgument},
		{"a string of escapes", update(description, jsonVal(`"`+strings.Repeat(`\u0041`, 1<<20)+`"`)), codes.InvalidArgument},
		{"a key", &gpb.Update{Path: path(vpn1 + "/peers/peer[address=" + huge + "]/config/as"), Val: jsonVal("7")}, codes.InvalidArgument},
		{"a number", update(thePeer+"/config/as", jsonVal(strings.Repeat("9", 1<<20))), codes.InvalidArgument},
		{"an unknown member", update(thePeer, jsonVal(`{"`+huge+`":1}`)), codes.InvalidArgument},
		{"brackets", update(thePeer, jsonVal(strings.Repeat(`{"config":`, 1<<20))), codes.InvalidArgument},
		{"blanks", update(description, jsonVal(strings.Repeat(" ", 16<<20)+`"a"`)), codes.OK},
		{"a leaf-list", update("/vpn-instances/vpn-instance[name=vpn1]/ipv4-family/config/import-route-target", jsonVal("["+targets.String()[1:]+"]")), codes.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := r.engine.Store().Running().Revision()
			_, err := r.server.Set(t.Context(), &gpb.SetRequest{Update: []*gpb.Update{tt.u}})
			if status.Code(err) != tt.code {
				t.Errorf("code %v, want %v: %.300v", status.Code(err), tt.code, err)
			}
			if size := gproto.Size(status.Convert(err).Proto()); size > 6<<10 {
				t.Errorf("a status of %d bytes", size)
			}
			if after := r.engine.Store().Running().Revision(); (after != before) != (tt.code == codes.OK) {
				t.Errorf("revision %d -> %d", before, after)
			}
		})
	}
}

// gnmi.md 106, 110: a million updates in one Set are one transaction.
func TestMillionUpdates(t *testing.T) {
	r := newRig(t).example()
	at := path(thePeer + "/config/description")
	updates := make([]*gpb.Update, 1_000_000)
	values := []*gpb.TypedValue{stringVal("a"), stringVal("b"), stringVal("c")}
	for i := range updates {
		updates[i] = &gpb.Update{Path: at, Val: values[i%len(values)]}
	}
	revision := r.engine.Store().Running().Revision()
	resp, err := r.server.Set(t.Context(), &gpb.SetRequest{Update: updates})
	if err != nil {
		t.Fatal(err)
	}
	if len(resp.Response) != len(updates) {
		t.Errorf("%d results", len(resp.Response))
	}
	if got := r.engine.Store().Running().Revision(); got != revision+1 || r.value(thePeer+"/config/description") != `"a"` {
		t.Errorf("revision %d -> %d, the description is %s", revision, got, r.value(thePeer+"/config/description"))
	}
	// The last one is wrong: none of them holds.
	updates = append(updates[:99_999], update(thePeer+"/config/as", stringVal("many")))
	_, err = r.server.Set(t.Context(), &gpb.SetRequest{Update: updates})
	wantStatus(t, err, codes.InvalidArgument, "update[99999]", "config/as")
	if got := r.engine.Store().Running().Revision(); got != revision+1 {
		t.Errorf("revision %d after a refused Set, want %d", got, revision+1)
	}
}

// gnmi.md 53, 64, 110: what a client leaves undone on its side of a stream.
func TestHalfClosed(t *testing.T) {
	r := newRig(t).example()
	open := func(list string) *stream {
		s, err := r.client.Subscribe(r.ctx())
		if err != nil {
			t.Fatal(err)
		}
		if list != "" {
			if err := s.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: textOf[gpb.SubscriptionList](t, list)}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		return &stream{rig: r, GNMI_SubscribeClient: s}
	}
	if _, err := open("").all(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("closed before a list: %v", err)
	}
	for _, mode := range []string{"ONCE", "POLL"} {
		got, err := open("mode: " + mode + " subscription: {}").all()
		if err != nil || len(got) == 0 || !got[len(got)-1].GetSyncResponse() {
			t.Errorf("%s: %d messages, %v", mode, len(got), err)
		}
	}
	// A unary RPC without a message: gRPC itself answers, with its own code.
	for _, method := range []string{"Capabilities", "Get", "Set"} {
		s, err := r.conn.NewStream(r.ctx(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/gnmi.gNMI/"+method)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, s.RecvMsg(&gpb.GetResponse{}), codes.Internal, "no request message")
	}
}

// gnmi.md 107, 110: connections that are dead at any point, of HTTP/2 or
// before, hold nothing up and leave nothing behind. goleak sees what stays.
func TestDeadConnections(t *testing.T) {
	r := newRig(t).example()
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	// HEADERS of stream 1 with an empty block, and DATA that announces more
	// than comes.
	headers := "\x00\x00\x00\x01\x04\x00\x00\x00\x01"
	data := "\x00\x00\x09\x00\x00\x00\x00\x00\x01\x00\x00\xff\xff\xff\x0a\x01\x01\x01"
	for i, sent := range []string{
		"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", preface[:10], preface, preface + settings, preface + settings + headers,
		preface + settings + headers + data, preface + strings.Repeat("\xff", 1<<16), preface + settings + "\xff\xff\xff\x00\x00\x00\x00\x00\x01",
	} {
		conn, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: r.roots, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Logf("connection %d: %v", i, err) // the server may have had enough
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	if got := r.value(thePeer + "/config/as"); got != "200" {
		t.Errorf("beside them a Get returns %q", got)
	}
}

// unread is a client that never reads: the first message waits for ever.
type unread struct {
	grpc.ServerStream
	ctx  context.Context
	req  *gpb.SubscribeRequest
	once sync.Once
	sent chan struct{} // closed when the first message waits
}

func (u *unread) Context() context.Context { return u.ctx }

func (u *unread) Recv() (*gpb.SubscribeRequest, error) {
	if req := u.req; req != nil {
		u.req = nil
		return req, nil
	}
	<-u.ctx.Done()
	return nil, u.ctx.Err()
}

func (u *unread) Send(resp *gpb.SubscribeResponse) error { return u.SendMsg(resp) }

func (u *unread) SendMsg(any) error {
	u.once.Do(func() { close(u.sent) })
	<-u.ctx.Done()
	return u.ctx.Err()
}

// gnmi.md 61, 110: what subscribers that do not read cost does not grow with
// what happens, but with how much there is and how many they are.
func TestUnreadIsBounded(t *testing.T) {
	const (
		readers = 50
		peers   = 400
		// What a changed record may cost each of them: its key and two entries.
		perRecord = 600
	)
	r := newRig(t).example()
	r.load(peers)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range readers {
		u := &unread{ctx: ctx, sent: make(chan struct{}), req: &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{
			Subscribe: &gpb.SubscriptionList{Encoding: encodings[i%len(encodings)], Subscription: []*gpb.Subscription{
				{Mode: gpb.SubscriptionMode_ON_CHANGE}, {Mode: gpb.SubscriptionMode_SAMPLE, SuppressRedundant: true},
			}},
		}}}
		wg.Go(func() { _ = r.server.Subscribe(u) }) // it ends with ctx
		<-u.sent
	}
	defer wg.Wait()
	defer cancel()
	var all []*gpb.Update
	for i := range peers {
		all = append(all, &gpb.Update{Path: path(fmt.Sprintf("%s/peers/peer[address=10.1.%d.%d]/config/description", vpn1, i>>8, i&255))})
	}
	round := func(n int) {
		for _, u := range all {
			u.Val = stringVal(fmt.Sprintf("round %d", n))
		}
		if _, err := r.server.Set(ctx, &gpb.SetRequest{Update: all}); err != nil {
			t.Fatal(err)
		}
	}
	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	for n := range 3 {
		round(n)
	}
	few := heap()
	for n := range 60 {
		round(3 + n)
	}
	many := heap()
	t.Logf("%d readers that do not read: %d KB after 3 rounds, %d KB after 63", readers, few>>10, many>>10)
	// The history of commits grows by as much as it may.
	if grown, most := many-few, readers*peers*perRecord/10+60*200*200; grown > most {
		t.Errorf("%d rounds more cost %d KB, want at most %d", 60, grown>>10, most>>10)
	}
	cancel()
	wg.Wait()
	if used := few - heap(); used > 2*readers*peers*perRecord {
		t.Errorf("%d readers of %d changed records held %d KB", readers, peers, used>>10)
	}
}

// A stream that is ended while nothing was read yet lets go of its goroutine.
func TestUnreadEnds(t *testing.T) {
	r := newRig(t).example()
	for _, mode := range []gpb.SubscriptionList_Mode{gpb.SubscriptionList_STREAM, gpb.SubscriptionList_ONCE, gpb.SubscriptionList_POLL} {
		ctx, cancel := context.WithCancel(t.Context())
		u := &unread{ctx: ctx, sent: make(chan struct{}), req: &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{
			Subscribe: &gpb.SubscriptionList{Mode: mode, Subscription: []*gpb.Subscription{{}}},
		}}}
		ended := make(chan error, 1)
		go func() { ended <- r.server.Subscribe(u) }()
		<-u.sent
		cancel()
		select {
		case err := <-ended:
			wantStatus(t, err, codes.Canceled)
		case <-time.After(patience):
			t.Fatalf("%v does not end", mode)
		}
	}
	eventually(t, "nothing is open", func() bool { return r.server.Subscriptions() == 0 })
	if !slices.Contains(encodings, gpb.Encoding_PROTO) {
		t.Fatal("the encodings are not what the other tests are about")
	}
}
