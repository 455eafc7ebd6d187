package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	memoryLook  = 2 * time.Second
	memoryMuch  = 64 << 20 // octets allocated since the last time that make it worth a collection
	memoryQuiet = 4 << 20  // and no more than that since the last look
)

// memoryKeeper decides when to collect and to give memory back to the system.
// A boot or a load of 100,000 peers leaves hundreds of megabytes of garbage
// that Go would keep for minutes: its collector waits for the heap to double
// or for two idle minutes.
type memoryKeeper struct {
	seen      uint64 // allocated at the last look
	collected uint64 // allocated when it was last given back
}

// due says whether now is the time, from the octets allocated so far.
func (k *memoryKeeper) due(allocated uint64) bool {
	quiet := allocated-k.seen < memoryQuiet
	k.seen = allocated
	if !quiet || allocated-k.collected < memoryMuch {
		return false
	}
	k.collected = allocated
	return true
}

// keepMemory gives memory back in the quiet after much work, until ctx ends.
func keepMemory(ctx context.Context) error {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var k memoryKeeper
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if metrics.Read(sample); k.due(sample[0].Value.Uint64()) {
				debug.FreeOSMemory()
			}
		}
	}
}
