package netconf

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/gen"
	"mooring/server/netconf/frame"
)

// netconf.md 1
func TestServerHello(t *testing.T) {
	c := newRig(t, Limits{}).pipe("admin")
	text := c.readHello() // the client has said nothing
	var h struct {
		Capabilities []string `xml:"capabilities>capability"`
		IDs          []uint32 `xml:"session-id"`
	}
	if err := xml.Unmarshal([]byte(text), &h); err != nil {
		t.Fatal(err)
	}
	if len(h.IDs) != 1 || h.IDs[0] == 0 {
		t.Errorf("session-id is %v", h.IDs)
	}
	const prefix = "urn:ietf:params:netconf:capability:"
	want := []string{
		base10, base11, prefix + "writable-running:1.0", prefix + "candidate:1.0", prefix + "confirmed-commit:1.1",
		prefix + "private-candidate:1.0?supported-resolution-modes=revert-on-conflict,prefer-candidate,prefer-running", // netconf.md 80
		prefix + "rollback-on-error:1.0",
		prefix + "validate:1.0", prefix + "validate:1.1",
	}
	want = append(want,
		prefix+"with-defaults:1.0?basic-mode=explicit&also-supported=report-all,report-all-tagged,trim", // netconf.md 65
	)
	// The rest is the library and the modules: see TestSchemas.
	rest := len(want)
	for _, m := range gen.Modules {
		if uri := m.Namespace + "?module=" + m.Name + "&revision=" + m.Revision; !slices.Contains(h.Capabilities, uri) {
			t.Errorf("no %s", uri)
		}
	}
	if len(h.Capabilities) < rest || !slices.Equal(h.Capabilities[:rest], want) {
		t.Errorf("capabilities are\n%s\nwant first\n%s", strings.Join(h.Capabilities, "\n"), strings.Join(want, "\n"))
	}
}

func TestSessionIDsDiffer(t *testing.T) {
	r := newRig(t, Limits{})
	a, b := r.open(), r.open()
	if a.id == b.id {
		t.Errorf("both sessions have id %d", a.id)
	}
}

func TestClientHello(t *testing.T) {
	const caps = "<capabilities><capability>" + base11 + "</capability></capabilities>"
	tests := []struct {
		name  string
		hello string
		want  string // reason of the end, empty where the session goes on
		mode  frame.Mode
	}{
		{"both versions", hello(base10, base11), "", frame.Chunked},       // netconf.md 6
		{"base:1.1 alone", hello(base11), "", frame.Chunked},              // scrapligo
		{"base:1.0 alone", hello(base10), "", frame.EOM},                  // netconf.md 6
		{"parameters", hello(base11 + "?x=y"), "", frame.Chunked},         // netconf.md 3
		{"white space", hello("\n  " + base11 + "\n"), "", frame.Chunked}, // netconf.md 3
		{"prefix", `<nc:hello xmlns:nc="` + ncNS + `"><nc:capabilities><nc:capability>` + base11 + `</nc:capability></nc:capabilities></nc:hello>`, "", frame.Chunked}, // netconf.md 4
		{"declaration", `<?xml version="1.0" encoding="UTF-8"?>` + hello(base11), "", frame.Chunked},
		{"unknown element", `<hello xmlns="` + ncNS + `">` + caps + `<x xmlns="urn:x"><y/></x></hello>`, "", frame.Chunked},
		{"session-id", `<hello xmlns="` + ncNS + `">` + caps + `<session-id>4</session-id></hello>`, "with a session-id", 0}, // netconf.md 2
		{"no common version", hello("urn:ietf:params:netconf:base:2.0", "urn:x"), "without a base version", 0},               // netconf.md 3
		{"version as a prefix of another", hello(base11 + "0"), "without a base version", 0},                                 // netconf.md 3
		{"no capabilities", `<hello xmlns="` + ncNS + `"/>`, "without a base version", 0},
		{"wrong namespace", `<hello xmlns="urn:x">` + caps + `</hello>`, "no hello", 0},       // netconf.md 4
		{"no namespace", `<hello>` + caps + `</hello>`, "no hello", 0},                        // netconf.md 4
		{"rpc first", `<rpc xmlns="` + ncNS + `" message-id="1"><get/></rpc>`, "no hello", 0}, // netconf.md 4
		{"text", `<hello xmlns="` + ncNS + `">` + caps + `x</hello>`, "something else than", 0},
		{"malformed", `<hello xmlns="` + ncNS + `">`, "bad hello", 0},
		{"malformed in capabilities", `<hello xmlns="` + ncNS + `"><capabilities><capability></capabilities></hello>`, "bad hello", 0},
		{"DOCTYPE", `<!DOCTYPE hello>` + hello(base11), "bad hello", 0},
	}
	r := newRig(t, Limits{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := r.pipe("admin")
			c.TB = t
			c.readHello()
			c.send(tt.hello + "]]>]]>")
			if tt.want != "" {
				c.wantEnd(tt.want)
				return
			}
			c.mode = tt.mode
			c.in.SetMode(tt.mode)
			c.ok("<commit/>")
		})
	}
}

// netconf.md 5
func TestHelloTimeout(t *testing.T) {
	c := newRig(t, Limits{HelloTimeout: time.Second}).pipe("admin") // long enough to read ours on a busy machine
	c.readHello()
	c.wantEnd(errHello.Error())
}

// netconf.md 5
func TestHelloInTimeIsEnough(t *testing.T) {
	const timeout = time.Second
	c := newRig(t, Limits{HelloTimeout: timeout}).open()
	c.ok("<commit/>")
	select {
	case why := <-c.ended:
		t.Fatalf("session ended: %v", why)
	case <-time.After(timeout + 100*time.Millisecond):
	}
	c.ok("<commit/>")
}

// netconf.md 4: a second hello is no rpc.
func TestSecondHello(t *testing.T) {
	r := newRig(t, Limits{})
	c := r.open()
	if got := parseErrors(t, c.exchange(hello(base11)))[0].String(); got != "rpc malformed-message" {
		t.Errorf("base:1.1: %s", got)
	}
	c.ok("<commit/>")
	old := r.pipe("admin")
	old.greet(base10)
	old.send(old.frame(hello(base10)))
	old.wantEnd(errNoReply.Error())
}
