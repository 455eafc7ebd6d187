package netconf

import (
	"context"
	"encoding/xml"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mooring/tests/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Guide{
		Path: "../../docs/reference/netconf.md", Items: 82,
		Folders: []string{
			".", "..", "../../tests/e2e", "frame", "rpc", "files", "notify", "push", "xmltree",
			"../../engine/schema", "../../engine/datastore", "../../engine/xpath", "../../internal/xmltok",
		},
	}.Check(t)
}

const guidePath = "../../docs/netconf.md"

func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// netconf.md 21
func TestReplyIsOfOneKind(t *testing.T) {
	_, c := ready(t)
	c.ok(editDraft(peer("", "10.1.1.3", ""))) // not valid
	for _, tt := range []struct{ op, want string }{
		{"<get/>", "data"},
		{"<get-config><source><running/></source></get-config>", "data"},
		{getSchema("mooring-types", "", ""), "data"},
		{lock("running"), "ok"},
		{unlock("running"), "ok"},
		{"<commit/>", "rpc-error"},
		{"<fly/>", "rpc-error"},
		{edit(peer("", "10.1.1.4", "")), "rpc-error"},
		{previewRPC, "rpc-error"},
		{resetPeer(""), "rpc-error"},
		{"<discard-changes/>", "ok"},
	} {
		op, want := tt.op, tt.want
		var reply struct {
			Children []struct{ XMLName xml.Name } `xml:",any"`
		}
		if err := xml.Unmarshal([]byte("<x>"+c.rpc(op)+"</x>"), &reply); err != nil {
			t.Fatal(err)
		}
		for i, child := range reply.Children {
			if child.XMLName.Local != want || i > 0 && want != "rpc-error" {
				t.Errorf("%s is answered with %v", op, reply.Children)
			}
		}
		if len(reply.Children) == 0 {
			t.Errorf("%s is answered with nothing", op)
		}
	}
}

// The examples of the guide do what they say, one after the other.
func TestGuideForNcclient(t *testing.T) {
	python := needNcclient(t)
	l := newRig(t, Limits{}).listen()
	text := guide(t)
	for i, want := range [][]string{
		{"<address>10.1.1.2</address><impact>", "<netconf-config-change", "<username>admin</username>", "<reset-policy>minimal</reset-policy>", "module mooring-bgp {"},
		{
			"<datastore-contents><bgp", "<operation>create</operation>", "peers/peer=10.1.1.2/config/description</target>", ">told at once</description>",
			"<session-state>", "<stream-xpath-filter", "<sent-event-records>",
		},
	} {
		var script string
		var ok, ok2 bool
		for ok = true; ok && !strings.HasPrefix(script, "import os"); { // the others are parts of a session
			_, text, ok = strings.Cut(text, "```python\n")
			script, text, ok2 = strings.Cut(text, "```")
		}
		if !ok || !ok2 {
			t.Fatalf("the guide has only %d examples for ncclient", i)
		}
		out := l.python(python, script)
		for _, part := range want {
			if !strings.Contains(out, part) {
				t.Errorf("example %d: no %s in\n%.6000s", i, part, out)
			}
		}
	}
}

// python runs a script as a client of l, and returns what it prints.
func (l *listening) python(path, script string) string {
	l.Helper()
	host, port, _ := strings.Cut(l.addr, ":")
	ctx, cancel := context.WithTimeout(l.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-")
	cmd.Env = append(os.Environ(), "HOST="+host, "PORT="+port, "PASSWORD="+password)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
