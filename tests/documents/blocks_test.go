package documents

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// block is a fenced block of a page.
type block struct {
	page  string // such as docs/guide.md
	line  int    // of its first line of text
	lang  string
	text  string
	lines []string
}

// id names a block in the tables of this test: the page and the first line.
func (b block) id() string { return b.page + ": " + b.lines[0] }

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// languages are those that a fence may name. Text is for output and pictures.
var languages = []string{"sh", "python", "yaml", "xml", "json", "text"}

// pages are the README and the pages below docs/ but for the decisions.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/reference/*.md"} {
		more, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range more {
			all = append(all, strings.TrimPrefix(page, root+"/"))
		}
	}
	return all
}

// parse returns the blocks of a page. A block that is only indented, or whose
// fence names no language, is an error: no test could know what it is.
func parse(page, text string) (all []block, err error) {
	var in *block
	indent := ""
	before := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case in != nil && trimmed == "```":
			in.text = strings.Join(in.lines, "\n") + "\n"
			all = append(all, *in)
			in = nil
		case in != nil:
			in.lines = append(in.lines, strings.TrimPrefix(line, indent))
		case strings.HasPrefix(trimmed, "```"):
			lang := strings.TrimPrefix(trimmed, "```")
			if !slices.Contains(languages, lang) {
				return nil, fmt.Errorf("%s:%d: a fence must name one of %q, not %q", page, i+1, languages, lang)
			}
			indent, _, _ = strings.Cut(line, "`")
			in = &block{page: page, line: i + 2, lang: lang}
		case strings.HasPrefix(line, "    ") && trimmed != "" && before == "":
			return nil, fmt.Errorf("%s:%d: this block must be fenced, with one of %q as its language: the tests run it", page, i+1, languages)
		}
		before = trimmed
	}
	if in != nil {
		return nil, fmt.Errorf("%s:%d: the fence has no end", page, in.line)
	}
	return all, nil
}

func TestParse(t *testing.T) {
	got, err := parse("p.md", "text\n\n- item\n\n  ```sh\n  one\n    two\n  ```\n\n```text\nx\n```\n")
	if err != nil || len(got) != 2 || got[0].text != "one\n  two\n" || got[0].line != 6 || got[1].lang != "text" || got[0].id() != "p.md: one" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"text\n\n    indented\n", "```\nno language\n```\n", "```sh\nno end\n"} {
		if got, err := parse("p.md", bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// blocks are those of all pages.
func blocks(t *testing.T) map[string][]block {
	t.Helper()
	all := map[string][]block{}
	for _, page := range pages(t) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		of, err := parse(page, string(text))
		if err != nil {
			t.Error(err)
		}
		all[page] = of
	}
	return all
}
