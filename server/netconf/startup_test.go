package netconf

import (
	"slices"
	"strings"
	"testing"

	"mooring/engine/datastore"
)

func deleteConfig(target string) string {
	return "<delete-config><target>" + target + "</target></delete-config>"
}

func validateOf(source string) string { return "<validate><source>" + source + "</source></validate>" }

// startedUp is a session on a server with a startup datastore, whose running
// has vpn1 with peer2, saved.
func startedUp(t *testing.T) (*rig, *client) {
	t.Helper()
	r := setup{startup: true}.rig(t)
	c := r.open()
	c.setUp()
	c.ok(copyConfig("startup", "<running/>"))
	return r, c
}

func (c *client) savedAs() string { return asIn(c.getPeer("startup", peer2)) }

func asIn(config string) string {
	_, as, _ := strings.Cut(config, "<as>")
	as, _, _ = strings.Cut(as, "</as>")
	return as
}

// netconf.md 59, 60: what startup is copied from and to.
func TestStartupDatastore(t *testing.T) {
	r, c := startedUp(t)
	c.ok(edit(peer("", peer2, "<as>201</as>")), editDraft(peer("", peer2, "<as>202</as>")))
	if got := c.savedAs(); got != "200" {
		t.Errorf("an edit of running changed startup to %s", got)
	}
	c.ok(copyConfig("startup", "<candidate/>"))
	if got := c.savedAs(); got != "202" {
		t.Errorf("candidate to startup: %s", got)
	}
	c.ok("<discard-changes/>", copyConfig("startup", "<config>"+vpn1+peer("", peer2, "<as>203</as>")+"</config>"))
	if got := c.savedAs(); got != "203" {
		t.Errorf("content to startup: %s", got)
	}
	c.ok(copyConfig("candidate", "<startup/>"))
	if got := asIn(c.getPeer("candidate", peer2)) + c.asOf(); got != "203201" {
		t.Errorf("startup to candidate: %s", got)
	}
	c.ok("<discard-changes/>", copyConfig("running", "<startup/>"))
	if got := c.asOf(); got != "203" {
		t.Errorf("startup to running: %s", got)
	}
	before := r.engine.Store().Running().Revision()
	c.ok(copyConfig("running", "<startup/>"), copyConfig("startup", "<running/>"), validateOf("<startup/>"))
	if after := r.engine.Store().Running().Revision(); after != before {
		t.Errorf("a copy of the same made %d commits", after-before) // netconf.md 42
	}
	c.fails(copyConfig("startup", "<startup/>"), "protocol invalid-value path=/nc:rpc/nc:copy-config/nc:source/nc:startup")
	c.ok(deleteConfig("<startup/>"))
	if got := c.savedAs() + c.asOf(); got != "203" {
		t.Errorf("after delete-config: %s", got)
	}
	c.ok(deleteConfig("<startup/>"), validateOf("<startup/>"), copyConfig("running", "<startup/>"))
	if got := c.getPeer("running", peer2); got != "" {
		t.Errorf("nothing to running: %s", got)
	}
}

// netconf.md 41, 59, 60: what startup refuses.
func TestStartupErrors(t *testing.T) {
	_, c := startedUp(t)
	c.fails(editTarget("startup", "", vpn1), "protocol unknown-element path=/nc:rpc/nc:edit-config/nc:target/nc:startup element=startup")
	// A start could do nothing with what is not valid.
	bad := "<config>" + vpn1 + peer("", "10.1.1.3", "") + "</config>"
	errs := parseErrors(t, c.rpc(copyConfig("startup", bad)))
	if len(errs) != 1 || errs[0].AppTag != "must-violation" {
		t.Errorf("content that is not valid: %v", errs)
	}
	c.ok(editDraft(peer("", "10.1.1.3", "")))
	if errs := parseErrors(t, c.rpc(copyConfig("startup", "<candidate/>"))); len(errs) != 1 || errs[0].AppTag != "must-violation" {
		t.Errorf("a candidate that is not valid: %v", errs)
	}
	if got := c.savedAs(); got != "200" {
		t.Errorf("startup is %s", got)
	}
}

// netconf.md 49 to 53: the lock of startup.
func TestLockOfStartup(t *testing.T) {
	r, a := startedUp(t)
	b := r.open()
	a.ok(lock("startup"))
	a.fails(lock("startup"), denied(a.id))
	b.fails(lock("startup"), denied(a.id))
	b.fails(unlock("startup"), denied(a.id))
	b.fails(copyConfig("startup", "<running/>"), inUse)
	b.fails(deleteConfig("<startup/>"), inUse)
	b.ok(edit(peer("", peer2, "<as>201</as>")), copyConfig("candidate", "<startup/>"), "<discard-changes/>")
	if state := b.rpc(`<get><filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><datastores/></netconf-state></filter></get>`); !strings.Contains(state, "<name>startup</name><locks>") {
		t.Errorf("netconf-state does not tell the lock: %s", state)
	}
	a.ok(copyConfig("startup", "<running/>"), deleteConfig("<startup/>"), "<close-session/>")
	b.ok(lock("startup"), unlock("startup"))
	b.fails(unlock("startup"), "protocol operation-failed")
}

