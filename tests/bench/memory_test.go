package bench

import (
	"testing"
	"time"

	"mooring/tests/runner"
)

const (
	// forcedGC is how long the runtime of Go lets an idle process be before it
	// collects; the scavenger then needs some seconds to give the memory back.
	forcedGC = 2*time.Minute + 10*time.Second
	shortGC  = 100 * time.Millisecond
)

// atRest waits for the collection that an idle process gets, and returns the
// resident memory after it.
func atRest(b *testing.B, a *runner.Agent) int64 {
	b.Helper()
	wait := forcedGC
	if testing.Short() {
		wait = shortGC
	}
	time.Sleep(wait)
	rss, err := a.Memory("VmRSS")
	if err != nil {
		b.Fatal(err)
	}
	return rss
}
