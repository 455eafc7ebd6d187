package netconf

import (
	"fmt"
	"strings"
	"testing"
)

// netconf.md 15
func TestAttributesComeBack(t *testing.T) {
	tests := []struct{ name, start, want, ok string }{
		{
			"as they were", `rpc xmlns="` + ncNS + `" xmlns:x="urn:x" x:y="a&amp;b &lt; &#9;&quot;" message-id="1" z=''`,
			`<rpc-reply xmlns="` + ncNS + `" xmlns:x="urn:x" x:y="a&amp;b &lt; &#x9;&quot;" message-id="1" z="">`, "<ok/>",
		},
		{
			"prefixed rpc", `n:rpc xmlns:n="` + ncNS + `" message-id="1"`,
			`<rpc-reply xmlns="` + ncNS + `" xmlns:n="` + ncNS + `" message-id="1">`, "<ok/>",
		},
		{
			"prefixed message-id", `n:rpc xmlns:n="` + ncNS + `" n:message-id="1"`,
			`<rpc-reply xmlns="` + ncNS + `" xmlns:n="` + ncNS + `" n:message-id="1">`, "<ok/>",
		},
		{
			"other default namespace", `n:rpc xmlns="urn:x" xmlns:n="` + ncNS + `" message-id="1"`,
			`<n:rpc-reply xmlns="urn:x" xmlns:n="` + ncNS + `" message-id="1">`, "<n:ok/>",
		},
		{
			"message-id that is no number", `rpc xmlns="` + ncNS + `" message-id="urn:uuid:é&gt;"`,
			`<rpc-reply xmlns="` + ncNS + `" message-id="urn:uuid:&#xE9;&gt;">`, "<ok/>",
		},
	}
	c := newRig(t, Limits{}).open()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			element, _, _ := strings.Cut(tt.start, " ")
			prefix, _, found := strings.Cut(element, ":")
			prefix += ":"
			if !found {
				prefix = ""
			}
			got := c.exchange("<" + tt.start + "><" + prefix + "commit/></" + element + ">")
			if want := tt.want + tt.ok + "</" + prefixOf(tt.ok) + "rpc-reply>"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// prefixOf is the prefix of an element with its colon.
func prefixOf(tag string) string {
	prefix, _, found := strings.Cut(strings.Trim(tag, "</>"), ":")
	if !found {
		return ""
	}
	return prefix + ":"
}

// errors and data have the prefix too where the client took the default
// namespace for something else.
func TestPrefixedErrorsAndData(t *testing.T) {
	c := newRig(t, Limits{}).open()
	start := `<n:rpc xmlns="urn:x" xmlns:n="` + ncNS + `" message-id="1">`
	if got := c.exchange(start + "<n:get><n:filter/></n:get></n:rpc>"); !strings.Contains(got, "><n:data></n:data></n:rpc-reply>") {
		t.Errorf("data: %s", got)
	}
	got := c.exchange(start + "<n:nothing/></n:rpc>")
	if !strings.Contains(got, "<n:rpc-error><n:error-type>protocol</n:error-type><n:error-tag>operation-not-supported</n:error-tag>") {
		t.Errorf("error: %s", got)
	}
}

// The general form at the head of netconf.md 1: order, no prefixes, no
// attributes on rpc-error, prefixes of the path declared on the path.
func TestFormOfAnError(t *testing.T) {
	c := newRig(t, Limits{}).open()
	got := c.rpc(editTarget("running", "<default-operation>bad</default-operation>", ""))
	want := `<rpc-error><error-type>protocol</error-type><error-tag>invalid-value</error-tag><error-severity>error</error-severity>` +
		`<error-path xmlns:nc="` + ncNS + `">/nc:rpc/nc:edit-config/nc:default-operation</error-path>` +
		`<error-message xml:lang="en">default-operation must be one of merge, replace, none</error-message></rpc-error>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.setUp()
	got = c.rpc(edit(peer(` nc:operation="create"`, "10.1.1.2", "")))
	want = `<rpc-error><error-type>application</error-type><error-tag>data-exists</error-tag><error-severity>error</error-severity>` +
		`<error-path xmlns:mbgp="urn:mooring:yang:bgp">` + peerPath + `</error-path>` +
		`<error-message xml:lang="en">it exists already and cannot be created</error-message></rpc-error>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = c.rpc("<lock><target><startup/></target></lock>")
	if info := `cannot be startup: it is not served, because the agent's setting netconf-startup is off</error-message><error-info><bad-element>startup</bad-element></error-info></rpc-error>`; !strings.HasSuffix(got, info) {
		t.Errorf("error-info in %s", got)
	}
}

// What is served only where it was configured says which setting that is.
func TestNotServedNamesTheSetting(t *testing.T) {
	_, c := ready(t)
	for rpc, setting := range map[string]string{
		"<get-config><source><startup/></source></get-config>":       "netconf-startup",
		compare("startup", "running", ""):                            "netconf-startup",
		copyConfig("running", "<url>file:///a.xml</url>"):            "netconf-url-dir",
		editURL("candidate", "", "a.xml"):                            "netconf-url-dir",
		"<delete-config><target><startup/></target></delete-config>": "netconf-startup",
	} {
		if got := c.rpc(rpc); !strings.Contains(got, setting) {
			t.Errorf("%s: %s does not name %s", rpc, got, setting)
		}
	}
}

func TestEnvelopeErrors(t *testing.T) {
	in := func(attrs, body string) string { return "<rpc " + attrs + ">" + body + "</rpc>" }
	const base = `xmlns="` + ncNS + `" message-id="1"`
	tests := []struct{ name, msg, want string }{
		{"no message-id", in(`xmlns="`+ncNS+`"`, "<commit/>"), "rpc missing-attribute attribute=message-id element=rpc"}, // netconf.md 16
		{"unknown operation", in(base, "<fly/>"), "protocol operation-not-supported"},                                    // netconf.md 18
		{"operation of issue 5", in(base, "<create-subscription/>"), "protocol operation-not-supported"},                 // netconf.md 18
		{"unknown operation of a module", in(base, `<fly xmlns="`+bgpNS+`"/>`), "protocol operation-not-supported"},
		{"our own rpc without its namespace", in(base, `<preview/>`), "protocol operation-not-supported"},
		{"base operation in our namespace", in(base, `<commit xmlns="`+bgpNS+`"/>`), "protocol operation-not-supported"},
		{"unknown namespace", in(base, `<fly xmlns="urn:x"/>`), "protocol unknown-namespace path=/nc:rpc element=fly namespace=urn:x"}, // netconf.md 18
		{"operation without namespace", in(base, `<commit xmlns=""/>`), "protocol unknown-namespace path=/nc:rpc element=commit namespace="},
		{"unknown parameter", in(base, "<commit><x/></commit>"), "protocol unknown-element path=/nc:rpc/nc:commit element=x"}, // netconf.md 19
		{"misspelt parameter", in(base, "<commit><confirm/></commit>"), "protocol unknown-element path=/nc:rpc/nc:commit element=confirm"},
		{"parameter of unknown namespace", in(base, `<commit><x xmlns="urn:x"/></commit>`), "protocol unknown-namespace path=/nc:rpc/nc:commit element=x namespace=urn:x"},
		{"missing parameter", in(base, "<get-config/>"), "protocol missing-element path=/nc:rpc/nc:get-config element=source"}, // netconf.md 19
		{"parameter twice", in(base, "<get><filter/><filter/></get>"), "protocol bad-element path=/nc:rpc/nc:get element=filter"},
		{"no operation", in(base, ""), "protocol missing-element path=/nc:rpc element=rpc"},                    // netconf.md 19
		{"only a comment", in(base, "<!-- -->"), "protocol missing-element path=/nc:rpc element=rpc"},          // netconf.md 19
		{"two operations", in(base, "<commit/><lock/>"), "protocol unknown-element path=/nc:rpc element=lock"}, // netconf.md 19
		{"text in rpc", in(base, "x<commit/>"), "protocol bad-element element=rpc"},
		{"text in the operation", in(base, "<commit>x</commit>"), "protocol bad-element element=commit"},
		{"no namespace", in(`message-id="1"`, "<commit/>"), "protocol unknown-namespace element=rpc namespace="},                       // netconf.md 20
		{"other namespace", in(`xmlns="urn:x" message-id="1"`, "<commit/>"), "protocol unknown-namespace element=rpc namespace=urn:x"}, // netconf.md 20
		{"cut off", in(base, "<get><filter></get>"), "rpc malformed-message"},                                                          // netconf.md 17
		{"two roots", in(base, "<commit/>") + "<x/>", "rpc malformed-message"},                                                         // netconf.md 17
		{"undeclared prefix", in(base, "<x:commit/>"), "rpc malformed-message"},                                                        // netconf.md 17
		{"not XML", "hello", "rpc malformed-message"},                                                                                  // netconf.md 17
		{"DOCTYPE", "<!DOCTYPE rpc [<!ENTITY a 'b'>]>" + in(base, "<commit/>"), "rpc malformed-message"},                               // netconf.md 17
		{"other encoding", `<?xml version="1.0" encoding="ISO-8859-1"?>` + in(base, "<commit/>"), "rpc malformed-message"},             // netconf.md 17
		{"not UTF-8", in(base, "<commit>\xff</commit>"), "rpc malformed-message"},                                                      // netconf.md 17
		{"other root", `<x xmlns="` + ncNS + `"/>`, "rpc malformed-message"},
		{"20,000 deep", in(base, "<get><filter>"+strings.Repeat("<a>", 20000)+strings.Repeat("</a>", 20000)+"</filter></get>"), "rpc too-big"}, // netconf.md 22
	}
	c := newRig(t, Limits{}).open()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reply := c.exchange(tt.msg)
			errs := parseErrors(t, reply)
			if len(errs) != 1 || errs[0].String() != tt.want {
				t.Fatalf("got  %v\nwant %s\n%s", errs, tt.want, reply)
			}
			if !strings.HasPrefix(reply, `<rpc-reply xmlns="`+ncNS+`"`) {
				t.Errorf("reply in another namespace: %s", reply)
			}
			c.ok("<commit/>") // the session goes on
		})
	}
}

