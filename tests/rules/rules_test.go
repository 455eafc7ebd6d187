package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "mooring"

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

// name is the import path below the module, "" for its root; ok is false for
// packages of others.
func name(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func (p *listed) name() string {
	n, _ := name(p.ImportPath)
	return n
}

func (p *listed) testImports() []string { return slices.Concat(p.TestImports, p.XTestImports) }

// list asks go for every package of the module.
func list(t *testing.T) []*listed {
	t.Helper()
	// -e: a package that does not compile is no reason to stay silent about the others.
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []*listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(listed)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

// TestImports holds the rules against the module as it is.
func TestImports(t *testing.T) {
	all := list(t)
	if len(all) < 10 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	for _, problem := range check(all) {
		t.Error(problem)
	}
}

// check returns what is against the rules, sorted.
func check(all []*listed) []string {
	var bad []string
	seen := map[string]bool{}
	for _, p := range all {
		seen[p.name()] = true
		pl, ok := places[p.name()]
		if !ok {
			bad = append(bad, fmt.Sprintf("package %s has no place: add a row to places, after a look at design.md 3", p.name()))
			continue
		}
		bad = append(bad, checkImports(p, pl)...)
		bad = append(bad, checkHolders(p)...)
		bad = append(bad, checkSeals(p)...)
	}
	for n := range places {
		if !seen[n] {
			bad = append(bad, fmt.Sprintf("row %s: there is no such package, remove the row", n))
		}
	}
	slices.Sort(bad)
	return bad
}

func checkImports(p *listed, pl place) (bad []string) {
	for _, i := range p.Imports {
		if n, ours := name(i); ours && !allows(pl.may, n) {
			bad = append(bad, fmt.Sprintf("%s imports %s: not in its row", p.name(), n))
		}
	}
	for _, i := range p.testImports() {
		n, ours := name(i)
		if ours && n != p.name() && !allows(pl.may, n) && !allows(pl.tests, n) {
			bad = append(bad, fmt.Sprintf("the tests of %s import %s: not in its row", p.name(), n))
		}
	}
	return bad
}

func allows(list []string, n string) bool { return slices.Contains(list, n) }

func checkHolders(p *listed) (bad []string) {
	for _, m := range slices.Sorted(maps.Keys(holders)) {
		of := holders[m]
		uses := func(imports []string) bool {
			return slices.ContainsFunc(imports, func(i string) bool { return within(i, m) })
		}
		if uses(p.Imports) && !slices.Contains(of, p.name()) {
			bad = append(bad, fmt.Sprintf("%s imports %s: that is for %s", p.name(), m, strings.Join(of, ", ")))
		}
		if uses(p.testImports()) && !slices.Contains(of, testsOnly) && !slices.Contains(of, p.name()) {
			bad = append(bad, fmt.Sprintf("the tests of %s import %s: that is for %s", p.name(), m, strings.Join(of, ", ")))
		}
	}
	return bad
}

func checkSeals(p *listed) (bad []string) {
	for _, s := range seals {
		if !slices.ContainsFunc(s.who, func(w string) bool { return within(p.name(), w) }) {
			continue
		}
		for _, d := range p.Deps {
			n, ours := name(d)
			if !ours {
				n = d
			}
			if slices.ContainsFunc(s.what, func(w string) bool { return within(n, w) }) {
				bad = append(bad, fmt.Sprintf("%s reaches %s: %s", p.name(), n, s.why))
			}
		}
	}
	return bad
}

// within says whether a path is that of the folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// TestCheck breaks each rule once.
func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		pkg  listed
		want string // part of the problem; "": none
	}{
		{"a front end on the engine", listed{ImportPath: "mooring/server/gnmi", Imports: []string{"mooring/engine/commit"}}, ""},
		{"a front end on a backend", listed{ImportPath: "mooring/server/gnmi", Imports: []string{"mooring/backend"}}, "not in its row"},
		{"tests of a front end on the fake", listed{ImportPath: "mooring/server/gnmi", TestImports: []string{"mooring/backend/fake"}}, ""},
		{"a front end on a speaker by a detour", listed{ImportPath: "mooring/server/gnmi", Deps: []string{"mooring/backend/gobgp"}}, "never see a BGP speaker"},
		{"a backend on YANG", listed{ImportPath: "mooring/backend/gobgp", Deps: []string{"mooring/gen"}}, "never see YANG"},
		{"a backend on ygot", listed{ImportPath: "mooring/backend/fake", Deps: []string{"github.com/openconfig/ygot/ygot"}}, "never see YANG"},
		{"the engine on a front end", listed{ImportPath: "mooring/engine/commit", Deps: []string{"mooring/server"}}, "never sees a front end"},
		{"bgp on a module", listed{ImportPath: "mooring/bgp", Deps: []string{"golang.org/x/sys/unix"}}, "standard library only"},
		{"bgp on the standard library", listed{ImportPath: "mooring/bgp", Imports: []string{"net/netip"}, Deps: []string{"net/netip"}}, ""},
		{"xmltok outside schema and netconf", listed{ImportPath: "mooring/server/gnmi", Imports: []string{"mooring/internal/xmltok"}}, "not in its row"},
		{"somebody on cmd", listed{ImportPath: "mooring/tests/e2e", XTestImports: []string{"mooring/cmd/agent"}}, "not in its row"},
		{"somebody on tests", listed{ImportPath: "mooring/backend/srcaddr", TestImports: []string{"mooring/tests/netlab"}}, "not in its row"},
		{"a new package", listed{ImportPath: "mooring/engine/new"}, "has no place"},
		{"a module that is another's", listed{ImportPath: "mooring/engine/commit", Imports: []string{"go.etcd.io/bbolt"}}, "that is for engine/datastore"},
		{"a test library in a test", listed{ImportPath: "mooring/bgp", TestImports: []string{"github.com/google/go-cmp/cmp"}}, ""},
		{"a test library in the product", listed{ImportPath: "mooring/server", Imports: []string{"github.com/google/go-cmp/cmp"}}, "that is for"},
		{"a package's own external tests", listed{ImportPath: "mooring/bgp", XTestImports: []string{"mooring/bgp"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var found []string
			for _, problem := range check([]*listed{&tt.pkg}) {
				if !strings.HasPrefix(problem, "row ") { // of the packages that are not in this list
					found = append(found, problem)
				}
			}
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("found %q, want none", found)
			case tt.want != "" && (len(found) != 1 || !strings.Contains(found[0], tt.want)):
				t.Errorf("found %q, want one with %q", found, tt.want)
			}
		})
	}
}
