package netconf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func url(name string) string { return "<url>file:///" + name + "</url>" }

// withFiles is a session on a server that serves URLs, and their directory.
func withFiles(t *testing.T) (*client, string) {
	t.Helper()
	dir := t.TempDir()
	r := setup{urlDir: dir, startup: true, limits: Limits{MaxMessage: 100_000, MaxDepth: 100}}.rig(t)
	c := r.open()
	c.setUp()
	return c, dir
}

func (c *client) file(dir, name, text string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

func copyTo(target, source string) string {
	return "<copy-config><target>" + target + "</target><source>" + source + "</source></copy-config>"
}

func editURL(target, options, name string) string {
	return "<edit-config><target><" + target + "/></target>" + options + url(name) + "</edit-config>"
}

// netconf.md 40, 59, 60: everything that may be a URL.
func TestURL(t *testing.T) {
	c, dir := withFiles(t)
	c.ok(copyTo(url("a.xml"), "<running/>"))
	text, err := os.ReadFile(filepath.Join(dir, "a.xml"))
	if err != nil || !strings.Contains(string(text), "<as>200</as>") || !strings.HasPrefix(string(text), `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<config xmlns="`+ncNS+`">`) {
		t.Fatalf("%v, %s", err, text)
	}
	c.ok(edit(peer("", peer2, "<as>201</as>")), copyConfig("candidate", url("a.xml")))
	if got := asIn(c.getPeer("candidate", peer2)) + c.asOf(); got != "200201" {
		t.Errorf("file to candidate: %s", got)
	}
	c.ok(editDraft(peer("", peer2, "<as>202</as>")), copyTo(url("b.xml"), "<candidate/>"), "<discard-changes/>", copyConfig("running", url("b.xml")))
	if got := c.asOf(); got != "202" {
		t.Errorf("file to running: %s", got)
	}
	c.ok(copyConfig("startup", url("a.xml")), copyTo(url("c.xml"), "<startup/>"), copyTo(url("d.xml"), url("c.xml")), copyConfig("running", url("d.xml")))
	if got := c.savedAs() + c.asOf(); got != "200200" {
		t.Errorf("file to startup to file to file to running: %s", got)
	}
	c.ok(copyTo(url("e.xml"), "<config>"+vpn1+peer("", peer2, "<as>203</as>")+"</config>"), validateOf(url("e.xml")))
	c.ok(copyTo(url("a.xml"), url("e.xml"))) // over what is there
	c.ok(editURL("running", "", "a.xml"))
	if got := c.asOf(); got != "203" {
		t.Errorf("edit from a file: %s", got)
	}
	if got := c.getPeer("running", peer2); !strings.Contains(got, "<description>one</description>") {
		t.Errorf("an edit from a file is not a merge: %s", got)
	}
	c.file(dir, "edit.xml", `<nc:config xmlns:nc="`+ncNS+`">`+peer(` nc:operation="delete"`, peer2, "")+"</nc:config>\n")
	c.ok(editURL("candidate", "<test-option>test-only</test-option>", "edit.xml"), editURL("candidate", "", "edit.xml"), "<commit/>")
	if got := c.getPeer("running", peer2); got != "" {
		t.Errorf("a delete from a file left %s", got)
	}
	c.fails(editURL("candidate", "", "edit.xml"), "application data-missing path="+peerPath)
	c.ok(deleteConfig(url("a.xml")))
	if _, err := os.Stat(filepath.Join(dir, "a.xml")); !os.IsNotExist(err) {
		t.Errorf("delete-config left the file: %v", err)
	}
	for _, name := range []string{"b.xml", "c.xml", "d.xml", "e.xml", "edit.xml"} {
		c.ok(deleteConfig(url(name)))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// netconf.md 40: what is refused, and that it changes nothing.
func TestURLErrors(t *testing.T) {
	c, dir := withFiles(t)
	c.ok(copyTo(url("a"), "<running/>"))
	before := c.reads("")
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("<config xmlns='"+ncNS+"'/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	c.file(dir, "root", "<x/>")
	c.file(dir, "other-ns", "<config xmlns='urn:x'/>")
	c.file(dir, "cut", "<config xmlns='"+ncNS+"'>"+vpn1)
	c.file(dir, "empty", "")
	c.file(dir, "doctype", "<!DOCTYPE x []><config xmlns='"+ncNS+"'/>")
	c.file(dir, "deep", "<config xmlns='"+ncNS+"'>"+strings.Repeat("<a>", 200)+strings.Repeat("</a>", 200)+"</config>")
	c.file(dir, "big", strings.Repeat(" ", 100_001))
	c.file(dir, "unknown", "<config xmlns='"+ncNS+"'><x xmlns='urn:x'/></config>")
	c.file(dir, "not-valid", "<config xmlns='"+ncNS+"'>"+vpn1+peer("", "10.1.1.3", "")+"</config>")
	of := map[string]func(string) (op, path string){
		"copy-config source":   func(u string) (string, string) { return copyTo("<running/>", u), "copy-config/nc:source/nc:url" },
		"copy-config target":   func(u string) (string, string) { return copyTo(u, "<running/>"), "copy-config/nc:target/nc:url" },
		"delete-config target": func(u string) (string, string) { return deleteConfig(u), "delete-config/nc:target/nc:url" },
		"validate source":      func(u string) (string, string) { return validateOf(u), "validate/nc:source/nc:url" },
		"edit-config": func(u string) (string, string) {
			return "<edit-config><target><running/></target>" + u + "</edit-config>", "edit-config/nc:url"
		},
	}
	for name, op := range of {
		refused := func(u, tag string) {
			t.Helper()
			rpc, path := op(u)
			c.fails(rpc, "protocol "+tag+" path=/nc:rpc/nc:"+path)
		}
		for _, u := range []string{"file:///../a", "file:///..", "file:///", "file:///x/a", "file:////etc/passwd", "file:///%2e%2e%2fa", "file://host/a", "a", "", "file:///.a", "file:///a?b"} {
			want := "invalid-value"
			if u == "a" || u == "" {
				want = "operation-not-supported" // no scheme
			}
			refused("<url>"+u+"</url>", want)
		}
		for _, u := range []string{"http://localhost/a", "ftp://localhost/a", "sftp://localhost/a"} {
			refused("<url>"+u+"</url>", "operation-not-supported")
		}
		refused(url("link"), "invalid-value")
		if name == "copy-config target" {
			continue
		}
		refused(url("none"), "invalid-value")
		if name == "delete-config target" {
			continue
		}
		for _, file := range []string{"root", "other-ns", "cut", "empty", "doctype", "deep"} {
			refused(url(file), "operation-failed")
		}
		refused(url("big"), "too-big")
		rpc, _ := op(url("unknown"))
		c.fails(rpc, "application unknown-namespace element=x namespace=urn:x")
		rpc, _ = op(url("not-valid"))
		if errs := parseErrors(t, c.rpc(rpc)); len(errs) != 1 || errs[0].AppTag != "must-violation" {
			t.Errorf("%s of what is not valid: %v", name, errs) // netconf.md 60
		}
	}
	c.fails(copyTo(url("a"), url("a")), "protocol invalid-value path=/nc:rpc/nc:copy-config/nc:source/nc:url") // netconf.md 59
	c.fails(copyTo("<url><a/></url>", "<running/>"), "protocol operation-not-supported path=/nc:rpc/nc:copy-config/nc:target/nc:url")
	if after := c.reads(""); after != before {
		t.Errorf("running was changed:\n%s\n%s", before, after)
	}
	// What is too long to be read again is not written.
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "<peer><address>10.7.%d.%d</address><config><as>7</as></config></peer>", i>>8, i&255)
	}
	c.ok(edit(instance("<peers>" + many.String() + "</peers>")))
	c.ok(edit(instance("<peers>" + strings.ReplaceAll(many.String(), "10.7.", "10.8.") + "</peers>")))
	c.fails(copyTo(url("a"), "<running/>"), "protocol too-big path=/nc:rpc/nc:copy-config/nc:target/nc:url")
	if text, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || !strings.Contains(string(text), "<as>200</as>") {
		t.Errorf("the file is %v, %s", err, text)
	}
}

// netconf.md 47, 40: with-defaults says what a file holds; passwords are never
// in it.
func TestURLWithDefaults(t *testing.T) {
	c, dir := withFiles(t)
	c.ok(edit(instance("<peers><peer><address>" + peer2 + "</address><transport><authentication><config><method>md5</method><password>SECRET</password></config></authentication></transport></peer></peers>")))
	const ns = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"
	for mode, want := range map[string]bool{"explicit": false, "trim": false, "report-all": true, "report-all-tagged": true} {
		c.ok("<copy-config><target>" + url("d") + "</target><source><running/></source><with-defaults xmlns='" + ns + "'>" + mode + "</with-defaults></copy-config>")
		text, err := os.ReadFile(filepath.Join(dir, "d"))
		if err != nil || strings.Contains(string(text), "<enabled") != want || strings.Contains(string(text), "SECRET") {
			t.Errorf("%s: %v, %s", mode, err, text)
		}
		c.ok(editURL("running", "<test-option>test-only</test-option>", "d"))
	}
	// A peer without its password is refused and not left without protection.
	if errs := parseErrors(t, c.rpc(copyConfig("running", url("d")))); len(errs) != 1 || errs[0].AppTag != "must-violation" {
		t.Errorf("errors are %v", errs)
	}
}