// netconf.md 17: a base:1.0 peer does not know malformed-message, and nothing
// in front of the fault is carried out.
func TestMalformedOnBase10(t *testing.T) {
	r := newRig(t, Limits{})
	for i, tail := range []string{"<x>", "</rpc>x", "</rpc><x/>"} {
		c := r.pipe("admin")
		c.TB = t
		c.greet(base10)
		c.send(fmt.Sprintf(`<rpc xmlns="%s" message-id="1">%s%s]]>]]>`, ncNS, edit(vpn1), tail))
		c.wantEnd(errNoReply.Error())
		if n := r.engine.Store().Running().Revision(); n != 0 {
			t.Fatalf("%d: the edit in front of the fault was made", i)
		}
	}
}

// Every way to write an empty element is the same (netconf.md 4, General).
func TestSpellings(t *testing.T) {
	c := newRig(t, Limits{}).open()
	for _, running := range []string{"<running/>", "<running></running>", "<running> \n </running>", `<n:running xmlns:n="` + ncNS + `"/>`, "<!-- x --><running/>"} {
		c.ok("<validate><source>" + running + "</source></validate>")
	}
}

// netconf.md 22: 20 MB in one leaf get an answer, and the session goes on.
func TestHugeLeaf(t *testing.T) {
	c := newRig(t, Limits{}).open()
	body := c.rpc(edit(peer("", "10.1.1.2", "<description>"+strings.Repeat("x", 20<<20)+"</description>")))
	if errs := parseErrors(t, body); len(errs) != 1 || errs[0].Tag != "invalid-value" || len(body) > 2000 {
		t.Errorf("answered %.2000s", body)
	}
	c.ok("<commit/>")
}
