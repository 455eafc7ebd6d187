package netconf

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mooring/engine/plan"
)

const (
	op           = ` nc:operation=`
	editPath     = "/nc:rpc/nc:edit-config"
	config       = peerPath + "/mbgp:config"
	instancePath = "/mbgp:bgp/mbgp:instances/mbgp:instance[mbgp:name='default']"
	peer2        = "10.1.1.2"
)

// ready is a session on a server whose running has vpn1 with peer2.
func ready(t *testing.T) (*rig, *client) {
	t.Helper()
	r := newRig(t, Limits{})
	c := r.open()
	c.setUp()
	return r, c
}

func TestEditErrors(t *testing.T) {
	_, c := ready(t)
	tests := []struct{ name, op, want string }{
		{
			"default-operation", editTarget("running", "<default-operation>delete</default-operation>", ""),
			"protocol invalid-value path=" + editPath + "/nc:default-operation",
		}, // netconf.md 23
		{"test-option", editTarget("running", "<test-option>x</test-option>", ""), "protocol invalid-value path=" + editPath + "/nc:test-option"},     // netconf.md 23
		{"error-option", editTarget("running", "<error-option>x</error-option>", ""), "protocol invalid-value path=" + editPath + "/nc:error-option"}, // netconf.md 23
		{"create of what exists", edit(peer(op+`"create"`, peer2, "")), "application data-exists path=" + peerPath},                                   // netconf.md 24
		{"create of a leaf that exists", edit(peer("", peer2, `<as`+op+`"create">200</as>`)), "application data-exists path=" + config + "/mbgp:as"},  // netconf.md 24
		{
			"delete of what is missing", edit(peer(op+`"delete"`, "10.1.1.9", "")),
			"application data-missing path=" + strings.Replace(peerPath, peer2, "10.1.1.9", 1),
		}, // netconf.md 25
		{"delete of a leaf in effect by default", edit(peer("", peer2, `<enabled`+op+`"delete"/>`)), "application data-missing path=" + config + "/mbgp:enabled"}, // netconf.md 25
		{
			"delete of a key", edit(instance(`<peers><peer><address` + op + `"delete">10.1.1.2</address></peer></peers>`)),
			"application bad-element path=" + peerPath + "/mbgp:address element=address",
		}, // netconf.md 26
		{
			"none on what is missing", editTarget("running", "<default-operation>none</default-operation>", peer("", "10.1.1.9", "")),
			"application data-missing path=" + strings.Replace(peerPath, peer2, "10.1.1.9", 1),
		}, // netconf.md 28
		{"create under delete", edit(peer(op+`"delete"`, peer2, `<as`+op+`"create">1</as>`)), "application bad-attribute path=" + config + "/mbgp:as attribute=operation element=as"}, // netconf.md 29
		{"operation without namespace", edit(peer(` operation="delete"`, peer2, "")), "application unknown-attribute path=" + pathOf(peerPath) + " attribute=operation element=peer"}, // netconf.md 30
		{"bad operation", edit(peer(op+`"destroy"`, peer2, "")), "application bad-attribute path=" + pathOf(peerPath) + " attribute=operation element=peer"},                          // netconf.md 31
		{"unknown attribute", edit(peer("", peer2, `<as x="y">1</as>`)), "application unknown-attribute path=" + config + "/mbgp:as attribute=x element=as"},                          // netconf.md 31
		{"unknown element", edit(peer("", peer2, `<colour>red</colour>`)), "application unknown-element path=" + config + " element=colour"},                                          // netconf.md 31
		{"unknown namespace", edit(`<x xmlns="urn:x"/>`), "application unknown-namespace element=x namespace=urn:x"},                                                                  // netconf.md 31
		{"out of range", edit(peer("", peer2, `<as>4294967296</as>`)), "application invalid-value path=" + config + "/mbgp:as"},                                                       // netconf.md 32
		{"missing key", edit(instance(`<peers><peer><config><as>7</as></config></peer></peers>`)), "application missing-element path=" + pathOf(peerPath) + " element=address"},       // netconf.md 33
		{"leaf twice", edit(peer("", peer2, `<as>1</as><as>2</as>`)), "application bad-element path=" + config + "/mbgp:as element=as"},                                               // netconf.md 34
		{"url", `<edit-config><target><running/></target><url>file:///x</url></edit-config>`, "protocol operation-not-supported path=" + editPath},                                    // netconf.md 40
		{"config and url", `<edit-config><target><running/></target><config/><url>x</url></edit-config>`, "protocol bad-element path=" + editPath + " element=url"},
		{"neither", `<edit-config><target><running/></target></edit-config>`, "protocol missing-element path=" + editPath + " element=config"},
		{"startup", editTarget("startup", "", ""), "protocol unknown-element path=" + editPath + "/nc:target/nc:startup element=startup"}, // netconf.md 41
		{
			"target of another namespace", `<edit-config><target><running xmlns="urn:x"/></target><config/></edit-config>`,
			"protocol unknown-namespace path=" + editPath + "/nc:target element=running namespace=urn:x",
		},
		{"empty target", `<edit-config><target/><config/></edit-config>`, "protocol missing-element path=" + editPath + "/nc:target element=target"},
		{"two targets", `<edit-config><target><running/><candidate/></target><config/></edit-config>`, "protocol bad-element path=" + editPath + "/nc:target element=candidate"},
		{"state data", edit(instance(`<peers><peer><address>10.1.1.2</address><state/></peer></peers>`)), "application unknown-element path=" + peerPath + "/mbgp:state element=state"},
	}
	before := c.rpc("<get-config><source><running/></source></get-config>")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &client{TB: t, conn: c.conn, in: c.in, mode: c.mode, queue: c.queue, ended: c.ended}
			c.fails(tt.op, tt.want)
		})
	}
	if after := c.rpc("<get-config><source><running/></source></get-config>"); after != before {
		t.Errorf("a refused edit changed running:\n%s\n%s", before, after)
	}
}

