package runner

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the path of the agent that Main built.
var binary string

// Main builds the agent into a directory of its own, runs the tests, and
// returns the code to exit with.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "agent")
	if out, err := exec.Command("go", "build", "-o", binary, "mooring/cmd/agent").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "runner: build the agent: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
