package bench

import (
	"fmt"
	"os"
	"testing"

	"mooring/tests/runner"
)

// cache holds the state directories that benchmarks start from.
var cache string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	cache = dir
	return runner.Main(m)
}
