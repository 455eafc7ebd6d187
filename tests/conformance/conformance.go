// Package conformance holds a guide against the tests: the table in which each
// item of a checklist names the tests that prove it. It owns the forms of the
// table and of the citations, and must never know what an item means.
//
//	| 12 | what the item says | `TestThis`, `FuzzThat` |      in the guide
//	// guide.md 12, 14 to 16                                  in the comments of a test
package conformance

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

// Guide is a document with such a table.
type Guide struct {
	Path    string
	Items   int      // of its checklist
	Folders []string // whose tests prove items
	// Cases finds the citations in the strings of a test, such as the names of
	// its cases: the numbers are its first group. Nil: as in comments.
	Cases *regexp.Regexp
}

var (
	tableRow = regexp.MustCompile(`(?m)^\| (\d+) \| (.+?) \| (.+?) \|$`)
	numbers  = regexp.MustCompile(`(\d+)(?: to (\d+))?`)
	testName = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
)

// Check fails t unless each item is in the table once, in order, and names tests
// that cite it, or says why it is not served yet.
func (g Guide) Check(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(g.Path)
	if err != nil {
		t.Fatal(err)
	}
	cited := g.citations(t)
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
	if next != g.Items+1 {
		t.Errorf("the table has %d items, want %d", next-1, g.Items)
	}
}

// citations are the items that each test cites.
func (g Guide) citations(t *testing.T) map[string][]int {
	t.Helper()
	comment := regexp.MustCompile(regexp.QuoteMeta(filepath.Base(g.Path)) + ` ((?:\d+(?: to \d+)?(?:,\s| and )?)+)`)
	literal := g.Cases
	if literal == nil {
		literal = comment
	}
	out := map[string][]int{}
	for _, dir := range g.Folders {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests in %s: %v", dir, err)
		}
		for _, path := range files {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					name := fn.Name.Name
					for _, text := range comments(set, file, fn) {
						out[name] = append(out[name], numbersIn(comment, text)...)
					}
					for _, text := range literals(fn) {
						out[name] = append(out[name], numbersIn(literal, text)...)
					}
				}
			}
		}
	}
	return out
}

// comments are those above a function, in it, and behind its end.
func comments(set *token.FileSet, file *ast.File, fn *ast.FuncDecl) (out []string) {
	start, end := fn.Pos(), set.Position(fn.End()).Line
	if fn.Doc != nil {
		start = fn.Doc.Pos()
	}
	for _, c := range file.Comments {
		if c.Pos() >= start && set.Position(c.Pos()).Line <= end {
			out = append(out, c.Text())
		}
	}
	return out
}

func literals(fn *ast.FuncDecl) (out []string) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			out = append(out, lit.Value)
		}
		return true
	})
	return out
}

// numbersIn returns the numbers of all citations, ranges written out.
func numbersIn(citation *regexp.Regexp, text string) []int {
	var out []int
	for _, m := range citation.FindAllStringSubmatch(text, -1) {
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
