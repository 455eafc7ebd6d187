package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring/tests/runner"
)

// BenchmarkNETCONFCommit is what a controller does most: one leaf into the
// candidate and a commit, durably, over SSH on loopback. cpu-us is the time of
// the agent's processors for both RPCs, SSH included.
//
// Target (issue 5), with 100,000 peers: at most 1 ms at the median where an fsync
// costs 0.2 ms, and at most 0.3 ms of CPU.
func BenchmarkNETCONFCommit(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			a := calm(b, loaded(b, size(n)))
			s, d := a.NETCONF(b), newDisk(b, a.StateDir)
			var change, fsync sample
			var cpu time.Duration
			for i := 0; b.Loop(); i++ {
				config := peerXML(i*7919%size(n), mss(i))
				before := cpuOf(b, a)
				change.time(b, func(context.Context) error {
					if err := s.EditConfig("candidate", config); err != nil {
						return err
					}
					return s.Commit()
				})
				cpu += cpuOf(b, a) - before
				fsync.time(b, d.sync)
			}
			change.report(b, "change-p50-us")
			fsync.report(b, "fsync-p50-us")
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-us")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// calm waits until an agent that has started has told of its peers, which keeps
// its processors busy for a while.
func calm(b *testing.B, a *runner.Agent) *runner.Agent {
	b.Helper()
	const look = 200 * time.Millisecond
	for before := cpuOf(b, a); ; {
		time.Sleep(look)
		now := cpuOf(b, a)
		if now-before < look/5 {
			return a
		}
		before = now
	}
}

func cpuOf(b *testing.B, a *runner.Agent) time.Duration {
	b.Helper()
	cpu, err := a.CPU()
	if err != nil {
		b.Fatal(err)
	}
	return cpu
}

// BenchmarkNETCONFGetOne reads the configuration of one peer by its keys.
//
// Target (issue 5): at most 0.5 ms at the median with 100,000 peers.
func BenchmarkNETCONFGetOne(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			s := calm(b, loaded(b, size(n))).NETCONF(b)
			var get sample
			for i := 0; b.Loop(); i++ {
				i := i * 7919 % size(n)
				filter := strings.Replace(peerXML(i, 0), "<transport><config><tcp-mss>0</tcp-mss></config></transport>", "", 1)
				get.time(b, func(context.Context) error {
					got, err := s.Call("<get-config><source><running/></source><filter>" + filter + "</filter></get-config>")
					if err == nil && !strings.Contains(got, "<description>customer "+fmt.Sprint(i)+"</description>") {
						err = fmt.Errorf("answered with %s", got)
					}
					return err
				})
			}
			get.report(b, "get-p50-us")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkConfigChange is the time from an edit-config of one leaf to the
// notification of it in another session.
//
// Target (issue 5): it costs what the edit costs, whatever the configuration is:
// the same with 100,000 peers as with 1,000.
func BenchmarkConfigChange(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			a := calm(b, loaded(b, size(n)))
			s, w := a.NETCONF(b), a.NETCONF(b)
			if _, err := w.Call(`<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0">` +
				`<filter><netconf-config-change xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"/></filter></create-subscription>`); err != nil {
				b.Fatal(err)
			}
			var told sample
			for i := 0; b.Loop(); i++ {
				config := peerXML(i*7919%size(n), mss(i))
				told.time(b, func(context.Context) error {
					if err := s.EditConfig("running", config); err != nil {
						return err
					}
					text, err := w.Transport.Receive()
					if err == nil && !strings.Contains(string(text), "netconf-config-change") {
						err = fmt.Errorf("told %s", text)
					}
					return err
				})
			}
			told.report(b, "told-p50-us")
			b.ReportMetric(0, "ns/op")
		})
	}
}
