package netconf

import (
	"strings"
	"testing"
	"time"

	"mooring/server"
)

func identity(user string) *server.Identity {
	return &server.Identity{User: user, Groups: []string{groupOf(user)}}
}

func copyConfig(target, source string) string {
	return "<copy-config><target><" + target + "/></target><source>" + source + "</source></copy-config>"
}

// netconf.md 55
func TestCommit(t *testing.T) {
	r, c := ready(t)
	before := r.engine.Store().Running().Revision()
	c.ok("<commit/>") // nothing to do
	c.ok(editDraft(peer("", peer2, "<as>300</as>")), editDraft(peer("", "10.1.1.3", "<as>1</as>")))
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("running has %s before the commit", got)
	}
	c.ok("<commit/>")
	if got := c.getPeer("running", peer2) + c.getPeer("running", "10.1.1.3"); !strings.Contains(got, "<as>300</as>") || !strings.Contains(got, "<as>1</as>") {
		t.Errorf("running has %s after the commit", got)
	}
	if after := r.engine.Store().Running().Revision(); after != before+1 {
		t.Errorf("%d commits", after-before)
	}
	c.ok(editDraft(peer("", peer2, "<as>400</as>")), "<discard-changes/>", "<commit/>")
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>300</as>") {
		t.Errorf("running has %s after a discard", got)
	}
	c.ok(edit(peer("", peer2, "<as>500</as>")))
	if got := c.getPeer("candidate", peer2); !strings.Contains(got, "<as>500</as>") {
		t.Errorf("the candidate has %s and does not follow running", got)
	}
}

// netconf.md 55: all errors, nothing changed, the candidate is kept.
func TestCommitOfInvalidCandidate(t *testing.T) {
	r, c := ready(t)
	before := r.engine.Store().Running().Revision()
	c.ok(editDraft(instance("<peers>" +
		"<peer><address>10.1.1.3</address></peer><peer><address>10.1.1.4</address></peer><peer><address>10.1.1.5</address><config><as>1</as></config></peer></peers>")))
	for _, op := range []string{"<commit/>", "<validate><source><candidate/></source></validate>", copyConfig("running", "<candidate/>")} {
		errs := parseErrors(t, c.rpc(op))
		if len(errs) != 2 || !strings.Contains(errs[0].Path, "10.1.1.3") || !strings.Contains(errs[1].Path, "10.1.1.4") || errs[0].AppTag != "must-violation" {
			t.Errorf("%s: errors are %v", op, errs)
		}
	}
	if after := r.engine.Store().Running().Revision(); after != before {
		t.Errorf("running went from revision %d to %d", before, after)
	}
	if got := c.getPeer("candidate", "10.1.1.5"); got == "" {
		t.Error("the candidate is gone")
	}
}

// netconf.md 59
func TestCopyConfig(t *testing.T) {
	_, c := ready(t)
	for _, ds := range []string{"running", "candidate"} {
		c.fails(copyConfig(ds, "<"+ds+"/>"), "protocol invalid-value path=/nc:rpc/nc:copy-config/nc:source/nc:"+ds)
	}
	all := "<config>" + vpn1 + peer("", "10.1.1.8", "<as>8</as>") + "</config>"
	c.ok(editDraft(peer("", peer2, "<as>9</as>")), copyConfig("candidate", "<running/>"))
	if got := c.getPeer("candidate", peer2); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("running to candidate: %s", got)
	}
	c.ok(copyConfig("candidate", all))
	if gone, there := c.getPeer("candidate", peer2), c.getPeer("candidate", "10.1.1.8"); gone != "" || there == "" {
		t.Errorf("content to candidate: %q, %q", gone, there)
	}
	c.ok(copyConfig("running", "<candidate/>"))
	if gone, there := c.getPeer("running", peer2), c.getPeer("running", "10.1.1.8"); gone != "" || there == "" {
		t.Errorf("candidate to running: %q, %q", gone, there)
	}
	c.ok(copyConfig("running", "<config>"+vpn1+peer("", peer2, "<as>200</as>")+"</config>"))
	if gone, there := c.getPeer("running", "10.1.1.8"), c.getPeer("running", peer2); gone != "" || there == "" {
		t.Errorf("content to running: %q, %q", gone, there)
	}
	c.fails(copyConfig("running", `<config><x xmlns="urn:x"/></config>`), "application unknown-namespace element=x namespace=urn:x")
	c.fails(copyConfig("running", "<url>file:///x</url>"), "protocol operation-not-supported path=/nc:rpc/nc:copy-config/nc:source/nc:url")
	c.fails(copyConfig("startup", "<running/>"), "protocol unknown-element path=/nc:rpc/nc:copy-config/nc:target/nc:startup element=startup")
}

// netconf.md 59
func TestDeleteConfig(t *testing.T) {
	_, c := ready(t)
	const path = "/nc:rpc/nc:delete-config/nc:target/nc:"
	c.fails("<delete-config><target><running/></target></delete-config>", "protocol operation-not-supported path="+path+"running")
	for _, ds := range []string{"candidate", "startup"} {
		c.fails("<delete-config><target><"+ds+"/></target></delete-config>", "protocol unknown-element path="+path+ds+" element="+ds)
	}
	if c.getPeer("running", peer2) == "" {
		t.Error("running was deleted")
	}
}

