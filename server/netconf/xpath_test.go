package netconf

import (
	"fmt"
	"strings"
	"testing"
)

// xpath is a filter of type xpath with the prefixes b, v and m.
func xpath(expr string) string {
	expr = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(expr)
	return fmt.Sprintf(`<filter type="xpath" xmlns:b="%s" xmlns:v="%s" xmlns:m="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring" select="%s"/>`, bgpNS, vpnNS, expr)
}

const peersPath = "/b:bgp/b:instances/b:instance[b:name='default']/b:vpn-instances/b:vpn-instance[b:name='vpn1']/b:peers/b:peer"

// netconf.md 46: what an expression selects is told as a subtree filter tells it.
func TestXPathFilters(t *testing.T) {
	_, c := ready(t)
	c.ok(edit(peer("", "10.1.1.3", "<as>300</as>")), edit(peer("", "2001:db8::1", "<as>300</as>")))
	wrap := func(in string) string {
		return `<bgp xmlns="` + bgpNS + `"><instances><instance><name>default</name><vpn-instances><vpn-instance><name>vpn1</name><peers>` + in +
			"</peers></vpn-instance></vpn-instances></instance></instances></bgp>"
	}
	one := func(address, leaf string) string {
		return "<peer><address>" + address + "</address><config>" + leaf + "</config></peer>"
	}
	tests := []struct{ name, expr, want string }{
		{"a leaf of one entry", peersPath + "[b:address='10.1.1.2']/b:config/b:as", wrap(one("10.1.1.2", "<as>200</as>"))},
		{"another spelling of the key", peersPath + "[b:address='2001:DB8:0::1']/b:config/b:as", wrap(one("2001:db8::1", "<as>300</as>"))},
		{"of all entries", peersPath + "/b:config/b:as", wrap(one("10.1.1.2", "<as>200</as>") + one("10.1.1.3", "<as>300</as>") + one("2001:db8::1", "<as>300</as>"))},
		{"an entry", peersPath + "[b:address='10.1.1.3']", wrap(one("10.1.1.3", "<address>10.1.1.3</address><as>300</as>"))},
		{"a key", peersPath + "[b:config/b:as=200]/b:address", wrap("<peer><address>10.1.1.2</address></peer>")},
		{"a value", peersPath + "[b:config/b:as='300']/b:config/b:as", wrap(one("10.1.1.3", "<as>300</as>") + one("2001:db8::1", "<as>300</as>"))},
		{"anywhere", "//b:description", wrap(one("10.1.1.2", "<description>one</description>"))},
		{"its text", "//b:description/text()", wrap(one("10.1.1.2", "<description>one</description>"))},
		{"a position", peersPath + "[last()]/b:config/b:as", wrap(one("2001:db8::1", "<as>300</as>"))},
		{"a function", peersPath + "[starts-with(b:address, '10.') and not(b:config/b:description)]/b:config/b:as", wrap(one("10.1.1.3", "<as>300</as>"))},
		{"a reverse axis", "//b:description[.='one']/../../b:address", wrap("<peer><address>10.1.1.2</address></peer>")},
		{"a union", "//b:description | " + peersPath + "[b:address='10.1.1.3']/b:config/b:as", wrap(one("10.1.1.2", "<description>one</description>") + one("10.1.1.3", "<as>300</as>"))},
		{"an entry and a leaf of it", peersPath + "[b:address='10.1.1.3'] | //b:as[.=300]", wrap(one("10.1.1.3", "<address>10.1.1.3</address><as>300</as>") + one("2001:db8::1", "<as>300</as>"))},
		{"other modules", "/v:vpn-instances/v:vpn-instance[v:name='_public_']", `<vpn-instances xmlns="` + vpnNS + `"><vpn-instance><name>_public_</name><config><name>_public_</name></config></vpn-instance></vpn-instances>`},
		// A value below a wildcard.
		{"any element with a value", "//b:peers/*[b:address='10.1.1.3']", wrap(one("10.1.1.3", "<address>10.1.1.3</address><as>300</as>"))},
		{"any element anywhere with a value", "//*[b:address='10.1.1.3']", wrap(one("10.1.1.3", "<address>10.1.1.3</address><as>300</as>"))},
		{"any element of a module with a value", "//b:*[b:address='10.1.1.3']", wrap(one("10.1.1.3", "<address>10.1.1.3</address><as>300</as>"))},
		{"any element with a value that is no key", "//b:peers/*[b:config/b:as=200]/b:config/b:as", wrap(one("10.1.1.2", "<as>200</as>"))},
		{"any element of another module", "/v:vpn-instances/*[v:name='_public_']/v:config", `<vpn-instances xmlns="` + vpnNS + `"><vpn-instance><name>_public_</name><config><name>_public_</name></config></vpn-instance></vpn-instances>`},
		// netconf.md 45
		{"nothing", peersPath + "[b:address='10.9.9.9']", ""},
		{"nothing below a key", peersPath + "[b:address='10.1.1.3']/b:config/b:description", ""},
		{"not in the model", "/b:nothing | /v:bgp", ""},
		{"without a prefix", "/bgp", ""}, // in no namespace
		{"state is not configuration", "//b:session-state", ""},
		{"attributes", "//@*", ""},
		{"an identity", "//b:as[derived-from(., 'b:x')]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.reads(xpath(tt.expr)); got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.expr, got, tt.want)
			}
			if got := c.reads(xpath("(" + tt.expr + ")[true()]")); got != tt.want { // no path of the model, so it is evaluated
				t.Errorf("(%s)[true()]\ngot  %s\nwant %s", tt.expr, got, tt.want)
			}
		})
	}
	if got, want := c.reads(xpath("/")), c.reads(""); got != want {
		t.Errorf("the root: %s\nwant %s", got, want)
	}
	if got, want := c.reads(xpath("/*")), c.reads(""); got != want {
		t.Errorf("all of the root: %s\nwant %s", got, want)
	}
	// The prefix may be declared anywhere around the filter.
	if got := c.rpc(`<n:get-config xmlns:n="` + ncNS + `" xmlns:x="` + bgpNS + `"><n:source><n:running/></n:source><n:filter n:type="xpath" n:select="//x:description"/></n:get-config>`); !strings.Contains(got, "<description>one</description>") {
		t.Errorf("prefixes of the operation: %s", got)
	}
	// Defaults are found where they are told.
	enabled := peersPath + "[b:address='10.1.1.3']/b:config/b:enabled[.='true']"
	if got := c.reads(xpath(enabled)); got != "" {
		t.Errorf("a default that is not told: %s", got)
	}
	got := c.rpc(`<get-config><source><running/></source>` + xpath(enabled) + `<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">report-all</with-defaults></get-config>`)
	if got != "<data>"+wrap(one("10.1.1.3", "<enabled>true</enabled>"))+"</data>" {
		t.Errorf("a default that is told: %s", got)
	}
}