// pathOf is the path of a list, without the keys of the entry.
func pathOf(entry string) string { return entry[:strings.LastIndex(entry, "[")] }

// Edits that succeed, and what the peer's config is then.
func TestEdits(t *testing.T) {
	const address = "<address>10.1.1.2</address>"
	tests := []struct{ name, op, want string }{
		{"merge is the default", edit(peer("", peer2, "<enabled>false</enabled>")), "<description>one</description><enabled>false</enabled><as>200</as>"},                        // netconf.md 23
		{"create of a leaf at its default", edit(peer("", peer2, `<enabled`+op+`"create">true</enabled>`)), "<description>one</description><enabled>true</enabled><as>200</as>"}, // netconf.md 24
		{"remove of what is missing", edit(peer(op+`"remove"`, "10.1.1.9", "")), "<description>one</description><as>200</as>"},                                                   // netconf.md 25
		{"delete ignores the value", edit(peer("", peer2, `<description`+op+`"delete">other</description>`)), "<as>200</as>"},                                                    // netconf.md 26
		{"replace drops what is absent", edit(peer(op+`"replace"`, peer2, "<as>300</as>")), "<as>300</as>"},                                                                      // netconf.md 27
		{"none changes no leaf without operation", editTarget("running", "<default-operation>none</default-operation>",
			peer("", peer2, `<as>9</as><description`+op+`"merge">two</description>`)), "<description>two</description><as>200</as>"}, // netconf.md 28
		{"key last", edit(instance(`<peers><peer><config><as>300</as></config><address>10.1.1.2</address></peer></peers>`)), "<description>one</description><as>300</as>"}, // netconf.md 33
		{
			"entry twice", edit(instance(`<peers><peer>` + address + `<config><as>5</as></config></peer><peer>` + address + `<config><as>6</as></config></peer></peers>`)),
			"<description>one</description><as>6</as>",
		}, // netconf.md 34
		{"white space", edit(peer("", " 10.1.1.2\n", "<as>\n 300 </as><description> a b </description>")), "<description> a b </description><as>300</as>"}, // netconf.md 35
		{
			"comment, PI and CDATA", edit(peer("", peer2, "<!-- c --><as>3<!-- c -->00</as><?p i?><description><![CDATA[<a>&]]></description>")),
			"<description>&lt;a&gt;&amp;</description><as>300</as>",
		}, // netconf.md 35
		{"prefixes", `<n:edit-config xmlns:n="` + ncNS + `"><n:target><n:running/></n:target><n:config><b:bgp xmlns:b="` + bgpNS + `"><b:instances><b:instance><b:name>default</b:name>` +
			`<b:vpn-instances><b:vpn-instance><b:name>vpn1</b:name><b:peers><b:peer n:operation="replace"><b:address>10.1.1.2</b:address><b:config><b:as>7</b:as></b:config>` +
			`</b:peer></b:peers></b:vpn-instance></b:vpn-instances></b:instance></b:instances></b:bgp></n:config></n:edit-config>`, "<as>7</as>"},
		{"config before target", `<edit-config><config>` + peer("", peer2, "<as>8</as>") + `</config><target><running/></target></edit-config>`, "<description>one</description><as>8</as>"},
		{"test-only", editTarget("running", "<test-option>test-only</test-option>", peer("", peer2, "<as>9</as>")), "<description>one</description><as>200</as>"},     // netconf.md 36
		{"set validates running", editTarget("running", "<test-option>set</test-option>", peer("", peer2, "<as>9</as>")), "<description>one</description><as>9</as>"}, // netconf.md 36
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, c := ready(t)
			c.ok(tt.op)
			if got := c.getPeer("running", peer2); got != address+tt.want {
				t.Errorf("got  %s\nwant %s", got, address+tt.want)
			}
		})
	}
}

