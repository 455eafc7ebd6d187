package netconf

import (
	"context"
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// items is how many the checklist has that docs/netconf.md answers.
const items = 82

var (
	tableRow = regexp.MustCompile(`(?m)^\| (\d+) \| (.+?) \| (.+?) \|$`)
	citation = regexp.MustCompile(`netconf\.md ((?:\d+(?: to \d+)?(?:,\s| and )?)+)`)
	numbers  = regexp.MustCompile(`(\d+)(?: to (\d+))?`)
	testName = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
)

// proofs are the folders whose tests prove items.
var proofs = []string{".", "..", "../../tests/e2e", "frame", "rpc", "files", "notify", "push", "xmltree", "../../engine/schema", "../../engine/datastore", "../../engine/xpath", "../../internal/xmltok"}

// TestConformance holds the table of docs/netconf.md against the tests: each
// item is there once, names tests that cite it, or says why it is not served
// yet.
func TestConformance(t *testing.T) {
	cited := map[string][]int{}
	for _, dir := range proofs {
		citations(t, dir, cited)
	}
	next := 1
	for _, row := range tableRow.FindAllStringSubmatch(guide(t), -1) {
		item, what, by := row[1], row[2], row[3]
		if item != strconv.Itoa(next) {
			t.Fatalf("row %s follows row %d", item, next-1)
		}
		names := testName.FindAllStringSubmatch(by, -1)
		if len(names) == 0 && !strings.HasPrefix(by, "not yet: ") {
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

func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "netconf.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// citations adds the items that each test of a folder cites in its comments.
func citations(t *testing.T, dir string, out map[string][]int) {
	t.Helper()
	set := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
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
			for _, c := range file.Comments {
				if c.Pos() >= start && set.Position(c.Pos()).Line <= set.Position(fn.End()).Line {
					out[fn.Name.Name] = append(out[fn.Name.Name], numbersIn(c.Text())...)
				}
			}
			// A case may name its item too.
			ast.Inspect(fn, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					out[fn.Name.Name] = append(out[fn.Name.Name], numbersIn(lit.Value)...)
				}
				return true
			})
		}
	}
}

// numbersIn returns the items that a text cites, ranges written out.
func numbersIn(text string) []int {
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

// netconf.md 21
func TestReplyIsOfOneKind(t *testing.T) {
	_, c := ready(t)
	c.ok(editDraft(peer("", "10.1.1.3", ""))) // not valid
	for _, tt := range []struct{ op, want string }{
		{"<get/>", "data"},
		{"<get-config><source><running/></source></get-config>", "data"},
		{getSchema("mooring-types", "", ""), "data"},
		{lock("running"), "ok"},
		{unlock("running"), "ok"},
		{"<commit/>", "rpc-error"},
		{"<fly/>", "rpc-error"},
		{edit(peer("", "10.1.1.4", "")), "rpc-error"},
		{previewRPC, "rpc-error"},
		{resetPeer(""), "rpc-error"},
		{"<discard-changes/>", "ok"},
	} {
		op, want := tt.op, tt.want
		var reply struct {
			Children []struct{ XMLName xml.Name } `xml:",any"`
		}
		if err := xml.Unmarshal([]byte("<x>"+c.rpc(op)+"</x>"), &reply); err != nil {
			t.Fatal(err)
		}
		for i, child := range reply.Children {
			if child.XMLName.Local != want || i > 0 && want != "rpc-error" {
				t.Errorf("%s is answered with %v", op, reply.Children)
			}
		}
		if len(reply.Children) == 0 {
			t.Errorf("%s is answered with nothing", op)
		}
	}
}

// The examples of the guide do what they say, one after the other.
func TestGuideForNcclient(t *testing.T) {
	python := needNcclient(t)
	l := newRig(t, Limits{}).listen()
	text := guide(t)
	for i, want := range [][]string{
		{"<address>10.1.1.2</address><impact>", "<netconf-config-change", "<username>admin</username>", "<reset-policy>minimal</reset-policy>", "module mooring-bgp {"},
		{
			"<datastore-contents><bgp", "<operation>create</operation>", "peers/peer=10.1.1.2/config/description</target>", ">told at once</description>",
			"<session-state>", "<stream-xpath-filter", "<sent-event-records>",
		},
	} {
		var script string
		var ok, ok2 bool
		_, text, ok = strings.Cut(text, "```python\n")
		script, text, ok2 = strings.Cut(text, "```")
		if !ok || !ok2 {
			t.Fatalf("the guide has only %d examples for ncclient", i)
		}
		out := l.python(python, script)
		for _, part := range want {
			if !strings.Contains(out, part) {
				t.Errorf("example %d: no %s in\n%.6000s", i, part, out)
			}
		}
	}
}

// python runs a script as a client of l, and returns what it prints.
func (l *listening) python(path, script string) string {
	l.Helper()
	host, port, _ := strings.Cut(l.addr, ":")
	ctx, cancel := context.WithTimeout(l.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-")
	cmd.Env = append(os.Environ(), "HOST="+host, "PORT="+port, "PASSWORD="+password)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
