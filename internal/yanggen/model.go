package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/openconfig/goyang/pkg/yang"
)

// model is what the metadata table is written from.
type model struct {
	Modules       []Module
	Nodes         []Node
	RPCs          []RPC
	Notifications []Notification
	Standard      []Module // of standardDir
}

// loadModel lints, reads and flattens the modules in files. Modules that they
// import are looked for in the folders include, and linted only when named in
// files.
func loadModel(files, include []string) (*model, error) {
	if err := lintFiles(files); err != nil {
		return nil, err
	}
	modules, err := readModules(files, include)
	if err != nil {
		return nil, err
	}
	data := &tree{}
	m := &model{}
	for _, mod := range modules {
		before := len(data.nodes)
		if err := data.addChildren(yang.ToEntry(mod), -1, choiceCase{}); err != nil {
			return nil, err
		}
		m.Modules = append(m.Modules, describe(mod, len(data.nodes) > before))
	}
	if err := data.resolveTypes(data); err != nil {
		return nil, err
	}
	m.Nodes = data.nodes
	for _, mod := range modules {
		if err := m.addOperations(mod, data); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// lintFiles checks the raw statements of every file.
func lintFiles(files []string) error {
	var errs []error
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("read module: %w", err)
		}
		statements, err := yang.Parse(string(text), filepath.Base(f))
		if err != nil {
			return fmt.Errorf("parse %s: %w", filepath.Base(f), err)
		}
		for _, s := range statements {
			errs = append(errs, lintModule(s))
		}
	}
	return errors.Join(errs...)
}

// readModules returns the modules of files and all that they import, by name.
func readModules(files, include []string) ([]*yang.Module, error) {
	ms := yang.NewModules()
	ms.AddPath(include...)
	for _, f := range files {
		if err := ms.Read(f); err != nil {
			return nil, fmt.Errorf("read module: %w", err)
		}
	}
	if errs := ms.Process(); len(errs) > 0 {
		return nil, fmt.Errorf("process modules: %w", errors.Join(errs...))
	}
	// goyang keeps each module under its name and under name@revision.
	byName := map[string]*yang.Module{}
	for _, m := range ms.Modules {
		byName[m.Name] = m
	}
	var modules []*yang.Module
	for _, m := range byName {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b *yang.Module) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return modules, nil
}

// describe fills the module table's row for m.
func describe(m *yang.Module, hasData bool) Module {
	d := Module{
		Name:        m.Name,
		Namespace:   m.Namespace.Name,
		Prefix:      m.Prefix.Name,
		File:        m.Name + ".yang",
		Implemented: hasData || len(m.RPC) > 0 || len(m.Notification) > 0,
		DenyAll:     deniedByDefault(m.Statement()),
	}
	for _, r := range m.Revision {
		d.Revision = max(d.Revision, r.Name)
	}
	if m.Organization != nil {
		d.Organization = fold(m.Organization.Name)
	}
	return d
}

// addOperations adds the RPCs and notifications of mod, in YANG order.
func (m *model) addOperations(mod *yang.Module, data *tree) error {
	entry := yang.ToEntry(mod)
	for _, s := range mod.RPC {
		e := entry.Dir[s.Name]
		rpc := RPC{Name: s.Name, Module: mod.Name, Description: fold(e.Description)}
		var err error
		if rpc.Input, err = operationNodes(e.RPC.Input, data); err != nil {
			return err
		}
		if rpc.Output, err = operationNodes(e.RPC.Output, data); err != nil {
			return err
		}
		m.RPCs = append(m.RPCs, rpc)
	}
	for _, s := range mod.Notification {
		e := entry.Dir[s.Name]
		nodes, err := operationNodes(e, data)
		if err != nil {
			return err
		}
		m.Notifications = append(m.Notifications, Notification{
			Name: s.Name, Module: mod.Name, Description: fold(e.Description), Nodes: nodes,
		})
	}
	return nil
}

// operationNodes flattens what is below e, which may be nil.
func operationNodes(e *yang.Entry, data *tree) ([]Node, error) {
	if e == nil {
		return nil, nil
	}
	t := &tree{operation: true}
	if err := t.addChildren(e, -1, choiceCase{}); err != nil {
		return nil, err
	}
	return t.nodes, t.resolveTypes(data)
}