// netconf.md 27: default-operation replace is of the whole datastore, not only
// of what is named.
func TestReplaceOfEverything(t *testing.T) {
	_, c := ready(t)
	c.ok(editTarget("running", "<default-operation>replace</default-operation>", vpn1))
	got := c.rpc("<get-config><source><running/></source></get-config>")
	if strings.Contains(got, "<bgp") || !strings.Contains(got, "<name>vpn1</name>") || !strings.Contains(got, "<name>_public_</name>") {
		t.Errorf("running is %s", got)
	}
}

// netconf.md 36
func TestTestOptionOnCandidate(t *testing.T) {
	_, c := ready(t)
	invalid := peer("", "10.1.1.3", "<description>no as</description>")
	broken := func(option string) string {
		return editTarget("candidate", "<test-option>"+option+"</test-option>", invalid)
	}
	for _, option := range []string{"test-only", "test-then-set"} {
		if errs := parseErrors(t, c.rpc(broken(option))); len(errs) == 0 {
			t.Errorf("%s: an invalid edit was not refused", option)
		}
		if got := c.getPeer("candidate", "10.1.1.3"); got != "" {
			t.Errorf("%s: the candidate has %s", option, got)
		}
	}
	good := editTarget("candidate", "<test-option>test-only</test-option>", peer("", "10.1.1.3", "<as>1</as>"))
	c.ok(good)
	if got := c.getPeer("candidate", "10.1.1.3"); got != "" {
		t.Errorf("test-only changed the candidate: %s", got)
	}
	c.ok(broken("set"))
	if got := c.getPeer("candidate", "10.1.1.3"); got == "" {
		t.Error("set did not change the candidate")
	}
}

// netconf.md 37
func TestErrorOptions(t *testing.T) {
	content := peer("", "10.1.1.3", "<as>1</as>")
	three := instance("<peers>" +
		"<peer><address>10.1.1.3</address><config><as>1</as></config></peer>" +
		`<peer nc:operation="create"><address>10.1.1.2</address></peer>` +
		`<peer nc:operation="delete"><address>10.1.1.9</address></peer>` +
		"<peer><address>10.1.1.4</address><config><as>1</as></config></peer></peers>")
	exists := "application data-exists path=" + peerPath
	missing := "application data-missing path=" + strings.Replace(peerPath, peer2, "10.1.1.9", 1)
	for _, target := range []string{"running", "candidate"} {
		for _, option := range []string{"stop-on-error", "rollback-on-error", "continue-on-error"} {
			t.Run(target+" "+option, func(t *testing.T) {
				_, c := ready(t)
				options := "<error-option>" + option + "</error-option>"
				goOn := option == "continue-on-error"
				if goOn {
					c.fails(editTarget(target, options, three), exists, missing)
				} else {
					c.fails(editTarget(target, options, three), exists)
				}
				for _, address := range []string{"10.1.1.3", "10.1.1.4"} {
					if got := c.getPeer(target, address); (got != "") != goOn {
						t.Errorf("peer %s is %q", address, got)
					}
				}
				if got := c.getPeer(target, peer2); !strings.Contains(got, "<as>200</as>") {
					t.Errorf("the peer that was there is %q", got)
				}
				c.ok(editTarget(target, options, content))
			})
		}
	}
}

