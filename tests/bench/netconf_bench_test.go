package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"mooring/tests/runner"
)

// BenchmarkNETCONFCommit is what a controller does most: one leaf into the
// candidate and a commit, durably, over SSH on loopback. tcp-mss is a leaf whose
// change resets the session, so that the state of the peer moves and is told too;
// description is one that does not.
//
// The agent is a process of its own, so cpu-us is its processors' time alone: for
// two RPCs with SSH and TCP, and for making the commit durable. What of it no
// agent could save is measured beside it: rpcs-cpu-us is two RPCs that do
// nothing, fsync-cpu-us is what the kernel needs for the same write.
//
// Target (issue 5), with 100,000 peers: at most 1 ms at the median where an fsync
// costs 0.2 ms, and at most 0.3 ms of CPU.
func BenchmarkNETCONFCommit(b *testing.B) {
	for _, leaf := range []string{"description", "tcp-mss"} {
		for _, n := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("leaf=%s/peers=%d", leaf, n), func(b *testing.B) {
				a := calm(b, loaded(b, size(n)))
				s, d := lean{a.NETCONF(b)}, newDisk(b, a.StateDir)
				var change, fsync sample
				var cpu, rpcs time.Duration
				for i := 0; b.Loop(); i++ {
					config := peerXML(i*7919%size(n), mss(i))
					if leaf == "description" {
						config = describedXML(i*7919%size(n), i)
					}
					before := cpuOf(b, a)
					change.time(b, func(context.Context) error {
						return s.calls("<edit-config><target><candidate/></target><config>"+config+"</config></edit-config>", "<commit/>")
					})
					between := cpuOf(b, a)
					const nothing = `<get-config><source><running/></source><filter type="subtree"/></get-config>`
					if err := s.calls(nothing, nothing); err != nil {
						b.Fatal(err)
					}
					cpu, rpcs = cpu+between-before, rpcs+cpuOf(b, a)-between
					fsync.time(b, d.sync)
				}
				change.report(b, "change-p50-us")
				fsync.report(b, "fsync-p50-us")
				for unit, spent := range map[string]time.Duration{"cpu-us": cpu, "rpcs-cpu-us": rpcs, "fsync-cpu-us": d.cpu} {
					b.ReportMetric(float64(spent.Microseconds())/float64(b.N), unit)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// lean sends an RPC in one write, as most clients do. The client of the runner
// makes three of it, which the agent's SSH takes three times.
type lean struct{ *runner.NETCONF }

func (l lean) calls(operations ...string) error {
	for _, op := range operations {
		message := `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1">` + op + "</rpc>]]>]]>"
		if _, err := io.WriteString(l.Transport.(io.Writer), message); err != nil {
			return err
		}
		reply, err := l.Transport.Receive()
		if err != nil {
			return err
		}
		if bytes.Contains(reply, []byte("<rpc-error>")) {
			return fmt.Errorf("answered with %s", reply)
		}
	}
	return nil
}

// calm waits until an agent that has started has told of its peers and has
// collected what that left behind, which keeps its processors busy for a while.
func calm(b *testing.B, a *runner.Agent) *runner.Agent {
	b.Helper()
	const look, quiet = 200 * time.Millisecond, 5 * time.Second // the agent looks every 2 s whether to collect
	busy := func() time.Duration {
		ran, waited, err := a.CPU()
		if err != nil {
			b.Fatal(err)
		}
		return ran + waited
	}
	since := time.Now()
	for before := busy(); time.Since(since) < quiet; {
		time.Sleep(look)
		now := busy()
		if now-before > look/5 {
			since = time.Now()
		}
		before = now
	}
	return a
}

func cpuOf(b *testing.B, a *runner.Agent) time.Duration {
	b.Helper()
	ran, _, err := a.CPU()
	if err != nil {
		b.Fatal(err)
	}
	return ran
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
