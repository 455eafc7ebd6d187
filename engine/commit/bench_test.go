package commit

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"mooring/backend/fake"
	"mooring/bgp"
	"mooring/engine/datastore"
	"mooring/engine/schema"

	"github.com/openconfig/ygot/ygot"
)

// BenchmarkCommitOneLeaf changes one leaf of one of N peers, with the store in
// memory (tmpfs). Targets (issue 2): flat within 1.2 over N, under 100 us of
// CPU at 100k.
func BenchmarkCommitOneLeaf(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			c := loaded(b, n)
			key := peerOf(vpn1, "10.1.0.1")
			cpu := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				_, err := c.Edit(b.Context(), operator, Options{}, func(tx schema.Tx) error {
					peerAt(tx, key).Transport.Config.TcpMss = ygot.Uint16(uint16(1000 + i%2))
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}

// BenchmarkState renders the state of peers of 100,000: to be kept, and as a
// full read does for each of them, which should allocate next to nothing.
func BenchmarkState(b *testing.B) {
	c := loaded(b, 100_000)
	var keys []schema.Key
	for i := range 256 {
		keys = append(keys, schema.PeerKey(peerOf(vpn1, fmt.Sprintf("10.1.0.%d", i))))
	}
	v := c.View()
	for _, bench := range []struct {
		name  string
		state func(schema.Key) ygot.GoStruct
	}{{"kept", v.State}, {"lent", func(k schema.Key) ygot.GoStruct { return schema.LendState(v, k) }}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			cpu := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				if bench.state(keys[i%len(keys)]) == nil {
					b.Fatal("no state")
				}
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

func loaded(b *testing.B, n int) *Coordinator {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mooring-bench-")
	if err != nil {
		b.Skip("needs a tmpfs at /dev/shm: ", err)
	}
	store, err := datastore.Open(datastore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = store.Close()
		_ = os.RemoveAll(dir)
	})
	c := New(Config{
		Store: store, Backend: fake.New(fake.Options{}), Sources: newNetwork(), RouterID: netip.MustParseAddr("192.0.2.1"),
		Version: "bench", Log: slog.New(slog.DiscardHandler),
	})
	if err := c.Boot(b.Context()); err != nil {
		b.Fatal(err)
	}
	_, err = c.Edit(b.Context(), operator, Options{}, func(tx schema.Tx) error {
		example(tx)
		for i := range n {
			k := bgp.PeerKey{Instance: "default", VPN: "vpn1", Address: netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)})}
			p := peerAt(tx, k)
			p.GetOrCreateConfig().As = ygot.Uint32(200)
			p.GetOrCreateTransport().GetOrCreateConfig().TcpMss = ygot.Uint16(1000)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
