package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openconfig/goyang/pkg/yang"
)

// standardDir is the folder, in that of the model, of the modules of standards
// that front ends serve by hand. They become rows of a table, not structs, so
// they may use all of YANG.
const standardDir = "ietf"

// aside are the statements at the top of a module that define nothing which a
// protocol can reach. A module of nothing else is only imported
// (RFC 7950 5.6.5). Identities count: values name them.
var aside = []string{
	"yang-version", "namespace", "prefix", "import", "organization", "contact", "description", "reference", "revision",
	"typedef", "grouping", "extension", "feature",
}

// loadStandard reads the heads of the modules in dir, sorted by name. There
// need be none.
func loadStandard(dir string) ([]Module, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yang"))
	if err != nil {
		return nil, err
	}
	var out []Module
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read module: %w", err)
		}
		statements, err := yang.Parse(string(text), filepath.Base(f))
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", filepath.Base(f), err)
		}
		for _, s := range statements {
			out = append(out, standardModule(s, filepath.Base(f)))
		}
	}
	slices.SortFunc(out, func(a, b Module) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func standardModule(s *yang.Statement, file string) Module {
	m := Module{
		Name: s.Argument, Namespace: argument(s, "namespace"), Prefix: argument(s, "prefix"),
		Organization: fold(argument(s, "organization")), File: standardDir + "/" + file,
	}
	for _, sub := range s.SubStatements() {
		if sub.Keyword == "revision" {
			m.Revision = max(m.Revision, sub.Argument)
		}
		if !slices.Contains(aside, sub.Keyword) && !strings.Contains(sub.Keyword, ":") {
			m.Implemented = true
		}
	}
	return m
}
