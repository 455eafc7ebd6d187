package netconf

import (
	"os"
	"strings"
	"testing"
)

const nacmNS = "urn:ietf:params:xml:ns:yang:ietf-netconf-acm"

// rules makes a list of rules for the group operators the whole of /nacm.
func (c *client) rules(more string, rules ...string) {
	c.Helper()
	c.ok(edit(`<nacm xmlns="` + nacmNS + `" xmlns:nc="` + ncNS + `" nc:operation="replace">` + more + `<rule-list><name>operators</name><group>operators</group>` +
		strings.Join(rules, "") + "</rule-list></nacm>"))
}

// ruleFor is a rule for a path with the prefix b for the module of the peers.
func ruleFor(name, path, operations, action string) string {
	return `<rule><name>` + name + `</name><path xmlns:b="` + bgpNS + `">` + path + "</path><access-operations>" + operations +
		"</access-operations><action>" + action + "</action></rule>"
}

// callRule is a rule for an operation.
func callRule(name, operation, action string) string {
	return "<rule><name>" + name + "</name><rpc-name>" + operation + "</rpc-name><action>" + action + "</action></rule>"
}

const inVPN = "/b:bgp/b:instances/b:instance/b:vpn-instances/b:vpn-instance"

// guarded is ready with access control. All users but the operator may do
// everything.
func guarded(t *testing.T) (*rig, *client) {
	t.Helper()
	r := setup{dir: t.TempDir(), network: make(unbound), guarded: true}.rig(t)
	c := r.open()
	c.setUp()
	return r, c
}

// as opens a session of a user.
func (r *rig) as(user string) *client {
	r.Helper()
	c := r.pipe(user)
	c.greet(base10, base11)
	return c
}

// twoVPNs adds vpn2, with the same peer as vpn1.
func (c *client) twoVPNs() {
	c.Helper()
	c.ok(edit(strings.ReplaceAll(vpn1+peer("", "10.1.1.2", "<as>200</as><description>plans</description>"), "vpn1", "vpn2")))
}

// RFC 8341 3.4.4: who calls what (netconf.md 77).
func TestAccessExec(t *testing.T) {
	r, admin := guarded(t)
	admin.rules("", callRule("no-lock", "lock", "deny"), callRule("kill", "kill-session", "permit"))
	op := r.as("operator")
	op.fails("<lock><target><running/></target></lock>", "protocol access-denied")
	op.fails("<delete-config><target><running/></target></delete-config>", "protocol access-denied")
	op.fails(`<reset-peer xmlns="`+bgpNS+`"/>`, "protocol access-denied")
	op.fails("<kill-session><session-id>4000000000</session-id></kill-session>", "protocol invalid-value path=/nc:rpc/nc:kill-session/nc:session-id")
	if got := op.rpc("<get-config><source><running/></source></get-config>"); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("by default everybody may read: %s", got)
	}
	if got := admin.rpc(`<get><filter><nacm xmlns="` + nacmNS + `"><denied-operations/></nacm></filter></get>`); !strings.Contains(got, ">3</denied-operations>") {
		t.Errorf("counted: %s", got)
	}
	// The rules of this instant hold, and close-session always works.
	admin.rules("<exec-default>deny</exec-default>")
	op.fails("<get/>", "protocol access-denied")
	op.ok("<close-session/>")
	admin.ok("<lock><target><running/></target></lock>", "<unlock><target><running/></target></unlock>")
}

