package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/gen"
)

// The committed package is what the generator makes, wherever it runs.
func TestCommittedPackageIsCurrent(t *testing.T) {
	in, out := filepath.Join(t.TempDir(), "elsewhere"), t.TempDir()
	if err := os.CopyFS(in, os.DirFS(modelDir)); err != nil {
		t.Fatal(err)
	}
	if err := run(in, out); err != nil {
		t.Fatal(err)
	}
	want, got := readDir(t, out), readDir(t, "../../gen")
	if len(want) == 0 {
		t.Fatal("the generator wrote nothing")
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("gen/%s is not generated", name)
		}
	}
	for name, text := range want {
		if !bytes.Equal(text, got[name]) {
			t.Errorf("gen/%s is out of date: run go generate ./...", name)
		}
	}
}

func readDir(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestGenerateWithoutModules(t *testing.T) {
	err := run(t.TempDir(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "no modules in") {
		t.Errorf("got error %v, want one that names the empty folder", err)
	}
}

// yanglint runs libyang's checker on a module and returns what it printed.
func yanglint(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("yanglint"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("yanglint is missing: install libyang2-tools")
		}
		t.Skip("yanglint is missing: install libyang2-tools")
	}
	out, err := exec.Command("yanglint", append([]string{"-p", modelDir}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("yanglint %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestYanglintAcceptsModules(t *testing.T) {
	for _, m := range gen.Modules {
		if out := yanglint(t, filepath.Join(modelDir, m.File)); out != "" {
			t.Errorf("%s:\n%s", m.File, out)
		}
	}
}

// The table holds the nodes that libyang sees, in its order.
func TestTreeAgainstYanglint(t *testing.T) {
	for _, m := range gen.Modules {
		var want []string
		for _, line := range strings.Split(yanglint(t, "-f", "tree", filepath.Join(modelDir, m.File)), "\n") {
			if n := treeLine(line); n != "" {
				want = append(want, n)
			}
		}
		if diff := cmp.Diff(want, tableLines(m.Name)); diff != "" {
			t.Errorf("%s (-yanglint +table):\n%s", m.Name, diff)
		}
	}
}

// treeLine takes flags, name and suffix from a line of an RFC 8340 diagram. It
// is empty for choices, cases and headings.
func treeLine(line string) string {
	_, node, found := strings.Cut(line, "+--")
	if !found || strings.HasPrefix(node, ":") || strings.Contains(node, "(") {
		return ""
	}
	flags, rest := node[:2], strings.TrimSpace(node[2:])
	return flags + " " + strings.Fields(rest)[0]
}

// tableLines is the same for the nodes of a module in the table.
func tableLines(module string) []string {
	var lines []string
	add := func(nodes []gen.Node, flags string) {
		for _, n := range nodes {
			if n.Module != module {
				continue
			}
			f := flags
			if n.Config {
				f = "rw"
			}
			lines = append(lines, f+" "+n.Name+suffix(nodes, n))
		}
	}
	add(gen.Nodes, "ro")
	for _, r := range gen.RPCs {
		if r.Module != module {
			continue
		}
		lines = append(lines, "-x "+r.Name)
		if len(r.Input) > 0 {
			lines = append(lines, "-w input")
			add(r.Input, "-w")
		}
		if len(r.Output) > 0 {
			lines = append(lines, "ro output")
			add(r.Output, "ro")
		}
	}
	for _, n := range gen.Notifications {
		if n.Module == module {
			lines = append(lines, "-n "+n.Name)
			add(n.Nodes, "--")
		}
	}
	return lines
}

// suffix is * for lists, ? for what may be absent, ! for presence.
func suffix(nodes []gen.Node, n gen.Node) string {
	isKey := false
	if n.Parent >= 0 {
		for _, k := range nodes[n.Parent].Keys {
			isKey = isKey || k == n.Name
		}
	}
	switch {
	case n.Kind == gen.KindList || n.Kind == gen.KindLeafList:
		return "*"
	case n.Kind == gen.KindLeaf && !n.Mandatory && !isKey:
		return "?"
	case n.Presence:
		return "!"
	}
	return ""
}
