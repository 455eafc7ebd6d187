package netconf

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	monitoringNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
	libraryNS    = "urn:ietf:params:xml:ns:yang:ietf-yang-library"
)

// state runs a get of one of the trees that the server makes up.
func (c *client) state(filter string) string {
	c.Helper()
	got := c.rpc("<get><filter>" + filter + "</filter></get>")
	body, ok := strings.CutPrefix(got, "<data>")
	body, ok2 := strings.CutSuffix(body, "</data>")
	if !ok || !ok2 {
		c.Fatalf("%s\nanswered %s", filter, got)
	}
	return body
}

// serverState is /netconf-state as a client reads it.
type serverState struct {
	Capabilities []string `xml:"capabilities>capability"`
	Datastores   []struct {
		Name string `xml:"name"`
		Lock *struct {
			Session uint32 `xml:"locked-by-session"`
			Time    string `xml:"locked-time"`
		} `xml:"locks>global-lock"`
	} `xml:"datastores>datastore"`
	Schemas []struct {
		Identifier string `xml:"identifier"`
		Version    string `xml:"version"`
		Format     string `xml:"format"`
		Namespace  string `xml:"namespace"`
		Location   string `xml:"location"`
	} `xml:"schemas>schema"`
	Sessions []struct {
		ID        uint32 `xml:"session-id"`
		Transport string `xml:"transport"`
		User      string `xml:"username"`
		Host      string `xml:"source-host"`
		Login     string `xml:"login-time"`
		counters
	} `xml:"sessions>session"`
	Statistics struct {
		Start    string `xml:"netconf-start-time"`
		Bad      uint32 `xml:"in-bad-hellos"`
		Sessions uint32 `xml:"in-sessions"`
		Dropped  uint32 `xml:"dropped-sessions"`
		counters
	} `xml:"statistics"`
}

type counters struct {
	RPCs    uint32 `xml:"in-rpcs"`
	Bad     uint32 `xml:"in-bad-rpcs"`
	Errors  uint32 `xml:"out-rpc-errors"`
	Notices uint32 `xml:"out-notifications"`
}

func (c *client) serverState() serverState {
	c.Helper()
	var s serverState
	text := c.state(`<netconf-state xmlns="` + monitoringNS + `"/>`)
	if err := xml.Unmarshal([]byte(text), &s); err != nil {
		c.Fatalf("%v in %s", err, text)
	}
	return s
}

// netconf.md 67
func TestMonitoring(t *testing.T) {
	l := newRig(t, Limits{}).listen()
	a, _ := l.dial("admin")
	b, _ := l.dial("guest")
	b.ok(lock("candidate"))
	a.fails("<fly/>", "protocol operation-not-supported")
	a.exchange(`<rpc xmlns="` + ncNS + `"><get/></rpc>`) // without a message-id
	s := a.serverState()
	if len(s.Datastores) != 2 || s.Datastores[0].Name != "running" || s.Datastores[0].Lock != nil ||
		s.Datastores[1].Name != "candidate" || s.Datastores[1].Lock == nil || s.Datastores[1].Lock.Session != b.id || s.Datastores[1].Lock.Time == "" {
		t.Errorf("datastores: %+v", s.Datastores)
	}
	if len(s.Sessions) != 2 || s.Sessions[0].ID != a.id || s.Sessions[0].User != "admin" || s.Sessions[1].User != "guest" ||
		s.Sessions[0].Transport != "netconf-ssh" || s.Sessions[0].Host != "127.0.0.1" || s.Sessions[0].Login == "" {
		t.Errorf("sessions: %+v", s.Sessions)
	}
	if got, want := s.Sessions[0].counters, (counters{RPCs: 1, Bad: 1, Errors: 2}); got != want {
		t.Errorf("counters of a: %+v, want %+v", got, want)
	}
	if got, want := s.Statistics.counters, (counters{RPCs: 2, Bad: 1, Errors: 2}); got != want || s.Statistics.Sessions != 2 || s.Statistics.Start == "" {
		t.Errorf("statistics: %+v", s.Statistics)
	}
	c := l.start(l.mustLogin("guest"))
	c.subsystem("netconf")
	c.readHello()
	c.send("<hello/>]]>]]>")
	c.wantNoMessage()
	b.ok("<close-session/>")
	b.wantGoodbye()
	if s := a.serverState().Statistics; s.Bad != 1 || s.Sessions != 3 || s.Dropped != 0 {
		t.Errorf("after a bad hello and an end in order: %+v", s)
	}
	killed, _ := l.dial("guest")
	lost, _ := l.dial("guest")
	a.ok(kill(killed.id))
	_ = lost.conn.Close()
	within(t, patience, "the lost session is counted, and the killed one is not", func() bool {
		s := a.serverState()
		return len(s.Sessions) == 1 && s.Statistics.Dropped == 1 && s.Statistics.Sessions == 5
	})
	// A part of it, and only where it is asked for.
	got := a.state(fmt.Sprintf(`<netconf-state xmlns=%q><sessions><session><session-id>%d</session-id><username/></session></sessions></netconf-state>`, monitoringNS, a.id))
	if want := fmt.Sprintf(`<netconf-state xmlns=%q><sessions><session><session-id>%d</session-id><username>admin</username></session></sessions></netconf-state>`, monitoringNS, a.id); got != want {
		t.Errorf("one session:\ngot  %s\nwant %s", got, want)
	}
	if got := a.reads(`<filter><netconf-state xmlns="` + monitoringNS + `"/></filter>`); got != "" {
		t.Errorf("get-config has state: %s", got)
	}
	if got := a.rpc("<get/>"); !strings.Contains(got, "<netconf-state ") || !strings.Contains(got, "<yang-library ") || !strings.Contains(got, "<modules-state ") {
		t.Errorf("get without a filter lacks a tree: %.300s", got)
	}
}

