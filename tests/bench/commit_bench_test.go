package bench

import (
	"context"
	"fmt"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
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
			a := loaded(b, size(n))
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
				a := loaded(b, size(n))
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

// BenchmarkLoad puts 100,000 peers into an empty agent with one request.
//
// Target (issue 2): at most 5 s.
func BenchmarkLoad(b *testing.B) {
	n := size(100_000)
	b.Run("gnmi", func(b *testing.B) {
		request := population(b, n)
		load(b, func(a *runner.Agent) func() error {
			g := a.GNMI(b)
			return func() error { _, err := g.Set(b.Context(), request); return err }
		})
	})
	b.Run("netconf", func(b *testing.B) {
		config := populationXML(n)
		load(b, func(a *runner.Agent) func() error {
			s := a.NETCONF(b)
			return func() error { return s.EditConfig("running", config) }
		})
	})
}

// load times what prepare returns on fresh agents.
func load(b *testing.B, prepare func(*runner.Agent) func() error) {
	b.Helper()
	var peak int64
	for range b.N {
		b.StopTimer()
		a := runner.Start(b, options(""))
		put := prepare(a)
		b.StartTimer()
		if err := put(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		var err error
		if peak, err = a.Memory("VmHWM"); err != nil {
			b.Fatal(err)
		}
		a.Stop(b)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/load")
	b.ReportMetric(megabytes(peak), "peak-MB")
}

// BenchmarkGet reads everything, configuration and state, with 100,000 peers.
// grown-MB is what the answer adds to the peak of the agent's memory.
//
// Target (issue 2): at most 0.5 s each; get-config with flat memory.
func BenchmarkGet(b *testing.B) {
	n := size(100_000)
	read := func(b *testing.B, a *runner.Agent, f func() int) {
		b.Helper()
		f() // what the first reading costs once
		before, err := a.ResetPeak()
		if err != nil {
			b.Fatal(err)
		}
		var octets int
		for b.Loop() {
			octets = f()
		}
		peak, err := a.Memory("VmHWM")
		if err != nil {
			b.Fatal(err)
		}
		if octets < n*100 {
			b.Fatalf("%d octets for %d peers", octets, n)
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/get")
		b.ReportMetric(megabytes(int64(octets)), "answer-MB")
		b.ReportMetric(megabytes(peak-before), "grown-MB")
	}
	b.Run("gnmi", func(b *testing.B) {
		a := loaded(b, n)
		g := a.GNMI(b)
		request := &gpb.GetRequest{Path: []*gpb.Path{{}}, Encoding: gpb.Encoding_JSON_IETF}
		read(b, a, func() int {
			r, err := g.Get(b.Context(), request)
			if err != nil {
				b.Fatal(err)
			}
			return len(r.Notification[0].Update[0].GetVal().GetJsonIetfVal())
		})
	})
	b.Run("gnmi-config", func(b *testing.B) {
		a := loaded(b, n)
		g := a.GNMI(b)
		request := &gpb.GetRequest{Path: []*gpb.Path{{}}, Encoding: gpb.Encoding_JSON_IETF, Type: gpb.GetRequest_CONFIG}
		read(b, a, func() int {
			r, err := g.Get(b.Context(), request)
			if err != nil {
				b.Fatal(err)
			}
			return len(r.Notification[0].Update[0].GetVal().GetJsonIetfVal())
		})
	})
	b.Run("get-config", func(b *testing.B) {
		a := loaded(b, n)
		s := a.NETCONF(b)
		read(b, a, func() int {
			raw, err := s.Raw("<get-config><source><running/></source></get-config>")
			if err != nil {
				b.Fatal(err)
			}
			return len(raw)
		})
	})
}

// BenchmarkStart is the time from exec to the first greeting with 100,000 peers
// on disk, and the memory of the agent when it has come to rest.
//
// Target (issue 2): at most 3 s; at most 250 MB resident.
func BenchmarkStart(b *testing.B) {
	n := size(100_000)
	dir := stateDir(b, n)
	var rss int64
	b.ResetTimer()
	for i := range b.N {
		a := runner.Start(b, options(dir))
		b.StopTimer()
		if i == b.N-1 {
			rss = atRest(b, a)
		}
		a.Stop(b)
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
	b.ReportMetric(megabytes(rss), "idle-MB")
}
