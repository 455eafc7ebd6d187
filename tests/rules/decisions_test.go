package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every decision has a number of its own, and a line in the table with its
// title.
func TestDecisions(t *testing.T) {
	const dir = "../../docs/adr"
	table, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "[0-9]*.md"))
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d decisions: %v", len(paths), err)
	}
	numbers := map[string]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Base(path)
		number, _, _ := strings.Cut(file, "-")
		if numbers[number] {
			t.Errorf("two decisions have the number %s", number)
		}
		numbers[number] = true
		title, ok := strings.CutPrefix(heading.FindString(string(text)), "# "+number+" ")
		if line := "| [" + number + "](" + file + ") | " + title + " |\n"; !ok || !strings.Contains(string(table), line) {
			t.Errorf("%s is not in the table of README.md as %q", file, line)
		}
	}
}