// RFC 8341 3.2.4: what may not be read is left out, and no filter finds it
// (netconf.md 77).
func TestAccessRead(t *testing.T) {
	r, admin := guarded(t)
	admin.twoVPNs()
	admin.rules("", ruleFor("vpn2", inVPN+"[b:name='vpn2']", "read", "deny"), ruleFor("some", inVPN+"/b:peers/b:peer/b:config/b:as", "update", "permit"),
		ruleFor("text", inVPN+"/b:peers/b:peer/b:config/b:description", "read", "deny"),
		ruleFor("shown", inVPN+"/b:peers/b:peer/b:state/b:description", "read", "deny"),
		`<rule><name>sessions</name><path xmlns:m="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring">/m:netconf-state/m:sessions</path><action>deny</action></rule>`)
	op := r.as("operator")
	const all = `<bgp xmlns="` + bgpNS + `"/>`
	for _, operation := range []string{
		"<get/>", "<get><filter>" + all + "</filter></get>", "<get-config><source><running/></source></get-config>",
		"<get-config><source><candidate/></source></get-config>",
		`<get xmlns:b="` + bgpNS + `"><filter type="xpath" select="//b:peer"/></get>`,
	} {
		got := op.rpc(operation)
		if strings.Contains(got, "plans") ||
			strings.Contains(got, "<description>one") || !strings.Contains(got, "<as>200</as>") {
			t.Errorf("%s: %s", operation, got)
		}
		if strings.Contains(got, "<nacm") {
			t.Errorf("%s shows the rules", operation)
		}
	}
	for _, filter := range []string{
		"<filter>" + instance("<peers><peer><config><description>one</description></config></peer></peers>") + "</filter>",
		`<filter xmlns:b="` + bgpNS + `" type="xpath" select="//b:peer[b:config/b:description='one']"/>`,
	} {
		if got := op.rpc("<get-config><source><running/></source>" + filter + "</get-config>"); strings.Contains(got, "10.1.1.2") {
			t.Errorf("a filter finds a hidden value: %s", got)
		}
	}
	op.fails(partialLock("//b:peer[b:config/b:description='one']", "//b:vpn-instance[b:name='vpn2']"), "protocol operation-failed app-tag=no-matches")
	got := op.rpc("<get/>")
	if strings.Contains(got, "<sessions>") || !strings.Contains(got, "<netconf-state") || !strings.Contains(got, "<schemas>") {
		t.Errorf("the trees of the server: %.400s", got)
	}
	if got := admin.rpc("<get/>"); !strings.Contains(got, "<sessions>") || !strings.Contains(got, "plans") || !strings.Contains(got, "<nacm") {
		t.Errorf("admin: %.400s", got)
	}
}

// underWay is an edit of which the instance only leads to what is below: an
// operator may not write its leaves.
func underWay(edit string) string {
	return strings.Replace(edit, "<config><as>100</as></config>", "", 1)
}

// RFC 8341 3.2.5 to 3.2.8: what may be written, in running and in the
// candidate (netconf.md 77).
func TestAccessWrite(t *testing.T) {
	r, admin := guarded(t)
	admin.twoVPNs()
	admin.rules("", ruleFor("vpn1", inVPN+"[b:name='vpn1']", "*", "permit"))
	op := r.as("operator")
	described := func(vpn, text string) string {
		return strings.ReplaceAll(underWay(peer("", "10.1.1.2", "<description>"+text+"</description>")), "vpn1", vpn)
	}
	denied := func(vpn, leaf string) string {
		return "application access-denied path=" + strings.ReplaceAll(peerPath, "vpn1", vpn) + leaf
	}
	const description = "/mbgp:config/mbgp:description"
	op.ok(edit(described("vpn1", "mine")))
	op.fails(edit(described("vpn2", "not mine")), denied("vpn2", description))
	op.fails(edit(described("vpn2", "plans")), denied("vpn2", description)) // also where it would change nothing
	op.fails(edit(strings.ReplaceAll(underWay(peer(` xmlns:nc="`+ncNS+`" nc:operation="delete"`, "10.1.1.2", "")), "vpn1", "vpn2")), denied("vpn2", ""))
	op.fails(edit(peer("", "10.1.1.2", "<description>mine</description>")),
		"application access-denied path="+"/mbgp:bgp/mbgp:instances/mbgp:instance[mbgp:name='default']/mbgp:config/mbgp:as")
	op.fails(editTarget("running", "<default-operation>replace</default-operation>", vpn1), "application access-denied")

	op.ok(editDraft(described("vpn1", "draft")))
	op.fails(editDraft(described("vpn2", "draft")), denied("vpn2", description))
	op.ok("<commit/>")
	// What others did in the candidate needs the right of who commits it.
	admin.ok(editDraft(described("vpn2", "by admin")))
	op.ok(editDraft(described("vpn1", "mine too")))
	op.fails("<commit/>", denied("vpn2", description))
	op.fails("<discard-changes/>", denied("vpn2", description))
	admin.ok("<discard-changes/>")
	if got := admin.getPeer("running", "10.1.1.2"); !strings.Contains(got, "draft") {
		t.Errorf("the peer is %s", got)
	}
}

