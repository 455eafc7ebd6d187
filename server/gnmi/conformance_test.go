package gnmi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// items is how many the checklist has that docs/gnmi.md answers.
const items = 110

var (
	tableRow = regexp.MustCompile(`(?m)^\| (\d+) \| (.+?) \| (.+?) \|$`)
	citation = regexp.MustCompile(`gnmi\.md ((?:\d+(?: to \d+)?(?:,\s| and )?)+)`)
	inCase   = regexp.MustCompile(`\((\d+(?:, \d+)*)\)`) // in the name of a table's case
	numbers  = regexp.MustCompile(`(\d+)(?: to (\d+))?`)
	testName = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
)

// TestConformance holds the table of docs/gnmi.md against the tests: each item
// is there once, names tests that cite it, or says why it is not served yet.
func TestConformance(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "gnmi.md"))
	if err != nil {
		t.Fatal(err)
	}
	cited := citations(t)
	next := 1
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		item, what, by := row[1], row[2], row[3]
		if item != strconv.Itoa(next) {
			t.Fatalf("row %s follows row %d", item, next-1)
		}
		names := testName.FindAllStringSubmatch(by, -1)
		if len(names) == 0 && !strings.Contains(by, "not yet: ") {
			t.Errorf("item %s (%s) has neither a test nor a reason", item, what)
		}
		for _, name := range names {
			if !slices.Contains(cited[name[1]], next) {
				t.Errorf("item %s: %s does not cite it", item, name[1])
			}
		}
		next++
	}
	if next != items+1 {
		t.Errorf("the table has %d items, want %d", next-1, items)
	}
}

// citations are the items that each test of the package cites, in its comments
// and in the names of its cases.
func citations(t *testing.T) map[string][]int {
	t.Helper()
	set := token.NewFileSet()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]int{}
	for _, name := range files {
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			start := fn.Pos()
			if fn.Doc != nil {
				start = fn.Doc.Pos()
			}
			name := fn.Name.Name
			for _, c := range file.Comments {
				if line := set.Position(fn.End()).Line; c.Pos() >= start && set.Position(c.Pos()).Line <= line {
					out[name] = append(out[name], numbersIn(citation, c.Text())...)
				}
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					out[name] = append(out[name], numbersIn(inCase, lit.Value)...)
				}
				return true
			})
		}
	}
	return out
}

// numbersIn returns the numbers of all matches, ranges written out.
func numbersIn(re *regexp.Regexp, text string) []int {
	var out []int
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		for _, n := range numbers.FindAllStringSubmatch(m[1], -1) {
			from, _ := strconv.Atoi(n[1])
			to := from
			if n[2] != "" {
				to, _ = strconv.Atoi(n[2])
			}
			for i := from; i <= to; i++ {
				out = append(out, i)
			}
		}
	}
	return out
}
