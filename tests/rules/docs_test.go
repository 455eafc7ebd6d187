package rules

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

const root = "../.."

// files calls fn for each file of the repository with one of the extensions.
func files(t *testing.T, fn func(path, text string), extensions ...string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin"):
			return filepath.SkipDir
		}
		for _, ext := range extensions {
			if d.IsDir() || filepath.Ext(path) != ext {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found++
			fn(path, string(text))
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Fatalf("%d files of %v: %v", found, extensions, err)
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	decision = regexp.MustCompile(`docs/adr/(\d{4})`)
)

// anchor is what a heading is linked by.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// Every link within the repository leads somewhere.
func TestLinks(t *testing.T) {
	anchors := map[string]map[string]bool{} // of the documents, by path
	files(t, func(path, text string) {
		anchors[path] = map[string]bool{}
		for _, h := range heading.FindAllStringSubmatch(text, -1) {
			anchors[path][anchor(h[1])] = true
		}
	}, ".md")
	files(t, func(path, text string) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			to, at, _ := strings.Cut(m[1], "#")
			target := path
			if to != "" {
				target = filepath.Join(filepath.Dir(path), to)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s: %v", path, m[1], err)
			} else if at != "" && !anchors[target][at] {
				t.Errorf("%s: link to %s: %s has no such heading", path, m[1], target)
			}
		}
	}, ".md")
}

// Every decision has a number of its own and a line in the table, with its
// title; and what code refers to is there.
func TestDecisions(t *testing.T) {
	dir := filepath.Join(root, "docs/adr")
	table, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]bool{}
	files(t, func(path, text string) {
		file := filepath.Base(path)
		number, _, ok := strings.Cut(file, "-")
		if filepath.Dir(path) != dir || !ok {
			return
		}
		if numbers[number] {
			t.Errorf("two decisions have the number %s", number)
		}
		numbers[number] = true
		title, ok := strings.CutPrefix(heading.FindString(text), "# "+number+" ")
		if line := "| [" + number + "](" + file + ") | " + title + " |\n"; !ok || !strings.Contains(string(table), line) {
			t.Errorf("%s is not in the table of README.md as %q", file, line)
		}
	}, ".md")
	files(t, func(path, text string) {
		for _, m := range decision.FindAllStringSubmatch(text, -1) {
			if !numbers[m[1]] {
				t.Errorf("%s refers to %s, which is not there", path, m[0])
			}
		}
	}, ".go", ".yang", ".md")
}
