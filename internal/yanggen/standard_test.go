package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/gen"
)

func TestStandardModules(t *testing.T) {
	implemented := map[string]bool{}
	for _, m := range gen.Standard {
		implemented[m.Name] = m.Implemented
		if denied := slices.Contains(m.DenyAll, "kill-subscription"); denied != (m.Name == "ietf-subscribed-notifications") {
			t.Errorf("%s denies by default: %v", m.Name, m.DenyAll)
		}
		if m.Namespace == "" || m.Prefix == "" || m.Revision == "" || m.File != "ietf/"+m.Name+".yang" {
			t.Errorf("head of %s: %+v", m.Name, m)
		}
	}
	for name, want := range map[string]bool{
		"ietf-netconf": true, "ietf-netconf-with-defaults": true, "ietf-datastores": true, "nc-notifications": true, "notifications": true,
		"ietf-inet-types": false, "ietf-yang-types": false,
	} {
		if got, ok := implemented[name]; !ok || got != want {
			t.Errorf("%s: there %v, implemented %v, want %v", name, ok, got, want)
		}
	}
	dir := t.TempDir()
	if got, err := loadStandard(dir); err != nil || len(got) != 0 {
		t.Errorf("no modules: %v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.yang"), []byte("module x {"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadStandard(dir); err == nil || !strings.Contains(err.Error(), "x.yang") {
		t.Errorf("half a module: %v", err)
	}
}

func TestYanglintAcceptsStandardModules(t *testing.T) {
	for _, m := range gen.Standard {
		if out := yanglint(t, "-p", filepath.Join(modelDir, standardDir), filepath.Join(modelDir, m.File)); out != "" {
			t.Errorf("%s:\n%s", m.File, out)
		}
	}
}

// libyang has copies of some modules: ours have the same tree.
func TestStandardTreesAgainstLibyang(t *testing.T) {
	const theirs = "/usr/share/yang/modules/libyang"
	for _, m := range gen.Standard {
		copies, err := filepath.Glob(filepath.Join(theirs, m.Name+"@"+m.Revision+".yang"))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range copies {
			want := yanglint(t, "-f", "tree", "-p", theirs, c)
			got := yanglint(t, "-f", "tree", "-p", filepath.Join(modelDir, standardDir), filepath.Join(modelDir, m.File))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-libyang +ours):\n%s", m.Name, diff)
			}
		}
	}
}
