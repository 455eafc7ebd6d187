package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const modelDir = "../../yang"

// ygot.md 2: what goyang and ygot drop without a word must stop the generator.
func TestBadModules(t *testing.T) {
	tests := []struct{ module, want string }{
		{"refine", "refine.yang:18:7: statement refine is not allowed: goyang ignores it"},
		{"decimal64", "type decimal64 is not allowed"},
		{"instance-identifier", "type instance-identifier is not allowed"},
		{"identityref", "type identityref is not allowed"},
		{"anydata", "statement anydata is not allowed"},
		{"anyxml", "statement anyxml is not allowed"},
		{"invert-match", "statement modifier is not allowed"},
		{"if-feature", "statement if-feature is not allowed"},
		{"augment", "statement augment is not allowed"},
		{"deviation", "statement deviation is not allowed"},
		{"action", "statement action is not allowed"},
		{"deref", "deref() is not allowed in must"},
		{"when-case", "when is not allowed below case"},
		{"mandatory-choice", "mandatory is not allowed below choice"},
		{"nested-choice", "a choice is not allowed in a choice"},
		{"enum-unset", "may not be called UNSET"},
		{"no-impact", "/no-impact/c/l: configuration without mooring-extensions:session-impact"},
		{"no-impact-leaf-list", "/no-impact-leaf-list/l: configuration without mooring-extensions:session-impact"},
		{"no-impact-key", "/no-impact-key/l/k: configuration without mooring-extensions:session-impact"},
		{"two-impacts", "l has 2 session-impact statements"},
		{"unknown-impact", `unknown session-impact "hard" on l`},
		{"impact-on-container", "session-impact belongs on a leaf or leaf-list, not on container c"},
		{"unknown-extension", "extension t:e is not known"},
		{"union-key", "/l: key k must be a leaf of one Go type"},
		{"leafref-nowhere", "leafref /t:nothing: there is no nothing"},
		{"leafref-container", "leafref /t:c does not lead to a leaf"},
		{"leafref-loop", "leafref leads back to itself"},
		{"go-name-clash", "/go-name-clash/c/aB: name clashes with a-b"},
		{"pattern-subtraction", "class subtraction is not supported"},
		{"syntax", "parse syntax.yang"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		seen[tt.module+".yang"] = true
		t.Run(tt.module, func(t *testing.T) {
			_, err := loadModel([]string{filepath.Join("testdata/bad", tt.module+".yang")}, []string{modelDir})
			if err == nil {
				t.Fatalf("module accepted, want an error with %q", tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %q, want it to contain %q", err, tt.want)
			}
		})
	}
	files, err := filepath.Glob("testdata/bad/*.yang")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !seen[filepath.Base(f)] {
			t.Errorf("%s is in no test", f)
		}
	}
}
