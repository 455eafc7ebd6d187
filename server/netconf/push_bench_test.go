package netconf

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// sink is the connection of a client elsewhere: what it has to say comes from a
// pipe, and it takes what comes at once, so that only the work of the server is
// measured.
type sink struct {
	*io.PipeReader
	text    []byte
	seen    atomic.Int64   // messages with the text in them
	replies chan time.Time // when each reply was written
}

// Write implements io.Writer. A message of the server is one write.
func (s *sink) Write(p []byte) (int, error) {
	if bytes.Contains(p, s.text) {
		s.seen.Add(1)
	}
	if bytes.Contains(p, []byte("<rpc-reply")) {
		s.replies <- time.Now()
	}
	return len(p), nil
}

// sink runs a session. The function that is returned sends an operation and
// returns how long it took to be answered.
func (r *rig) sink(text string) (*sink, func(operation string) time.Duration) {
	r.Helper()
	in, out := io.Pipe()
	s := &sink{PipeReader: in, text: []byte(text), replies: make(chan time.Time, 1)}
	se, err := r.srv.open(identity("admin"), s, overSSH)
	if err != nil {
		r.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = se.run(context.Background())
		close(done)
	}()
	r.Cleanup(func() {
		_ = out.Close()
		<-done
	})
	send := func(text string) {
		if _, err := io.WriteString(out, text); err != nil {
			r.Fatal(err)
		}
	}
	send(hello(base11) + "]]>]]>")
	return s, func(operation string) time.Duration {
		msg := `<rpc xmlns="` + ncNS + `" message-id="1">` + operation + "</rpc>"
		begin := time.Now()
		send(fmt.Sprintf("\n#%d\n%s\n##\n", len(msg), msg))
		return (<-s.replies).Sub(begin)
	}
}

// everything is an on-change subscription to the whole of a datastore.
func everything(datastore string) string {
	return establish(of(datastore, "") + onChange("<sync-on-start>false</sync-on-start>"))
}

// BenchmarkPushSubscribers is a one-leaf edit of running among 1,000 peers, in
// turn at a server without subscribers and at one with 100 on-change subscribers
// of everything that is in operational. The times are from the last byte of the
// request to the first of the answer, told-us until all 100 have been told. The
// clients cost nothing, and neither does SSH.
//
// Target (issue 5): 100 subscribers of everything do not slow the edit: the
// metric ratio, of the medians, is at most 1.2.
func BenchmarkPushSubscribers(b *testing.B) {
	const subscribers = 100
	serve := func() (*listening, func(string) time.Duration) {
		l := benchServer(b)
		_, run := l.sink("none")
		run(edit(vpn1 + benchPeers(1000)))
		return l, run
	}
	_, runAlone := serve()
	l, runWatched := serve()
	sinks := make([]*sink, subscribers)
	for i := range sinks {
		s, run := l.sink("push-change-update")
		run(everything("operational"))
		sinks[i] = s
	}
	var alone, watched []time.Duration
	var told time.Duration
	i := 0
	for b.Loop() {
		i++
		op := edit(peer("", "10.1.1.2", fmt.Sprintf("<description>%d</description>", i)))
		alone = append(alone, runAlone(op))
		begin := time.Now()
		watched = append(watched, runWatched(op))
		for slices.ContainsFunc(sinks, func(s *sink) bool { return s.seen.Load() < int64(i) }) {
			time.Sleep(20 * time.Microsecond)
		}
		told += time.Since(begin)
	}
	p50 := func(of []time.Duration) float64 {
		slices.Sort(of)
		return float64(of[len(of)/2].Nanoseconds()) / 1e3
	}
	b.ReportMetric(p50(alone), "alone-p50-us")
	b.ReportMetric(p50(watched), "p50-us")
	b.ReportMetric(p50(watched)/p50(alone), "ratio")
	b.ReportMetric(float64(told.Microseconds())/float64(i), "told-us")
	b.ReportMetric(0, "ns/op") // of all together: no figure of anything
}

// BenchmarkSubscriptionMemory is what a subscription costs while nothing
// happens, in heap and stacks: 100 in each of 10 sessions.
//
// Target: at most 16 KiB each.
func BenchmarkSubscriptionMemory(b *testing.B) {
	for name, op := range map[string]string{
		"stream": establish(onNETCONF + events("netconf-config-change")), "on-change": everything("running"),
		"periodic": establish(of("running", peers("")) + periodic("<period>360000</period><anchor-time>2026-01-01T00:00:00Z</anchor-time>")),
	} {
		b.Run(name, func(b *testing.B) {
			const sessions, each = 10, 100
			for b.Loop() {
				r := newRig(b, Limits{})
				clients := make([]*client, sessions)
				for i := range clients {
					clients[i] = r.open()
					clients[i].rpc("<commit/>")
				}
				use := func() uint64 {
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return m.HeapInuse + m.StackInuse
				}
				before := use()
				for _, c := range clients {
					for range each {
						if got := c.rpc(op); strings.Contains(got, "rpc-error") {
							b.Fatal(got)
						}
					}
				}
				b.ReportMetric(float64(use()-before)/sessions/each, "B/subscription")
			}
		})
	}
}

// BenchmarkConfigChange is a one-leaf edit over SSH until its
// netconf-config-change has come to a subscriber.
//
// Target (netconf.md 73): it costs the edit: the same with 100,000 peers as with
// 1,000.
func BenchmarkConfigChange(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := benchServer(b)
			e, c := l.exchanger(b)
			e.exchange(c.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + edit(vpn1+benchPeers(n)) + "</rpc>"))
			d, run := l.sink("config/mbgp:description")
			run(establish(onNETCONF + events("netconf-config-change")))
			i := 0
			told := func() int64 {
				before := d.seen.Load()
				i++
				e.exchange(c.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + edit(peer("", "10.1.1.2", fmt.Sprintf("<description>%d</description>", i))) + "</rpc>"))
				for end := time.Now().Add(patience); d.seen.Load() == before && time.Now().Before(end); {
					time.Sleep(20 * time.Microsecond)
				}
				return d.seen.Load() - before
			}
			for told() != 1 { // the sessions of all the peers come up first
			}
			for b.Loop() {
				if told() != 1 {
					b.Fatal("a commit was not told")
				}
			}
		})
	}
}