// announced are the modules in the hello, as name@revision.
func announced(hello string) (modules []string) {
	for _, m := range regexp.MustCompile(`[?]module=([^&<]+)&amp;revision=([0-9-]+)`).FindAllStringSubmatch(hello, -1) {
		modules = append(modules, m[1]+"@"+m[2])
	}
	slices.Sort(modules)
	return modules
}

// netconf.md 67, 68, 69 and the row "OpenDaylight" of section 4: hello, schemas,
// library and get-schema agree on the modules, and every module can be had,
// byte for byte.
func TestSchemas(t *testing.T) {
	r := newRig(t, Limits{})
	c := r.pipe("admin")
	greeting := c.readHello()
	c.send(hello(base10) + "]]>]]>")
	var schemas []string
	names := map[string]string{}
	for _, s := range c.serverState().Schemas {
		if s.Format != "yang" || s.Location != "NETCONF" {
			t.Errorf("schema %+v", s)
		}
		schemas = append(schemas, s.Identifier+"@"+s.Version)
		names[s.Identifier] = s.Version
	}
	slices.Sort(schemas)
	if diff := cmp.Diff(announced(greeting), schemas); diff != "" || len(schemas) < 15 {
		t.Errorf("hello and schemas (-hello +schemas):\n%s", diff)
	}
	type module struct {
		Name      string   `xml:"name"`
		Revision  string   `xml:"revision"`
		Feature   []string `xml:"feature"`
		Deviation []string `xml:"deviation"`
		Type      string   `xml:"conformance-type"`
	}
	var library struct {
		Modules   []module `xml:"module-set>module"`
		Imports   []module `xml:"module-set>import-only-module"`
		ContentID string   `xml:"content-id"`
	}
	var old struct {
		ID      string   `xml:"module-set-id"`
		Modules []module `xml:"module"`
	}
	for name, into := range map[string]any{"yang-library": &library, "modules-state": &old} {
		if err := xml.Unmarshal([]byte(c.state("<"+name+` xmlns="`+libraryNS+`"/>`)), into); err != nil {
			t.Fatal(err)
		}
	}
	var listed, listedOld []string
	for _, m := range slices.Concat(library.Modules, library.Imports) {
		listed = append(listed, m.Name+"@"+m.Revision)
		uri := "module=" + m.Name + "&amp;revision=" + m.Revision
		if len(m.Feature) > 0 {
			uri += "&amp;features=" + strings.Join(m.Feature, ",")
		}
		if len(m.Deviation) > 0 {
			uri += "&amp;deviations=" + strings.Join(m.Deviation, ",")
		}
		if !strings.Contains(greeting, uri+"<") {
			t.Errorf("the library has %s, but hello says otherwise", uri)
		}
	}
	for _, m := range old.Modules {
		listedOld = append(listedOld, m.Name+"@"+m.Revision)
		if imported := slices.ContainsFunc(library.Imports, func(i module) bool { return i.Name == m.Name }); imported != (m.Type == "import") {
			t.Errorf("%s is %s in modules-state", m.Name, m.Type)
		}
	}
	slices.Sort(listed)
	slices.Sort(listedOld)
	if diff := cmp.Diff(schemas, listed) + cmp.Diff(schemas, listedOld); diff != "" {
		t.Errorf("schemas and library:\n%s", diff)
	}
	if id := library.ContentID; id == "" || id != old.ID || !strings.Contains(greeting, "yang-library:1.1?revision=2019-01-04&amp;content-id="+id+"<") {
		t.Errorf("content-id %q, %q", id, old.ID)
	}
	for name, version := range names {
		var data struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		}
		if err := xml.Unmarshal([]byte(c.rpc(getSchema(name, version, "yang"))), &data); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(moduleFile(name))
		if err != nil {
			t.Fatal(err)
		}
		if data.Text != string(want) || data.XMLName.Space != monitoringNS || data.XMLName.Local != "data" {
			t.Errorf("get-schema of %s is not its file", name)
		}
	}
}

