package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"mooring/tests/runner"
)

// Scenarios wait for timers of BGP nearly all of their time, so more of them
// run at once than there are processors.
const parallel = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(runner.Main(m))
}
