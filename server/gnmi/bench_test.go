package gnmi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// load puts n peers in with one Set and says how long it took.
func (r *rig) load(n int) (time.Duration, int) {
	r.Helper()
	var b strings.Builder
	b.WriteString(`{"peer":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"address":%q,"config":{"as":200,"description":"peer %d"},"transport":{"config":{"tcp-mss":1000},"connect-interface":{"config":{"source-address":"10.0.0.1"}}},"timers":{"config":{"hold-time":90,"keepalive-interval":30}}}`,
			net.IPv4(10, byte(1+i>>16), byte(i>>8), byte(i)).String(), i)
	}
	b.WriteString(`]}`)
	start := time.Now()
	_, err := r.client.Set(context.Background(), &gpb.SetRequest{Update: []*gpb.Update{update(vpn1+"/peers", jsonVal(b.String()))}})
	if err != nil {
		r.Fatal(err)
	}
	return time.Since(start), b.Len()
}

// BenchmarkCall is an empty RPC, a one-leaf Get and a one-leaf Set, to compare
// (issue 2: a Set at 100k peers costs at most twice an empty RPC and an fsync).
func BenchmarkCall(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		r := newRig(b).example()
		d, size := r.load(n)
		b.Logf("%d peers, %d octets in one Set: %v", n, size, d)
		ctx := b.Context()
		b.Run(fmt.Sprintf("Capabilities/peers=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.client.Capabilities(ctx, &gpb.CapabilityRequest{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		at := vpn1 + "/peers/peer[address=10.1.0.77]"
		b.Run(fmt.Sprintf("GetLeaf/peers=%d", n), func(b *testing.B) {
			req := &gpb.GetRequest{Path: []*gpb.Path{path(at + "/config/as")}}
			for b.Loop() {
				if _, err := r.client.Get(ctx, req); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("SetLeaf/peers=%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				req := &gpb.SetRequest{Update: []*gpb.Update{update(at+"/config/description", jsonVal(fmt.Sprintf(`"round %d"`, i)))}}
				if _, err := r.client.Set(ctx, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGetFull reads everything; target: 0.5 s at 100k peers.
func BenchmarkGetFull(b *testing.B) {
	r := newRig(b).example()
	r.load(100_000)
	for _, tt := range []struct {
		name string
		req  *gpb.GetRequest
	}{
		{"JSON_IETF/CONFIG", &gpb.GetRequest{Encoding: gpb.Encoding_JSON_IETF, Type: gpb.GetRequest_CONFIG}},
		{"JSON_IETF/ALL", &gpb.GetRequest{Encoding: gpb.Encoding_JSON_IETF}},
	} {
		tt.req.Path = []*gpb.Path{{}}
		b.Run(tt.name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				resp, err := r.client.Get(b.Context(), tt.req)
				if err != nil {
					b.Fatal(err)
				}
				size = len(resp.Notification[0].Update[0].Val.GetJsonIetfVal())
			}
			b.ReportMetric(float64(size)/1e6, "MB")
		})
	}
}

// BenchmarkOnChange is the time from before a Set to its notification; target:
// 1 ms at the median.
func BenchmarkOnChange(b *testing.B) {
	r := newRig(b).example()
	r.load(100_000)
	s := r.watch(gpb.SubscriptionList_STREAM, gpb.SubscriptionMode_ON_CHANGE, vpn1+"/peers/peer[address=10.1.0.77]/config/description", vpn1+"/peers/peer[address=*]/config/as")
	s.untilSync()
	at := vpn1 + "/peers/peer[address=10.1.0.77]/config/description"
	for i := 0; b.Loop(); i++ {
		r.set(&gpb.SetRequest{Update: []*gpb.Update{update(at, jsonVal(fmt.Sprintf(`"round %d"`, i)))}})
		s.next()
	}
}

// BenchmarkInitial is the initial values of everything.
func BenchmarkInitial(b *testing.B) {
	r := newRig(b).example()
	r.load(100_000)
	for b.Loop() {
		n := 0
		s, err := r.client.Subscribe(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		err = s.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
			Mode: gpb.SubscriptionList_ONCE, Subscription: []*gpb.Subscription{{}},
		}}})
		for err == nil {
			var resp *gpb.SubscribeResponse
			resp, err = s.Recv()
			n += len(resp.GetUpdate().GetUpdate())
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n), "leaves")
	}
}