func moduleFile(name string) string {
	path := filepath.Join("../../yang", name+".yang")
	if _, err := os.Stat(path); err != nil {
		return filepath.Join("../../yang/ietf", name+".yang")
	}
	return path
}

// getSchema asks for one; what is empty is left out.
func getSchema(identifier, version, format string) string {
	text := `<get-schema xmlns="` + monitoringNS + `">`
	for _, p := range []struct{ name, value string }{{"identifier", identifier}, {"version", version}, {"format", format}} {
		if p.value != "" {
			text += "<" + p.name + ">" + p.value + "</" + p.name + ">"
		}
	}
	return text + "</get-schema>"
}

// netconf.md 68
func TestGetSchemaErrors(t *testing.T) {
	c := newRig(t, Limits{}).open()
	const here = " path=/nc:rpc/ncm:get-schema"
	for op, want := range map[string]string{
		getSchema("nobody", "", ""):                               "protocol invalid-value" + here + "/ncm:identifier",
		getSchema("mooring-bgp", "2001-01-01", ""):                "protocol invalid-value" + here + "/ncm:version",
		getSchema("mooring-bgp", "", "yin"):                       "protocol invalid-value" + here + "/ncm:format",
		getSchema("<x/>", "", ""):                                 "protocol unknown-element" + here + "/ncm:identifier element=x",
		getSchema("", "", ""):                                     "protocol missing-element" + here + " element=identifier",
		`<get-schema><identifier>x</identifier></get-schema>`:     "protocol operation-not-supported",
		getSchema("mooring-bgp</identifier><identifier>", "", ""): "protocol bad-element" + here + " element=identifier",
		`<get-schema xmlns="` + monitoringNS + `"><identifier>ietf-netconf</identifier><version/></get-schema>`: "protocol invalid-value" + here + "/ncm:version",
	} {
		c.fails(op, want)
	}
	for _, format := range []string{"", "yang", "ncm:yang", " yang\n"} {
		if got := c.rpc(getSchema("mooring-bgp", "", format)); !strings.HasPrefix(got, `<data xmlns="`+monitoringNS+`">module mooring-bgp {`) {
			t.Errorf("format %q: %.200s", format, got)
		}
	}
}

// netconf.md 67, 69: libyang takes what get tells of the server for valid against the modules
// that the server publishes.
func TestMonitoringAgainstYanglint(t *testing.T) {
	lint := need(t, "/usr/bin/yanglint", "libyang2-tools")
	c := newRig(t, Limits{}).open()
	c.ok(lock("running"))
	file := filepath.Join(t.TempDir(), "state.xml")
	for module, text := range map[string]string{
		"ietf-netconf-monitoring": c.state(`<netconf-state xmlns="` + monitoringNS + `"/>`),
		"ietf-yang-library":       c.state(`<yang-library xmlns="`+libraryNS+`"/>`) + c.state(`<modules-state xmlns="`+libraryNS+`"/>`),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), lint, "-p", "../../yang/ietf", "-t", "data", moduleFile("ietf-datastores"), moduleFile(module), file).CombinedOutput()
		if err != nil || len(out) != 0 {
			t.Errorf("%s: %v\n%s\n%s", module, err, out, text)
		}
	}
}