// netconf.md 60
func TestValidate(t *testing.T) {
	_, c := ready(t)
	validate := func(source string) string { return "<validate><source>" + source + "</source></validate>" }
	c.ok(validate("<running/>"), validate("<candidate/>"), validate("<config/>"),
		validate("<config>"+vpn1+peer("", peer2, "<as>1</as>")+"</config>"))
	bad := peer("", peer2, "<as>x</as>")
	asEdit, asValidate := c.rpc(edit(bad)), c.rpc(validate("<config>"+bad+"</config>"))
	if asEdit != asValidate || !strings.Contains(asEdit, "<rpc-error>") {
		t.Errorf("an edit answers %s, validate %s", asEdit, asValidate)
	}
	// It is checked as if it were all there is: vpn1 is not.
	errs := parseErrors(t, c.rpc(validate("<config>"+peer("", peer2, "<as>1</as>")+"</config>")))
	if len(errs) == 0 || errs[0].AppTag != "instance-required" {
		t.Errorf("errors are %v", errs)
	}
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>200</as>") {
		t.Errorf("validate changed running to %s", got)
	}
	c.fails(validate("<startup/>"), "protocol unknown-element path=/nc:rpc/nc:validate/nc:source/nc:startup element=startup")
}

// netconf.md 82: a commit, and an edit of running, may say what it is for.
func TestComment(t *testing.T) {
	r, c := ready(t)
	comment := func(text string) string { return `<comment xmlns="urn:mooring:yang:netconf">` + text + "</comment>" }
	c.ok(editDraft(peer("", peer2, "<as>201</as>")), "<commit>"+comment("a &lt;new&gt; AS")+"</commit>", editTarget("running", comment("ü"), peer("", peer2, "<as>202</as>")))
	history := r.engine.Store().History()
	if a, b := history[len(history)-2].Comment, history[len(history)-1].Comment; a != "a <new> AS" || b != "ü" {
		t.Errorf("comments are %q, %q", a, b)
	}
	for _, text := range []string{"", "<a/>", strings.Repeat("x", 256)} {
		c.fails("<commit>"+comment(text)+"</commit>", "protocol invalid-value path=/nc:rpc/nc:commit/mnc:comment")
	}
}

// A guarded commit rolls itself back where its peers do not come back.
func TestGuardedCommit(t *testing.T) {
	r, c := ready(t)
	ours := func(name, text string) string {
		return "<" + name + ` xmlns="urn:mooring:yang:netconf">` + text + "</" + name + ">"
	}
	guard := ours("guard", "")
	const at = "path=/nc:rpc/nc:commit"
	for _, tt := range []struct{ params, want string }{
		{ours("guard", "x"), "protocol invalid-value " + at + "/mnc:guard"},
		{ours("guard-timeout", "1"), "protocol missing-element " + at + " element=guard"},
		{guard + ours("guard-timeout", "0"), "protocol invalid-value " + at + "/mnc:guard-timeout"},
		{guard + ours("guard-timeout", "3601"), "protocol invalid-value " + at + "/mnc:guard-timeout"},
		{guard + ours("guard-prefix-percent", "101"), "protocol invalid-value " + at + "/mnc:guard-prefix-percent"},
	} {
		c.fails("<commit>"+tt.params+"</commit>", tt.want)
	}
	c.fails(editTarget("candidate", guard, peer("", peer2, "<as>201</as>")), "protocol bad-element path=/nc:rpc/nc:edit-config element=guard")

	r.speaker.Hold() // no session comes back
	c.ok(editDraft(peer("", peer2, "<as>201</as>")), "<commit>"+guard+ours("guard-timeout", "3600")+"</commit>")
	if g := r.engine.Guarded(); g == nil || len(g.Peers) != 1 {
		t.Fatalf("guarded: %+v", g)
	}
	c.fails(editTarget("running", "", peer("", peer2, "<as>202</as>")), inUse)
	r.speaker.Release()
	unguarded := func() {
		t.Helper()
		for end := time.Now().Add(patience); r.engine.Guarded() != nil; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the guard still waits")
			}
		}
	}
	unguarded()

	r.speaker.Hold()
	c.ok(editTarget("running", guard+ours("guard-timeout", "1"), peer("", peer2, "<as>202</as>")))
	unguarded()
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<as>201</as>") {
		t.Errorf("the edit was not rolled back: %s", got)
	}
}

// netconf.md 61: <ok/> means that it is on disk, and who did it is recorded.
func TestHistoryNamesTheSession(t *testing.T) {
	r, c := ready(t)
	history := r.engine.Store().History()
	last := history[len(history)-1]
	if last.User != "admin" || last.Protocol != "netconf" || last.Session != c.id {
		t.Errorf("history says %+v", last)
	}
}
