package documents

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mooring/tests/netlab"
)

// What make run prints runs as it is printed: the lines of gnmic, ssh and
// Python. Each source that they set is that of a session then.
func TestDemo(t *testing.T) {
	netlab.Require(t)
	m := newMachine(t, netlab.New(t).Namespace("router"))
	if out, err := m.run(demo, nil); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	printed, err := m.run("cat /mnt/demo.log", nil)
	if err != nil {
		t.Fatal(err)
	}
	m.readWords()
	gnmic := section(t, printed, "gNMI with gnmic:", "NETCONF with ssh")
	ssh := section(t, printed, "NETCONF with ssh", "NETCONF with Python")
	_, python, _ := strings.Cut(printed, "NETCONF with Python")
	_, python, _ = strings.Cut(python, "\n")
	python, _, ok := strings.Cut(python, "\nEOF\n")
	if !ok {
		t.Fatalf("no program in Python:\n%s", printed)
	}
	if out, err := m.run(gnmic, nil); err != nil {
		t.Errorf("gnmic: %v\n%s\n%s", err, gnmic, out)
	}
	// ssh asks for the password at a terminal, or a program.
	ask := filepath.Join(m.dir, "ask")
	if err := os.WriteFile(ask, []byte(m.words.Replace("#!/bin/sh\necho PASSWORD\n")), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"ssh": "export SSH_ASKPASS=" + ask + " SSH_ASKPASS_REQUIRE=force\n" + ssh, "python": python + "\nEOF\n"} {
		if out, err := m.run(text, nil); err != nil || !regexp.MustCompile(`<(\w+:)?ok/>`).MatchString(out) {
			t.Errorf("%s: %v\n%s\n%s", name, err, text, out)
		}
	}
	if out, err := m.run(`until grep -q 'established from 127.0.0.13 ' /mnt/demo.log && grep -q 'established from 127.0.0.14 ' /mnt/demo.log; do sleep 0.1; done`, nil); err != nil {
		t.Errorf("the sessions of ssh and Python: %v\n%s", err, out)
	}
}

// section is what the demo prints below a heading.
func section(t *testing.T, printed, from, to string) string {
	t.Helper()
	_, text, ok := strings.Cut(printed, from)
	text, _, more := strings.Cut(text, to)
	if !ok || !more {
		t.Fatalf("the demo prints no %q:\n%s", from, printed)
	}
	_, text, _ = strings.Cut(text, "\n")
	return text
}
