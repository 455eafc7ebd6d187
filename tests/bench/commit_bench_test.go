package bench

import (
	"context"
	"fmt"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"mooring/tests/runner"
)

// mss is the value of round i: never the one before.
func mss(i int) int { return 1000 + i%2 }

// BenchmarkGNMISet changes one leaf that costs a reset, durably, over TLS on
// loopback, beside an empty gRPC call on the same connection and an fsync of
// 700 octets on the same disk.
//
// Target (issue 2): at most 2 times (empty call + fsync) with 100,000 peers:
// the metric ratio. At most 1.2 times the figure of 1,000 peers.
func BenchmarkGNMISet(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			a := calm(b, loaded(b, size(n)))
			g, d := a.GNMI(b), newDisk(b, a.StateDir)
			health := healthpb.NewHealthClient(g.Conn)
			var set, empty, fsync sample
			for i := 0; b.Loop(); i++ {
				r, err := runner.Request(runner.Update(peerPath(i*7919%size(n))+"/transport/config/tcp-mss", mss(i)))
				if err != nil {
					b.Fatal(err)
				}
				set.time(b, func(ctx context.Context) error { _, err := g.Set(ctx, r); return err })
				empty.time(b, func(ctx context.Context) error {
					_, err := health.Check(ctx, &healthpb.HealthCheckRequest{})
					return err
				})
				fsync.time(b, d.sync)
			}
			compare(b, set, empty, fsync)
		})
	}
}

// BenchmarkNETCONF is BenchmarkGNMISet over SSH: an edit-config of running, and
// an edit-config of the candidate with a commit, which are two RPCs. The empty
// RPC is a get-config with an empty filter.
//
// Target (issue 2): at most 2 times (empty RPC + fsync) with 100,000 peers.
func BenchmarkNETCONF(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		for _, target := range []string{"running", "candidate"} {
			b.Run(fmt.Sprintf("%s/peers=%d", target, n), func(b *testing.B) {
				a := calm(b, loaded(b, size(n)))
				s, d := a.NETCONF(b), newDisk(b, a.StateDir)
				var edit, empty, fsync sample
				for i := 0; b.Loop(); i++ {
					config := peerXML(i*7919%size(n), mss(i))
					edit.time(b, func(context.Context) error {
						if err := s.EditConfig(target, config); err != nil || target == "running" {
							return err
						}
						return s.Commit()
					})
					empty.time(b, func(context.Context) error {
						_, err := s.Call(`<get-config><source><running/></source><filter type="subtree"/></get-config>`)
						return err
					})
					fsync.time(b, d.sync)
				}
				compare(b, edit, empty, fsync)
			})
		}
	}
}

// compare reports the medians and how many times (empty + fsync) a change costs.
func compare(b *testing.B, change, empty, fsync sample) {
	b.Helper()
	change.report(b, "change-p50-us")
	empty.report(b, "empty-p50-us")
	fsync.report(b, "fsync-p50-us")
	b.ReportMetric(float64(change.p50())/float64(empty.p50()+fsync.p50()), "ratio")
	b.ReportMetric(0, "ns/op") // of all three together: no figure of anything
}