// netconf.md 37: continue-on-error with content that cannot be read applies
// nothing, and never makes running invalid.
func TestContinueOnErrorKeepsRunningValid(t *testing.T) {
	r, c := ready(t)
	const goOn = "<error-option>continue-on-error</error-option>"
	before := r.engine.Store().Running().Revision()
	c.fails(editTarget("running", goOn, peer("", "10.1.1.3", "<as>1</as>")+`<x xmlns="urn:x"/>`), "application unknown-namespace element=x namespace=urn:x")
	errs := parseErrors(t, c.rpc(editTarget("running", goOn, instance("<peers>"+
		`<peer nc:operation="create"><address>10.1.1.2</address></peer>`+
		"<peer><address>10.1.1.3</address><config><description>no as</description></config></peer></peers>"))))
	if len(errs) != 2 || errs[0].Tag != "data-exists" || !strings.Contains(errs[1].Path, "10.1.1.3") {
		t.Errorf("errors are %v", errs)
	}
	if after := r.engine.Store().Running().Revision(); after != before {
		t.Errorf("running went from revision %d to %d", before, after)
	}
}

// netconf.md 42
func TestEditWithoutChange(t *testing.T) {
	r, c := ready(t)
	before := r.engine.Store().Running().Revision()
	c.ok(edit(peer("", peer2, "<as>200</as>")), edit(""), "<commit/>")
	if after := r.engine.Store().Running().Revision(); after != before {
		t.Errorf("running went from revision %d to %d", before, after)
	}
}

// Nothing is half done where the backend refuses or fails, and the tag tells
// which (netconf.md 37 and the table in rpc).
func TestBackendErrors(t *testing.T) {
	r, c := ready(t)
	change := edit(peer("", peer2, "<as>201</as>"))
	refuse := func(plan.Step) error { return errors.New("no AS 201 here") }

	r.speaker.FailPrepare(refuse)
	body := c.rpc(change)
	if errs := parseErrors(t, body); len(errs) != 1 || errs[0].Tag != "operation-failed" || errs[0].Type != "application" ||
		!strings.HasPrefix(errs[0].Path, peerPath) || !strings.Contains(errs[0].Message, "no AS 201 here") {
		t.Errorf("refused: %s", body)
	}
	r.speaker.FailPrepare(nil)

	r.speaker.FailApply(refuse)
	body = c.rpc(change)
	if errs := parseErrors(t, body); len(errs) != 1 || errs[0].Tag != "operation-failed" || !strings.HasPrefix(errs[0].Path, peerPath) {
		t.Errorf("failed: %s", body)
	}
	r.speaker.FailApply(nil)
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("peer is %s", got)
	}
	c.ok(change)
}

// An edit of many records goes through in one commit, and comes back in order.
func TestManyPeers(t *testing.T) {
	const n = 3000
	r, c := ready(t)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<peer><address>10.2.%d.%d</address><config><as>%d</as></config></peer>", i>>8, i&255, i+1)
	}
	before := r.engine.Store().Running().Revision()
	c.ok(edit(instance("<peers>" + b.String() + "</peers>")))
	if after := r.engine.Store().Running().Revision(); after != before+1 {
		t.Errorf("%d commits", after-before)
	}
	got := c.rpc("<get-config><source><running/></source></get-config>")
	if count := strings.Count(got, "<peer>"); count != n+1 {
		t.Errorf("%d peers came back", count)
	}
}