// netconf.md 60: a start begins with startup, which can be read before it was
// ever saved.
func TestStartBeginsWithStartup(t *testing.T) {
	dir := t.TempDir()
	start := func(name string, o setup, fn func(*rig, *client)) {
		t.Run(name, func(t *testing.T) {
			o.dir = dir
			r := o.rig(t)
			fn(r, r.open())
		})
	}
	start("without startup", setup{}, func(_ *rig, c *client) { c.setUp() })
	start("with it for the first time", setup{startup: true}, func(r *rig, c *client) {
		if got := c.savedAs() + c.asOf(); got != "200200" {
			t.Errorf("before the first save: %s", got)
		}
		c.ok(edit(peer("", peer2, "<as>201</as>")), copyConfig("startup", "<running/>"), edit(peer("", peer2, "<as>202</as>")))
	})
	start("saved", setup{startup: true}, func(r *rig, c *client) {
		if got := c.savedAs() + c.asOf(); got != "201201" {
			t.Errorf("after a restart: %s", got)
		}
		history := r.engine.Store().History()
		if last := history[len(history)-1]; last.Protocol != "boot" || last.Comment != "startup" {
			t.Errorf("the history says %+v", last)
		}
		c.try(persist("x"))
		c.ok(copyConfig("startup", "<running/>"))
	})
	start("saved during a confirmed commit", setup{startup: true}, func(r *rig, c *client) {
		if got := c.asOf(); got != "300" || r.engine.Pending() != nil { // netconf.md 58: RFC 6241 8.4.1 lets startup win
			t.Errorf("as is %s, pending %v", got, r.engine.Pending())
		}
		c.ok(deleteConfig("<startup/>"))
	})
	start("deleted", setup{startup: true}, func(r *rig, c *client) {
		if d := datastore.Diff(r.engine.Store().Running(), datastore.Blank()); d != nil {
			t.Errorf("running has %v", d)
		}
		c.setUp()
	})
	start("without startup again", setup{}, func(_ *rig, c *client) {
		if got := c.asOf(); got != "200" {
			t.Errorf("running is %s", got)
		}
	})
}

// netconf.md 73: a copy to startup is told.
func TestStartupIsTold(t *testing.T) {
	l := setup{startup: true}.rig(t).listen()
	w, _ := l.dial("admin")
	c, _ := l.dial("guest")
	c.setUp()
	w.ok(subscribe(""))
	c.ok(copyConfig("startup", "<running/>"), copyConfig("startup", "<running/>"))
	got := w.await("<datastore>startup</datastore>")
	for _, part := range []string{"<username>guest</username>", "/mbgp:bgp/mbgp:instances/mbgp:instance[mbgp:name='default']</target><operation>create</operation>"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
}

// netconf.md 60: hello, the library and the monitoring name startup and url
// where they are served, and only there.
func TestSettingsInHello(t *testing.T) {
	const startup, url = "urn:ietf:params:netconf:capability:startup:1.0", "urn:ietf:params:netconf:capability:url:1.0?scheme=file"
	ids := map[string]bool{}
	for _, o := range []setup{{}, {startup: true}, {urlDir: t.TempDir()}, {startup: true, urlDir: t.TempDir()}} {
		c := o.rig(t).pipe("admin")
		hello := c.readHello()
		c.send(`<hello xmlns="` + ncNS + `"><capabilities><capability>` + base10 + "</capability></capabilities></hello>]]>]]>")
		library := c.rpc(`<get><filter><yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"/></filter></get>`)
		_, features, _ := strings.Cut(hello, "features=")
		features, _, _ = strings.Cut(features, "<")
		for _, tt := range []struct {
			on           bool
			uri, feature string
		}{{o.startup, startup, "startup"}, {o.urlDir != "", url, "url"}} {
			if strings.Contains(hello, "<capability>"+tt.uri+"</capability>") != tt.on ||
				slices.Contains(strings.Split(features, ","), tt.feature) != tt.on ||
				strings.Contains(library, "<feature>"+tt.feature+"</feature>") != tt.on {
				t.Errorf("%+v: %s is told wrongly", o, tt.feature)
			}
		}
		if strings.Contains(library, "ds:startup") != o.startup {
			t.Errorf("%+v: the library has %s", o, library)
		}
		_, id, _ := strings.Cut(library, "<content-id>")
		id, _, _ = strings.Cut(id, "<")
		if ids[id] || !strings.Contains(hello, "content-id="+id+"<") {
			t.Errorf("content-id %s", id) // netconf.md 69
		}
		ids[id] = true
	}
}
