package datastore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// fill adds n peers with the leaves that a peer usually has.
func fill(txn *Txn, n int) {
	addBase(txn)
	txn.Mutable(groupKey("a"))
	for i := range n {
		k := peerKey(i)
		describe(txn, k, fmt.Sprint("customer ", i))
		join(txn, k, "a")
		p := txn.Mutable(k).(*peer)
		as, hops, mss, hold, keepalive := uint32(64512+i), uint8(3), uint16(1400), uint16(90), uint16(30)
		enabled, source := true, fmt.Sprintf("192.0.2.%d", i%250)
		p.Config.As, p.Config.Enabled = &as, &enabled
		transport := p.GetOrCreateTransport()
		transport.GetOrCreateConfig().EbgpMaxHop, transport.Config.TcpMss = &hops, &mss
		transport.GetOrCreateConnectInterface().GetOrCreateConfig().SourceAddress = &source
		p.GetOrCreateTimers().GetOrCreateConfig().HoldTime, p.Timers.Config.KeepaliveInterval = &hold, &keepalive
	}
}

var sizes = []int{1_000, 10_000, 100_000}

// BenchmarkCommit is a commit of one leaf up to where it would become durable:
// it must cost the same whatever the number of records.
func BenchmarkCommit(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s := open(b, b.TempDir())
			commit(b, s, func(txn *Txn) { fill(txn, n) })
			runtime.GC()
			b.ReportAllocs()
			var times []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				txn := s.Begin()
				describe(txn, peerKey(i*7919%n), fmt.Sprint("text ", i))
				if len(txn.Dirty()) != 1 {
					b.Fatal("one leaf changes other than one record")
				}
				s.latest = newSnapshot(txn.tree, txn.base.revision+1)
				s.running.Store(s.latest)
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns")
		})
	}
}

// BenchmarkPersist is a whole commit of one leaf, beside a bare append of 700
// octets with fsync in between, and tells how many of those it costs. The
// slowest of a thousand is one that meets a checkpoint.
func BenchmarkPersist(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			s := open(b, dir)
			commit(b, s, func(txn *Txn) { fill(txn, n) })
			bare, err := os.Create(filepath.Join(dir, "bare"))
			if err != nil {
				b.Fatal(err)
			}
			defer bare.Close()
			line := bytes.Repeat([]byte("x"), 700)
			var commits, syncs []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				commit(b, s, func(txn *Txn) { describe(txn, peerKey(i*7919%n), fmt.Sprint("text ", i)) })
				commits = append(commits, time.Since(start))
				start = time.Now()
				if _, err := bare.Write(line); err != nil {
					b.Fatal(err)
				}
				if err := bare.Sync(); err != nil {
					b.Fatal(err)
				}
				syncs = append(syncs, time.Since(start))
			}
			slices.Sort(commits)
			slices.Sort(syncs)
			c, f := commits[len(commits)/2], syncs[len(syncs)/2]
			b.ReportMetric(float64(c.Microseconds()), "commit-p50-us")
			b.ReportMetric(float64(commits[len(commits)*99/100].Microseconds()), "commit-p99-us")
			b.ReportMetric(float64(commits[len(commits)-1].Microseconds()), "commit-max-us")
			b.ReportMetric(float64(f.Microseconds()), "fsync-p50-us")
			b.ReportMetric(float64(c)/float64(f), "fsyncs/commit")
		})
	}
}

// BenchmarkCheckpoint is what one commit in a thousand waits for: it writes
// what a full journal holds, of records that are far apart.
func BenchmarkCheckpoint(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s := open(b, b.TempDir())
			commit(b, s, func(txn *Txn) { fill(txn, n) })
			for i := 0; b.Loop(); {
				b.StopTimer()
				for range (journalSize - journalReserve) / journalBlock {
					i++
					commit(b, s, func(txn *Txn) { describe(txn, peerKey(i*7919%n), fmt.Sprint("text ", i)) })
				}
				if filesOf(s).journal.next != journalSize-journalReserve {
					b.Fatal("the journal is not full")
				}
				b.StartTimer()
				if err := filesOf(s).checkpoint(nil, s.oldest(s.latest.revision)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBulk is one commit of 100,000 new records; BenchmarkLoad starts
// with them, and tells what a record costs in memory.
func BenchmarkBulk(b *testing.B) {
	for b.Loop() {
		s := open(b, b.TempDir())
		commit(b, s, func(txn *Txn) { fill(txn, 100_000) })
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	commit(b, s, func(txn *Txn) { fill(txn, 100_000) })
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	s = nil
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	info, err := os.Stat(filepath.Join(dir, stateFile))
	if err != nil {
		b.Fatal(err)
	}
	before, used := heap(), 0.0
	for b.Loop() {
		s, err := Open(Options{Dir: dir, Log: silent()}) // open would keep all of them
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		used = heap() - before
		if s.Running().Len() < 100_000 {
			b.Fatal("records are missing")
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(used/100_000, "heap-B/record")
	b.ReportMetric(float64(info.Size())/100_000, "file-B/record")
}
