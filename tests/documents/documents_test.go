package documents

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mooring/tests/netlab"
)

// scene is what a page takes for granted.
type scene struct {
	// before prepares the machine, such as an agent that runs.
	before string
	// python is what stands before a block that is a part of a program.
	python string
}

// The blocks of all pages do what they are for, or are in the table with the
// reason why they are not run. The table has no entry that is not needed.
func TestBlocks(t *testing.T) {
	netlab.Require(t)
	netlab.RequireBIRD(t)
	all := blocks(t)
	used := map[string]bool{}
	for page, of := range all {
		for _, b := range of {
			if _, not := notRun[b.id()]; not {
				used[b.id()] = true
			}
			_, ends := endless[b.id()]
			_, prepared := first[b.id()]
			used[b.id()] = used[b.id()] || ends || prepared
		}
		if _, ok := scenes[page]; ok {
			used[page] = true
		}
	}
	for _, table := range []any{notRun, endless, scenes, first} {
		for id := range keys(table) {
			if !used[id] {
				t.Errorf("no page has %q: take it out of the table", id)
			}
		}
	}
	for _, page := range slices.Sorted(maps.Keys(all)) {
		t.Run(page, func(t *testing.T) { runPage(t, page, all[page]) })
	}
}

func keys(table any) map[string]bool {
	all := map[string]bool{}
	switch table := table.(type) {
	case map[string]string:
		for k := range table {
			all[k] = true
		}
	case map[string]*regexp.Regexp:
		for k := range table {
			all[k] = true
		}
	case map[string]scene:
		for k := range table {
			all[k] = true
		}
	}
	return all
}

func runPage(t *testing.T, page string, all []block) {
	s := scenes[page]
	var m *machine
	for _, b := range all {
		if b.lang == "text" || notRun[b.id()] != "" {
			continue
		}
		if b.lang != "sh" && b.lang != "python" {
			if err := wellFormed(b); err != nil {
				t.Errorf("%s: %v", b, err)
			}
			continue
		}
		if m == nil {
			m = newScene(t, s)
		}
		if out, err := m.run(first[b.id()], nil); err != nil {
			t.Errorf("%s: what comes first: %v\n%s", b, err, out)
		}
		text := m.words.Replace(b.text)
		if b.lang == "python" {
			before := s.python
			if strings.Contains(text, "import manager") {
				before = "" // a whole program
			}
			text = "/usr/bin/python3 - <<'END_OF_PYTHON'\n" + before + text + "\nEND_OF_PYTHON\n"
		}
		out, err := m.run(text, endless[b.id()])
		if err != nil {
			t.Errorf("%s: this block of %s does not run as it is printed: %v\n%s\nIt printed:\n%s\n"+
				"Mend the page, or the scene of the page in tests/documents; a block that no machine can run belongs into notRun with the reason.",
				b, b.lang, err, text, out)
		}
	}
}

// newScene is a router with an agent, and BIRD as a remote that takes its sessions
// from each address that the pages name.
func newScene(t *testing.T, s scene) *machine {
	t.Helper()
	lab := netlab.New(t)
	near, far := lab.Namespace("router"), lab.Namespace("remote")
	lab.Link(near, "eth0", far, "eth0")
	for _, a := range []string{"10.1.1.1/24", "10.1.1.9/24"} {
		near.AddAddr("eth0", a)
	}
	far.AddAddr("eth0", "10.1.1.2/24")
	near.LinkUp("eth0")
	far.LinkUp("eth0")
	far.AddRoute("10.9.9.0/24", "via", "10.1.1.1")
	remote := netlab.BIRDConfig{RouterID: netip.MustParseAddr("10.1.1.2"), Static: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	for _, local := range []string{"10.1.1.1", "10.1.1.9", "10.9.9.1"} {
		remote.Protocols = append(remote.Protocols, netlab.BIRDPeer{
			Name: "from_" + strings.ReplaceAll(local, ".", "_"), LocalAddr: netip.MustParseAddr("10.1.1.2"), LocalAS: 200,
			NeighborAddr: netip.MustParseAddr(local), NeighborAS: 100, Passive: true, MultihopTTL: 64,
		})
	}
	lab.StartBIRD(far, remote)
	m := newMachine(t, near)
	if out, err := m.run(s.before, nil); err != nil {
		t.Fatalf("the scene: %v\n%s", err, out)
	}
	m.readWords()
	return m
}

// wellFormed checks a block that is no program.
func wellFormed(b block) error {
	switch b.lang {
	case "json":
		var v any
		return json.Unmarshal([]byte(b.text), &v)
	case "yaml":
		var v any
		return yaml.Unmarshal([]byte(b.text), &v)
	}
	d := xml.NewDecoder(strings.NewReader(b.text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