// A copy of the candidate does not bring what the user may not read, and may
// not take away what the user may not delete (RFC 8341 3.2.6; netconf.md 77).
func TestAccessCopy(t *testing.T) {
	r, admin := guarded(t)
	admin.twoVPNs()
	admin.rules("", ruleFor("vpn1", inVPN+"[b:name='vpn1']", "*", "permit"), ruleFor("vpn2", inVPN+"[b:name='vpn2']", "read", "deny"))
	op := r.as("operator")
	op.ok(editDraft(underWay(peer("", "10.1.1.2", "<description>draft</description>"))))
	op.fails("<copy-config><target><running/></target><source><candidate/></source></copy-config>", "application access-denied")
}

// RFC 8341 3.4.6, and nothing of data that may not be read (netconf.md 77).
func TestAccessNotifications(t *testing.T) {
	l := setup{dir: t.TempDir(), network: make(unbound), guarded: true}.rig(t).listen()
	admin, _ := l.dial("admin")
	admin.setUp()
	admin.twoVPNs()
	admin.rules("", ruleFor("vpn2", inVPN+"[b:name='vpn2']", "read", "deny"),
		"<rule><name>sessions</name><notification-name>netconf-session-start</notification-name><action>deny</action></rule>")
	op, _ := l.dial("operator")
	op.ok(subscribe(""))
	third, _ := l.dial("admin")
	third.ok("<close-session/>")
	admin.ok(edit(peer("", "10.1.1.2", "<description>seen</description>") + strings.ReplaceAll(vpn1, "vpn1", "vpn3")))
	admin.ok(edit(strings.ReplaceAll(peer("", "10.1.1.2", "<description>hidden</description>"), "vpn1", "vpn2")))
	admin.ok(edit(strings.ReplaceAll(peer("", "10.1.1.2", "<as>201</as>"), "vpn1", "vpn2")))
	admin.ok(edit(peer("", "10.1.1.2", "<as>202</as>")))
	for {
		got := op.notice()
		if strings.Contains(got, "vpn2") || strings.Contains(got, "netconf-session-start") {
			t.Errorf("received: %s", got)
		}
		if strings.Contains(got, "mbgp:as<") {
			break
		}
	}
	if got := admin.rpc(`<get><filter><nacm xmlns="` + nacmNS + `"><denied-notifications/></nacm></filter></get>`); strings.Contains(got, ">0</denied-notifications>") {
		t.Errorf("counted: %s", got)
	}
}

// Rules keep their order; insert and key place them (netconf.md 39). Paths come
// back with the prefixes that they need.
func TestRulesOverNETCONF(t *testing.T) {
	_, c := guarded(t)
	const yang = ` xmlns:yang="urn:ietf:params:xml:ns:yang:1" xmlns:n="` + nacmNS + `"`
	list := func(rules string) string {
		return edit(`<nacm xmlns="` + nacmNS + `"><rule-list><name>l</name>` + rules + "</rule-list></nacm>")
	}
	order := func() string {
		got := c.rpc("<get-config><source><running/></source><filter><nacm xmlns=\"" + nacmNS + `"/></filter></get-config>`)
		var names []string
		for _, part := range strings.Split(got, "<rule><name>")[1:] {
			name, _, _ := strings.Cut(part, "<")
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}
	rule := func(attrs, name string) string {
		return "<rule" + yang + " " + attrs + "><name>" + name + "</name><action>deny</action></rule>"
	}
	for _, step := range []struct{ rules, want string }{
		{rule("", "c") + rule("", "a"), "c a"},
		{rule(`yang:insert="first"`, "x"), "x c a"},
		{rule(`yang:insert="last"`, "x"), "c a x"},
		{rule(`yang:insert="before" yang:key="[n:name='a']"`, "b"), "c b a x"},
		{rule(`yang:insert="after" yang:key="[n:name='x']"`, "c"), "b a x c"},
		{rule("", "b"), "b a x c"},
	} {
		c.ok(list(step.rules))
		if got := order(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.rules, got, step.want)
		}
	}
	const here = " path=/nacm:nacm/nacm:rule-list[nacm:name='l']/nacm:rule"
	c.fails(list(rule(`yang:insert="before" yang:key="[n:name='zz']"`, "b")), "application bad-attribute app-tag=missing-instance"+here+"[nacm:name='b'] attribute=key element=rule")
	c.fails(list(rule(`yang:insert="before"`, "b")), "application missing-attribute"+here+" attribute=key element=rule")
	c.fails(list(rule(`yang:insert="top"`, "b")), "application bad-attribute"+here+" attribute=insert element=rule")
	c.fails(list(rule(`yang:insert="after" yang:key="b"`, "b")), "application bad-attribute"+here+" attribute=key element=rule")
	// The candidate keeps the order too, and its commit brings it over.
	c.ok(strings.Replace(list(rule(`yang:insert="first"`, "c")), "<running/>", "<candidate/>", 1), "<commit/>")
	if got := order(); got != "c b a x" {
		t.Errorf("after a commit: %s", got)
	}
	c.ok(list(ruleFor("p", inVPN+"[b:name = \"vpn1\"]/b:peers", "read update", "permit")))
	got := c.rpc("<get-config><source><running/></source><filter><nacm xmlns=\"" + nacmNS + `"/></filter></get-config>`)
	if want := `<path xmlns:mooring-bgp="` + bgpNS + `">/mooring-bgp:bgp/mooring-bgp:instances/mooring-bgp:instance/mooring-bgp:vpn-instances/mooring-bgp:vpn-instance` +
		`[mooring-bgp:name='vpn1']/mooring-bgp:peers</path>`; !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
	c.fails(list(ruleFor("p", "/b:bgp/b:none", "read", "permit")), "application invalid-value"+here+"[nacm:name='p']/nacm:path")
	c.fails(list(ruleFor("p", "/z:bgp", "read", "permit")), "application invalid-value"+here+"[nacm:name='p']/nacm:path")
}

