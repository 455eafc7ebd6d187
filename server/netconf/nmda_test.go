package netconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	nmdaNS   = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"
	originNS = "urn:ietf:params:xml:ns:yang:ietf-origin"
)

// data is a get-data with what else stands in it.
func data(datastore, more string) string {
	return fmt.Sprintf(`<get-data xmlns="%s" xmlns:ds="%s" xmlns:or="%s" xmlns:b="%s" xmlns:v="%s"><datastore>ds:%s</datastore>%s</get-data>`,
		nmdaNS, datastoresNS, originNS, bgpNS, vpnNS, datastore, more)
}

func xpathData(expr string) string { return "<xpath-filter>" + expr + "</xpath-filter>" }

// hasData returns what a get-data answers, inside of <data>.
func (c *client) hasData(datastore, more string) string {
	c.Helper()
	got := c.rpc(data(datastore, more))
	body, ok := strings.CutPrefix(got, `<data xmlns="`+nmdaNS+`">`)
	body, ok2 := strings.CutSuffix(body, "</data>")
	if !ok || !ok2 {
		c.Fatalf("%s %s\nanswered %s", datastore, more, got)
	}
	return body
}

// editData is an edit-data.
func editData(datastore, more, config string) string {
	return fmt.Sprintf(`<edit-data xmlns="%s" xmlns:ds="%s"><datastore>ds:%s</datastore>%s<config xmlns:nc="%s">%s</config></edit-data>`, nmdaNS, datastoresNS, datastore, more, ncNS, config)
}

