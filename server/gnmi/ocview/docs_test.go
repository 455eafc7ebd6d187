package ocview

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the mapping into the documentation")

const (
	guide    = "../../../docs/openconfig.md"
	document = "../../../docs/reference/openconfig.md"
	begin    = "<!-- mapping -->\n"
	end      = "<!-- end of mapping -->\n"
)

// mapping is the table as documentation: the rows of each list, paths below
// its entry.
func mapping() string {
	var b strings.Builder
	places := []struct{ title, at, record string }{
		{"network-instance", atInstance, "/vpn-instances/vpn-instance"},
		{"protocol", atProtocol, "/bgp/instances/instance (I) and its vpn-instances/vpn-instance (V)"},
		{"peer-group", atGroup, "peer-groups/peer-group"},
		{"neighbor", atNeighbor, "peers/peer"},
	}
	for _, p := range places {
		fmt.Fprintf(&b, "### %s\n\n`%s` is `%s`.\n\n| OpenConfig | access | native | value |\n|---|---|---|---|\n", p.title, p.at, p.record)
		for _, r := range model.rows {
			rest, ok := strings.CutPrefix(r.path, p.at+"/")
			if !ok || placeOf(r.path) != p.at {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", rest, access(r), nativeText(r), valueText(r))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// placeOf is the innermost of the places that a path is in.
func placeOf(path string) string {
	for _, at := range []string{atNeighbor, atGroup, atProtocol} {
		if strings.HasPrefix(path, at+"/") {
			return at
		}
	}
	return atInstance
}

func access(r *row) string {
	switch {
	case !r.node.Config:
		return "state"
	case r.key != noKey:
		return "key"
	case r.node.Secret:
		return "write only"
	}
	return "read, write"
}

func nativeText(r *row) string {
	prefix := ""
	if placeOf(r.path) == atProtocol {
		prefix = "V "
		if r.record == 'i' {
			prefix = "I "
		}
	}
	if len(r.native) == 0 {
		return ""
	}
	return prefix + strings.Join(r.native, ", ")
}

func valueText(r *row) string {
	switch {
	case r.as != nil:
		return r.as.text
	case r.key == instanceName:
		return "DEFAULT is _public_"
	case r.key == protocolIdentifier:
		return "always BGP"
	case r.key == familyName:
		var all []string
		for _, f := range families {
			all = append(all, f.oc+" is "+f.native)
		}
		return strings.Join(all, ", ")
	}
	return ""
}

// The documentation has the table of the code: go test -update writes it.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, more := strings.Cut(rest, end)
	if !ok || !more {
		t.Fatalf("%s has no place for the mapping", document)
	}
	want := head + begin + "\n" + mapping() + end + tail
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Error("the mapping in docs/reference/openconfig.md is not that of the code: run go test ./server/gnmi/ocview -update")
	}
	models, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Models() {
		if !strings.Contains(string(models), "| "+m.Name+" | "+m.Version+" |") {
			t.Errorf("the documentation does not name %s %s", m.Name, m.Version)
		}
	}
}
