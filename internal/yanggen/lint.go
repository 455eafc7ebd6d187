package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/openconfig/goyang/pkg/yang"
)

// extensionModule is the module whose statements say what a change costs,
// accessModule the one whose statements deny by default.
const (
	extensionModule = "mooring-extensions"
	accessModule    = "ietf-netconf-acm"
)

// forbidden are statements that goyang, ygot or the metadata table would drop
// or misread without an error.
var forbidden = map[string]string{
	"refine":     "goyang ignores it",
	"anydata":    "ygot has no type for it",
	"anyxml":     "ygot drops it",
	"modifier":   "goyang reads invert-match as a normal pattern",
	"if-feature": "goyang ignores it",
	"augment":    "the metadata table does not carry it",
	"deviation":  "the metadata table does not carry it",
	"action":     "the metadata table does not carry it",
	"submodule":  "the metadata table does not carry it",
}

// forbiddenTypes are built-in types that the generated structs hold wrongly.
var forbiddenTypes = map[string]string{
	"decimal64":           "ygot rounds it",
	"instance-identifier": "ygot has no type for it",
	"identityref":         "the metadata table does not carry it; use an enumeration",
}

// impacts are the arguments of session-impact.
var impacts = map[string]bool{"none": true, "next-session": true, "reset": true}

// lintModule checks the statements of one module as they were written.
func lintModule(module *yang.Statement) error {
	prefix := extensionPrefix(module)
	var errs []error
	var walk func(s, parent *yang.Statement)
	walk = func(s, parent *yang.Statement) {
		if err := lintStatement(s, parent, prefix); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Location(), err))
		}
		for _, sub := range s.SubStatements() {
			walk(sub, s)
		}
	}
	walk(module, nil)
	return errors.Join(errs...)
}

// lintStatement checks one statement.
func lintStatement(s, parent *yang.Statement, extPrefix string) error {
	if why, bad := forbidden[s.Keyword]; bad {
		return fmt.Errorf("statement %s is not allowed: %s", s.Keyword, why)
	}
	switch s.Keyword {
	case "type":
		if why, bad := forbiddenTypes[s.Argument]; bad {
			return fmt.Errorf("type %s is not allowed: %s", s.Argument, why)
		}
	case "path", "must", "when":
		if strings.Contains(s.Argument, "deref(") {
			return fmt.Errorf("deref() is not allowed in %s: goyang cannot resolve it", s.Keyword)
		}
		if s.Keyword == "when" && inSchemaOnly(parent) {
			return fmt.Errorf("when is not allowed below %s: the metadata table does not carry it", parent.Keyword)
		}
	case "mandatory", "default":
		if inSchemaOnly(parent) {
			return fmt.Errorf("%s is not allowed below %s: the metadata table does not carry it", s.Keyword, parent.Keyword)
		}
	case "choice":
		if parent.Keyword == "case" || parent.Keyword == "choice" {
			return errors.New("a choice is not allowed in a choice: the metadata table does not carry it")
		}
	case "enum":
		if s.Argument == "UNSET" {
			return errors.New("an enum may not be called UNSET: ygot uses that name")
		}
	case extPrefix + ":session-impact":
		return lintImpact(s, parent)
	}
	return nil
}

// inSchemaOnly says whether parent is a statement that leaves no data node.
func inSchemaOnly(parent *yang.Statement) bool {
	return parent.Keyword == "choice" || parent.Keyword == "case" || parent.Keyword == "uses"
}

// lintImpact checks a session-impact statement and that it is alone.
func lintImpact(s, parent *yang.Statement) error {
	if parent.Keyword != "leaf" && parent.Keyword != "leaf-list" {
		return fmt.Errorf("session-impact belongs on a leaf or leaf-list, not on %s %s", parent.Keyword, parent.Argument)
	}
	if !impacts[s.Argument] {
		return fmt.Errorf("unknown session-impact %q on %s: use none, next-session or reset", s.Argument, parent.Argument)
	}
	n := 0
	for _, sub := range parent.SubStatements() {
		if sub.Keyword == s.Keyword {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("%s has %d session-impact statements: keep one", parent.Argument, n)
	}
	return nil
}

// extensionPrefix is the prefix under which module knows the extension module.
func extensionPrefix(module *yang.Statement) string {
	for _, s := range module.SubStatements() {
		if s.Keyword != "import" || s.Argument != extensionModule {
			continue
		}
		return argument(s, "prefix")
	}
	return extensionModule
}

// argument is the argument of the first substatement with that keyword.
func argument(s *yang.Statement, keyword string) string {
	for _, sub := range s.SubStatements() {
		if sub.Keyword == keyword {
			return sub.Argument
		}
	}
	return ""
}
