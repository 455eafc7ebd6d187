package gobgp

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"mooring/backend"
	"mooring/backend/backendtest"
	"mooring/bgp"
	"mooring/engine/plan"
)

// BenchmarkReset1000 is one Apply that resets 1,000 established sessions: until
// it returns, and until the last is back. Every remote dials and counts.
//
// Target: all back within 5 s, with one Cease each.
func BenchmarkReset1000(b *testing.B) {
	const n = 1000
	for range b.N {
		b.StopTimer()
		w := &world{b: New(Options{}), x: 250, listenPort: 17900, remotePort: 17901}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		up := make(chan bgp.PeerKey, 10*n)
		go func() {
			done <- w.b.Run(ctx, func(e backend.Event) {
				if isUp(e) {
					up <- e.Peer
				}
			})
		}()
		in := w.instance(0)
		steps := []plan.Step{putInstance(in)}
		var remotes []*backendtest.TCPRemote
		var specs []*bgp.PeerSpec
		for i := range n {
			p := w.peer(0, 0)
			p.Key.Address = netip.AddrFrom4([4]byte{127, w.x, byte(1 + i/250), byte(1 + i%250)})
			p.ConnectMode = bgp.ListenOnly
			specs = append(specs, p)
			steps = append(steps, create(p))
			remotes = append(remotes, backendtest.NewTCPRemote(b, backendtest.RemoteConfig{
				Address: p.Key.Address, Dial: w.ports(0)[:1],
			}, p))
		}
		all := func() {
			seen := map[bgp.PeerKey]bool{}
			limit := time.After(2 * time.Minute)
			for len(seen) < n {
				select {
				case key := <-up:
					seen[key] = true
				case <-limit:
					b.Fatalf("%d of %d sessions", len(seen), n)
				}
			}
		}
		apply := func(steps []plan.Step) {
			if n, err := w.b.Apply(ctx, steps); n != len(steps) || err != nil {
				b.Fatalf("Apply = %d, %v", n, err)
			}
		}
		apply(steps)
		all()
		steps = steps[:0]
		for _, p := range specs {
			steps = append(steps, w.update(p, with(p, func(q *bgp.PeerSpec) { q.MSS = 1200 }), bgp.ImpactReset))
		}
		b.StartTimer()
		began := time.Now()
		apply(steps)
		b.ReportMetric(time.Since(began).Seconds(), "apply-s")
		all()
		b.ReportMetric(time.Since(began).Seconds(), "back-s")
		b.StopTimer()
		for _, r := range remotes {
			if c := r.Ceases(); len(c) != 1 {
				b.Errorf("ceases %v, want one", c)
			}
		}
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		for _, r := range remotes {
			r.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory is what a peer costs, in heap and stacks after a collection:
// configured and down, with our connections and with GoBGP's own, and with an
// established session of one address family. The remotes of the last live in
// the same process, and are counted.
//
// Target: a configured peer costs what its session needs and no more. GoBGP
// takes 221 KB for each address family as shipped.
func BenchmarkMemory(b *testing.B) {
	const n = 200
	for _, c := range []struct {
		name string
		o    Options
		up   bool
	}{{"down", Options{}, false}, {"down, stock", Options{Stock: true}, false}, {"established", Options{}, true}} {
		b.Run(c.name, func(b *testing.B) {
			w := &world{b: New(c.o), x: 251, listenPort: 17900, remotePort: 17901}
			up := make(chan bgp.PeerKey, 10*n)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() {
				done <- w.b.Run(ctx, func(e backend.Event) {
					if isUp(e) {
						up <- e.Peer
					}
				})
			}()
			steps := []plan.Step{putInstance(w.instance(0))}
			if _, err := w.b.Apply(ctx, steps); err != nil {
				b.Fatal(err)
			}
			before := used()
			steps = steps[:0]
			for i := range n {
				p := w.peer(0, 0)
				p.Key.Address = netip.AddrFrom4([4]byte{127, w.x, 9, byte(1 + i)})
				p.ConnectRetry = 30 * time.Second
				steps = append(steps, create(p))
				if c.up {
					r := backendtest.NewTCPRemote(b, backendtest.RemoteConfig{Address: p.Key.Address, Listen: w.remotePort}, p)
					defer r.Close()
				}
			}
			if done, err := w.b.Apply(ctx, steps); err != nil {
				b.Fatalf("Apply = %d, %v", done, err)
			}
			if c.up {
				seen := map[bgp.PeerKey]bool{}
				for len(seen) < n {
					seen[<-up] = true
				}
			} else {
				time.Sleep(2 * time.Second) // attempts to connect have got rare
			}
			b.ReportMetric(float64(used()-before)/1024/n, "KB/peer")
			b.ReportMetric(0, "ns/op")
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// used is what is in use of heap and stacks.
func used() int64 {
	runtime.GC()
	runtime.GC() // what finalizers kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