// netconf.md 76: what each datastore has, and how it is selected.
func TestGetData(t *testing.T) {
	_, c := ready(t)
	c.ok(editDraft(peer("", "10.1.1.3", "<as>300</as>")))
	all := c.reads("")
	for datastore, want := range map[string]string{"running": all, "intended": all, "candidate": strings.TrimSuffix(strings.TrimPrefix(c.rpc("<get-config><source><candidate/></source></get-config>"), "<data>"), "</data>")} {
		if got := c.hasData(datastore, ""); got != want {
			t.Errorf("%s: %s\nwant %s", datastore, got, want)
		}
	}
	if got := c.hasData("operational", ""); !strings.Contains(got, "<session-state>") || !strings.Contains(got, "<netconf-state ") || !strings.Contains(got, "<enabled>true</enabled>") {
		t.Errorf("operational: %.500s", got)
	}
	wrap := func(in string) string {
		return `<bgp xmlns="` + bgpNS + `"><instances><instance><name>default</name><vpn-instances><vpn-instance><name>vpn1</name><peers>` + in +
			"</peers></vpn-instance></vpn-instances></instance></instances></bgp>"
	}
	as := wrap("<peer><address>10.1.1.2</address><config><as>200</as></config></peer>")
	subtree := "<subtree-filter>" + strings.Replace(instance("<peers><peer><config><as/></config></peer></peers>"), "<config><as>100</as></config>", "", 1) + "</subtree-filter>"
	vpns := "/v:vpn-instances"
	tests := []struct{ name, datastore, more, want string }{
		{"subtree", "running", subtree, as},
		{"subtree of operational", "operational", subtree, as},
		{"xpath", "running", xpathData("//b:peer[b:address='10.1.1.2']/b:config/b:as"), as},
		{"xpath of state, for configuration", "operational", xpathData("//b:peer[b:state/b:session-state]/b:config/b:as"), as},
		{"nothing", "running", xpathData("//b:nothing"), ""},
		{"no state in running", "running", xpathData("//b:session-state"), ""},
		{"config-filter true", "operational", "<config-filter>true</config-filter><with-defaults>explicit</with-defaults>", all},
		{"config-filter true of running", "running", "<config-filter>true</config-filter>", all},
		{"config-filter false of running", "running", "<config-filter>false</config-filter>", ""},
		{"config-filter false", "operational", "<config-filter>false</config-filter>" + xpathData("//b:peer/b:config/b:as | //b:peer/b:state/b:description"), wrap("<peer><address>10.1.1.2</address><state><description>one</description></state></peer>")},
		{"explicit", "operational", "<with-defaults>explicit</with-defaults>" + xpathData("//b:peer/b:config"), wrap("<peer><address>10.1.1.2</address><config><address>10.1.1.2</address><description>one</description><as>200</as></config></peer>")},
		{"in use", "operational", xpathData("//b:peer/b:config/b:enabled"), wrap("<peer><address>10.1.1.2</address><config><enabled>true</enabled></config></peer>")},
		{"report-all of running", "running", "<with-defaults>report-all</with-defaults>" + xpathData("//b:peer/b:config/b:enabled"), wrap("<peer><address>10.1.1.2</address><config><enabled>true</enabled></config></peer>")},
		{"depth 1", "running", "<max-depth>1</max-depth>", `<bgp xmlns="` + bgpNS + `"></bgp><vpn-instances xmlns="` + vpnNS + `"></vpn-instances>`},
		{"depth 3", "running", "<max-depth>3</max-depth>" + xpathData(vpns), `<vpn-instances xmlns="` + vpnNS + `"><vpn-instance><name>_public_</name><config></config></vpn-instance><vpn-instance><name>vpn1</name><config></config></vpn-instance></vpn-instances>`},
		{"depth 1 of an entry", "running", "<max-depth>1</max-depth>" + xpathData("//b:peer"), wrap("<peer><address>10.1.1.2</address></peer>")},
		{"depth 2 of an entry", "running", "<max-depth>2</max-depth>" + xpathData("//b:peer"), wrap("<peer><address>10.1.1.2</address><config></config></peer>")},
		{"depth 1 of a leaf", "running", "<max-depth>1</max-depth>" + xpathData("//b:peer/b:config/b:as"), as},
		{"depth with a subtree", "running", "<max-depth>1</max-depth>" + subtree, as},
		{"unbounded", "running", "<max-depth>unbounded</max-depth>", all},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.hasData(tt.datastore, tt.more); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	state := `<subtree-filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"/></subtree-filter><max-depth>2</max-depth>`
	if got := c.hasData("operational", state); !strings.Contains(got, "<sessions/>") || strings.Contains(got, "<session>") {
		t.Errorf("depth of what the server tells of itself: %s", got)
	}
}

// netconf.md 76: origins (RFC 8342 5.3.4).
func TestOrigins(t *testing.T) {
	_, c := ready(t)
	c.ok(edit(`<vpn-instances xmlns="` + vpnNS + `"><vpn-instance><name>_public_</name><config><description>d</description></config></vpn-instance></vpn-instances>`))
	vpns := xpathData("/v:vpn-instances/v:vpn-instance[v:name='_public_']")
	enabled := xpathData("//b:peer/b:config/b:enabled | //b:peer/b:config/b:as")
	top := func(name, ns, in string) string {
		return "<" + name + ` xmlns="` + ns + `" xmlns:or="` + originNS + `" or:origin="or:intended">` + in + "</" + name + ">"
	}
	bgp := func(in string) string {
		return top("bgp", bgpNS, "<instances><instance><name>default</name><vpn-instances><vpn-instance><name>vpn1</name><peers><peer><address>10.1.1.2</address><config>"+in+"</config></peer></peers></vpn-instance></vpn-instances></instance></instances>")
	}
	plain := func(in string) string {
		return strings.Replace(bgp(in), ` xmlns:or="`+originNS+`" or:origin="or:intended"`, "", 1)
	}
	const as, isEnabled = "<as>200</as>", `<enabled or:origin="or:default">true</enabled>`
	tests := []struct{ name, more, want string }{
		{"set and default", "<with-origin/>" + enabled, bgp(isEnabled + as)},
		{"of the system", "<with-origin/><config-filter>true</config-filter>" + vpns, top("vpn-instances", vpnNS, `<vpn-instance or:origin="or:system"><name>_public_</name><config><name>_public_</name><description or:origin="or:intended">d</description></config></vpn-instance>`)},
		{"an entry that nobody configured", "<with-origin/><config-filter>false</config-filter>" + xpathData("//b:afi-safi/b:state/b:name"), strings.ReplaceAll(bgp(`x`), "<config>x</config>", `<afi-safis><afi-safi or:origin="or:system"><name>ipv4-unicast</name><state><name>ipv4-unicast</name></state></afi-safi></afi-safis>`)},
		{"only defaults", "<origin-filter>or:default</origin-filter>" + enabled, plain("<enabled>true</enabled>")},
		{"only what was set", "<origin-filter>or:intended</origin-filter>" + enabled, plain(as)},
		{"both", "<origin-filter>or:intended</origin-filter><origin-filter>or:default</origin-filter>" + enabled, plain("<enabled>true</enabled>" + as)},
		{"what is derived", "<origin-filter>or:origin</origin-filter>" + enabled, plain("<enabled>true</enabled>" + as)},
		{"no defaults", "<negated-origin-filter>or:default</negated-origin-filter>" + enabled, plain(as)},
		{"nothing", "<origin-filter>or:learned</origin-filter>" + enabled, ""},
		{"only the system's", "<origin-filter>or:system</origin-filter><config-filter>true</config-filter>" + vpns, `<vpn-instances xmlns="` + vpnNS + `"><vpn-instance><name>_public_</name><config><name>_public_</name></config></vpn-instance></vpn-instances>`},
		{"state has none", "<with-origin/><origin-filter>or:learned</origin-filter>" + xpathData("//b:peer/b:state/b:description"), strings.ReplaceAll(bgp("<description>one</description>"), "config>", "state>")},
		{"tagged too", "<with-origin/><with-defaults>report-all-tagged</with-defaults>" + xpathData("//b:peer/b:config/b:enabled"), strings.Replace(bgp(`<enabled or:origin="or:default" wd:default="true">true</enabled>`), ` xmlns:or=`, ` xmlns:wd="urn:ietf:params:xml:ns:netconf:default:1.0" xmlns:or=`, 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.hasData("operational", tt.more); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// netconf.md 76
func TestDataErrors(t *testing.T) {
	_, c := ready(t)
	const get, set = "/nc:rpc/ncds:get-data", "/nc:rpc/ncds:edit-data"
	invalid := func(leaf string) string { return "protocol invalid-value path=" + get + "/ncds:" + leaf }
	lockOf := func(op, in, ds string) string {
		return fmt.Sprintf(`<%s><%s><datastore xmlns="%s" xmlns:ds="%s">%s</datastore></%s></%s>`, op, in, nmdaNS, datastoresNS, ds, in, op)
	}
	tests := []struct{ name, op, want string }{
		{"no datastore", `<get-data xmlns="` + nmdaNS + `"/>`, "protocol missing-element path=" + get + " element=datastore"},
		{"unknown datastore", data("factory-default", ""), invalid("datastore")},
		{"startup is not served", data("startup", ""), invalid("datastore")},
		{"no identity", `<get-data xmlns="` + nmdaNS + `"><datastore>running</datastore></get-data>`, invalid("datastore")},
		{"undeclared prefix", `<get-data xmlns="` + nmdaNS + `"><datastore>x:running</datastore></get-data>`, invalid("datastore")},
		{"with-origin on running", data("running", "<with-origin/>"), invalid("with-origin")},
		{"with-origin with a value", data("operational", "<with-origin>true</with-origin>"), invalid("with-origin")},
		{"origin-filter on running", data("running", "<origin-filter>or:default</origin-filter>"), invalid("origin-filter")},
		{"negated-origin-filter on intended", data("intended", "<negated-origin-filter>or:default</negated-origin-filter>"), invalid("negated-origin-filter")},
		{"unknown origin", data("operational", "<origin-filter>or:x</origin-filter>"), invalid("origin-filter")},
		{"both origin filters", data("operational", "<origin-filter>or:default</origin-filter><negated-origin-filter>or:default</negated-origin-filter>"), "protocol bad-element path=" + get + " element=negated-origin-filter"},
		{"depth 0", data("running", "<max-depth>0</max-depth>"), invalid("max-depth")},
		{"depth -1", data("running", "<max-depth>-1</max-depth>"), invalid("max-depth")},
		{"depth 65536", data("running", "<max-depth>65536</max-depth>"), invalid("max-depth")},
		{"config-filter", data("running", "<config-filter>yes</config-filter>"), invalid("config-filter")},
		{"with-defaults", data("operational", "<with-defaults>some</with-defaults>"), invalid("with-defaults")},
		{"two filters", data("running", "<subtree-filter/>"+xpathData("/")), "protocol bad-element path=" + get + " element=xpath-filter"},
		{"syntax", data("running", xpathData("//b:peer[")), invalid("xpath-filter")},
		{"not a node-set", data("running", xpathData("1")), invalid("xpath-filter")},
		{"an element in the expression", data("running", xpathData("<x/>")), invalid("xpath-filter")},
		{"edit of operational", editData("operational", "", ""), "protocol invalid-value path=" + set + "/ncds:datastore"},
		{"edit of intended", editData("intended", "", ""), "protocol invalid-value path=" + set + "/ncds:datastore"},
		{"edit without content", `<edit-data xmlns="` + nmdaNS + `" xmlns:ds="` + datastoresNS + `"><datastore>ds:running</datastore></edit-data>`, "protocol missing-element path=" + set + " element=config"},
		{"default-operation", editData("running", "<default-operation>x</default-operation>", ""), "protocol invalid-value path=" + set + "/ncds:default-operation"},
		{"test-option", editData("running", "<test-option>test-only</test-option>", ""), "protocol unknown-element path=" + set + " element=test-option"},
		{"lock of operational", lockOf("lock", "target", "ds:operational"), "protocol invalid-value path=/nc:rpc/nc:lock/nc:target/ncds:datastore"},
		{"unlock of intended", lockOf("unlock", "target", "ds:intended"), "protocol invalid-value path=/nc:rpc/nc:unlock/nc:target/ncds:datastore"},
		{"validate operational", lockOf("validate", "source", "ds:operational"), "protocol invalid-value path=/nc:rpc/nc:validate/nc:source/ncds:datastore"},
		{"get-config takes none", lockOf("get-config", "source", "ds:running"), "protocol unknown-element path=/nc:rpc/nc:get-config/nc:source/nc:datastore element=datastore"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { c.fails(tt.op, tt.want) })
	}
	c.ok(lockOf("lock", "target", "ds:running"), lockOf("lock", "target", "ds:candidate"))
	c.fails(lock("running"), denied(c.id))
	c.ok(lockOf("unlock", "target", "ds:running"), unlock("candidate"))
	c.ok(lockOf("validate", "source", "ds:candidate"), lockOf("validate", "source", "ds:intended"))
}

// netconf.md 76
func TestEditData(t *testing.T) {
	r, c := ready(t)
	c.ok(editData("running", "", peer("", peer2, "<as>201</as>")), editData("candidate", "", peer("", peer2, "<as>202</as>")))
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>201</as>") {
		t.Errorf("running: %s", got)
	}
	if got := c.getPeer("candidate", peer2); !strings.Contains(got, "<as>202</as>") {
		t.Errorf("candidate: %s", got)
	}
	c.ok("<discard-changes/>")
	c.fails(editData("running", "<default-operation>none</default-operation>", peer(` nc:operation="create"`, peer2, "")), "application data-exists path="+pathOfTwo)
	c.ok(editData("running", "<default-operation>none</default-operation>", peer(` nc:operation="delete"`, peer2, "")))
	if got := c.getPeer("running", peer2); strings.Contains(got, "<peer>") {
		t.Errorf("deleted: %s", got)
	}
	other := r.open()
	c.ok(lock("running"))
	other.fails(editData("running", "", vpn1), inUse)
	library := c.rpc(`<get><filter><yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"><datastore/></yang-library></filter></get>`)
	for _, ds := range []string{"running", "candidate", "intended", "operational"} {
		if !strings.Contains(library, ">ds:"+ds+"</name><schema>complete</schema>") {
			t.Errorf("the library has no %s: %s", ds, library)
		}
	}
}

// netconf.md 76 and 78: libyang takes operations, answers and state for valid
// against the published modules.
func TestNMDAAgainstYanglint(t *testing.T) {
	r := newRig(t, Limits{})
	c := r.pipe("admin")
	greeting := c.readHello()
	c.send(hello(base10) + "]]>]]>")
	c.setUp()
	family := "<afi-safis><afi-safi><name>ipv4-unicast</name><config><name>ipv4-unicast</name><enabled>true</enabled></config></afi-safi></afi-safis>"
	c.ok(edit(strings.Replace(peer("", peer2, ""), "<config></config>", family, 1))) // or a family would be in state without its config, which libyang minds
	lint := newLinter(t, greeting, "ietf-netconf", "ietf-datastores", "ietf-origin", "ietf-netconf-nmda", "ietf-netconf-partial-lock", "ietf-netconf-monitoring", "mooring-bgp", "mooring-vpn-instance", "mooring-agent")
	bgp := xpathData("/b:bgp")
	lint.reply(c, data("operational", bgp+"<origin-filter>or:intended</origin-filter><max-depth>unbounded</max-depth><with-origin/>"))
	lint.reply(c, data("running", bgp+"<config-filter>true</config-filter><max-depth>3</max-depth><with-defaults>trim</with-defaults>"))
	lint.reply(c, editData("candidate", "<default-operation>none</default-operation>", ""))
	all := `<bgp xmlns="` + bgpNS + `"/><vpn-instances xmlns="` + vpnNS + `"/>`
	running := filepath.Join(t.TempDir(), "data.xml")
	if err := os.WriteFile(running, []byte(c.state(all)), 0o600); err != nil {
		t.Fatal(err)
	}
	lint.reply(c, partialLock(onePeer), "-O", running)
	lint.check("data", c.state(`<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><datastores/></netconf-state>`+all))
	lint.check("data", c.hasData("operational", "<with-origin/><subtree-filter>"+all+"</subtree-filter>"))
}