// netconf.md 46 on get: state, and what the server tells of itself.
func TestXPathOfState(t *testing.T) {
	_, c := ready(t)
	tests := []struct{ expr, want string }{
		{peersPath + "[b:address='10.1.1.2']/b:state/b:session-state", "<peer><address>10.1.1.2</address><state><session-state>"},
		{peersPath + "[b:state/b:session-state]/b:config/b:description", "<config><description>one</description></config>"},
		{"//m:session[m:username='admin']/m:transport", "<transport>netconf-ssh</transport>"},
		{"/m:netconf-state/m:datastores/m:datastore[m:name='running']", "<datastores><datastore><name>running</name></datastore></datastores>"},
		{"//m:schema[m:identifier='mooring-bgp']/m:namespace", "<schema><identifier>mooring-bgp</identifier><version>2026-11-23</version><format>yang</format><namespace>" + bgpNS + "</namespace></schema>"},
		{"//b:config/b:description | /m:netconf-state/m:statistics/m:in-bad-hellos", `<description>one</description></config></peer></peers></vpn-instance></vpn-instances></instance></instances></bgp><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><statistics><in-bad-hellos>0</in-bad-hellos></statistics></netconf-state></data>`},
	}
	for _, tt := range tests {
		if got := c.rpc("<get>" + xpath(tt.expr) + "</get>"); !strings.Contains(got, tt.want) {
			t.Errorf("%s\ngot  %s\nwant %s in it", tt.expr, got, tt.want)
		}
	}
	library := `<get><filter type="xpath" xmlns:l="urn:ietf:params:xml:ns:yang:ietf-yang-library" xmlns:x="urn:ietf:params:xml:ns:yang:ietf-datastores" select="`
	for _, expr := range []string{"//l:datastore[l:name='x:running']/l:schema", "//l:datastore[derived-from(l:name, 'x:conventional')][1]/l:schema"} {
		if got := c.rpc(library + expr + `"/></get>`); !strings.Contains(got, `<name xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores">ds:running</name><schema>complete</schema>`) || strings.Contains(got, "candidate") {
			t.Errorf("%s: %s", expr, got)
		}
	}
	if got, want := len(c.rpc("<get>"+xpath("/")+"</get>")), len(c.rpc("<get/>")); got < want/2 {
		t.Errorf("the root has %d bytes, no filter %d", got, want)
	}
}

// netconf.md 46
func TestXPathErrors(t *testing.T) {
	_, c := ready(t)
	const at = "path=/nc:rpc/nc:get/nc:filter "
	const bad = "protocol bad-attribute " + at + "attribute=select element=filter"
	filter := func(attrs string) string { return "<get><filter " + attrs + "/></get>" }
	tests := []struct{ name, op, want string }{
		{"no select", filter(`type="xpath"`), "protocol missing-attribute " + at + "attribute=select element=filter"},
		{"select alone", filter(`select="/x"`), bad},
		{"syntax", filter(`type="xpath" select="/x["`), bad},
		{"empty", filter(`type="xpath" select=""`), bad},
		{"not a node-set", filter(`type="xpath" select="1 + 1"`), bad},
		{"undeclared prefix", filter(`type="xpath" select="/nobody:x"`), bad},
		{"unknown function", filter(`type="xpath" select="frob(/)"`), bad},
		{"variable", filter(`type="xpath" select="/*[$USER]"`), bad},
		{"too long", filter(`type="xpath" select="/*[` + strings.Repeat(" ", 20_000) + `1]"`), "protocol too-big path=/nc:rpc/nc:get/nc:filter"},
		{"too deep", filter(`type="xpath" select="` + strings.Repeat("(", 200) + `"`), "protocol too-big path=/nc:rpc/nc:get/nc:filter"},
		{"with content", `<get><filter type="xpath" select="/x"><x/></filter></get>`, "protocol bad-element " + at + "element=filter"},
		{"regular expression", filter(`type="xpath" select="/*[re-match('a', '[')]"`), bad},
		{"no such type", filter(`type="regexp" select="/x"`), "protocol bad-attribute " + at + "attribute=type element=filter"}, // netconf.md 43
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { c.fails(tt.op, tt.want) })
	}
}