// The example of docs/nacm.md does what it says.
func TestGuideToAccess(t *testing.T) {
	python := needNcclient(t)
	l := setup{dir: t.TempDir(), network: make(unbound), guarded: true}.rig(t).listen()
	admin, _ := l.dial("admin")
	admin.setUp()
	text, err := os.ReadFile("../../docs/nacm.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(text), "```python\n")
	script, _, _ = strings.Cut(script, "```")
	if out := l.python(python, script); !strings.Contains(out, "<ok/>") {
		t.Errorf("answered: %s", out)
	}
	op, _ := l.dial("operator")
	op.ok(edit(underWay(peer("", "10.1.1.2", "<description>mine</description>"))))
	op.fails(edit(strings.ReplaceAll(vpn1, "vpn1", "vpn9")), "application access-denied path=/mvpn:vpn-instances/mvpn:vpn-instance[mvpn:name='vpn9']")
}

// YANG push sends what may be read when it is sent (netconf.md 77).
func TestAccessPush(t *testing.T) {
	l := setup{dir: t.TempDir(), network: make(unbound), guarded: true}.rig(t).listen()
	admin, _ := l.dial("admin")
	admin.setUp()
	admin.twoVPNs()
	hide := ruleFor("vpn2", inVPN+"[b:name='vpn2']", "read", "deny")
	admin.rules("", hide)
	op, _ := l.dial("operator")
	op.establish(of("running", `<bgp xmlns="`+bgpNS+`"/>`) + onChange(""))
	if got := op.notice(); !strings.Contains(got, "<description>one") || strings.Contains(got, "vpn2") || strings.Contains(got, "plans") {
		t.Errorf("first: %s", got)
	}
	both := func(text string) string {
		one := peer("", "10.1.1.2", "<description>"+text+"</description>")
		return strings.Replace(one, "</vpn-instance></vpn-instances></instance>",
			"</vpn-instance><vpn-instance><name>vpn2</name><peers><peer><address>10.1.1.2</address><config><description>hidden</description></config></peer></peers></vpn-instance></vpn-instances></instance>", 1)
	}
	admin.ok(edit(both("seen")))
	if got := op.notice(); !strings.Contains(got, "seen") || strings.Contains(got, "hidden") {
		t.Errorf("change: %s", got)
	}
	admin.rules("", hide, ruleFor("text", inVPN+"/b:peers/b:peer/b:config/b:description", "read", "deny"))
	admin.ok(edit(peer("", "10.1.1.2", "<description>not any more</description><local-as>7</local-as>")))
	if got := op.notice(); !strings.Contains(got, "local-as") || strings.Contains(got, "not any more") {
		t.Errorf("after the new rule: %s", got)
	}
}
