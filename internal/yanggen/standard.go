package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openconfig/goyang/pkg/yang"
)

// standardDir is the folder, in that of the model, of the modules of standards.
// Most are served by hand: they become rows of a table, not structs, so they
// may use all of YANG.
const standardDir = "ietf"

// standardData are those of them whose data is configuration in the datastore:
// they are part of the model like the project's own.
var standardData = []string{accessModule}

// modelFiles are the modules of the model in the folder yangDir.
func modelFiles(yangDir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(yangDir, "*.yang"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no modules in %s: name the folder with -yang", yangDir)
	}
	for _, name := range standardData {
		files = append(files, filepath.Join(yangDir, standardDir, name+".yang"))
	}
	return files, nil
}

// denyAll is the statement of accessModule that leaves everything to the rules.
const denyAll = "default-deny-all"

// deniedByDefault lists the operations and notifications of a module that
// nobody may call or receive unless a rule says so. The module has the prefix
// that the standard suggests.
func deniedByDefault(module *yang.Statement) []string {
	var out []string
	for _, s := range module.SubStatements() {
		if s.Keyword != "rpc" && s.Keyword != "notification" {
			continue
		}
		if slices.ContainsFunc(s.SubStatements(), func(sub *yang.Statement) bool { return sub.Keyword == "nacm:"+denyAll }) {
			out = append(out, s.Argument)
		}
	}
	return out
}

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
		DenyAll: deniedByDefault(s),
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

// takeStandardData gives each module one row: those of standardData are the
// model's, and what they import stays with the standards.
func (m *model) takeStandardData() {
	m.Modules = slices.DeleteFunc(m.Modules, func(mod Module) bool {
		i := slices.IndexFunc(m.Standard, func(s Module) bool { return s.Name == mod.Name })
		return i >= 0 && !slices.Contains(standardData, mod.Name)
	})
	for i := range m.Modules {
		if slices.Contains(standardData, m.Modules[i].Name) {
			m.Modules[i].File = standardDir + "/" + m.Modules[i].File
		}
	}
	m.Standard = slices.DeleteFunc(m.Standard, func(s Module) bool { return slices.Contains(standardData, s.Name) })
}
