package netconf

import (
	"strings"
	"testing"
)

// reads returns get-config of running with a filter.
func (c *client) reads(filter string) string {
	c.Helper()
	got := c.rpc("<get-config><source><running/></source>" + filter + "</get-config>")
	body, ok := strings.CutPrefix(got, "<data>")
	body, ok2 := strings.CutSuffix(body, "</data>")
	if !ok || !ok2 {
		c.Fatalf("%s\nanswered %s", filter, got)
	}
	return body
}

func TestFilters(t *testing.T) {
	_, c := ready(t)
	c.ok(edit(peer("", "10.1.1.3", "<as>300</as>")))
	all := c.reads("")
	if !strings.Contains(all, `<vpn-instances xmlns="`+vpnNS+`">`) || !strings.Contains(all, `<bgp xmlns="`+bgpNS+`">`) { // netconf.md 43
		t.Errorf("no filter: %s", all)
	}
	wrap := func(in string) string {
		return `<bgp xmlns="` + bgpNS + `"><instances><instance><name>default</name><vpn-instances><vpn-instance><name>vpn1</name><peers>` + in +
			"</peers></vpn-instance></vpn-instances></instance></instances></bgp>"
	}
	two := `<peer><address>10.1.1.2</address><config><address>10.1.1.2</address><description>one</description><as>200</as></config></peer>`
	three := `<peer><address>10.1.1.3</address><config><address>10.1.1.3</address><as>300</as></config></peer>`
	peers := func(in string) string {
		return `<filter><bgp xmlns="` + bgpNS + `"><instances><instance><vpn-instances><vpn-instance><peers>` + in +
			"</peers></vpn-instance></vpn-instances></instance></instances></bgp></filter>"
	}
	tests := []struct{ name, filter, want string }{
		{"empty", "<filter/>", ""},                                // netconf.md 43
		{"empty of type subtree", `<filter type="subtree"/>`, ""}, // netconf.md 43
		{"qualified type", `<filter xmlns:n="` + ncNS + `" n:type="subtree"/>`, ""},
		{"containment", peers("<peer/>"), wrap(two + three)}, // netconf.md 44
		{
			"selection adds the keys", peers("<peer><config><as/></config></peer>"),
			wrap("<peer><address>10.1.1.2</address><config><as>200</as></config></peer><peer><address>10.1.1.3</address><config><as>300</as></config></peer>"),
		}, // netconf.md 44
		{"content match", peers("<peer><address>10.1.1.3</address></peer>"), wrap(three)}, // netconf.md 44
		{
			"several content matches", peers("<peer><config><as>200</as><description>one</description></config></peer>"),
			wrap(`<peer><address>10.1.1.2</address><config><address>10.1.1.2</address><description>one</description><as>200</as></config></peer>`),
		}, // netconf.md 44
		{"content match without a match", peers("<peer><config><as>200</as><description>two</description></config></peer>"), ""}, // netconf.md 44, 45
		{"attribute match", peers(`<peer x="y"/>`), ""}, // netconf.md 44
		{"any namespace", `<filter><bgp xmlns=""><instances><instance><name>nobody</name></instance></instances></bgp></filter>`, ""}, // netconf.md 44
		{"unknown namespace", `<filter><x xmlns="urn:x"/></filter>`, ""},                                                              // netconf.md 45
		{"unknown name", `<filter><x xmlns="` + bgpNS + `"/></filter>`, ""},                                                           // netconf.md 45
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.reads(tt.filter); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if got := c.reads(`<filter><vpn-instances xmlns=""><vpn-instance><name>vpn1</name></vpn-instance></vpn-instances></filter>`); !strings.Contains(got, "vpn1") || strings.Contains(got, "_public_") { // netconf.md 44
		t.Errorf("filter without namespace: %s", got)
	}
}

func TestReadErrors(t *testing.T) {
	_, c := ready(t)
	const getConfig = "/nc:rpc/nc:get-config"
	tests := []struct{ name, op, want string }{
		{
			"unknown source", "<get-config><source><intended/></source></get-config>",
			"protocol unknown-element path=" + getConfig + "/nc:source/nc:intended element=intended",
		}, // netconf.md 45
		{
			"source startup", "<get-config><source><startup/></source></get-config>",
			"protocol unknown-element path=" + getConfig + "/nc:source/nc:startup element=startup",
		}, // netconf.md 45
		{"text in the filter", "<get><filter>x</filter></get>", "application bad-element element=filter"},
		{
			"max-depth belongs to another operation", `<get><max-depth xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-nmda">1</max-depth></get>`,
			"protocol unknown-element path=/nc:rpc/nc:get element=max-depth",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { c.fails(tt.op, tt.want) })
	}
}

// netconf.md 48: get has configuration and state, get-config only the former.
func TestGetHasState(t *testing.T) {
	_, c := ready(t)
	filter := strings.Replace("<filter>"+instance("<peers><peer><address>10.1.1.2</address></peer></peers>")+"</filter>", "<config><as>100</as></config>", "", 1)
	got := c.rpc("<get>" + filter + "</get>")
	if !strings.Contains(got, "<config><address>10.1.1.2</address>") || !strings.Contains(got, "<session-state>") {
		t.Errorf("get: %s", got)
	}
	if got := c.reads(filter); strings.Contains(got, "<state>") {
		t.Errorf("get-config: %s", got)
	}
}

// netconf.md 48: a read does not wait for an edit that hangs in the backend.
func TestReadsDoNotWaitForEdits(t *testing.T) {
	r, c := ready(t)
	hold := r.hang()
	other := r.open()
	other.send(other.frame(`<rpc xmlns="` + ncNS + `" message-id="1">` + edit(peer("", peer2, "<as>201</as>")) + "</rpc>"))
	hold.reached()
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("peer is %s", got)
	}
	if got := c.rpc("<get/>"); !strings.Contains(got, "<session-state>") {
		t.Errorf("get: %.300s", got)
	}
	hold.release()
	if got := other.read(); !strings.Contains(got, "<ok/>") {
		t.Errorf("edit: %s", got)
	}
}
